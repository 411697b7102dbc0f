/* The options, by level; see matrix.h. Values are such that they differ from the default. */
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/time.h>

#include "matrix.h"

/* Newer than some libc headers, or in those of the kernel only. */
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
#ifndef SO_RCVPRIORITY
#define SO_RCVPRIORITY 82
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif
#ifndef TCP_AO_ADD_KEY
#define TCP_AO_ADD_KEY 38
#endif
#ifndef TCP_AO_INFO
#define TCP_AO_INFO 40
#endif
#ifndef TCP_IS_MPTCP
#define TCP_IS_MPTCP 43
#endif
#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44
#endif
#ifndef TCP_RTO_MIN_US
#define TCP_RTO_MIN_US 45
#endif
#ifndef TCP_DELACK_MAX_US
#define TCP_DELACK_MAX_US 46
#endif
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif
#ifndef IPV6_FLOWINFO
#define IPV6_FLOWINFO 11
#endif
#ifndef IPV6_FLOWINFO_SEND
#define IPV6_FLOWINFO_SEND 33
#endif
#ifndef SO_ORIGINAL_DST
#define SO_ORIGINAL_DST 80
#endif

#define VALUE(l, n, s, type, ...)                                                                \
        {                                                                                        \
                .level = l, .name = n, .text = #n, .show = s, .value = &(const type)__VA_ARGS__, \
                .len = (socklen_t)sizeof(type)                                                   \
        }
