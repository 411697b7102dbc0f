/*
 * News of transactions. See gate-watch.h.
 *
 * Each message carries the port of the socket that has sent the transaction. Ours is libnftables',
 * which does not tell it, and may open another one; but the news of a transaction are there before
 * the call that made it returns. So if only one port has changed the table by then, that is ours. A
 * transaction ends with a message that has the program's name.
 */
#include "gate-watch.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include "../kern/attr.h"
#include "gate-table.h"

#define TABLE_ATTR 1 /* NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, ...: the same in all messages */

struct gate_watch {
        struct netlink *netlink;
        uint32_t own;      /* port; 0: not known */
        uint32_t ports[2]; /* that have changed the table since the last look */
        size_t n_ports;
        bool lost;
        char who[LIMIT_PROGRAM];
};

struct news {
        struct attr_blob table;
        struct attr_blob program;
};

int gate_watch_new(struct gate_watch **ret_watch) {
        _cleanup_(gate_watch_freep) struct gate_watch *watch = calloc(1, sizeof(*watch));
        int r;

        if (!watch)
                return -ENOMEM;
        r = netlink_new_monitor(NETLINK_NETFILTER, &watch->netlink);
        if (r == 0)
                r = netlink_join(watch->netlink, NFNLGRP_NFTABLES);
        if (r < 0)
                return r;
        *ret_watch = TAKE_PTR(watch);
        return 0;
}

void gate_watch_free(struct gate_watch *watch) {
        if (!watch)
                return;
        netlink_free(watch->netlink);
        free(watch);
}

int gate_watch_fd(const struct gate_watch *watch) {
        return netlink_fd(watch->netlink);
}

const char *gate_watch_who(const struct gate_watch *watch) {
        return watch->who;
}

static bool blob_is(const struct attr_blob *blob, const char *text) {
        const size_t n = strlen(text);

        return blob->len == n + 1 && memcmp(blob->data, text, n) == 0;
}

static bool watch_has(const struct gate_watch *watch, uint32_t port) {
        for (size_t i = 0; i < watch->n_ports; i++)
                if (watch->ports[i] == port)
                        return true;
        return false;
}

/* More than two are as good as two. */
static void watch_note(struct gate_watch *watch, uint32_t port) {
        if (!watch_has(watch, port) && watch->n_ports < ARRAY_SIZE(watch->ports))
                watch->ports[watch->n_ports++] = port;
}

static void watch_name(struct gate_watch *watch, const struct attr_blob *program) {
        size_t n = 0;

        while (n < program->len && n < sizeof(watch->who) - 1 && isgraph(program->data[n]))
                n++;
        memcpy(watch->who, program->data, n);
        watch->who[n] = '\0';
}

static int on_news(const struct nlmsghdr *message, void *userdata) {
        static const struct attr_field table[] = {
                ATTR_FIELD_BLOB(TABLE_ATTR, struct news, table),
        };
        static const struct attr_field end[] = {
                ATTR_FIELD_BLOB(NFTA_GEN_PROC_NAME, struct news, program),
        };
        struct gate_watch *watch = userdata;
        struct news news = { 0 };
        struct nfgenmsg family;
        uint64_t present;

        if (NFNL_SUBSYS_ID(message->nlmsg_type) != NFNL_SUBSYS_NFTABLES)
                return 0;
        if (NFNL_MSG_TYPE(message->nlmsg_type) == NFT_MSG_NEWGEN) {
                if (watch_has(watch, message->nlmsg_pid) && message->nlmsg_pid != watch->own &&
                    ATTR_READ(message, message->nlmsg_len, &family, end, &news, &present) == 0)
                        watch_name(watch, &news.program);
                return 0;
        }
        if (ATTR_READ(message, message->nlmsg_len, &family, table, &news, &present) == 0 &&
            family.nfgen_family == NFPROTO_INET && blob_is(&news.table, GATE_TABLE))
                watch_note(watch, message->nlmsg_pid);
        return 0;
}

static void watch_read(struct gate_watch *watch) {
        int r;

        watch->n_ports = 0;
        watch->lost = false;
        do {
                r = netlink_read(watch->netlink, on_news, watch);
                if (r == -ENOBUFS)
                        watch->lost = true;
        } while (r == 0 || r == -ENOBUFS);
}

bool gate_watch_look(struct gate_watch *watch) {
        watch->who[0] = '\0';
        watch_read(watch);
        return watch->n_ports > 0 || watch->lost;
}

bool gate_watch_own(struct gate_watch *watch, bool alone) {
        const uint32_t own = watch->own;

        watch->who[0] = '\0';
        watch_read(watch);
        if (alone)
                return false;
        if (!watch->lost && watch->n_ports == 0)
                return false;
        watch->own = !watch->lost && watch->n_ports == 1 ? watch->ports[0] : 0;
        if (watch->own != 0 && (own == 0 || own == watch->own))
                return false;
        watch->own = 0;
        return true;
}
