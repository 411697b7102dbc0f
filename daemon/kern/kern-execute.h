/*
 * Carrying out one action: blocking, in a command thread, over sockets made beforehand.
 */
#pragma once

#include "../core/event.h"

struct mptcp_family;

/* An action with its result. One allocation, from submission to delivery. */
struct command {
        struct command *next; /* in whichever queue it is */
        struct action action;
        int error;
        uint32_t cpu_usec;   /* processor time of an ACTION_CREATE */
        bool bound, unbound; /* its subflow is, or is not, bound to the interface; or not known */
        char message[LIMIT_REASON];
        ARRAY_OF(struct entry) entries; /* ACTION_QUERY */
        struct snapshot snapshot;       /* ACTION_SNAPSHOT */
        struct measure measure;         /* ACTION_MEASURE */
        bool done;                      /* the result is there already: nothing is to be run */
};

struct command *command_new(const struct action *action);
void command_free(struct command *command);

struct executor;

/* Makes the sockets. */
int executor_new(const struct mptcp_family *family, struct executor **ret_executor);
void executor_free(struct executor *executor);

/* Does it, waits for the kernel, and fills in the result. */
void executor_run(struct executor *executor, struct command *command);
