/*
 * Questions to sock_diag. See kern-diag.h.
 */
#include "kern-diag.h"

#include <errno.h>
#include <sys/socket.h>
#include "../util/clock.h"
#include "codec-diag.h"
#include "kern.h"

#define TRIES 8 /* of a dump that is interrupted by changes */

/* Snapshots */

static int on_connection(const struct nlmsghdr *message, void *userdata) {
        struct snapshot *snapshot = userdata;
        struct snapshot_connection row;
        struct snapshot_listener listener;
        int r;

        r = codec_diag_decode_connection(message, message->nlmsg_len, &row);
        if (r == 0)
                return ARRAY_APPEND(&snapshot->connections, row, LIMIT_SNAPSHOT);
        if (r > 0)
                r = codec_diag_decode_listener(message, message->nlmsg_len, &listener);
        return r == 0 ? ARRAY_APPEND(&snapshot->listeners, listener, LIMIT_SNAPSHOT) : r;
}

static int on_subflow(const struct nlmsghdr *message, void *userdata) {
        struct snapshot *snapshot = userdata;
        struct snapshot_subflow row;
        int r;

        r = codec_diag_decode_subflow(message, message->nlmsg_len, &row);
        return r == 0 ? ARRAY_APPEND(&snapshot->subflows, row, LIMIT_SNAPSHOT) : r;
}

/* Connections first: a subflow without its connection is younger, the other way round is not. */
static int snapshot_fill(struct netlink *diag, struct snapshot *snapshot) {
        static const uint8_t families[] = { AF_INET, AF_INET6 };
        static const struct {
                void (*request)(uint8_t family, struct diag_request *ret_request);
                netlink_message_fn on_row;
        } dumps[] = {
                { codec_diag_connections, on_connection },
                { codec_diag_subflows, on_subflow },
        };
        struct diag_request request;
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(dumps); i++)
                for (size_t k = 0; k < ARRAY_SIZE(families); k++) {
                        dumps[i].request(families[k], &request);
                        r = netlink_request(diag, &request.header, dumps[i].on_row, snapshot, NULL);
                        /* A kernel without IPv6. */
                        if (r < 0 && !(r == -ENOENT && families[k] == AF_INET6))
                                return r;
                }
        return 0;
}

int kern_diag_snapshot(struct netlink *diag, struct snapshot *ret_snapshot) {
        for (int i = 0; i < TRIES; i++) {
                struct snapshot snapshot = { .started_usec = clock_usec() };
                int r = snapshot_fill(diag, &snapshot);

                if (r == 0) {
                        *ret_snapshot = snapshot;
                        return 0;
                }
                snapshot_done(&snapshot);
                if (r != -EINTR)
                        return r;
        }
        return -EAGAIN;
}

int kern_snapshot(struct snapshot *ret_snapshot) {
        _cleanup_(netlink_freep) struct netlink *diag = NULL;
        int r = netlink_new(NETLINK_SOCK_DIAG, &diag);

        return r < 0 ? r : kern_diag_snapshot(diag, ret_snapshot);
}

/* Single rows */

static int on_measure(const struct nlmsghdr *message, void *userdata) {
        struct snapshot_subflow *subflow = userdata;

        return codec_diag_decode_subflow(message, message->nlmsg_len, subflow);
}

static int diag_find(struct netlink *diag, const struct mptcpize_address *local,
                     const struct mptcpize_address *remote, int32_t ifindex,
                     struct snapshot_subflow *ret_subflow) {
        struct snapshot_subflow subflow = { 0 };
        struct diag_request request;
        int r;

        codec_diag_subflow(local, remote, ifindex, &request);
        r = netlink_request(diag, &request.header, on_measure, &subflow, NULL);
        if (r < 0)
                return r;
        /* It may have been plain TCP, or the listener on this port. */
        if (!address_equal(&subflow.local, local) || !address_equal(&subflow.remote, remote))
                return -ENOENT;
        *ret_subflow = subflow;
        return 0;
}

