/*
 * The socket that a hint is about, as the kernel has it: nothing of this is the sender's word.
 */
#pragma once

#include "../core/address.h"

struct subject {
        uint64_t cookie;               /* SO_COOKIE */
        uint32_t token;                /* 0: none; it isn't connected, or fell back */
        struct mptcpize_address local; /* of a listener */
        bool ipv6_only;                /* of a listener; false if the kernel doesn't say */
};

/* Which network namespace we are in, by any socket of ours; 0: this kernel doesn't say. */
uint64_t subject_own_namespace(int socket);

/*
 * Reads what the hint kind needs to know. It may wait for the socket's lock, which its owner can
 * hold for ever. 0; -ENOTSOCK, -EPROTONOSUPPORT: no MPTCP socket (or TCP, for one that was
 * demoted); -EXDEV: of another network namespace; -EINVAL: a listener that does not listen.
 */
int subject_read(int fd, unsigned int kind, uint64_t own_namespace, struct subject *ret_subject);
