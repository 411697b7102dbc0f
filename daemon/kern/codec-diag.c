/*
 * sock_diag. See codec-diag.h.
 */
#include "codec-diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <linux/mptcp.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include "attr.h"
#include "uapi/mptcp-pm.h"
#include "../util/cleanup.h"

#define EXT(extension) (1u << ((extension)-1))

#define STATE_SYN_SENT    2 /* include/net/tcp_states.h */
#define STATE_LISTEN      10
#define STATE_CLOSING     11 /* newer kernels have more behind it */
#define STATES_ALL        0xfffu
#define STATES_PEER_ENDED (1u << 8 | 1u << 9 | 1u << 11) /* CLOSE_WAIT, LAST_ACK, CLOSING */
/* Not TIME_WAIT, CLOSE, LISTEN, NEW_SYN_RECV: those have no subflow behind them. */
#define STATES_SUBFLOW (STATES_ALL & ~(1u << 6 | 1u << 7 | 1u << STATE_LISTEN))

/* Requests */

static void request_init(struct diag_request *request, uint8_t family, uint32_t protocol) {
        memset(request, 0, sizeof(*request));
        request->header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
        request->header.nlmsg_flags = NLM_F_REQUEST;
        request->header.nlmsg_len = offsetof(struct diag_request, attr);
        request->diag.sdiag_family = family;
        request->diag.sdiag_protocol = (uint8_t)protocol;
        request->diag.idiag_ext = EXT(INET_DIAG_INFO);
        request->diag.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
        request->diag.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
        if (protocol <= UINT8_MAX)
                return;
        request->header.nlmsg_len = sizeof(*request);
        request->attr.nla_len = NLA_HDRLEN + sizeof(request->protocol);
        request->attr.nla_type = INET_DIAG_REQ_PROTOCOL;
        request->protocol = protocol;
}

void codec_diag_connections(uint8_t family, struct diag_request *ret_request) {
        request_init(ret_request, family, IPPROTO_MPTCP);
        ret_request->header.nlmsg_flags |= NLM_F_DUMP;
        ret_request->diag.idiag_states = STATES_ALL;
}

void codec_diag_subflows(uint8_t family, struct diag_request *ret_request) {
        request_init(ret_request, family, IPPROTO_TCP);
        ret_request->header.nlmsg_flags |= NLM_F_DUMP;
        ret_request->diag.idiag_states = STATES_SUBFLOW;
}

void codec_diag_pending(uint8_t family, struct diag_request *ret_request) {
        codec_diag_subflows(family, ret_request);
        ret_request->diag.idiag_states = 1u << STATE_SYN_SENT;
}

void codec_diag_connection(uint32_t token, struct diag_request *ret_request) {
        /* The family doesn't matter: the kernel looks for the token only. */
        request_init(ret_request, AF_INET, IPPROTO_MPTCP);
        ret_request->diag.id.idiag_cookie[0] = token;
}

void codec_diag_subflow(const struct mptcpize_address *local, const struct mptcpize_address *remote,
                        int32_t ifindex, struct diag_request *ret_request) {
        struct inet_diag_sockid *id = &ret_request->diag.id;

        request_init(ret_request, (uint8_t)local->family, IPPROTO_TCP);
        id->idiag_sport = htons(local->port);
        id->idiag_dport = htons(remote->port);
        memcpy(id->idiag_src, local->bytes, sizeof(id->idiag_src));
        memcpy(id->idiag_dst, remote->bytes, sizeof(id->idiag_dst));
        id->idiag_if = (uint32_t)ifindex;
}

void codec_diag_abort(const struct snapshot_subflow *subflow, struct diag_request *ret_request) {
        codec_diag_subflow(&subflow->local, &subflow->remote, subflow->ifindex, ret_request);
        ret_request->header.nlmsg_type = SOCK_DESTROY;
        ret_request->header.nlmsg_flags |= NLM_F_ACK;
        ret_request->diag.id.idiag_cookie[0] = (uint32_t)subflow->cookie;
        ret_request->diag.id.idiag_cookie[1] = (uint32_t)(subflow->cookie >> 32);
}

/* Rows */

struct row_attrs {
        struct attr_blob info, ulp;
        uint64_t cgroup;
};

static const struct attr_field row_fields[] = {
        ATTR_FIELD_BLOB(INET_DIAG_INFO, struct row_attrs, info),
        ATTR_FIELD_BLOB(INET_DIAG_ULP_INFO, struct row_attrs, ulp),
        ATTR_FIELD(INET_DIAG_CGROUP_ID, struct row_attrs, cgroup), /* Linux 5.7 */
};

