/*
 * No gate: for builds without libnftables. See gate.h.
 */
#include "gate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct gate {
        int fd; /* never readable */
};

int gate_new(struct gate **ret_gate) {
        struct gate *gate = calloc(1, sizeof(*gate));

        if (!gate)
                return -ENOMEM;
        gate->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (gate->fd < 0) {
                free(gate);
                return -errno;
        }
        *ret_gate = gate;
        return 0;
}

void gate_free(struct gate *gate, bool keep) {
        (void)keep;
        if (!gate)
                return;
        (void)close(gate->fd);
        free(gate);
}

int gate_fd(const struct gate *gate) {
        return gate->fd;
}

void gate_dispatch(struct gate *gate, gate_outcome_fn on_outcome, void *userdata) {
        (void)gate;
        (void)on_outcome;
        (void)userdata;
}

int gate_request(struct gate *gate, const struct gate_request *request) {
        (void)gate;
        (void)request;
        return -EOPNOTSUPP;
}

int gate_set_listeners(struct gate *gate, const struct gate_listener *listeners, size_t n) {
        (void)gate;
        (void)listeners;
        return n > 0 ? -EOPNOTSUPP : 0;
}

int gate_settle(struct gate *gate, uint64_t timeout_usec) {
        (void)gate;
        (void)timeout_usec;
        return -EOPNOTSUPP;
}

void gate_status(const struct gate *gate, struct gate_status *ret_status) {
        (void)gate;
        *ret_status = (struct gate_status){ .works = false };
        (void)snprintf(ret_status->reason, LIMIT_REASON,
                       "missing: mptcpized was built without libnftables");
}

int gate_restore(const struct gate_lives *lives) {
        (void)lives;
        return 0;
}
