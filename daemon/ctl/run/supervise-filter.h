/*
 * Which system calls of a supervised program stop for the supervisor: those that can make or
 * change a TCP socket before it is connected, and those after which what is known of the process
 * is wrong. What can be decided from the arguments is decided in the kernel, so other
 * sockets, other calls and all data go at full speed.
 */
#pragma once

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

enum filter_call {
        FILTER_NONE, /* none of these */
        FILTER_SOCKET,
        FILTER_BIND,
        FILTER_CONNECT,
        FILTER_LISTEN,
        FILTER_CHANGE, /* another program, or another user, from now on */
        _FILTER_CALL_MAX
};

#define FILTER_INSTRUCTIONS 256u

/* Fills the program; returns how many instructions it has. Cannot fail. */
size_t filter_build(struct sock_filter program[static FILTER_INSTRUCTIONS]);

/* Which call a notification with this architecture and number is. */
enum filter_call filter_call(uint32_t arch, int nr);
