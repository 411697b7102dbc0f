/*
 * The host's configuration. See conf.h.
 *
 * Each object of the file is a table of keys and readers. A reader gets the value and its path,
 * and either stores it or fails with a sentence that says what was expected; json.c adds the place
 * and what was found.
 */
#include "conf.h"
#include "../util/cleanup.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_PLUGIN "fullmesh"

struct conf_reader {
        const struct json_doc *doc;
        struct json_error *error;
        struct conf *conf;
};

typedef int (*conf_read_fn)(const struct conf_reader *reader, const struct json_path *path,
                            json_t *value);

struct conf_key {
        const char *name;
        conf_read_fn read;
};

static const char *const role_names[] = {
        [MPTCPIZE_ROLE_ON] = "on",
        [MPTCPIZE_ROLE_MASTER] = "master",
        [MPTCPIZE_ROLE_BACKUP] = "backup",
        [MPTCPIZE_ROLE_OFF] = "off",
};

/* Bridges and the host's ends of containers: they lead to this host or to nowhere better. */
static const char *const off_by_default[] = { "docker*", "veth*", "br-*", "virbr*" };

const char *role_name(enum mptcpize_role role) {
        return (size_t)role < ARRAY_SIZE(role_names) ? role_names[role] : "unknown";
}

int role_parse(const char *text, enum mptcpize_role *ret_role) {
        size_t i;

        for (i = 0; i < ARRAY_SIZE(role_names); i++) {
                if (strcmp(text, role_names[i]) == 0) {
                        *ret_role = (enum mptcpize_role)i;
                        return 0;
                }
        }
        return -EINVAL;
}

void conf_init(struct conf *conf) {
        *conf = (struct conf){
                .plugin = DEFAULT_PLUGIN,
                .max_subflows = LIMIT_SUBFLOWS_DEFAULT,
                .max_accepted = LIMIT_ACCEPTED_DEFAULT,
                .max_joins = LIMIT_JOINS_DEFAULT,
                .max_retries = LIMIT_RETRIES_DEFAULT,
                .max_connections = LIMIT_CONNECTIONS,
                .dead_after = CONF_DEAD_AFTER_DEFAULT,
                .metrics_interval = CONF_METRICS_INTERVAL_DEFAULT,
                .auth_port = CONF_AUTH_PORT_DEFAULT,
        };
}

struct limits conf_limits(const struct conf *conf) {
        return (struct limits){
                .max_subflows = conf->max_subflows,
                .max_accepted = conf->max_accepted,
                .max_joins = conf->max_joins,
                .max_retries = conf->max_retries,
                .max_connections = conf->max_connections,
        };
}

static bool number_fits(uint32_t number, uint32_t max) {
        return number > 0 && number <= max;
}

int limits_check(const struct limits *limits) {
        return number_fits(limits->max_subflows, LIMIT_SUBFLOWS / 2) &&
                                               number_fits(limits->max_accepted,
                                                           LIMIT_SUBFLOWS / 2) &&
                                               number_fits(limits->max_joins, LIMIT_SUBFLOWS / 2) &&
                                               number_fits(limits->max_retries, LIMIT_RETRIES) &&
                                               number_fits(limits->max_connections,
                                                           LIMIT_CONNECTIONS)
                               ? 0
                               : -EINVAL;
}

void conf_done(struct conf *conf) {
        ARRAY_DONE(&conf->roles);
        ARRAY_DONE(&conf->options);
}

/* The first entry of the file that fits, or NULL. */
static const struct conf_role *conf_find_role(const struct conf *conf, const char *ifname) {
        for (size_t i = 0; i < conf->roles.n; i++)
                if (fnmatch(conf->roles.items[i].pattern, ifname, 0) == 0)
                        return &conf->roles.items[i];
        return NULL;
}

bool conf_names(const struct conf *conf, const char *ifname) {
        return conf_find_role(conf, ifname);
}

enum mptcpize_role conf_role(const struct conf *conf, const char *ifname, const char **ret_why) {
        const struct conf_role *said = conf_find_role(conf, ifname);
        enum mptcpize_role role = said ? said->role : MPTCPIZE_ROLE_ON;
        const char *why = said ? said->pattern : NULL;

