/*
 * A program that we wait for, as if it were not us who was started but it.
 */
#pragma once

/* In the child: executes the program; returns the exit status if that fails. */
typedef int (*child_start_fn)(void *context);

/*
 * Runs start() in a child and waits for its end. Meanwhile the child has the terminal: signals of
 * the terminal reach it anyway and are ignored here, those that other processes send to us are
 * passed on, and when it stops we stop, too. Returns the status of waitpid(2), or -errno.
 */
int child_run(child_start_fn start, void *context);

/* Ends this process as the child did, also by the same signal. */
_Noreturn void child_end(int status);
