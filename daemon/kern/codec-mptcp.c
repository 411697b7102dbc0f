/*
 * Decoding of the family "mptcp_pm". See codec-mptcp.h; encoding is in codec-mptcp-encode.c.
 */
#include "codec-mptcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <linux/genetlink.h>
#include "attr.h"
#include "uapi/mptcp-pm.h"
#include "../util/cleanup.h"

/* Events */

struct event_attrs {
        uint32_t token;
        uint8_t saddr4[4], daddr4[4];
        uint8_t saddr6[16], daddr6[16];
        uint16_t sport, dport; /* network byte order */
        uint16_t flags;
        int32_t if_idx;
        uint32_t reset_reason, reset_flags;
        uint8_t loc_id, rem_id, backup, error, server_side;
};

static const struct attr_field event_fields[] = {
        ATTR_FIELD(MPTCP_ATTR_TOKEN, struct event_attrs, token),
        ATTR_FIELD(MPTCP_ATTR_LOC_ID, struct event_attrs, loc_id),
        ATTR_FIELD(MPTCP_ATTR_REM_ID, struct event_attrs, rem_id),
        ATTR_FIELD(MPTCP_ATTR_SADDR4, struct event_attrs, saddr4),
        ATTR_FIELD(MPTCP_ATTR_SADDR6, struct event_attrs, saddr6),
        ATTR_FIELD(MPTCP_ATTR_DADDR4, struct event_attrs, daddr4),
        ATTR_FIELD(MPTCP_ATTR_DADDR6, struct event_attrs, daddr6),
        ATTR_FIELD(MPTCP_ATTR_SPORT, struct event_attrs, sport),
        ATTR_FIELD(MPTCP_ATTR_DPORT, struct event_attrs, dport),
        ATTR_FIELD(MPTCP_ATTR_BACKUP, struct event_attrs, backup),
        ATTR_FIELD(MPTCP_ATTR_ERROR, struct event_attrs, error),
        ATTR_FIELD(MPTCP_ATTR_FLAGS, struct event_attrs, flags),
        ATTR_FIELD(MPTCP_ATTR_IF_IDX, struct event_attrs, if_idx),
        ATTR_FIELD(MPTCP_ATTR_RESET_REASON, struct event_attrs, reset_reason),
        ATTR_FIELD(MPTCP_ATTR_RESET_FLAGS, struct event_attrs, reset_flags),
        ATTR_FIELD(MPTCP_ATTR_SERVER_SIDE, struct event_attrs, server_side),
};

#define LOCAL_BITS  (ATTR_BIT(MPTCP_ATTR_SADDR4) | ATTR_BIT(MPTCP_ATTR_SADDR6))
#define REMOTE_BITS (ATTR_BIT(MPTCP_ATTR_DADDR4) | ATTR_BIT(MPTCP_ATTR_DADDR6))

#define NEEDS_TOKEN   ATTR_BIT(MPTCP_ATTR_TOKEN)
#define NEEDS_SPORT   ATTR_BIT(MPTCP_ATTR_SPORT)
#define NEEDS_PORTS   (NEEDS_SPORT | ATTR_BIT(MPTCP_ATTR_DPORT))
#define NEEDS_REM_ID  ATTR_BIT(MPTCP_ATTR_REM_ID)
#define NEEDS_IDS     (ATTR_BIT(MPTCP_ATTR_LOC_ID) | NEEDS_REM_ID)
#define NEEDS_SUBFLOW (NEEDS_TOKEN | NEEDS_PORTS | NEEDS_IDS)

/* What an event has at least, on every kernel that sends it. */
struct event_kind {
        uint64_t needs; /* attributes */
        enum event_type type;
        uint8_t command;
        bool local, remote; /* has this address */
};

static const struct event_kind kinds[] = {
        { NEEDS_TOKEN | NEEDS_PORTS, EVENT_CREATED, MPTCP_EVENT_CREATED, true, true },
        { NEEDS_TOKEN | NEEDS_PORTS, EVENT_ESTABLISHED, MPTCP_EVENT_ESTABLISHED, true, true },
        { NEEDS_TOKEN, EVENT_CLOSED, MPTCP_EVENT_CLOSED, false, false },
        { NEEDS_TOKEN | NEEDS_REM_ID, EVENT_ANNOUNCED, MPTCP_EVENT_ANNOUNCED, false, true },
        { NEEDS_TOKEN | NEEDS_REM_ID, EVENT_REMOVED, MPTCP_EVENT_REMOVED, false, false },
        { NEEDS_SUBFLOW, EVENT_SUB_ESTABLISHED, MPTCP_EVENT_SUB_ESTABLISHED, true, true },
        { NEEDS_SUBFLOW, EVENT_SUB_CLOSED, MPTCP_EVENT_SUB_CLOSED, true, true },
        { NEEDS_SUBFLOW, EVENT_SUB_PRIORITY, MPTCP_EVENT_SUB_PRIORITY, true, true },
        { NEEDS_SPORT, EVENT_LISTENER_CREATED, MPTCP_EVENT_LISTENER_CREATED, true, false },
        { NEEDS_SPORT, EVENT_LISTENER_CLOSED, MPTCP_EVENT_LISTENER_CLOSED, true, false },
};