        for (size_t i = 0; i < ARRAY_SIZE(off_by_default) && !why; i++) {
                if (fnmatch(off_by_default[i], ifname, 0) == 0) {
                        why = off_by_default[i];
                        role = MPTCPIZE_ROLE_OFF;
                }
        }
        if (ret_why)
                *ret_why = why ? why : "default";
        return role;
}

void conf_profile_init(struct conf_profile *profile, const struct conf *conf,
                       const struct mptcpize_plugin *plugin) {
        *profile = (struct conf_profile){ .plugin = plugin, .max_subflows = conf->max_subflows };
}

void conf_profile_done(struct conf_profile *profile) {
        ARRAY_DONE(&profile->roles);
        ARRAY_DONE(&profile->options);
}

bool conf_profile_role(const struct conf_profile *profile, const char *ifname,
                       enum mptcpize_role *ret_role) {
        for (size_t i = 0; i < profile->roles.n; i++)
                if (fnmatch(profile->roles.items[i].pattern, ifname, 0) == 0) {
                        *ret_role = profile->roles.items[i].role;
                        return true;
                }
        return false;
}

static int read_fail_unknown(const struct conf_reader *reader, const struct json_path *path,
                             const struct conf_key *keys, size_t n) {
        char known[128] = "";
        size_t i, used = 0;

        for (i = 0; i < n && used < sizeof(known); i++)
                used += (size_t)snprintf(known + used, sizeof(known) - used, "%s\"%s\"",
                                         i ? ", " : "", keys[i].name);
        return json_doc_fail_key(reader->doc, path, reader->error, "unknown key, expected %s",
                                 known);
}

