/*
 * Command threads. A command on a busy connection waits for its socket lock (5-12 ms at the 99th
 * percentile), which the loop can't: so it only queues, and the threads send and wait.
 *
 * No two threads work on one connection at a time, so the order of its commands holds, and a busy
 * connection keeps just one of them waiting. Snapshots, which take long, have a thread of their
 * own.
 *
 * All functions are for the loop's thread.
 */
#pragma once

#include "kern-execute.h"

struct command_pool;

int command_pool_new(const struct mptcp_family *family, struct command_pool **ret_pool);

/* Ends the threads; a command at work is finished first, those that wait are dropped. */
void command_pool_free(struct command_pool *pool);

/* Readable when there are finished commands. */
int command_pool_fd(const struct command_pool *pool);

/* Queues a copy. -EAGAIN: LIMIT_KERN_QUEUE are on their way; -ENOMEM. */
int command_pool_submit(struct command_pool *pool, const struct action *action);

/* The same, for what has failed before it could be tried: its result comes in its turn. */
int command_pool_submit_failed(struct command_pool *pool, const struct action *action, int error,
                               const char *message);

/*
 * The next finished command, or NULL; the caller frees it. It no longer counts as on its way.
 * If the caller stops before NULL, command_pool_rearm() makes the descriptor readable again.
 */
struct command *command_pool_take(struct command_pool *pool);
void command_pool_rearm(struct command_pool *pool);
