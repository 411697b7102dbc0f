/*
 * What firewall rules are in the way of: shared by the readers of nftables and of iptables.
 */
#pragma once

#include <stdbool.h>

#include "doctor.h"

enum obstacle {
        OBSTACLE_STRIP,    /* takes Multipath TCP's option out of packets */
        OBSTACLE_DROP,     /* drops packets with it */
        OBSTACLE_JOINS,    /* drops those of joins only */
        OBSTACLE_PATH,     /* drops what leaves by one of our paths */
        OBSTACLE_SYNPROXY, /* answers for us, without options */
        OBSTACLE_INVALID,  /* drops what conntrack doesn't follow */
        OBSTACLE_NOTRACK,
        _OBSTACLE_MAX
};

/* A rule that is one. */
struct obstacle_rule {
        enum obstacle obstacle;
        bool narrow;  /* it has other conditions as well */
        bool forward; /* it is for packets of others */
        const char *subject;
        const char *detail; /* in what, behind the obstacle's own words; "" */
        const char *remedy;
};

void firewall_add(struct doctor *doctor, const struct obstacle_rule *rule);

/* doctor-nftables.c: ret_xt: there are rules of iptables in it. 0 or a negative errno. */
int firewall_read_nftables(struct doctor *doctor, bool *ret_xt);

/* The same of what nft has printed. -EBADMSG: it is no list of rules. */
int firewall_take_nftables(struct doctor *doctor, const char *text, bool *ret_xt);

/* The same of what command-save has printed, which is taken apart. */
void firewall_take_iptables(struct doctor *doctor, const char *command, char *text);

/* doctor-port.c: is the port of join authentication closed by what nft lists, or by what
 * command-save has printed? Nothing if there is none. */
void firewall_check_port(struct doctor *doctor, const json_t *objects);
void firewall_check_port_iptables(struct doctor *doctor, const char *command, const char *text);

/* doctor-iptables.c: legacy: those of the older kernel interface. */
void firewall_read_iptables(struct doctor *doctor, bool legacy);
