/*
 * How slow a path is, by what the kernel has measured of a subflow.
 *
 * What this host sends measures the smoothed round-trip time; on a subflow that only receives it
 * stays what it was for the request, however slow the path becomes. Then the receiver's estimate
 * counts: how long after an acknowledgement data comes that has seen it (TCP timestamps). That is
 * the delay of the path as long as the peer sends as much as it may; of a peer that has nothing to
 * send it is the pause, so it counts only where more than a first window (RFC 6928) arrives in it.
 */
#pragma once

#include "view.h"

#define DELAY_RTO_USEC   200000u
#define DELAY_STUCK_USEC VIEW_SEC
#define DELAY_FULL_BYTES ((uint64_t)16384) /* in a round-trip time */

struct delay {
        uint32_t rtt_usec;
        uint32_t rto_usec;
};

/* Of one subflow, what it achieves. All zero at first, and when it is another subflow. */
struct delay_meter {
        uint64_t bytes_received;
        uint64_t bytes_acked;
        uint64_t sample_usec;
        uint64_t stuck_usec; /* since when nothing is acknowledged of what is under way; 0: all is
                              */
        bool full;           /* as much arrives as the path gives */
};

static inline void delay_meter_take(struct delay_meter *meter,
                                    const struct mptcpize_subflow *subflow) {
        const uint64_t usec = subflow->sample_usec - meter->sample_usec;
        const uint64_t bytes = subflow->bytes_received - meter->bytes_received;

        if (subflow->sample_usec == meter->sample_usec)
                return;
        meter->full = meter->sample_usec && subflow->bytes_received > meter->bytes_received &&
                      bytes * subflow->rcv_rtt_usec >= DELAY_FULL_BYTES * usec;
        if (!subflow->unacked || subflow->bytes_acked != meter->bytes_acked)
                meter->stuck_usec = 0;
        else if (!meter->stuck_usec)
                meter->stuck_usec = subflow->sample_usec;
        meter->bytes_acked = subflow->bytes_acked;
        meter->bytes_received = subflow->bytes_received;
        meter->sample_usec = subflow->sample_usec;
}

/*
 * So long without an acknowledgement that the path may be lost: the daemon finds out, if there is
 * another one to go to.
 */
static inline bool delay_is_endless(const struct delay_meter *meter, uint64_t now_usec) {
        return meter->stuck_usec && now_usec - meter->stuck_usec >= DELAY_STUCK_USEC;
}

/* meter: of this subflow, or NULL: one that carries nothing. */
static inline struct delay delay_of(const struct mptcpize_subflow *subflow,
                                    const struct delay_meter *meter) {
        struct delay delay = { .rtt_usec = subflow->rtt_usec, .rto_usec = subflow->rto_usec };

        if (meter && meter->full && subflow->rcv_rtt_usec > delay.rtt_usec) {
                delay.rto_usec += subflow->rcv_rtt_usec - delay.rtt_usec;
                delay.rtt_usec = subflow->rcv_rtt_usec;
        }
        return delay;
}

static inline bool delay_is_over(struct delay delay, struct delay other) {
        return delay.rtt_usec > 2 * (uint64_t)other.rtt_usec &&
               delay.rto_usec > (uint64_t)other.rto_usec + DELAY_RTO_USEC;
}

/* How old the round-trip time is; UINT64_MAX: there is none. */
static inline uint64_t delay_age(const struct mptcpize_view *view,
                                 const struct mptcpize_subflow *subflow) {
        if (!subflow->sample_usec || !subflow->rtt_usec)
                return UINT64_MAX;
        return view->now_usec - subflow->sample_usec + subflow->last_ack_recv_msec * VIEW_MSEC;
}