static int row_addresses(const struct inet_diag_msg *row, struct mptcpize_address *ret_local,
                         struct mptcpize_address *ret_remote) {
        size_t len = row->idiag_family == AF_INET6 ? 16 : 4;

        if (row->idiag_family != AF_INET && row->idiag_family != AF_INET6)
                return -EBADMSG;
        (void)address_init(ret_local, row->id.idiag_src, len, ntohs(row->id.idiag_sport));
        (void)address_init(ret_remote, row->id.idiag_dst, len, ntohs(row->id.idiag_dport));
        return 0;
}

static int row_decode(const void *bytes, size_t len, struct inet_diag_msg *ret_row,
                      struct row_attrs *ret_attrs) {
        uint64_t present = 0;

        return ATTR_READ(bytes, len, ret_row, row_fields, ret_attrs, &present);
}

/* Copies what there is of a structure that grew over time; at least min bytes are needed. */
static int info_copy(const struct attr_blob *blob, size_t min, void *info, size_t size) {
        if (blob->len < min)
                return -EBADMSG;
        memcpy(info, blob->data, blob->len < size ? blob->len : size);
        return 0;
}

#define UPTO(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))

int codec_diag_decode_connection(const void *bytes, size_t len,
                                 struct snapshot_connection *ret_connection) {
        struct snapshot_connection connection = { 0 };
        struct row_attrs attrs = { 0 };
        struct mptcp_info info = { 0 };
        struct inet_diag_msg row;
        int r;

        r = row_decode(bytes, len, &row, &attrs);
        if (r == 0)
                r = row_addresses(&row, &connection.local, &connection.remote);
        if (r < 0)
                return r;
        if (row.idiag_state == STATE_LISTEN || attrs.info.len == 0)
                return 1;
        r = info_copy(&attrs.info, UPTO(struct mptcp_info, mptcpi_token), &info, sizeof(info));
        if (r < 0)
                return r;
        if (info.mptcpi_token == 0)
                return 1;
        connection.token = info.mptcpi_token;
        connection.flags = (info.mptcpi_flags & MPTCP_INFO_FLAG_FALLBACK) ? SNAPSHOT_FALLBACK : 0;
        /* Without an inode it is not accepted yet, or closed: the 0 is nobody's. */
        connection.uid = row.idiag_inode ? row.idiag_uid : UINT32_MAX;
        connection.state = row.idiag_state;
        *ret_connection = connection;
        return 0;
}

static uint64_t row_cookie(const struct inet_diag_msg *row) {
        return row->id.idiag_cookie[0] | (uint64_t)row->id.idiag_cookie[1] << 32;
}

int codec_diag_decode_listener(const void *bytes, size_t len,
                               struct snapshot_listener *ret_listener) {
        struct snapshot_listener listener = { 0 };
        struct mptcpize_address none;
        struct row_attrs attrs = { 0 };
        struct inet_diag_msg row;
        int r;

        r = row_decode(bytes, len, &row, &attrs);
        if (r == 0)
                r = row_addresses(&row, &listener.local, &none);
        if (r < 0)
                return r;
        if (row.idiag_state != STATE_LISTEN)
                return 1;
        listener.cookie = row_cookie(&row);
        *ret_listener = listener;
        return 0;
}

/* The peer's end of data counts in its sequence numbers, but is no byte. */
static bool row_has_end(const struct inet_diag_msg *row) {
        return row->idiag_state <= STATE_CLOSING && STATES_PEER_ENDED >> row->idiag_state & 1;
}

/* Linux before 6.5 doesn't count bytes. */
static void owner_take_sequences(struct ownership *owner, const struct inet_diag_msg *row,
                                 const struct attr_blob *blob) {
        struct mptcp_info_6_5 info = { .token = 0 };

        if (info_copy(blob, UPTO(struct mptcp_info_6_5, bytes_acked), &info, sizeof(info)) < 0)
                return;
        owner->idsn_local = info.snd_una - info.bytes_acked - 1;
        owner->idsn_remote = info.rcv_nxt - info.bytes_received - row_has_end(row) - 1;
}

int codec_diag_decode_owner(const void *bytes, size_t len, uint32_t *ret_token,
                            struct ownership *ret_owner) {
        struct snapshot_connection connection;
        struct row_attrs attrs = { 0 };
        struct inet_diag_msg row;
        int r;

        r = codec_diag_decode_connection(bytes, len, &connection);
        if (r == 0)
                r = row_decode(bytes, len, &row, &attrs);
        if (r != 0)
                return r;
        *ret_token = connection.token;
        *ret_owner = (struct ownership){
                .uid = connection.uid,
                .inode = row.idiag_inode,
                .ipv4 = row.idiag_family == AF_INET,
                .cookie = row_cookie(&row),
                .cgroup = attrs.cgroup,
        };
        owner_take_sequences(ret_owner, &row, &attrs.info);
        return 0;
}

struct ulp_attrs {
        struct attr_blob mptcp;
        uint64_t map_seq;
        uint32_t token, remote_token, flags, map_sfseq;
        uint8_t local_id, remote_id;
};

