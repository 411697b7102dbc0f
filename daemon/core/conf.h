/*
 * The host's configuration, mptcpized.conf: JSON text in, plain values out. Pure: the caller
 * reads the file.
 *
 *         {
 *           "plugin": "fullmesh",
 *           "limits": { "max_subflows": 4, "max_accepted": 8, "max_joins": 3,
 *                       "max_retries": 600, "max_connections": 100000 },
 *           "dead_after": 15,
 *           "routing": "auto",
 *           "allow_join_initial": true,
 *           "metrics": { "file": "/var/lib/prometheus/node-exporter/mptcpize.prom",
 *                        "interval": 15 },
 *           "auth": { "port": 8684 },
 *           "interfaces": { "wwan*": "backup", "docker0": "on" },
 *           "plugins": { "fullmesh": { "announced": true } }
 *         }
 *
 * All keys are optional, unknown ones are errors. Of several patterns that fit an interface the
 * first in the file wins; then come the built-in ones (docker*, veth*, br-*, virbr*: off); then
 * "on".
 */
#pragma once

#include <stdbool.h>
#include "../util/array.h"
#include "../util/json.h"
#include "../util/limits.h"
#include <mptcpize/plugin.h>

/* Seconds. With less, a path has no time to be tried again before its connection dies. */
#define CONF_DEAD_AFTER_MIN     12u
#define CONF_DEAD_AFTER_MAX     600u
#define CONF_DEAD_AFTER_DEFAULT 15u

/* UDP; not assigned to anybody. The number of the RFC. */
#define CONF_AUTH_PORT_DEFAULT 8684u

/* Seconds between two writings of metrics. */
#define CONF_METRICS_INTERVAL_MAX     3600u
#define CONF_METRICS_INTERVAL_DEFAULT 15u

struct conf_role {
        char pattern[LIMIT_NAME]; /* fnmatch(3) */
        enum mptcpize_role role;
};

struct conf_option {
        char plugin[LIMIT_NAME];
        char key[LIMIT_NAME];
        char value[LIMIT_VALUE];
        struct json_place place; /* of the value: for errors that the plugin finds */
};

enum conf_routing {
        CONF_ROUTING_AUTO, /* add rules and tables of our own where the host's don't do */
        CONF_ROUTING_OFF   /* only tell of it */
};

enum conf_join_initial {
        CONF_JOIN_INITIAL_UNSET, /* net.mptcp.allow_join_initial_addr_port is left alone */
        CONF_JOIN_INITIAL_ALLOW,
        CONF_JOIN_INITIAL_DENY
};

/* Numbers that may be changed while the daemon runs. */
struct limits {
        uint32_t max_subflows;
        uint32_t max_accepted;
        uint32_t max_joins;
        uint32_t max_retries;
        uint32_t max_connections;
};

struct conf {
        char plugin[LIMIT_NAME];
        struct json_place plugin_place; /* line 0: the default */
        uint32_t max_subflows;          /* that we open, the initial one included */
        uint32_t max_accepted;          /* joins of the peer's, of one connection */
        uint32_t max_joins;             /* half-open ones of ours, of one connection */
        uint32_t max_retries;           /* joins a minute that were tried before, of all together */
        enum conf_routing routing;
        enum conf_join_initial join_initial;
        uint32_t max_connections;
        uint32_t dead_after;            /* seconds that a connection without any path lives */
        char metrics_file[LIMIT_VALUE]; /* that metrics are written to; "": none */
        uint32_t metrics_interval;      /* seconds */
        uint32_t auth_port;             /* of this daemon and its peers, UDP */
        ARRAY_OF(struct conf_role) roles;
        ARRAY_OF(struct conf_option) options;
};

/* Profiles that no policy has made, but a mode that a user asked for: "mode/handover". */
#define CONF_PROFILE_MODE "mode/"
/* And those of plugins that nothing else has: "plugin/announce". */
#define CONF_PROFILE_PLUGIN "plugin/"

/* What it says of join authentication: enum policy_auth. A higher one is stricter. */
#define CONF_AUTH_OFF     0u
#define CONF_AUTH_PREFER  1u
#define CONF_AUTH_REQUIRE 2u

/*
 * What applies to the connections of a program: the policy's word first, then that of the file.
 * The one without a name is the file's own, for programs that no policy speaks of.
 */
struct conf_profile {
        char name[LIMIT_NAME];
        const struct mptcpize_plugin *plugin; /* NULL: none; nothing is done for them */
        uint32_t max_subflows;
        uint32_t auth;                    /* CONF_AUTH_* */
        char psk[LIMIT_PATH];             /* file of a shared key, "": none */
        bool own_limit;                   /* it is the policy's: no other limit takes its place */
        ARRAY_OF(struct conf_role) roles; /* before those of the file */
        ARRAY_OF(struct conf_option) options; /* after those of the file; all of its plugin */
};

/* The file's own profile, with that plugin. */
void conf_profile_init(struct conf_profile *profile, const struct conf *conf,
                       const struct mptcpize_plugin *plugin);
void conf_profile_done(struct conf_profile *profile);

/* The role that the policy gives an interface; false: it has no word on it. */
bool conf_profile_role(const struct conf_profile *profile, const char *ifname,
                       enum mptcpize_role *ret_role);

/* What the file says of them; whether such numbers may be: 0 or -EINVAL. */
struct limits conf_limits(const struct conf *conf);
int limits_check(const struct limits *limits);

/* The defaults, as if the file were empty. */
void conf_init(struct conf *conf);
void conf_done(struct conf *conf);

/*
 * Reads text, which need not end in NUL. 0; or -EINVAL with error filled in; or -ENOMEM.
 * ret_conf is untouched on failure.
 */
int conf_parse(const char *text, size_t len, struct conf *ret_conf, struct json_error *error);

/*
 * The role of an interface and, in ret_why (may be NULL), where it comes from: a pattern of the
 * file or of the built-in list, or "default".
 */
enum mptcpize_role conf_role(const struct conf *conf, const char *ifname, const char **ret_why);

/* Has the file a role for that interface? */
bool conf_names(const struct conf *conf, const char *ifname);

/* "on", "master", "backup", "off". */
const char *role_name(enum mptcpize_role role);
int role_parse(const char *text, enum mptcpize_role *ret_role);