#define INT(l, n, v) VALUE_OF(l, n, #n, MATRIX_INT, v, false)
/* A length is all that can be said of what comes back. */
#define BLIND(l, n, v) VALUE_OF(l, n, #n, MATRIX_LEN, v, false)
/* With it, no connection comes about. */
#define ALONE(l, n, v) VALUE_OF(l, n, #n, MATRIX_INT, v, true)
#define READ(l, n, s) \
        { .level = l, .name = n, .text = #n, .show = s }
#define TEXT(l, n, v)                                                               \
        {                                                                           \
                .level = l, .name = n, .text = #n, .show = MATRIX_TEXT, .value = v, \
                .len = (socklen_t)sizeof(v) - 1                                     \
        }
#define VALUE_OF(l, n, t, s, v, a)                                                       \
        {                                                                                \
                .level = l, .name = n, .text = t, .show = s, .value = &(const int){ v }, \
                .len = sizeof(int), .alone = a                                           \
        }

static struct sock_filter matrix_filter[] = { { BPF_RET | BPF_K, 0, 0, UINT32_MAX } };

struct txtime {
        int clockid;
        unsigned int flags;
};

struct md5sig {
        struct sockaddr_storage address;
        unsigned char flags, prefix;
        unsigned short key_len;
        int ifindex;
        unsigned char key[80];
};

const struct matrix_option matrix_options[] = {
        READ(SOL_SOCKET, SO_TYPE, MATRIX_INT),
        READ(SOL_SOCKET, SO_DOMAIN, MATRIX_INT),
        READ(SOL_SOCKET, SO_PROTOCOL, MATRIX_INT),
        READ(SOL_SOCKET, SO_ACCEPTCONN, MATRIX_INT),
        READ(SOL_SOCKET, SO_ERROR, MATRIX_INT),
        READ(SOL_SOCKET, SO_COOKIE, MATRIX_LEN),
        READ(SOL_SOCKET, SO_NETNS_COOKIE, MATRIX_LEN),
        READ(SOL_SOCKET, SO_MEMINFO, MATRIX_LEN),
        READ(SOL_SOCKET, SO_PEERCRED, MATRIX_LEN),
        READ(SOL_SOCKET, SO_PEERSEC, MATRIX_LEN),
        READ(SOL_SOCKET, SO_PEERNAME, MATRIX_LEN),
        READ(SOL_SOCKET, SO_BPF_EXTENSIONS, MATRIX_INT),
        READ(SOL_SOCKET, SO_INCOMING_NAPI_ID, MATRIX_LEN),
        BLIND(SOL_SOCKET, SO_INCOMING_CPU, 1),
        INT(SOL_SOCKET, SO_DEBUG, 1),
        INT(SOL_SOCKET, SO_REUSEADDR, 1),
        INT(SOL_SOCKET, SO_REUSEPORT, 1),
        INT(SOL_SOCKET, SO_DONTROUTE, 1),
        INT(SOL_SOCKET, SO_BROADCAST, 1),
        BLIND(SOL_SOCKET, SO_SNDBUF, 65536),
        BLIND(SOL_SOCKET, SO_RCVBUF, 65536),
        BLIND(SOL_SOCKET, SO_SNDBUFFORCE, 65536),
        BLIND(SOL_SOCKET, SO_RCVBUFFORCE, 65536),
        INT(SOL_SOCKET, SO_KEEPALIVE, 1),
        INT(SOL_SOCKET, SO_OOBINLINE, 1),
        INT(SOL_SOCKET, SO_NO_CHECK, 1),
        INT(SOL_SOCKET, SO_PRIORITY, 3),
        VALUE(SOL_SOCKET, SO_LINGER, MATRIX_INT, struct linger, { 1, 7 }),
        INT(SOL_SOCKET, SO_PASSCRED, 1),
        INT(SOL_SOCKET, SO_PASSSEC, 1),
        INT(SOL_SOCKET, SO_PASSPIDFD, 1),
        INT(SOL_SOCKET, SO_PASSRIGHTS, 0),
        INT(SOL_SOCKET, SO_RCVLOWAT, 2),
        INT(SOL_SOCKET, SO_SNDLOWAT, 2),
        VALUE(SOL_SOCKET, SO_RCVTIMEO, MATRIX_INT, struct timeval, { 5, 0 }),
        VALUE(SOL_SOCKET, SO_SNDTIMEO, MATRIX_INT, struct timeval, { 6, 0 }),
        TEXT(SOL_SOCKET, SO_BINDTODEVICE, "lo"),
        INT(SOL_SOCKET, SO_BINDTOIFINDEX, 1),
        VALUE(SOL_SOCKET, SO_ATTACH_FILTER, MATRIX_LEN, struct sock_fprog, { 1, matrix_filter }),
        INT(SOL_SOCKET, SO_DETACH_FILTER, 0),
        INT(SOL_SOCKET, SO_LOCK_FILTER, 1),
        INT(SOL_SOCKET, SO_ATTACH_BPF, -1),
        VALUE(SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, MATRIX_LEN, struct sock_fprog,
              { 1, matrix_filter }),
        INT(SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, -1),
        INT(SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 0),
        INT(SOL_SOCKET, SO_TIMESTAMP, 1),
        INT(SOL_SOCKET, SO_TIMESTAMPNS, 1),
        INT(SOL_SOCKET, SO_TIMESTAMPING, 1 << 3 | 1 << 4),
        INT(SOL_SOCKET, SO_MARK, 7),
        INT(SOL_SOCKET, SO_RXQ_OVFL, 1),
        INT(SOL_SOCKET, SO_WIFI_STATUS, 1),
        INT(SOL_SOCKET, SO_PEEK_OFF, 5),
        INT(SOL_SOCKET, SO_NOFCS, 1),
        INT(SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1),
        INT(SOL_SOCKET, SO_BUSY_POLL, 50),
        INT(SOL_SOCKET, SO_PREFER_BUSY_POLL, 1),
        INT(SOL_SOCKET, SO_BUSY_POLL_BUDGET, 16),
        INT(SOL_SOCKET, SO_MAX_PACING_RATE, 1000000),
        INT(SOL_SOCKET, SO_CNX_ADVICE, 1),
        INT(SOL_SOCKET, SO_ZEROCOPY, 1),
        VALUE(SOL_SOCKET, SO_TXTIME, MATRIX_INT, struct txtime, { 1, 0 }),
        INT(SOL_SOCKET, SO_BUF_LOCK, 1),
        INT(SOL_SOCKET, SO_RESERVE_MEM, 0),
        INT(SOL_SOCKET, SO_TXREHASH, 0),
        INT(SOL_SOCKET, SO_RCVMARK, 1),
        INT(SOL_SOCKET, SO_RCVPRIORITY, 1),
        INT(SOL_SOCKET, 4095, 1),

        INT(IPPROTO_TCP, TCP_NODELAY, 1),
        BLIND(IPPROTO_TCP, TCP_MAXSEG, 1000),
        INT(IPPROTO_TCP, TCP_CORK, 1),
        INT(IPPROTO_TCP, TCP_KEEPIDLE, 77),
        INT(IPPROTO_TCP, TCP_KEEPINTVL, 33),
        INT(IPPROTO_TCP, TCP_KEEPCNT, 4),
        INT(IPPROTO_TCP, TCP_SYNCNT, 3),
        INT(IPPROTO_TCP, TCP_LINGER2, 9),
        INT(IPPROTO_TCP, TCP_DEFER_ACCEPT, 3),
        INT(IPPROTO_TCP, TCP_WINDOW_CLAMP, 20000),
        READ(IPPROTO_TCP, TCP_INFO, MATRIX_LEN),
        INT(IPPROTO_TCP, TCP_QUICKACK, 0),
        TEXT(IPPROTO_TCP, TCP_CONGESTION, "reno"),
        VALUE(IPPROTO_TCP, TCP_MD5SIG, MATRIX_LEN, struct md5sig,
              { .address.ss_family = AF_INET,
                .address.__ss_padding[5] = 1,
                .key_len = 3,
                .key = "key" }),
        VALUE(IPPROTO_TCP, TCP_MD5SIG_EXT, MATRIX_LEN, struct md5sig,
              { .address.ss_family = AF_INET,
                .address.__ss_padding[5] = 1,
                .key_len = 3,
                .key = "key" }),
        INT(IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1),
        INT(IPPROTO_TCP, TCP_THIN_DUPACK, 1),
        INT(IPPROTO_TCP, TCP_USER_TIMEOUT, 12345),
        ALONE(IPPROTO_TCP, TCP_REPAIR, 1),
        ALONE(IPPROTO_TCP, TCP_REPAIR_QUEUE, 1),
        ALONE(IPPROTO_TCP, TCP_QUEUE_SEQ, 1),
        ALONE(IPPROTO_TCP, TCP_REPAIR_OPTIONS, 1),
        ALONE(IPPROTO_TCP, TCP_REPAIR_WINDOW, 1),
        INT(IPPROTO_TCP, TCP_FASTOPEN, 5),
        INT(IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 0),
        TEXT(IPPROTO_TCP, TCP_FASTOPEN_KEY, "0123456789abcdef"),
        INT(IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1),
        BLIND(IPPROTO_TCP, TCP_TIMESTAMP, 1),
        INT(IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4096),
        READ(IPPROTO_TCP, TCP_CC_INFO, MATRIX_LEN),
        INT(IPPROTO_TCP, TCP_SAVE_SYN, 1),
        READ(IPPROTO_TCP, TCP_SAVED_SYN, MATRIX_LEN),
        TEXT(IPPROTO_TCP, TCP_ULP, "tls"),
        READ(IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, MATRIX_LEN),
        INT(IPPROTO_TCP, TCP_INQ, 1),
        INT(IPPROTO_TCP, TCP_TX_DELAY, 100),
        ALONE(IPPROTO_TCP, TCP_AO_ADD_KEY, 1),
        ALONE(IPPROTO_TCP, TCP_AO_INFO, 1),
        READ(IPPROTO_TCP, TCP_IS_MPTCP, MATRIX_INT),
        INT(IPPROTO_TCP, TCP_RTO_MAX_MS, 20000),
        INT(IPPROTO_TCP, TCP_RTO_MIN_US, 300000),
        INT(IPPROTO_TCP, TCP_DELACK_MAX_US, 100000),
        INT(IPPROTO_TCP, 4095, 1),

        INT(SOL_IP, IP_TOS, 16),
        INT(SOL_IP, IP_TTL, 33),
        READ(SOL_IP, IP_OPTIONS, MATRIX_LEN),
        INT(SOL_IP, IP_PKTINFO, 1),
        INT(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO),
        INT(SOL_IP, IP_RECVERR, 1),
        INT(SOL_IP, IP_RECVTTL, 1),
        INT(SOL_IP, IP_RECVTOS, 1),
        INT(SOL_IP, IP_RECVOPTS, 1),
        INT(SOL_IP, IP_RETOPTS, 1),
        READ(SOL_IP, IP_MTU, MATRIX_INT),
        INT(SOL_IP, IP_FREEBIND, 1),
        INT(SOL_IP, IP_TRANSPARENT, 1),
        INT(SOL_IP, IP_RECVORIGDSTADDR, 1),
        INT(SOL_IP, IP_MINTTL, 5),
        INT(SOL_IP, IP_NODEFRAG, 1),
        INT(SOL_IP, IP_CHECKSUM, 1),
        INT(SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1),
        INT(SOL_IP, IP_PASSSEC, 1),
        INT(SOL_IP, IP_MULTICAST_TTL, 4),
        INT(SOL_IP, IP_MULTICAST_LOOP, 0),
        INT(SOL_IP, IP_MULTICAST_ALL, 0),
        INT(SOL_IP, IP_UNICAST_IF, 1 << 24),
        INT(SOL_IP, IP_LOCAL_PORT_RANGE, (int)(40000u | 50000u << 16)),
        READ(SOL_IP, SO_ORIGINAL_DST, MATRIX_LEN),

        INT(SOL_IPV6, IPV6_V6ONLY, 1),
        INT(SOL_IPV6, IPV6_UNICAST_HOPS, 33),
        INT(SOL_IPV6, IPV6_MULTICAST_HOPS, 4),
        INT(SOL_IPV6, IPV6_MULTICAST_LOOP, 0),
        INT(SOL_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO),
        INT(SOL_IPV6, IPV6_MTU, 1400),
        INT(SOL_IPV6, IPV6_RECVERR, 1),
        INT(SOL_IPV6, IPV6_FLOWINFO, 1),
        INT(SOL_IPV6, IPV6_FLOWINFO_SEND, 1),
        INT(SOL_IPV6, IPV6_RECVPKTINFO, 1),
        INT(SOL_IPV6, IPV6_RECVHOPLIMIT, 1),
        INT(SOL_IPV6, IPV6_RECVHOPOPTS, 1),
        INT(SOL_IPV6, IPV6_RECVRTHDR, 1),
        INT(SOL_IPV6, IPV6_RECVDSTOPTS, 1),
        INT(SOL_IPV6, IPV6_RECVPATHMTU, 1),
        INT(SOL_IPV6, IPV6_RECVTCLASS, 1),
        INT(SOL_IPV6, IPV6_TCLASS, 16),
        INT(SOL_IPV6, IPV6_DONTFRAG, 1),
        INT(SOL_IPV6, IPV6_AUTOFLOWLABEL, 0),
        INT(SOL_IPV6, IPV6_ADDR_PREFERENCES, 2),
        INT(SOL_IPV6, IPV6_MINHOPCOUNT, 5),
        INT(SOL_IPV6, IPV6_ORIGDSTADDR, 1),
        INT(SOL_IPV6, IPV6_TRANSPARENT, 1),
        INT(SOL_IPV6, IPV6_UNICAST_IF, 1 << 24),
        INT(SOL_IPV6, IPV6_FREEBIND, 1),
        INT(SOL_IPV6, IPV6_RECVFRAGSIZE, 1),
};

const size_t matrix_n_options = sizeof(matrix_options) / sizeof(*matrix_options);
