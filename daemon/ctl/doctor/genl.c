#include "genl.h"
#include "dump.h"
#include "../../util/cleanup.h"
#include "../../util/limits.h"

#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <linux/mptcp.h>
#include <string.h>

struct request {
        struct nlmsghdr head;
        struct genlmsghdr genl;
        char attributes[64];
};

static void request_init(struct request *request, uint16_t family, uint8_t command,
                         uint16_t flags) {
        *request = (struct request){
                .head.nlmsg_len = NLMSG_LENGTH(sizeof(struct genlmsghdr)),
                .head.nlmsg_type = family,
                .head.nlmsg_flags = flags,
                .genl.cmd = command,
                .genl.version = 1,
        };
}

/* Does the list of operations have this one? */
static bool has_operation(const struct nlattr *operations, unsigned int command) {
        const struct nlattr *list[64], *operation[CTRL_ATTR_OP_MAX + 1];

        dump_nest(operations, list, ARRAY_SIZE(list));
        for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
                dump_nest(list[i], operation, ARRAY_SIZE(operation));
                if (dump_number(operation[CTRL_ATTR_OP_ID]) == command)
                        return true;
        }
        return false;
}

static int on_family(const struct nlmsghdr *message, void *userdata) {
        const struct nlattr *attributes[CTRL_ATTR_MAX + 1];
        struct genl_family *family = userdata;

        dump_attributes(message, sizeof(struct genlmsghdr), attributes, ARRAY_SIZE(attributes));
        family->id = (uint16_t)dump_number(attributes[CTRL_ATTR_FAMILY_ID]);
        family->can_create = has_operation(attributes[CTRL_ATTR_OPS], MPTCP_PM_CMD_SUBFLOW_CREATE);
        return 0;
}

int genl_find_family(struct genl_family *ret_family) {
        struct request request;

        *ret_family = (struct genl_family){ 0 };
        request_init(&request, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
        dump_append(&request.head, CTRL_ATTR_FAMILY_NAME, MPTCP_PM_NAME, sizeof(MPTCP_PM_NAME));
        return dump_ask(NETLINK_GENERIC, &request.head, on_family, ret_family);
}

static int on_endpoint(const struct nlmsghdr *message, void *userdata) {
        const struct nlattr *attributes[MPTCP_PM_ATTR_ADDR + 1];
        const struct nlattr *address[MPTCP_PM_ADDR_ATTR_IF_IDX + 1];
        struct genl_endpoints *endpoints = userdata;
        struct genl_endpoint endpoint = { 0 };
        const void *bytes;

        dump_attributes(message, sizeof(struct genlmsghdr), attributes, ARRAY_SIZE(attributes));
        dump_nest(attributes[MPTCP_PM_ATTR_ADDR], address, ARRAY_SIZE(address));
        endpoint.id = (uint8_t)dump_number(address[MPTCP_PM_ADDR_ATTR_ID]);
        endpoint.flags = dump_number(address[MPTCP_PM_ADDR_ATTR_FLAGS]);
        endpoint.port = (uint16_t)dump_number(address[MPTCP_PM_ADDR_ATTR_PORT]);
        endpoint.ifindex = (int32_t)dump_number(address[MPTCP_PM_ADDR_ATTR_IF_IDX]);
        bytes = dump_data(address[MPTCP_PM_ADDR_ATTR_ADDR4], sizeof(struct in_addr));
        if (bytes)
                inet_ntop(AF_INET, bytes, endpoint.address, sizeof(endpoint.address));
        bytes = dump_data(address[MPTCP_PM_ADDR_ATTR_ADDR6], sizeof(struct in6_addr));
        if (bytes)
                inet_ntop(AF_INET6, bytes, endpoint.address, sizeof(endpoint.address));
        return ARRAY_APPEND(&endpoints->list, endpoint, LIMIT_DOCTOR_ENDPOINTS);
}

int genl_list_endpoints(const struct genl_family *family, struct genl_endpoints *endpoints) {
        struct request request;

        request_init(&request, family->id, MPTCP_PM_CMD_GET_ADDR, NLM_F_DUMP);
        return dump_ask(NETLINK_GENERIC, &request.head, on_endpoint, endpoints);
}

void genl_endpoints_done(struct genl_endpoints *endpoints) {
        ARRAY_DONE(&endpoints->list);
}