/* An object whose keys are known. */
static int read_keys(const struct conf_reader *reader, const struct json_path *path, json_t *object,
                     const struct conf_key *keys, size_t n) {
        const char *name;
        json_t *value;
        size_t i;

        json_object_foreach(object, name, value) {
                const struct json_path here = { .parent = path, .key = name };
                int r;

                for (i = 0; i < n && strcmp(keys[i].name, name) != 0; i++)
                        ;
                if (i == n)
                        return read_fail_unknown(reader, &here, keys, n);
                r = keys[i].read(reader, &here, value);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* An object whose keys the user chooses: read is called for each. */
static int read_each(const struct conf_reader *reader, const struct json_path *path, json_t *object,
                     conf_read_fn read) {
        const char *name;
        json_t *value;

        json_object_foreach(object, name, value) {
                const struct json_path here = { .parent = path, .key = name };
                int r = read(reader, &here, value);

                if (r < 0)
                        return r;
        }
        return 0;
}

static bool plugin_name_valid(const char *name) {
        size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789");

        return len > 0 && len < LIMIT_NAME && name[len] == '\0';
}

static int read_plugin(const struct conf_reader *reader, const struct json_path *path,
                       json_t *value) {
        const char *name = json_string_value(value);

        if (!name || !plugin_name_valid(name))
                return json_doc_fail(reader->doc, path, value, reader->error,
                                     "expected the name of a plugin, 1 to %u lower case letters "
                                     "and digits",
                                     LIMIT_NAME - 1);
        memcpy(reader->conf->plugin, name, strlen(name) + 1);
        reader->conf->plugin_place = json_doc_place(reader->doc, path, 0);
        return 0;
}

/* min is not 0. */
static int read_number(const struct conf_reader *reader, const struct json_path *path,
                       json_t *value, uint32_t min, uint32_t max, uint32_t *ret_number) {
        json_int_t number = json_integer_value(value); /* 0 if it is none */

        if (number < min || number > max)
                return json_doc_fail(reader->doc, path, value, reader->error,
                                     "expected a whole number from %u to %u", min, max);
        *ret_number = (uint32_t)number;
        return 0;
}

static int read_max_subflows(const struct conf_reader *reader, const struct json_path *path,
                             json_t *value) {
        /* half of what the model keeps: subflows that are closing count there too */
        return read_number(reader, path, value, 1, LIMIT_SUBFLOWS / 2, &reader->conf->max_subflows);
}

static int read_max_accepted(const struct conf_reader *reader, const struct json_path *path,
                             json_t *value) {
        return read_number(reader, path, value, 1, LIMIT_SUBFLOWS / 2, &reader->conf->max_accepted);
}

static int read_max_joins(const struct conf_reader *reader, const struct json_path *path,
                          json_t *value) {
        return read_number(reader, path, value, 1, LIMIT_SUBFLOWS / 2, &reader->conf->max_joins);
}

static int read_max_retries(const struct conf_reader *reader, const struct json_path *path,
                            json_t *value) {
        return read_number(reader, path, value, 1, LIMIT_RETRIES, &reader->conf->max_retries);
}

static int read_max_connections(const struct conf_reader *reader, const struct json_path *path,
                                json_t *value) {
        return read_number(reader, path, value, 1, LIMIT_CONNECTIONS,
                           &reader->conf->max_connections);
}

static int read_dead_after(const struct conf_reader *reader, const struct json_path *path,
                           json_t *value) {
        return read_number(reader, path, value, CONF_DEAD_AFTER_MIN, CONF_DEAD_AFTER_MAX,
                           &reader->conf->dead_after);
}

static const struct conf_key limit_keys[] = {
        { "max_subflows", read_max_subflows },
        { "max_accepted", read_max_accepted },
        { "max_joins", read_max_joins },
        { "max_retries", read_max_retries },
        { "max_connections", read_max_connections },
};

static int read_limits(const struct conf_reader *reader, const struct json_path *path,
                       json_t *value) {
        if (!json_is_object(value))
                return json_doc_fail(reader->doc, path, value, reader->error,
                                     "expected an object of limits, {\"max_subflows\": 4}");
        return read_keys(reader, path, value, limit_keys, ARRAY_SIZE(limit_keys));
}

static int read_role(const struct conf_reader *reader, const struct json_path *path,
                     json_t *value) {
        const char *text = json_string_value(value);
        size_t len = strlen(path->key);
        struct conf_role role;
        int r;

        if (len == 0 || len >= LIMIT_NAME)
                return json_doc_fail_key(reader->doc, path, reader->error,
                                         "expected the name of an interface or a pattern, 1 to %u "
                                         "bytes",
                                         LIMIT_NAME - 1);
        if (!text || role_parse(text, &role.role) < 0)
                return json_doc_fail(reader->doc, path, value, reader->error,
                                     "expected a role: \"master\", \"on\", \"backup\" or \"off\"");
        memcpy(role.pattern, path->key, len + 1);
        r = ARRAY_APPEND(&reader->conf->roles, role, LIMIT_ROLE_PATTERNS);
        if (r == -ENOBUFS)
                return json_doc_fail_key(reader->doc, path, reader->error,
                                         "expected at most %u interfaces", LIMIT_ROLE_PATTERNS);
        return r;
}

static int read_interfaces(const struct conf_reader *reader, const struct json_path *path,
                           json_t *value) {
        if (!json_is_object(value))
                return json_doc_fail(reader->doc, path, value, reader->error,
                                     "expected an object of roles, {\"wwan*\": \"backup\"}");
        return read_each(reader, path, value, read_role);
}

static int read_option(const struct conf_reader *reader, const struct json_path *path,
                       json_t *value) {
        const char *plugin = path->parent->key;
        size_t len = strlen(path->key);
        struct conf_option option;
        int r;

        if (len == 0 || len >= LIMIT_NAME)
                return json_doc_fail_key(reader->doc, path, reader->error,
                                         "expected the name of an option, 1 to %u bytes",
                                         LIMIT_NAME - 1);
        if (!json_scalar_print(value, option.value, LIMIT_VALUE))
                return json_doc_fail(reader->doc, path, value, reader->error,
                                     "expected a string of at most %u bytes, a number, true or "
                                     "false",
                                     LIMIT_VALUE - 1);
        memcpy(option.plugin, plugin, strlen(plugin) + 1);
        memcpy(option.key, path->key, len + 1);
        option.place = json_doc_place(reader->doc, path, 0);
        r = ARRAY_APPEND(&reader->conf->options, option, LIMIT_PLUGIN_OPTIONS);
        if (r == -ENOBUFS)
                return json_doc_fail_key(reader->doc, path, reader->error,
                                         "expected at most %u options of plugins",
                                         LIMIT_PLUGIN_OPTIONS);
        return r;
}

static int read_options(const struct conf_reader *reader, const struct json_path *path,
                        json_t *value) {
        if (!plugin_name_valid(path->key))
                return json_doc_fail_key(reader->doc, path, reader->error,
                                         "expected the name of a plugin, 1 to %u lower case "
                                         "letters and digits",
                                         LIMIT_NAME - 1);
        if (!json_is_object(value))
                return json_doc_fail(reader->doc, path, value, reader->error,
                                     "expected an object of options, {\"name\": value}");
        return read_each(reader, path, value, read_option);
}

static int read_plugins(const struct conf_reader *reader, const struct json_path *path,
                        json_t *value) {
        if (!json_is_object(value))
                return json_doc_fail(reader->doc, path, value, reader->error,
                                     "expected an object of plugins, {\"fullmesh\": {...}}");
        return read_each(reader, path, value, read_options);
}

static int read_routing(const struct conf_reader *reader, const struct json_path *path,
                        json_t *value) {
        const char *text = json_string_value(value);

        if (!text || (strcmp(text, "auto") != 0 && strcmp(text, "off") != 0))
                return json_doc_fail(reader->doc, path, value, reader->error,
                                     "expected \"auto\" or \"off\"");
        reader->conf->routing = strcmp(text, "auto") == 0 ? CONF_ROUTING_AUTO : CONF_ROUTING_OFF;
        return 0;
}

static int read_join_initial(const struct conf_reader *reader, const struct json_path *path,
                             json_t *value) {
        if (!json_is_boolean(value))
                return json_doc_fail(reader->doc, path, value, reader->error,
                                     "expected true or false");
        reader->conf->join_initial =
                        json_is_true(value) ? CONF_JOIN_INITIAL_ALLOW : CONF_JOIN_INITIAL_DENY;
        return 0;
}

static int read_metrics_file(const struct conf_reader *reader, const struct json_path *path,
                             json_t *value) {
        const char *file = json_string_value(value);

        if (!file || file[0] != '/' || file[strlen(file) - 1] == '/' || strlen(file) >= LIMIT_VALUE)
                return json_doc_fail(reader->doc, path, value, reader->error,
                                     "expected the path of a file that begins with \"/\", at most "
                                     "%u bytes",
                                     LIMIT_VALUE - 1);
        memcpy(reader->conf->metrics_file, file, strlen(file) + 1);
        return 0;
}

static int read_metrics_interval(const struct conf_reader *reader, const struct json_path *path,
                                 json_t *value) {
        return read_number(reader, path, value, 1, CONF_METRICS_INTERVAL_MAX,
                           &reader->conf->metrics_interval);
}

static const struct conf_key metrics_keys[] = {
        { "file", read_metrics_file },
        { "interval", read_metrics_interval },
};

static int read_metrics(const struct conf_reader *reader, const struct json_path *path,
                        json_t *value) {
        if (!json_is_object(value))
                return json_doc_fail(reader->doc, path, value, reader->error,
                                     "expected an object, {\"file\": \"/path/to/mptcpize.prom\"}");
        return read_keys(reader, path, value, metrics_keys, ARRAY_SIZE(metrics_keys));
}

static int read_auth_port(const struct conf_reader *reader, const struct json_path *path,
                          json_t *value) {
        return read_number(reader, path, value, 1, UINT16_MAX, &reader->conf->auth_port);
}

static const struct conf_key auth_keys[] = {
        { "port", read_auth_port },
};

static int read_auth(const struct conf_reader *reader, const struct json_path *path,
                     json_t *value) {
        if (!json_is_object(value))
                return json_doc_fail(reader->doc, path, value, reader->error,
                                     "expected an object, {\"port\": %u}", CONF_AUTH_PORT_DEFAULT);
        return read_keys(reader, path, value, auth_keys, ARRAY_SIZE(auth_keys));
}

static const struct conf_key root_keys[] = {
        { "plugin", read_plugin },
        { "limits", read_limits },
        { "dead_after", read_dead_after },
        { "routing", read_routing },
        { "allow_join_initial", read_join_initial },
        { "metrics", read_metrics },
        { "auth", read_auth },
        { "interfaces", read_interfaces },
        { "plugins", read_plugins },
};

int conf_parse(const char *text, size_t len, struct conf *ret_conf, struct json_error *error) {
        struct json_doc doc;
        struct conf conf;
        int r;

        r = json_doc_init(&doc, text, len, error);
        if (r < 0)
                return r;
        conf_init(&conf);
        r = read_keys(&(struct conf_reader){ &doc, error, &conf }, NULL, doc.root, root_keys,
                      ARRAY_SIZE(root_keys));
        json_doc_done(&doc);
        if (r < 0)
                conf_done(&conf);
        else
                *ret_conf = conf;
        return r;
}