int kern_diag_measure(struct netlink *diag, const struct mptcpize_address *local,
                      const struct mptcpize_address *remote, int32_t ifindex,
                      struct measure *ret_measure) {
        struct snapshot_subflow subflow;
        int r = diag_find(diag, local, remote, ifindex, &subflow);

        if (r == 0)
                *ret_measure = subflow.measure;
        return r;
}

struct pending {
        uint32_t token;
        const struct mptcpize_address *local;
        const struct mptcpize_address *remote;
        struct snapshot_subflow found; /* cookie 0: none */
};

static int on_pending(const struct nlmsghdr *message, void *userdata) {
        struct pending *pending = userdata;
        struct snapshot_subflow row;
        int r = codec_diag_decode_subflow(message, message->nlmsg_len, &row);

        if (r == 0 && row.token == pending->token &&
            address_same_host(&row.local, pending->local) &&
            address_equal(&row.remote, pending->remote))
                pending->found = row;
        return r < 0 ? r : 0;
}

typedef void (*request_fn)(uint8_t family, struct diag_request *ret_request);

/* A join is told of without its port, so it is looked for among all that the request dumps. */
static int diag_find_join(struct netlink *diag, request_fn fill, uint32_t token,
                          const struct mptcpize_address *local,
                          const struct mptcpize_address *remote,
                          struct snapshot_subflow *ret_subflow) {
        static const uint8_t families[] = { AF_INET, AF_INET6 }; /* it may be v4-mapped */
        struct pending pending = { .token = token, .local = local, .remote = remote };
        struct diag_request request;

        for (size_t i = 0; i < ARRAY_SIZE(families) && !pending.found.cookie; i++) {
                int r;

                fill(families[i], &request);
                r = netlink_request(diag, &request.header, on_pending, &pending, NULL);
                if (r < 0 && !(r == -ENOENT && families[i] == AF_INET6))
                        return r;
        }
        if (!pending.found.cookie)
                return -ENOENT;
        *ret_subflow = pending.found;
        return 0;
}

int kern_diag_bound(struct netlink *diag, uint32_t token, const struct mptcpize_address *local,
                    const struct mptcpize_address *remote, int32_t *ret_ifindex) {
        struct snapshot_subflow subflow;
        int r = diag_find_join(diag, codec_diag_subflows, token, local, remote, &subflow);

        if (r == 0)
                *ret_ifindex = subflow.ifindex;
        return r;
}

int kern_diag_abort(struct netlink *diag, uint32_t token, const struct mptcpize_address *local,
                    const struct mptcpize_address *remote, int32_t ifindex) {
        struct snapshot_subflow subflow;
        struct diag_request request;
        int r = local->port ? diag_find(diag, local, remote, ifindex, &subflow)
                            : diag_find_join(diag, codec_diag_pending, token, local, remote,
                                             &subflow);

        if (r == 0 && subflow.token != token)
                return -ENOENT;
        if (r < 0)
                return r;
        /* Without its cookie the kernel might take the listener on the same port for it. */
        codec_diag_abort(&subflow, &request);
        r = netlink_request(diag, &request.header, NULL, NULL, NULL);
        return r == -ESTALE ? -ENOENT : r;
}

struct owner_row {
        uint32_t token; /* 0: none came */
        struct ownership owner;
};

static int on_owner(const struct nlmsghdr *message, void *userdata) {
        struct owner_row *row = userdata;

        return codec_diag_decode_owner(message, message->nlmsg_len, &row->token, &row->owner);
}

int kern_diag_owner(struct netlink *diag, uint32_t token, struct ownership *ret_owner) {
        struct owner_row row = { .token = 0 };
        struct diag_request request;
        int r;

        if (!token)
                return -ENOENT;
        codec_diag_connection(token, &request);
        r = netlink_request(diag, &request.header, on_owner, &row, NULL);
        if (r < 0)
                return r;
        if (row.token != token)
                return -ENOENT;
        *ret_owner = row.owner;
        return 0;
}
