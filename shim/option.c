/*
 * The table of options, and what can be said without asking the kernel; see option.h.
 *
 * Initial values are the kernel's own, without regard to sysctls: a hook reads no files.
 */
#include "option.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>

/* Our own copies of what libc headers may lack: include/uapi/linux/{tcp,in6}.h, asm-generic. */
enum {
        OPTION_TCP_AO_ADD_KEY = 38,
        OPTION_TCP_AO_DEL_KEY = 39,
        OPTION_TCP_AO_INFO = 40,
        OPTION_TCP_AO_REPAIR = 42,
        OPTION_TCP_RTO_MAX_MS = 44,
        OPTION_TCP_RTO_MIN_US = 45,
        OPTION_TCP_DELACK_MAX_US = 46,
        OPTION_SO_RCVPRIORITY = 82,
        OPTION_IPV6_FLOWINFO = 11,
        OPTION_IPV6_FLOWINFO_SEND = 33,
};

#define ROW(l, n, t, v, a, f, lo, hi, i)                                                         \
        {                                                                                        \
                .level = l, .name = n, .text = t, .verb = v, .answer = a, .flags = f, .min = lo, \
                .max = hi, .initial = i,                                                         \
        }
/* Accepted: a number from min to max, or a switch. */
#define NUMBER(l, n, t, lo, hi, i) ROW(l, n, t, OPTION_ACCEPT, OPTION_VALUE, 0, lo, hi, i)
#define SWITCH(l, n, t, i) \
        ROW(l, n, t, OPTION_ACCEPT, OPTION_VALUE, OPTION_BOOL, INT_MIN, INT_MAX, i)
/* Like a number; -1 stands for the initial value. */
#define HOPS(l, n, t, lo, hi, i) ROW(l, n, t, OPTION_ACCEPT, OPTION_VALUE, OPTION_RESET, lo, hi, i)
/* No longer of use on a connected socket, so that accepting it changes nothing. */
#define BIND(l, n, t) \
        ROW(l, n, t, OPTION_ACCEPT, OPTION_VALUE, OPTION_BOOL | OPTION_BIND, INT_MIN, INT_MAX, 0)
/* What it asks for can't be had of MPTCP; as long as it is MPTCP, the initial value is true. */
#define DEMOTE(l, n, t, i)        ROW(l, n, t, OPTION_DEMOTE, OPTION_VALUE, 0, 0, 0, i)
#define DEMOTE_UNREAD(l, n, t)    ROW(l, n, t, OPTION_DEMOTE, OPTION_ERROR, 0, 0, 0, 0)
#define DEMOTE_IF(l, n, t, flags) ROW(l, n, t, OPTION_DEMOTE, OPTION_ERROR, flags, 0, 0, 0)
#define EMULATE(l, n, t, answer)  ROW(l, n, t, OPTION_EMULATE, answer, 0, 0, 0, 0)

