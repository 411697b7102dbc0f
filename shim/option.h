/*
 * Socket options and ioctls that the kernel's MPTCP refuses or answers otherwise than TCP, and what
 * a program is told instead.
 *
 * The kernel is asked first: the table counts only when it refuses (but for OPTION_WITHHOLD), so
 * that a newer kernel that knows an option needs no new table. What the table says was measured,
 * and tests/shim/matrix.c compares it with TCP.
 */
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* What becomes of a setsockopt() that the kernel refuses. */
enum option_verb {
        OPTION_PASS,     /* nothing: the program gets the error */
        OPTION_ACCEPT,   /* success; remembered, and set for good should the connection be TCP */
        OPTION_DEMOTE,   /* the socket becomes TCP, with the option set; else the error */
        OPTION_EMULATE,  /* it can only be read */
        OPTION_WITHHOLD, /* accepted as above though the kernel takes it, where it does harm */
};

/* What a refused getsockopt() says. */
enum option_answer {
        OPTION_ERROR, /* the kernel's error */
        OPTION_VALUE, /* what was set and accepted, or else the initial value */
        OPTION_EMPTY, /* no bytes */
        OPTION_MTU,   /* of the path, from TCP_INFO */
};

#define OPTION_BOOL   0x01u /* any value but 0 reads as 1 */
#define OPTION_RESET  0x02u /* -1 sets the initial value */
#define OPTION_BIND   0x04u /* of a connected socket, the kernel refuses it with EINVAL */
#define OPTION_KTLS   0x08u /* demotes only if the policy has POLICY_APP_KTLS */
#define OPTION_PACING 0x10u /* ... POLICY_APP_PACING */
#define OPTION_NO_ULP 0x20u /* where it can't demote, the error is ENOENT: no such protocol */

struct option {
        uint16_t level;
        uint16_t name;
        uint8_t verb;   /* enum option_verb */
        uint8_t answer; /* enum option_answer */
        uint8_t flags;  /* OPTION_* */
        int32_t min;    /* other values of accepted options are EINVAL, as with TCP */
        int32_t max;
        int32_t initial;
        const char *text; /* its name, for reports */
};

/* The row of an option, or NULL: passed. */
const struct option *option_find(int level, int name);

/* Is its verb OPTION_WITHHOLD? Said here as well, so that asking costs next to nothing. */
static inline bool option_is_withheld(int level, int name) {
        return level == IPPROTO_TCP && name == TCP_DEFER_ACCEPT;
}

/* Which row it is, for report_count(). */
uint32_t option_index(const struct option *option);

/*
 * What setsockopt() of an accepted option makes of len bytes at value. 0 with the value that
 * getsockopt() gives then, or the negative errno with which TCP refuses it.
 */
int option_parse(const struct option *option, const void *value, socklen_t len, int *ret_value);

/* Answers getsockopt() as the kernel does an int; the length that it reports. */
socklen_t option_format(const struct option *option, int number, void *value, socklen_t len);

/*
 * How many bytes can be read, where FIONREAD says n and poll() reports revents. MPTCP counts the
 * DATA_FIN, and says 1 of a closed socket (mptcp_inq_hint(), net/mptcp/protocol.c).
 */
int option_readable(int n, short revents);

/* TCP_USER_TIMEOUT in milliseconds, as accepted for fd; 0: none. */
uint32_t option_user_timeout(int fd);
