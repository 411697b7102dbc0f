/*
 * The kernel's path-manager interface, as far as anybody may look: is it there, and which
 * endpoints has the kernel's own path manager?
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../util/array.h"

/* The genetlink family mptcp_pm. */
struct genl_family {
        uint16_t id;
        bool can_create; /* subflows: the user-space path manager, Linux 5.19 */
};

struct genl_endpoint {
        char address[INET6_ADDRSTRLEN];
        uint8_t id;
        uint32_t flags; /* MPTCP_PM_ADDR_FLAG_* */
        uint16_t port;
        int32_t ifindex;
};

struct genl_endpoints {
        ARRAY_OF(struct genl_endpoint) list;
};

/* 0; -ENOENT: this kernel has none such; or a negative errno. */
int genl_find_family(struct genl_family *ret_family);

/* Adds all endpoints. 0 or a negative errno. */
int genl_list_endpoints(const struct genl_family *family, struct genl_endpoints *endpoints);

void genl_endpoints_done(struct genl_endpoints *endpoints);
