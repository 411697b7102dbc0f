/*
 * The rules of the preload library; see decide.h.
 *
 * A TCP socket is what inet_create() in net/ipv4/af_inet.c (inet6_create() in net/ipv6/af_inet6.c)
 * makes one: SOCK_STREAM with protocol 0 or IPPROTO_TCP. Types with bits other than SOCK_NONBLOCK
 * and SOCK_CLOEXEC are left alone: the kernel refuses them, and the refusal stays the original one.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "decide.h"

int decide_protocol(int domain, int type, int protocol) {
        if (domain != AF_INET && domain != AF_INET6)
                return protocol;
        if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM)
                return protocol;
        if (protocol != 0 && protocol != IPPROTO_TCP)
                return protocol;

        return DECIDE_IPPROTO_MPTCP;
}

bool decide_is_refusal(int error) {
        switch (error) {
        case EINVAL:          /* before Linux 5.6: a protocol above 255 */
        case EPROTONOSUPPORT: /* kernel without CONFIG_MPTCP, or without CONFIG_MPTCP_IPV6 */
        case ENOPROTOOPT:     /* mptcp_init_sock(): net.mptcp.enabled=0 */
        case EACCES:          /* security module */
        case EPERM:           /* seccomp filter, cgroup program */
                return true;
        default:
                return false;
        }
}