static const struct event_kind *kind_find(uint8_t command) {
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                if (kinds[i].command == command)
                        return &kinds[i];
        return NULL;
}

static bool kind_fits(const struct event_kind *kind, uint64_t present) {
        return (present & kind->needs) == kind->needs && (!kind->local || present & LOCAL_BITS) &&
               (!kind->remote || present & REMOTE_BITS);
}

/* The family is that of the address which is there: ANNOUNCED has no other. Lengths are right. */
static void event_addresses(const struct event_attrs *attrs, uint64_t present,
                            struct mptcp_event *event) {
        if (present & ATTR_BIT(MPTCP_ATTR_SADDR6))
                (void)address_init(&event->local, attrs->saddr6, 16, ntohs(attrs->sport));
        else if (present & ATTR_BIT(MPTCP_ATTR_SADDR4))
                (void)address_init(&event->local, attrs->saddr4, 4, ntohs(attrs->sport));
        if (present & ATTR_BIT(MPTCP_ATTR_DADDR6))
                (void)address_init(&event->remote, attrs->daddr6, 16, ntohs(attrs->dport));
        else if (present & ATTR_BIT(MPTCP_ATTR_DADDR4))
                (void)address_init(&event->remote, attrs->daddr4, 4, ntohs(attrs->dport));
}

static uint32_t event_flags(const struct event_attrs *attrs) {
        uint32_t flags = 0;

        if (attrs->flags & MPTCP_PM_EV_FLAG_DENY_JOIN_ID0)
                flags |= EVENT_MPTCP_DENY_JOIN_INITIAL;
        if (attrs->flags & MPTCP_PM_EV_FLAG_SERVER_SIDE || attrs->server_side)
                flags |= EVENT_MPTCP_SERVER;
        return flags;
}

int codec_mptcp_decode(const void *bytes, size_t len, struct event *ret_event) {
        const struct event_kind *kind;
        struct event_attrs attrs = { 0 };
        struct genlmsghdr header;
        struct attr_blob blob;
        uint64_t present = 0;
        int r;

        r = attr_open(bytes, len, &header, sizeof(header), &blob);
        if (r < 0)
                return r;
        kind = kind_find(header.cmd);
        if (!kind)
                return 1;
        r = attr_decode(&blob, event_fields, ARRAY_SIZE(event_fields), &attrs, &present);
        if (r < 0)
                return r;
        if (!kind_fits(kind, present))
                return -EBADMSG;
        *ret_event = (struct event){
                .type = kind->type,
                .mptcp = {
                        .token = attrs.token,
                        .flags = event_flags(&attrs),
                        .local_id = attrs.loc_id,
                        .remote_id = attrs.rem_id,
                        .backup = attrs.backup,
                        .ifindex = attrs.if_idx,
                        .error = attrs.error,
                        .reset_reason = attrs.reset_reason,
                        .reset_transient = attrs.reset_flags & MPTCP_RST_TRANSIENT,
                        .reset = present & ATTR_BIT(MPTCP_ATTR_RESET_REASON),
                },
        };
        event_addresses(&attrs, present, &ret_event->mptcp);
        return 0;
}

/* Replies to GET_ADDR */

struct entry_attrs {
        struct attr_blob address;
};

static const struct attr_field entry_fields[] = {
        ATTR_FIELD_BLOB(MPTCP_PM_ATTR_ADDR, struct entry_attrs, address),
};

struct address_attrs {
        uint8_t addr4[4], addr6[16];
        uint32_t flags;
        uint16_t port; /* host byte order */
        uint8_t id;
};

static const struct attr_field address_fields[] = {
        ATTR_FIELD(MPTCP_PM_ADDR_ATTR_ID, struct address_attrs, id),
        ATTR_FIELD(MPTCP_PM_ADDR_ATTR_ADDR4, struct address_attrs, addr4),
        ATTR_FIELD(MPTCP_PM_ADDR_ATTR_ADDR6, struct address_attrs, addr6),
        ATTR_FIELD(MPTCP_PM_ADDR_ATTR_PORT, struct address_attrs, port),
        ATTR_FIELD(MPTCP_PM_ADDR_ATTR_FLAGS, struct address_attrs, flags),
};

