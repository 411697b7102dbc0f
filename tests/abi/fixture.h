/*
 * A right plugin, in pieces: each fixture takes them and gets one thing wrong.
 *
 * Its options: "speed" takes a number from 1 to 9; "stubborn" fails with an error that is neither
 * of those that the contract names.
 */
#pragma once

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <mptcpize/plugin.h>

static int fixture_init(void **ret_state) {
        void *state = calloc(1, 1);

        if (!state)
                return -ENOMEM;
        *ret_state = state;
        return 0;
}

static int fixture_config(void *state, const char *key, const char *value) {
        (void)state;
        if (strcmp(key, "stubborn") == 0)
                return -EIO;
        if (strcmp(key, "speed") != 0)
                return -ENOENT;
        return value[0] >= '1' && value[0] <= '9' && !value[1] ? 0 : -EINVAL;
}

static int fixture_decide(void *state, const struct mptcpize_view *view,
                          const struct mptcpize_event *event, struct mptcpize_sink *sink) {
        (void)state, (void)view, (void)event, (void)sink;
        return 0;
}

/* The description; what is to be wrong in it, a fixture changes afterwards. */
#define FIXTURE(as)                                                                        \
        {                                                                                  \
                .size = sizeof(struct mptcpize_plugin), .abi = MPTCPIZE_ABI, .name = (as), \
                .init = fixture_init, .config = fixture_config, .decide = fixture_decide,  \
                .done = free,                                                              \
        }
