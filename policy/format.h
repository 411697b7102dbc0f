/*
 * The compiled policy database: what compile.c makes of the JSON files and eval.c reads.
 *
 *         header | half 0 | half 1
 *
 * The file has a fixed size and is never truncated or replaced, so that whoever has mapped it may
 * keep the mapping for ever. A writer fills the half that is not in use, then stores generation
 * plus one; generation's lowest bit names the half in use. A reader that finds the same generation
 * before and after it has read a half has read it whole (see eval.h).
 *
 * A half is one block: struct policy_half, then tables and strings, to which it points by offsets
 * from its own start. Integers are in the byte order of the host: the file never leaves it.
 *
 * Everything in a file may be wrong. eval.c checks the sum of a half once per generation, and every
 * offset at each use.
 */
#pragma once

#include <stdint.h>

#define POLICY_MAGIC        "mptcpol" /* eight bytes with its NUL */
#define POLICY_VERSION      1u
#define POLICY_HEADER_BYTES 4096u
#define POLICY_HALF_BYTES   524288u
#define POLICY_FILE_BYTES   (POLICY_HEADER_BYTES + 2u * POLICY_HALF_BYTES)

#define POLICY_TABLE_MAX                                                         \
        4096u /* elements of one table, so that reading a hostile file ends soon \
               */

#define POLICY_ANY_UID UINT32_MAX

struct policy_header {
        char magic[8];
        uint32_t version;
        uint32_t half_bytes; /* POLICY_HALF_BYTES */
        uint32_t generation; /* read and written atomically; 0: nothing has been written yet */
        /*
         * Of each half the generation with which all of struct policy_half was written. Another
         * number: by a writer that knew less, and what is behind POLICY_HALF_FIRST belongs to
         * tables. So programs and daemons of before and after an update understand each other.
         */
        uint32_t whole[2];
};

/* A table: n elements at offset. */
struct policy_span {
        uint32_t offset;
        uint32_t n;
};

/* A string: bytes without NUL at offset; n 0: none. */

struct policy_half {
        uint64_t sum;            /* policy_sum() of all bytes behind this member */
        uint32_t bytes;          /* of this half in use, this structure included; multiple of 8 */
        uint32_t generation;     /* the one that it was written for */
        struct policy_span apps; /* struct policy_app: the first that matches a program counts */
        struct policy_span own;  /* struct policy_prefix: the host's own addresses */
        struct policy_span blackholes; /* struct policy_blackhole; see policy_header.whole */
};

#define POLICY_HALF_FIRST 32u /* bytes of a half that every writer of this version knows */

enum policy_mode {
        POLICY_MODE_DEFAULT, /* nothing said: mptcpized.conf decides */
        POLICY_MODE_OFF,     /* stay TCP */
        POLICY_MODE_HANDOVER,
        POLICY_MODE_INTERACTIVE,
        POLICY_MODE_AGGREGATE,
        POLICY_MODE_NDIFFPORTS,
        POLICY_MODE_PLUGIN, /* the one named in policy_app.plugin */
        _POLICY_MODE_MAX
};

enum policy_auth { POLICY_AUTH_OFF, POLICY_AUTH_PREFER, POLICY_AUTH_REQUIRE, _POLICY_AUTH_MAX };

#define POLICY_APP_CONNECT  0x01u /* upgrade sockets that connect */
#define POLICY_APP_LISTEN   0x02u /* upgrade sockets that listen */
#define POLICY_APP_LOOPBACK 0x04u /* also to loopback and the host's own addresses */
#define POLICY_APP_SOURCE   0x08u /* also if bound to any one address or device */
#define POLICY_APP_HINTS    0x10u /* tell the daemon about sockets */
#define POLICY_APP_KTLS     0x20u /* TCP_ULP before connect() makes a socket TCP */
#define POLICY_APP_PACING   0x40u /* SO_MAX_PACING_RATE makes a socket TCP; else it is an error */
#define POLICY_APP_USER     0x80u /* from a user's own file */
/* A policy that says nothing, and a program without a policy. */
#define POLICY_APP_DEFAULT                                                             \
        (POLICY_APP_CONNECT | POLICY_APP_LISTEN | POLICY_APP_HINTS | POLICY_APP_KTLS | \
         POLICY_APP_PACING)

/* One policy file. */
struct policy_app {
        struct policy_span name;    /* string: the file's name without .json */
        struct policy_span file;    /* string: its path, for people */
        struct policy_span app;     /* string, glob: "*" matches every program; none: any */
        struct policy_span exe;     /* string, glob; none: any */
        struct policy_span unit;    /* string, glob; none: any */
        uint32_t uid;               /* POLICY_ANY_UID: any */
        uint32_t line;              /* of "match", for people */
        uint32_t socket_line;       /* of "upgrade" or else "socket"; 0: not in the file */
        uint32_t mode_line;         /* of "mode" or "plugin"; 0: not in the file */
        uint32_t flags;             /* POLICY_APP_* */
        uint32_t mode;              /* enum policy_mode */
        struct policy_span plugin;  /* string */
        uint32_t max_subflows;      /* 0: not said */
        uint32_t auth;              /* enum policy_auth */
        struct policy_span psk;     /* string: a file's path, or without "/" a credential's name */
        struct policy_span except;  /* struct policy_rule: TCP if one matches */
        struct policy_span listen;  /* struct policy_rule: if any, listeners must match one */
        struct policy_span source;  /* struct policy_rule: bound sockets that are upgraded all
                                     * the same */
        struct policy_span sets;    /* struct policy_set: options set on upgraded sockets */
        struct policy_span roles;   /* struct policy_pair: interface pattern, role */
        struct policy_span options; /* struct policy_pair: option of the plugin, value */
};

#define POLICY_RULE_TO     0x1u /* .to: the destination is in one of these prefixes */
#define POLICY_RULE_PORT   0x2u /* .ports: destination's port, or the local one of a listener */
#define POLICY_RULE_SOURCE 0x4u /* .source: the socket is bound to an address in these */
#define POLICY_RULE_INTERFACE                                                \
        0x8u /* .interface: bound to a device of that name, or to an address \
              * in .near, or the destination is in .near */

/* All conditions of a rule must hold. */
struct policy_rule {
        uint32_t flags; /* POLICY_RULE_*: the conditions it has */
        uint32_t line;  /* for people */
        uint32_t column;
        struct policy_span to;        /* struct policy_prefix */
        struct policy_span source;    /* struct policy_prefix */
        struct policy_span near;      /* struct policy_prefix: networks of the interface */
        struct policy_span ports;     /* struct policy_ports */
        struct policy_span interface; /* string, glob */
};

struct policy_prefix {
        uint8_t family; /* 4 or 6; v4-mapped addresses are 4 */
        uint8_t len;    /* bits */
        uint8_t zero[2];
        uint8_t bytes[16]; /* network byte order */
};

struct policy_ports {
        uint16_t first; /* from 1: port 0 is in no range */
        uint16_t last;
};

/* Where SYNs that ask for MPTCP are lost: connections to there are TCP, whatever the policy. */
struct policy_blackhole {
        struct policy_prefix to;
        uint32_t until; /* CLOCK_MONOTONIC, seconds: when the daemon takes it out */
};

/* setsockopt(level, name) to value; or, with text, to those bytes. */
struct policy_set {
        int32_t level;
        int32_t name;
        int32_t value;
        char text[16]; /* "" : value counts; else with a NUL */
};

struct policy_pair {
        struct policy_span key;
        struct policy_span value;
};
