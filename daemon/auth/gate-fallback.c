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
        int fd; /* readable once something was to be guarded */
        bool wanted;
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
        eventfd_t value;

        if (eventfd_read(gate->fd, &value) == 0)
                on_outcome(NULL, -EOPNOTSUPP, userdata);
}

static int gate_refuse(struct gate *gate) {
        if (!gate->wanted)
                (void)eventfd_write(gate->fd, 1);
        gate->wanted = true;
        return -EOPNOTSUPP;
}

int gate_request(struct gate *gate, const struct gate_request *request) {
        (void)request;
        return gate_refuse(gate);
}

int gate_set_listeners(struct gate *gate, const struct gate_listener *listeners, size_t n) {
        (void)listeners;
        return n > 0 ? gate_refuse(gate) : 0;
}

int gate_settle(struct gate *gate, uint64_t timeout_usec) {
        (void)timeout_usec;
        return gate->wanted ? -EOPNOTSUPP : 0;
}

void gate_status(const struct gate *gate, struct gate_status *ret_status) {
        *ret_status = (struct gate_status){ .wanted = gate->wanted };
        (void)snprintf(ret_status->reason, LIMIT_REASON, "mptcpized was built without libnftables");
}

bool gate_is_possible(void) {
        return false;
}

int gate_restore(const struct gate_lives *lives) {
        (void)lives;
        return 0;
}
