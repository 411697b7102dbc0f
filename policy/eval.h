/*
 * The evaluator of the policy database: which policy a program has, and what that says of a socket.
 *
 * Pure, and safe in a signal handler: no allocation, no libc but memcmp(), no state. Bounded: what
 * a damaged database can do is to be ignored or to give a wrong answer, never a crash or a loop.
 *
 * A reader, who keeps the database mapped:
 *
 *         if (!policy_begin(map, size, &read))            no usable database
 *                 ...
 *         app = policy_find(&read, &identity);            NULL: no policy for this program
 *         policy_judge(&read, app, &call, &verdict);      takes NULL, too
 *         if (!policy_end(&read))                         rewritten meanwhile: do it again
 *                 ...
 *
 * With no database, or no policy that matches, every TCP socket is upgraded except those bound to
 * loopback, to one address or to one device (RFC 6897, 3.1), and connections to loopback or to the
 * host's own addresses.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "format.h"

/* A string that need not end in NUL; {NULL, 0}: none. */
struct policy_text {
        const char *bytes;
        size_t n;
};

/* That of a string that does; NULL: none. */
static inline struct policy_text policy_text_of(const char *string) {
        return (struct policy_text){ string, string ? strlen(string) : 0 };
}

/* Who a program is, as it was when it was started. */
struct policy_identity {
        struct policy_text app;  /* name of the file that was executed (scripts: the script) */
        struct policy_text exe;  /* path of the program, links resolved */
        struct policy_text unit; /* systemd unit, the last component of the cgroup that is one */
        uint32_t uid;            /* effective */
};

/* An IP address; v4-mapped ones are family 4. family 0: none, or not known. */
struct policy_address {
        uint8_t family; /* 0, 4 or 6 */
        uint16_t port;  /* host byte order; 0: none */
        uint8_t bytes[16];
};

enum policy_direction {
        POLICY_SOCKET,  /* made, purpose unknown: is there any that would be upgraded? */
        POLICY_BIND,    /* bound to local or device: is there any purpose ...? */
        POLICY_CONNECT, /* to remote, from local (family 0: not bound) */
        POLICY_LISTEN   /* at local (family 0: not bound) */
};

struct policy_call {
        enum policy_direction direction;
        struct policy_address local;
        struct policy_address remote;
        struct policy_text device; /* SO_BINDTODEVICE */
};

/* Why a socket is TCP. The order is a contract: these are indexes of counters, see report.h. */
enum policy_reason {
        POLICY_REASON_NONE,      /* it is MPTCP */
        POLICY_REASON_MODE,      /* the policy's mode is off */
        POLICY_REASON_DIRECTION, /* "upgrade" has not this direction */
        POLICY_REASON_LOOPBACK,  /* to or at loopback */
        POLICY_REASON_OWN,       /* to an address of this host */
        POLICY_REASON_BOUND,     /* bound to one address */
        POLICY_REASON_DEVICE,    /* bound to one device */
        POLICY_REASON_EXCEPT,    /* a rule in "except" */
        POLICY_REASON_LISTEN,    /* no entry of "listen" matches */
        POLICY_REASON_BLACKHOLE, /* SYNs with MPTCP are lost on the way to the destination */
        _POLICY_REASON_MAX
};

struct policy_verdict {
        bool mptcp;
        enum policy_reason reason;
        uint32_t line;   /* in the policy's file, of what decided; 0: the default did */
        uint32_t column; /* 0: as a whole */
};

/* A generation of a database that is being read. */
struct policy_read {
        const struct policy_header *header;
        const struct policy_half *half;
        uint32_t generation;
};

/* The generation of a mapped database now, 0 if it is none: any change means "evaluate again". */
uint32_t policy_generation(const void *map, size_t size);

/*
 * Starts to read the database of size bytes at map, which is aligned as mmap() does. False: it is
 * none, or damaged, truncated, or of another version. Sums up the whole half, so keep the result
 * of policy_find() for as long as policy_generation() stays the same.
 */
bool policy_begin(const void *map, size_t size, struct policy_read *ret_read);

/*
 * Starts to read again what policy_begin() has accepted, without summing it up: the caller has
 * checked that policy_generation() is still generation.
 */
struct policy_read policy_resume(const void *map, uint32_t generation);

/* Is what was read still the current generation? */
bool policy_end(const struct policy_read *read);

/* The policy of a program, or NULL; it points into the database. */
const struct policy_app *policy_find(const struct policy_read *read,
                                     const struct policy_identity *who);

/* What a user's own policy must not weaken. */
#define POLICY_STRICT_OFF  1u /* mode "off" */
#define POLICY_STRICT_AUTH 2u /* auth "require" */

/* What of that (POLICY_STRICT_*) a policy, which may be NULL, has. */
uint32_t policy_strictness(const struct policy_app *app);

/*
 * A program may have a policy in two databases, the system's and the user's own. The user's own
 * counts, unless it weakens an "off" or "require" of the system's; either may be NULL.
 */
bool policy_own_counts(const struct policy_app *system, const struct policy_app *own);

/*
 * What becomes of a socket. read may be NULL if app is NULL: there is no database then.
 * Cannot fail.
 */
void policy_judge(const struct policy_read *read, const struct policy_app *app,
                  const struct policy_call *call, struct policy_verdict *ret_verdict);

/*
 * What the system's database knows of this host and its network counts for a user's own policy,
 * too: after app of another database has given ret_verdict, system may make it TCP.
 */
void policy_judge_host(const struct policy_read *system, const struct policy_app *app,
                       const struct policy_call *call, struct policy_verdict *ret_verdict);

/*
 * Was it written with all of struct policy_half? What an earlier daemon wrote has no blackholes.
 */
bool policy_is_whole(const struct policy_read *read);

/* Destination i, or NULL: past the end, or there are none. */
const struct policy_blackhole *policy_blackhole_at(const struct policy_read *read, uint32_t i);

/*
 * Element i of a table whose elements have size bytes, or NULL: past its end, or the database is
 * damaged.
 */
const void *policy_at(const struct policy_read *read, const struct policy_span *span, uint32_t i,
                      size_t size);

/* A string of the database; none if it is damaged. */
struct policy_text policy_text(const struct policy_read *read, const struct policy_span *span);

/* Does text match pattern, with * for any bytes and ? for one? */
bool policy_glob(struct policy_text pattern, struct policy_text text);

/* The address in a struct sockaddr of len bytes; family 0 if it is none of the Internet. */
struct policy_address policy_address(const void *sockaddr, size_t len);

/* 0.0.0.0, :: or none at all. */
bool policy_is_wildcard(const struct policy_address *address);
bool policy_is_loopback(const struct policy_address *address);

/* The sum of n bytes, a multiple of 8, at an address that is aligned to 8. */
uint64_t policy_sum(const void *bytes, size_t n);

/* Words for people: "the destination is loopback", "off", "prefer". Never NULL. */
const char *policy_reason_name(enum policy_reason reason);
const char *policy_mode_name(enum policy_mode mode);
const char *policy_auth_name(enum policy_auth auth);
