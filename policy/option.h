/*
 * The socket options that a policy may have set on upgraded sockets, by their keys in "socket".
 */
#pragma once

#include <stdbool.h>

enum policy_option_key {
        POLICY_OPTION_CONGESTION,
        POLICY_OPTION_NODELAY,
        POLICY_OPTION_KEEPALIVE,
        POLICY_OPTION_SEND_BUFFER,
        POLICY_OPTION_RECEIVE_BUFFER,
        POLICY_OPTION_MARK,
        POLICY_OPTION_TOS,
        POLICY_OPTION_PRIORITY,
        _POLICY_OPTION_MAX
};

enum policy_option_kind { POLICY_OPTION_TEXT, POLICY_OPTION_SWITCH, POLICY_OPTION_NUMBER };

struct policy_option {
        const char *key;
        enum policy_option_kind kind;
        int level;
        int name;
};

extern const struct policy_option policy_options[_POLICY_OPTION_MAX];
