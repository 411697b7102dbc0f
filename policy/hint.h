/*
 * Hints: what the library tells the daemon of a socket, in one datagram to HINT_SOCKET in the
 * daemon's runtime directory, with the socket's own descriptor (SCM_RIGHTS: who has it may speak of
 * it) and, put there by the kernel, the sender's credentials.
 *
 * Advisory: the daemon finds out by itself which policy the sender has. It reads cookie and token
 * of the socket, closes the descriptor, and binds what it learns to them. A hint that is lost
 * changes nothing but how well the paths suit the program. The one thing that is believed is .exe,
 * where the kernel does not let the daemon look: a program that wants to be taken for another one
 * of its user can have itself executed by that name as well.
 */
#pragma once

#include <stdint.h>

#define HINT_SOCKET    "hint"
#define HINT_VERSION   1u
#define HINT_TEXT      64u
#define HINT_KEY_BYTES 32u
#define HINT_EXE       256u /* as long as a policy's pattern */

enum hint_kind {
        HINT_CONNECT = 1, /* connect() has begun on this MPTCP socket */
        HINT_LISTEN,      /* this MPTCP socket listens */
        HINT_OPTION,      /* an option with a meaning for the daemon was set: .user_timeout_msec */
        HINT_DEMOTED,     /* this socket was MPTCP and is TCP; .text: for which option */
        HINT_FELL_BACK,   /* this MPTCP socket turned out to be TCP on the wire */
        HINT_KEY,         /* the TLS handshake on this connection is complete: .key */
        _HINT_KIND_MAX
};

/* Grows at its end only; a receiver takes what is missing as zero, and ignores what is more. */
struct hint {
        uint32_t version;           /* HINT_VERSION */
        uint32_t kind;              /* enum hint_kind */
        uint32_t mode;              /* enum policy_mode of the sender's policy, 0: none */
        uint32_t user_timeout_msec; /* TCP_USER_TIMEOUT that the kernel refused, 0: none */
        char policy[HINT_TEXT];     /* name of the sender's policy, with a NUL; "": none */
        char text[HINT_TEXT];
        char exe[HINT_EXE]; /* path of the program, with a NUL; "": none, or longer */
        uint8_t key_len;    /* of .key: 0, or HINT_KEY_BYTES */
        uint8_t zero[3];
        uint8_t key[HINT_KEY_BYTES]; /* for join authentication, of the session's exporter */
};
