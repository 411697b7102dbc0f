/*
 * Questions to the kernel. See kern-feature.h.
 */
#include "kern-feature.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/genetlink.h>
#include <netlink/msg.h>
#include "../util/cleanup.h"
#include "kern.h"
#include "uapi/mptcp-pm.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif

DEFINE_CLEANUP(struct nl_msg *, nlmsg_free)

/*
 * GET_ADDR of a connection that can't be. A kernel that looks for the token says that there is
 * none; one that does not lists the endpoints of its own path manager (before Linux 6.10), which
 * would be taken for the connection's addresses.
 */
static void probe_lists(struct netlink *genl, uint16_t family, struct features *features) {
        _cleanup_(nlmsg_freep) struct nl_msg *msg = nlmsg_alloc_size(CODEC_MPTCP_BYTES);
        const struct action query = { .type = ACTION_QUERY, .token = 0 };
        int r;

        if (!msg || codec_mptcp_encode(&query, family, false, msg) < 0)
                return;
        r = netlink_request(genl, nlmsg_hdr(msg), NULL, NULL, NULL);
        if (r == 0 || r == -EINVAL)
                features_set(features, FEATURE_ADDRESS_LISTS, r == -EINVAL);
}

/* -1: net.mptcp.enabled is 0. */
static int mptcp_socket(void) {
        return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
}

/* The structure grew: how much of it there is tells. */
static void probe_info(int fd, struct features *features) {
        const socklen_t needed = offsetof(struct mptcp_info_6_5, bytes_acked) + sizeof(uint64_t);
        struct mptcp_info_6_5 info;
        socklen_t len = sizeof(info);

        if (getsockopt(fd, SOL_MPTCP, MPTCP_INFO, &info, &len) == 0)
                features_set(features, FEATURE_SEQUENCES, len >= needed);
}

static int on_listener_event(const struct nlmsghdr *message, void *userdata) {
        bool *told = userdata;
        struct event event;

        if (codec_mptcp_decode(message, message->nlmsg_len, &event) == 0 &&
            event.type == EVENT_LISTENER_CREATED)
                *told = true;
        return 0;
}

/* Only at the loopback device, whether that is up or not, and gone before anybody can find it. */
static int listen_for_a_moment(int fd) {
        static const char device[] = "lo";

        if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, sizeof(device)) < 0)
                return -errno;
        return listen(fd, 0) < 0 ? -errno : 0;
}

/* An event is there when listen() returns. */
static void probe_listener(int fd, uint32_t group, struct features *features) {
        _cleanup_(netlink_freep) struct netlink *events = NULL;
        bool told = false;
        int r;

        if (netlink_new_monitor(NETLINK_GENERIC, &events) < 0 || netlink_join(events, group) < 0 ||
            listen_for_a_moment(fd) < 0)
                return;
        do
                r = netlink_read(events, on_listener_event, &told);
        while (r == 0 && !told);
        if (told || r == -EAGAIN) /* else events were lost */
                features_set(features, FEATURE_LISTENER_EVENTS, told);
}

bool kern_is_on(void) {
        _cleanup_(closep) int fd = mptcp_socket();

        return fd >= 0 || errno != ENOPROTOOPT;
}

void kern_feature_probe(struct netlink *genl, const struct mptcp_family *family,
                        struct features *features) {
        _cleanup_(closep) int fd = mptcp_socket();

        probe_lists(genl, family->id, features);
        if (fd < 0)
                return;
        probe_info(fd, features);
        probe_listener(fd, family->events_group, features);
}