static int entry_decode(const struct attr_blob *blob, struct entry *ret_entry) {
        struct address_attrs attrs = { 0 };
        struct entry entry;
        uint64_t present = 0;
        int r;

        r = attr_decode(blob, address_fields, ARRAY_SIZE(address_fields), &attrs, &present);
        if (r < 0)
                return r;
        entry = (struct entry){ .id = attrs.id, .flags = attrs.flags };
        if (!(present & ATTR_BIT(MPTCP_PM_ADDR_ATTR_ID)))
                return -EBADMSG;
        if (present & ATTR_BIT(MPTCP_PM_ADDR_ATTR_ADDR6))
                (void)address_init(&entry.address, attrs.addr6, 16, attrs.port);
        else if (present & ATTR_BIT(MPTCP_PM_ADDR_ATTR_ADDR4))
                (void)address_init(&entry.address, attrs.addr4, 4, attrs.port);
        else
                return -EBADMSG;
        *ret_entry = entry;
        return 0;
}

int codec_mptcp_decode_entry(const void *bytes, size_t len, struct entry *ret_entry) {
        struct entry_attrs attrs = { 0 };
        struct genlmsghdr header;
        struct attr_blob blob;
        uint64_t present = 0;
        int r;

        r = attr_open(bytes, len, &header, sizeof(header), &blob);
        if (r < 0)
                return r;
        if (header.cmd != MPTCP_PM_CMD_GET_ADDR)
                return 1;
        r = attr_decode(&blob, entry_fields, ARRAY_SIZE(entry_fields), &attrs, &present);
        if (r < 0)
                return r;
        return present ? entry_decode(&attrs.address, ret_entry) : -EBADMSG;
}

/* The family itself */

struct family_attrs {
        uint16_t id;
        struct attr_blob ops, groups;
};

static const struct attr_field family_fields[] = {
        ATTR_FIELD(CTRL_ATTR_FAMILY_ID, struct family_attrs, id),
        ATTR_FIELD_BLOB(CTRL_ATTR_OPS, struct family_attrs, ops),
        ATTR_FIELD_BLOB(CTRL_ATTR_MCAST_GROUPS, struct family_attrs, groups),
};

struct group_attrs {
        struct attr_blob name;
        uint32_t id;
        uint32_t op; /* of CTRL_ATTR_OPS, which has the same shape */
};

static const struct attr_field group_fields[] = {
        ATTR_FIELD_BLOB(CTRL_ATTR_MCAST_GRP_NAME, struct group_attrs, name),
        ATTR_FIELD(CTRL_ATTR_MCAST_GRP_ID, struct group_attrs, id),
};

static const struct attr_field op_fields[] = {
        ATTR_FIELD(CTRL_ATTR_OP_ID, struct group_attrs, op),
};

static void family_group(const struct group_attrs *attrs, struct mptcp_family *family) {
        if (attrs->name.len == sizeof(MPTCP_PM_EV_GRP_NAME) &&
            memcmp(attrs->name.data, MPTCP_PM_EV_GRP_NAME, attrs->name.len) == 0)
                family->events_group = attrs->id;
}

static void family_op(const struct group_attrs *attrs, struct mptcp_family *family) {
        if (attrs->op == MPTCP_PM_CMD_SUBFLOW_CREATE)
                family->commands = true;
}

/* A list of nests, each handed to take(). */
static int family_each(struct attr_blob list, const struct attr_field *fields, size_t n_fields,
                       void (*take)(const struct group_attrs *, struct mptcp_family *),
                       struct mptcp_family *family) {
        struct attr_blob nest;
        uint64_t present = 0;
        uint16_t type;
        int r;

        while ((r = attr_next(&list, &type, &nest)) > 0) {
                struct group_attrs attrs = { 0 };

                r = attr_decode(&nest, fields, n_fields, &attrs, &present);
                if (r < 0)
                        return r;
                take(&attrs, family);
        }
        return r;
}

int codec_mptcp_decode_family(const void *bytes, size_t len, struct mptcp_family *ret_family) {
        struct family_attrs attrs = { 0 };
        struct mptcp_family family = { 0 };
        struct genlmsghdr header;
        uint64_t present = 0;
        int r;

        r = ATTR_READ(bytes, len, &header, family_fields, &attrs, &present);
        if (r < 0)
                return r;
        if (!(present & ATTR_BIT(CTRL_ATTR_FAMILY_ID)))
                return -EBADMSG;
        family.id = attrs.id;
        r = family_each(attrs.groups, group_fields, ARRAY_SIZE(group_fields), family_group,
                        &family);
        if (r == 0)
                r = family_each(attrs.ops, op_fields, ARRAY_SIZE(op_fields), family_op, &family);
        if (r < 0)
                return r;
        *ret_family = family;
        return 0;
}
