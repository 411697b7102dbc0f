/*
 * Constants of the MPTCP path-manager API that <linux/mptcp.h> of Linux 6.1 lacks. They are ABI:
 * a kernel that does not know one never sends it and refuses or ignores it.
 */
#pragma once

#include <stdint.h>
#include <linux/mptcp.h>

/* Events of listening sockets, with FAMILY, SPORT and SADDR4 or SADDR6: Linux 6.2. */
#define MPTCP_EVENT_LISTENER_CREATED 15
#define MPTCP_EVENT_LISTENER_CLOSED  16

/* In MPTCP_ATTR_FLAGS, the same as MPTCP_ATTR_SERVER_SIDE: seen on Linux 6.18. */
#ifndef MPTCP_PM_EV_FLAG_SERVER_SIDE
#define MPTCP_PM_EV_FLAG_SERVER_SIDE (1UL << 1)
#endif

/* In MPTCP_ATTR_RESET_FLAGS: the T bit of MP_TCPRST, RFC 8684 3.6. */
#ifndef MPTCP_RST_TRANSIENT
#define MPTCP_RST_TRANSIENT (1U << 0)
#endif

/* struct mptcp_info as Linux 6.5 has it; that of the header may end earlier. */
struct mptcp_info_6_5 {
        uint8_t numbers[6];
        uint32_t flags;
        uint32_t token;
        uint64_t write_seq;
        uint64_t snd_una;
        uint64_t rcv_nxt;
        uint8_t settings[3];
        uint32_t retransmits;
        uint64_t bytes_retrans;
        uint64_t bytes_sent;
        uint64_t bytes_received;
        uint64_t bytes_acked;
};
