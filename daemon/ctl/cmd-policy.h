/*
 * What the commands of "mptcpctl policy" share: their words.
 */
#pragma once

#include "ctl.h"
#include "policy-view.h"

struct policy_words {
        struct ctl ctl; /* args: behind the command's name */
        const char *db;
        const char *output;
        const char *uid;
        const char *unit;
        const char *from;
        const char *device;
        bool listen;
        bool connect;
};

typedef int (*policy_run_fn)(const struct policy_words *words);

int policy_list(const struct policy_words *words);
int policy_show(const struct policy_words *words);
int policy_check(const struct policy_words *words);
int policy_output(const struct policy_words *words);
int policy_explain(const struct policy_words *words);

/* Prints the mistakes of files that are left out, as text on standard error. */
void policy_warn(const struct policy_errors *errors);