static const struct option options[] = {
        /* MPTCP is always in line. */
        SWITCH(SOL_SOCKET, SO_OOBINLINE, "SO_OOBINLINE", 0),
        NUMBER(SOL_SOCKET, SO_BUF_LOCK, "SO_BUF_LOCK", 0, 3, 0),
        HOPS(SOL_SOCKET, SO_TXREHASH, "SO_TXREHASH", 0, 1, 1),
        SWITCH(SOL_SOCKET, SO_RCVMARK, "SO_RCVMARK", 0),
        SWITCH(SOL_SOCKET, OPTION_SO_RCVPRIORITY, "SO_RCVPRIORITY", 0),
        ROW(SOL_SOCKET, SO_CNX_ADVICE, "SO_CNX_ADVICE", OPTION_ACCEPT, OPTION_ERROR, 0, INT_MIN,
            INT_MAX, 0),
        BIND(SOL_SOCKET, SO_REUSEADDR, "SO_REUSEADDR"),
        BIND(SOL_SOCKET, SO_REUSEPORT, "SO_REUSEPORT"),
        /* A filter keeps something out, so there is no pretending that it is there. */
        DEMOTE_UNREAD(SOL_SOCKET, SO_ATTACH_FILTER, "SO_ATTACH_FILTER"),
        DEMOTE_UNREAD(SOL_SOCKET, SO_ATTACH_BPF, "SO_ATTACH_BPF"),
        DEMOTE_UNREAD(SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, "SO_ATTACH_REUSEPORT_CBPF"),
        DEMOTE_UNREAD(SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, "SO_ATTACH_REUSEPORT_EBPF"),
        DEMOTE(SOL_SOCKET, SO_LOCK_FILTER, "SO_LOCK_FILTER", 0),
        DEMOTE(SOL_SOCKET, SO_PEEK_OFF, "SO_PEEK_OFF", -1),
        /* Never pretended: the program counts on its rate being kept. */
        DEMOTE_IF(SOL_SOCKET, SO_MAX_PACING_RATE, "SO_MAX_PACING_RATE", OPTION_PACING),

        NUMBER(IPPROTO_TCP, TCP_USER_TIMEOUT, "TCP_USER_TIMEOUT", 0, INT_MAX, 0),
        SWITCH(IPPROTO_TCP, TCP_QUICKACK, "TCP_QUICKACK", 1),
        NUMBER(IPPROTO_TCP, TCP_SYNCNT, "TCP_SYNCNT", 1, 127, 6),
        /* The kernel lets the last ACK of a join wait for data, which it never has: no subflow. */
        ROW(IPPROTO_TCP, TCP_DEFER_ACCEPT, "TCP_DEFER_ACCEPT", OPTION_WITHHOLD, OPTION_VALUE, 0,
            INT_MIN, INT_MAX, 0),
        NUMBER(IPPROTO_TCP, TCP_LINGER2, "TCP_LINGER2", INT_MIN, INT_MAX, 60),
        NUMBER(IPPROTO_TCP, TCP_WINDOW_CLAMP, "TCP_WINDOW_CLAMP", INT_MIN, INT_MAX, 0),
        NUMBER(IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, "TCP_THIN_LINEAR_TIMEOUTS", 0, 1, 0),
        NUMBER(IPPROTO_TCP, TCP_THIN_DUPACK, "TCP_THIN_DUPACK", 0, 1, 0),
        NUMBER(IPPROTO_TCP, TCP_TX_DELAY, "TCP_TX_DELAY", 0, (1 << 28) - 1, 0),
        NUMBER(IPPROTO_TCP, OPTION_TCP_RTO_MAX_MS, "TCP_RTO_MAX_MS", 1000, 120000, 120000),
        NUMBER(IPPROTO_TCP, OPTION_TCP_RTO_MIN_US, "TCP_RTO_MIN_US", 2000, 200000, 200000),
        NUMBER(IPPROTO_TCP, OPTION_TCP_DELACK_MAX_US, "TCP_DELACK_MAX_US", 2000, 200000, 200000),
        /* Refused by older kernels: TCP_MAXSEG by 6.12, TCP_NOTSENT_LOWAT by 6.1. */
        NUMBER(IPPROTO_TCP, TCP_MAXSEG, "TCP_MAXSEG", 0, 32767, 536),
        NUMBER(IPPROTO_TCP, TCP_NOTSENT_LOWAT, "TCP_NOTSENT_LOWAT", INT_MIN, INT_MAX, 0),
        /* By 6.1: a connection that is opened slower is all that comes of it. */
        NUMBER(IPPROTO_TCP, TCP_FASTOPEN, "TCP_FASTOPEN", 0, INT_MAX, 0),
        NUMBER(IPPROTO_TCP, TCP_FASTOPEN_CONNECT, "TCP_FASTOPEN_CONNECT", 0, 1, 0),
        NUMBER(IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, "TCP_FASTOPEN_NO_COOKIE", 0, 1, 0),
        ROW(IPPROTO_TCP, TCP_FASTOPEN_KEY, "TCP_FASTOPEN_KEY", OPTION_ACCEPT, OPTION_ERROR, 0,
            INT_MIN, INT_MAX, 0),
        DEMOTE_UNREAD(IPPROTO_TCP, TCP_MD5SIG, "TCP_MD5SIG"),
        DEMOTE_UNREAD(IPPROTO_TCP, TCP_MD5SIG_EXT, "TCP_MD5SIG_EXT"),
        DEMOTE_UNREAD(IPPROTO_TCP, OPTION_TCP_AO_ADD_KEY, "TCP_AO_ADD_KEY"),
        DEMOTE_UNREAD(IPPROTO_TCP, OPTION_TCP_AO_DEL_KEY, "TCP_AO_DEL_KEY"),
        DEMOTE_UNREAD(IPPROTO_TCP, OPTION_TCP_AO_INFO, "TCP_AO_INFO"),
        DEMOTE_UNREAD(IPPROTO_TCP, OPTION_TCP_AO_REPAIR, "TCP_AO_REPAIR"),
        DEMOTE(IPPROTO_TCP, TCP_REPAIR, "TCP_REPAIR", 0),
        DEMOTE_UNREAD(IPPROTO_TCP, TCP_REPAIR_QUEUE, "TCP_REPAIR_QUEUE"),
        DEMOTE_UNREAD(IPPROTO_TCP, TCP_QUEUE_SEQ, "TCP_QUEUE_SEQ"),
        DEMOTE_UNREAD(IPPROTO_TCP, TCP_REPAIR_OPTIONS, "TCP_REPAIR_OPTIONS"),
        DEMOTE_UNREAD(IPPROTO_TCP, TCP_REPAIR_WINDOW, "TCP_REPAIR_WINDOW"),
        DEMOTE(IPPROTO_TCP, TCP_SAVE_SYN, "TCP_SAVE_SYN", 0),
        EMULATE(IPPROTO_TCP, TCP_SAVED_SYN, "TCP_SAVED_SYN", OPTION_EMPTY),
        DEMOTE_IF(IPPROTO_TCP, TCP_ULP, "TCP_ULP", OPTION_KTLS | OPTION_NO_ULP),

        HOPS(IPPROTO_IP, IP_TTL, "IP_TTL", 1, 255, 64),
        NUMBER(IPPROTO_IP, IP_MTU_DISCOVER, "IP_MTU_DISCOVER", 0, 5, 1),
        SWITCH(IPPROTO_IP, IP_RECVERR, "IP_RECVERR", 0),
        SWITCH(IPPROTO_IP, IP_RECVTTL, "IP_RECVTTL", 0),
        SWITCH(IPPROTO_IP, IP_RECVTOS, "IP_RECVTOS", 0),
        SWITCH(IPPROTO_IP, IP_RECVOPTS, "IP_RECVOPTS", 0),
        SWITCH(IPPROTO_IP, IP_RETOPTS, "IP_RETOPTS", 0),
        SWITCH(IPPROTO_IP, IP_PKTINFO, "IP_PKTINFO", 0),
        SWITCH(IPPROTO_IP, IP_RECVORIGDSTADDR, "IP_RECVORIGDSTADDR", 0),
        SWITCH(IPPROTO_IP, IP_CHECKSUM, "IP_CHECKSUM", 0),
        SWITCH(IPPROTO_IP, IP_PASSSEC, "IP_PASSSEC", 0),
        BIND(IPPROTO_IP, IP_FREEBIND, "IP_FREEBIND"),
        BIND(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, "IP_BIND_ADDRESS_NO_PORT"),
        EMULATE(IPPROTO_IP, IP_MTU, "IP_MTU", OPTION_MTU),
        EMULATE(IPPROTO_IP, IP_OPTIONS, "IP_OPTIONS", OPTION_EMPTY),
        /* RFC 5082: what comes from afar is not to be let in. */
        DEMOTE(IPPROTO_IP, IP_MINTTL, "IP_MINTTL", 0),

        HOPS(IPPROTO_IPV6, IPV6_TCLASS, "IPV6_TCLASS", 0, 255, 0),
        HOPS(IPPROTO_IPV6, IPV6_UNICAST_HOPS, "IPV6_UNICAST_HOPS", 0, 255, 64),
        NUMBER(IPPROTO_IPV6, IPV6_MTU_DISCOVER, "IPV6_MTU_DISCOVER", 0, 5, 1),
        SWITCH(IPPROTO_IPV6, IPV6_RECVERR, "IPV6_RECVERR", 0),
        SWITCH(IPPROTO_IPV6, IPV6_DONTFRAG, "IPV6_DONTFRAG", 0),
        SWITCH(IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, "IPV6_AUTOFLOWLABEL", 1),
        SWITCH(IPPROTO_IPV6, OPTION_IPV6_FLOWINFO, "IPV6_FLOWINFO", 0),
        SWITCH(IPPROTO_IPV6, OPTION_IPV6_FLOWINFO_SEND, "IPV6_FLOWINFO_SEND", 0),
        NUMBER(IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, "IPV6_ADDR_PREFERENCES", 0, 0xffff, 0x500),
        SWITCH(IPPROTO_IPV6, IPV6_RECVPKTINFO, "IPV6_RECVPKTINFO", 0),
        SWITCH(IPPROTO_IPV6, IPV6_RECVHOPLIMIT, "IPV6_RECVHOPLIMIT", 0),
        SWITCH(IPPROTO_IPV6, IPV6_RECVHOPOPTS, "IPV6_RECVHOPOPTS", 0),
        SWITCH(IPPROTO_IPV6, IPV6_RECVRTHDR, "IPV6_RECVRTHDR", 0),
        SWITCH(IPPROTO_IPV6, IPV6_RECVDSTOPTS, "IPV6_RECVDSTOPTS", 0),
        SWITCH(IPPROTO_IPV6, IPV6_RECVPATHMTU, "IPV6_RECVPATHMTU", 0),
        SWITCH(IPPROTO_IPV6, IPV6_RECVTCLASS, "IPV6_RECVTCLASS", 0),
        SWITCH(IPPROTO_IPV6, IPV6_ORIGDSTADDR, "IPV6_RECVORIGDSTADDR", 0),
        SWITCH(IPPROTO_IPV6, IPV6_RECVFRAGSIZE, "IPV6_RECVFRAGSIZE", 0),
        BIND(IPPROTO_IPV6, IPV6_FREEBIND, "IPV6_FREEBIND"),
        ROW(IPPROTO_IPV6, IPV6_MTU, "IPV6_MTU", OPTION_ACCEPT, OPTION_MTU, 0, 0, INT_MAX, 0),
        DEMOTE(IPPROTO_IPV6, IPV6_MINHOPCOUNT, "IPV6_MINHOPCOUNT", 0),
};

