/*
 * Threads beside the loop's: with a stack of their own size, and no signals, which are the loop's.
 */
#pragma once

#include <pthread.h>
#include <stddef.h>

typedef void *(*thread_fn)(void *userdata);

/* 0 or a negative errno. */
int thread_start(pthread_t *ret_thread, size_t stack_bytes, thread_fn run, void *userdata);

/* A condition whose waits end by CLOCK_MONOTONIC. 0 or a negative errno. */
int thread_init_condition(pthread_cond_t *condition);
