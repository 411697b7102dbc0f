/*
 * What the policy says of the sockets of any process: the same two databases that the preload
 * library asks (shim/decide.h), for more than one program.
 */
#pragma once

#include <stdint.h>

#include "../../../policy/eval.h"

struct rules_source {
        const void *map; /* NULL: none */
        struct policy_read read;
        uint32_t generation; /* that was read last */
        bool sound;
};

struct rules {
        struct rules_source system;
        struct rules_source own; /* the user's */
};

/* What has been found out about one process; zeroed: nothing yet. */
struct rules_known {
        bool valid;
        uint32_t system_generation;
        uint32_t own_generation;
        const struct policy_app *system;
        const struct policy_app *own;
};

/* Maps the databases that a program of this user would find. */
void rules_init(struct rules *rules);

struct rules_answer {
        struct policy_verdict verdict;
        const struct policy_read *read; /* NULL: no database decided */
        const struct policy_app *app;   /* the policy, NULL: none matches */
};

/* What becomes of a socket. known is brought up to date with the databases. */
void rules_judge(struct rules *rules, const struct policy_identity *who, struct rules_known *known,
                 const struct policy_call *call, struct rules_answer *ret_answer);
