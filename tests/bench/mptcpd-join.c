/*
 * The smallest plugin of mptcpd that joins: as soon as a connection can take it, a subflow from the
 * address in the environment, JOIN_ADDRESS. It looks nothing up and remembers nothing, so what it
 * costs is what mptcpd costs. Built by peers.py, against Debian's headers.
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <mptcpd/path_manager.h>
#include <mptcpd/plugin.h>

enum { LOCAL_ID = 2, REMOTE_ID = 0 };

static struct sockaddr_in from = { .sin_family = AF_INET };

static void on_established(mptcpd_token_t token, const struct sockaddr *local,
                           const struct sockaddr *remote, bool server_side, struct mptcpd_pm *pm) {
        (void)local;
        if (!server_side)
                (void)mptcpd_pm_add_subflow(pm, token, LOCAL_ID, REMOTE_ID,
                                            (const struct sockaddr *)&from, remote, false);
}

static const struct mptcpd_plugin_ops ops = { .connection_established = on_established };

static int join_init(struct mptcpd_pm *pm) {
        const char *address = getenv("JOIN_ADDRESS");

        (void)pm;
        if (!address || inet_pton(AF_INET, address, &from.sin_addr) != 1)
                return -1;
        return mptcpd_plugin_register_ops("join", &ops) ? 0 : -1;
}

static void join_exit(struct mptcpd_pm *pm) {
        (void)pm;
}

MPTCPD_PLUGIN_DEFINE(join, "Joins once", MPTCPD_PLUGIN_PRIORITY_DEFAULT, join_init, join_exit)
