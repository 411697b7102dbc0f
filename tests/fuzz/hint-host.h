/*
 * A reader of hints, for a fuzzer; and descriptors of many kinds to send to it.
 */
#pragma once

#include <stddef.h>

struct hint_report;

/* A datagram, with n_fds descriptors (at most 5) of kinds that begin with first, any number. */
void hint_host_send(const void *bytes, size_t n, size_t first, size_t n_fds);

/* What the reader made of it. No descriptor of it may be left then. */
void hint_host_receive(struct hint_report *ret_report);
