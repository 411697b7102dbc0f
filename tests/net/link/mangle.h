/*
 * What middleboxes do to packets: take MPTCP's options out, or change payload, and mend the TCP
 * checksum so that TCP doesn't notice. Whole IPv4 and IPv6 packets, as a TUN device gives them;
 * what is no TCP, is a fragment, or has IPv6 extension headers stays as it is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mangle_strip {
        MANGLE_STRIP_NONE,
        MANGLE_STRIP_ALL,   /* every MPTCP option (kind 30, RFC 8684 section 3) */
        MANGLE_STRIP_JOINS, /* MP_JOIN only */
        MANGLE_STRIP_DATA,  /* every one but those of SYNs */
        _MANGLE_STRIP_MAX,
};

/* Turns those options into NOPs. Says whether there was one. */
bool mangle_strip(uint8_t *packet, size_t len, enum mangle_strip strip);

/* Changes a byte of the payload. Says whether there was payload. */
bool mangle_corrupt(uint8_t *packet, size_t len);
