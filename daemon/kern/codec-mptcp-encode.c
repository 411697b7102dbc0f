/*
 * Encoding for the family "mptcp_pm". See codec-mptcp.h.
 */
#include "codec-mptcp.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <netlink/errno.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include "uapi/mptcp-pm.h"

#define WITH_LOCAL   0x01u /* MPTCP_PM_ATTR_ADDR */
#define WITH_REMOTE  0x02u /* MPTCP_PM_ATTR_ADDR_REMOTE */
#define WITH_ID      0x04u /* id in ADDR */
#define WITH_FLAGS   0x08u /* flags in ADDR */
#define WITH_IFINDEX 0x10u /* device in ADDR */
#define WITH_LOC_ID  0x20u /* MPTCP_PM_ATTR_LOC_ID */
#define WITH_DUMP    0x40u

static const struct {
        uint8_t command;
        uint8_t with;
} requests[_ACTION_MAX] = {
        [ACTION_CREATE] = { MPTCP_PM_CMD_SUBFLOW_CREATE,
                            WITH_LOCAL | WITH_REMOTE | WITH_ID | WITH_FLAGS | WITH_IFINDEX },
        [ACTION_DESTROY] = { MPTCP_PM_CMD_SUBFLOW_DESTROY, WITH_LOCAL | WITH_REMOTE },
        [ACTION_BACKUP] = { MPTCP_PM_CMD_SET_FLAGS, WITH_LOCAL | WITH_REMOTE | WITH_FLAGS },
        [ACTION_ANNOUNCE] = { MPTCP_PM_CMD_ANNOUNCE,
                              WITH_LOCAL | WITH_ID | WITH_FLAGS | WITH_IFINDEX },
        [ACTION_WITHDRAW] = { MPTCP_PM_CMD_REMOVE, WITH_LOC_ID },
        [ACTION_QUERY] = { MPTCP_PM_CMD_GET_ADDR, WITH_DUMP },
};

static uint32_t request_flags(const struct action *action) {
        if (action->type == ACTION_ANNOUNCE)
                return MPTCP_PM_ADDR_FLAG_SIGNAL;
        return action->backup ? MPTCP_PM_ADDR_FLAG_BACKUP : 0;
}

static int put_address(struct nl_msg *msg, const struct mptcpize_address *address, bool mapped) {
        uint8_t bytes[16] = { [10] = 0xff, [11] = 0xff };
        int r;

        if (address->family == AF_INET6 || !mapped) {
                memcpy(bytes, address->bytes, sizeof(bytes));
                mapped = false;
        } else {
                memcpy(bytes + 12, address->bytes, 4);
        }
        r = nla_put_u16(msg, MPTCP_PM_ADDR_ATTR_FAMILY, mapped ? AF_INET6 : address->family);
        if (r < 0)
                return r;
        if (mapped || address->family == AF_INET6)
                r = nla_put(msg, MPTCP_PM_ADDR_ATTR_ADDR6, 16, bytes);
        else
                r = nla_put(msg, MPTCP_PM_ADDR_ATTR_ADDR4, 4, bytes);
        if (r == 0 && address->port)
                r = nla_put_u16(msg, MPTCP_PM_ADDR_ATTR_PORT, address->port);
        return r;
}

static int put_local(struct nl_msg *msg, const struct action *action, bool mapped) {
        const unsigned int with = requests[action->type].with;
        struct nlattr *nest = nla_nest_start(msg, MPTCP_PM_ATTR_ADDR | NLA_F_NESTED);
        int r;

        if (!nest)
                return -NLE_NOMEM;
        r = put_address(msg, &action->local, mapped);
        if (r == 0 && with & WITH_ID)
                r = nla_put_u8(msg, MPTCP_PM_ADDR_ATTR_ID, action->local_id);
        if (r == 0 && with & WITH_FLAGS)
                r = nla_put_u32(msg, MPTCP_PM_ADDR_ATTR_FLAGS, request_flags(action));
        if (r == 0 && with & WITH_IFINDEX && action->ifindex)
                r = nla_put_s32(msg, MPTCP_PM_ADDR_ATTR_IF_IDX, action->ifindex);
        nla_nest_end(msg, nest);
        return r;
}

static int put_remote(struct nl_msg *msg, const struct action *action, bool mapped) {
        struct nlattr *nest = nla_nest_start(msg, MPTCP_PM_ATTR_ADDR_REMOTE | NLA_F_NESTED);
        int r;

        if (!nest)
                return -NLE_NOMEM;
        r = put_address(msg, &action->remote, mapped);
        nla_nest_end(msg, nest);
        return r;
}

int codec_mptcp_encode(const struct action *action, uint16_t family, bool mapped,
                       struct nl_msg *msg) {
        const unsigned int type = action->type;
        unsigned int with;
        int r;

        if (type >= _ACTION_MAX || !requests[type].command)
                return -EINVAL;
        with = requests[type].with;
        if (!genlmsg_put(msg, 0, 0, family, 0, with & WITH_DUMP ? NLM_F_DUMP : NLM_F_ACK,
                         requests[type].command, MPTCP_PM_VER))
                return -EMSGSIZE;
        r = nla_put_u32(msg, MPTCP_PM_ATTR_TOKEN, action->token);
        if (r == 0 && with & WITH_LOCAL)
                r = put_local(msg, action, mapped);
        if (r == 0 && with & WITH_REMOTE)
                r = put_remote(msg, action, mapped);
        if (r == 0 && with & WITH_LOC_ID)
                r = nla_put_u8(msg, MPTCP_PM_ATTR_LOC_ID, action->local_id);
        return r < 0 ? -EMSGSIZE : 0;
}

int codec_mptcp_encode_family(struct nl_msg *msg) {
        if (!genlmsg_put(msg, 0, 0, GENL_ID_CTRL, 0, NLM_F_ACK, CTRL_CMD_GETFAMILY, 1))
                return -EMSGSIZE;
        return nla_put_string(msg, CTRL_ATTR_FAMILY_NAME, MPTCP_PM_NAME) < 0 ? -EMSGSIZE : 0;
}

int codec_mptcp_encode_probe(uint16_t family, struct nl_msg *msg) {
        return genlmsg_put(msg, 0, 0, family, 0, NLM_F_ACK, MPTCP_PM_CMD_REMOVE, MPTCP_PM_VER)
                               ? 0
                               : -EMSGSIZE;
}