static const struct attr_field ulp_fields[] = {
        ATTR_FIELD_BLOB(INET_ULP_INFO_MPTCP, struct ulp_attrs, mptcp),
};

static const struct attr_field subflow_fields[] = {
        ATTR_FIELD(MPTCP_SUBFLOW_ATTR_TOKEN_LOC, struct ulp_attrs, token),
        ATTR_FIELD(MPTCP_SUBFLOW_ATTR_TOKEN_REM, struct ulp_attrs, remote_token),
        ATTR_FIELD(MPTCP_SUBFLOW_ATTR_MAP_SEQ, struct ulp_attrs, map_seq),
        ATTR_FIELD(MPTCP_SUBFLOW_ATTR_MAP_SFSEQ, struct ulp_attrs, map_sfseq),
        ATTR_FIELD(MPTCP_SUBFLOW_ATTR_FLAGS, struct ulp_attrs, flags),
        ATTR_FIELD(MPTCP_SUBFLOW_ATTR_ID_LOC, struct ulp_attrs, local_id),
        ATTR_FIELD(MPTCP_SUBFLOW_ATTR_ID_REM, struct ulp_attrs, remote_id),
};

/* 1: no MPTCP, or a listener, which has an empty one. */
static int ulp_decode(const struct attr_blob *blob, struct ulp_attrs *ret_ulp) {
        uint64_t present = 0;
        int r;

        r = attr_decode(blob, ulp_fields, ARRAY_SIZE(ulp_fields), ret_ulp, &present);
        if (r < 0)
                return r;
        if (!(present & ATTR_BIT(INET_ULP_INFO_MPTCP)))
                return 1;
        r = attr_decode(&ret_ulp->mptcp, subflow_fields, ARRAY_SIZE(subflow_fields), ret_ulp,
                        &present);
        if (r < 0)
                return r;
        return ret_ulp->token == 0;
}

static void measure_from_info(struct measure *measure, const struct tcp_info *info) {
        *measure = (struct measure){
                .bytes_sent = info->tcpi_bytes_sent,
                .bytes_received = info->tcpi_bytes_received,
                .bytes_acked = info->tcpi_bytes_acked,
                .rtt_usec = info->tcpi_rtt,
                .rto_usec = info->tcpi_rto,
                .rcv_rtt_usec = info->tcpi_rcv_rtt,
                .retransmits = info->tcpi_total_retrans,
                .unacked = info->tcpi_unacked,
                .sacked = info->tcpi_sacked,
                .lost = info->tcpi_lost,
                .resent = info->tcpi_retrans,
                .notsent = info->tcpi_notsent_bytes,
                .last_data_sent_msec = info->tcpi_last_data_sent,
                .last_data_recv_msec = info->tcpi_last_data_recv,
                .last_ack_recv_msec = info->tcpi_last_ack_recv,
                .backoff = info->tcpi_backoff,
        };
}

/*
 * Data of a SYN has no number in the connection's sequence, nor in the subflow's as a mapping has
 * it; before the first mapping the kernel has that of what will come first (Linux 6.18).
 */
static uint64_t measure_number(const struct tcp_info *info, const struct ulp_attrs *ulp) {
        if (!(info->tcpi_options & TCPI_OPT_SYN_DATA))
                return 0;
        return ulp->map_seq - (ulp->map_sfseq ? ulp->map_sfseq : 1);
}

int codec_diag_decode_subflow(const void *bytes, size_t len, struct snapshot_subflow *ret_subflow) {
        struct snapshot_subflow subflow = { 0 };
        struct row_attrs attrs = { 0 };
        struct ulp_attrs ulp = { 0 };
        struct tcp_info info = { 0 };
        struct inet_diag_msg row;
        int r;

        r = row_decode(bytes, len, &row, &attrs);
        if (r == 0)
                r = row_addresses(&row, &subflow.local, &subflow.remote);
        if (r == 0)
                r = ulp_decode(&attrs.ulp, &ulp);
        if (r != 0)
                return r;
        r = info_copy(&attrs.info, UPTO(struct tcp_info, tcpi_total_retrans), &info, sizeof(info));
        if (r < 0)
                return r;
        subflow.cookie = row_cookie(&row);
        subflow.token = ulp.token;
        subflow.flags = ulp.flags;
        subflow.state = row.idiag_state;
        subflow.local_id = ulp.local_id;
        subflow.remote_id = ulp.remote_id;
        subflow.ifindex = (int32_t)row.id.idiag_if;
        if (info.tcpi_bytes_retrans == 0)
                subflow.syn_retransmits = info.tcpi_total_retrans < UINT8_MAX
                                                          ? (uint8_t)info.tcpi_total_retrans
                                                          : UINT8_MAX;
        measure_from_info(&subflow.measure, &info);
        subflow.measure.remote_token = ulp.remote_token;
        subflow.measure.idsn_remote = measure_number(&info, &ulp);
        *ret_subflow = subflow;
        return 0;
}
