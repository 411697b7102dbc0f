/*
 * Peers that nobody has to wait for: they did not answer HELLO, or connections to them have no key.
 * "prefer" asks so that only the first connection in a while pays for the wait.
 */
#pragma once

#include <stdint.h>
#include "../util/limits.h"

enum quiet_kind { QUIET_NO, QUIET_KEYLESS, QUIET_SILENT };

struct quiet {
        struct quiet_peer {
                uint64_t peer; /* hash of its address and port */
                uint64_t until_usec;
                enum quiet_kind kind; /* QUIET_NO: a free place */
        } peers[LIMIT_AUTH_QUIET];
};

enum quiet_kind quiet_find(const struct quiet *quiet, uint64_t peer, uint64_t now_usec);
void quiet_learn(struct quiet *quiet, uint64_t peer, enum quiet_kind kind, uint64_t now_usec);
void quiet_forget(struct quiet *quiet, uint64_t peer);