const struct option *option_find(int level, int name) {
        for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
                if (options[i].level == level && options[i].name == name)
                        return &options[i];
        return NULL;
}

uint32_t option_index(const struct option *option) {
        return (uint32_t)(option - options);
}

/* The options of IP take a single byte, too (do_ip_setsockopt(), net/ipv4/ip_sockglue.c). */
static int option_number(const struct option *option, const void *value, socklen_t len,
                         int *ret_number) {
        if (!value)
                return -EFAULT;
        if (len >= sizeof(int)) {
                memcpy(ret_number, value, sizeof(int));
                return 0;
        }
        if (option->level != IPPROTO_IP || len == 0)
                return -EINVAL;
        *ret_number = *(const unsigned char *)value;
        return 0;
}

int option_parse(const struct option *option, const void *value, socklen_t len, int *ret_value) {
        int number, r = option_number(option, value, len, &number);

        if (r < 0)
                return r;
        if ((option->flags & OPTION_RESET) && number == -1)
                number = option->initial;
        if (number < option->min || number > option->max)
                return -EINVAL;
        *ret_value = option->flags & OPTION_BOOL ? number != 0 : number;
        return 0;
}

socklen_t option_format(const struct option *option, int number, void *value, socklen_t len) {
        const unsigned char byte = (unsigned char)number;

        if (option->level == IPPROTO_IP && len > 0 && len < sizeof(int) && number == byte) {
                memcpy(value, &byte, sizeof(byte));
                return sizeof(byte);
        }
        len = len < sizeof(int) ? len : sizeof(int);
        if (len > 0)
                memcpy(value, &number, len);
        return len;
}

int option_readable(int n, short revents) {
        if (n > 0 && (revents & POLLRDHUP))
                return n - 1;
        if ((revents & POLLHUP) && !(revents & POLLIN))
                return 0;
        return n;
}
