/*
 * What the kernel has of our table. See gate-kernel.h.
 */
#include "gate-kernel.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include "../kern/attr.h"
#include "gate-table.h"

#define ATTEMPTS 8 /* at a dump, while others change the table */

struct request {
        struct nlmsghdr header;
        struct nfgenmsg family;
        uint8_t attrs[64];
};

static void request_init(struct request *request, uint8_t type, uint8_t family) {
        memset(request, 0, sizeof(*request));
        request->header.nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
        request->header.nlmsg_len = offsetof(struct request, attrs);
        request->family.nfgen_family = family;
        request->family.version = NFNETLINK_V0;
}

static void request_put(struct request *request, uint16_t type, const void *value, size_t len) {
        const struct nlattr head = { .nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = type };
        uint8_t *at = (uint8_t *)request + request->header.nlmsg_len;

        memcpy(at, &head, sizeof(head));
        memcpy(at + NLA_HDRLEN, value, len);
        request->header.nlmsg_len += (uint32_t)NLA_ALIGN(NLA_HDRLEN + len);
}

static void request_put_text(struct request *request, uint16_t type, const char *text) {
        request_put(request, type, text, strlen(text) + 1);
}

int gate_kernel_present(struct netlink *netlink) {
        struct request request;
        int r;

        request_init(&request, NFT_MSG_GETTABLE, NFPROTO_INET);
        request_put_text(&request, NFTA_TABLE_NAME, GATE_TABLE);
        r = netlink_request(netlink, &request.header, NULL, NULL, NULL);
        /* A kernel without nftables says EINVAL: it has no table either. */
        if (r == -ENOENT || r == -EINVAL)
                return 0;
        return r < 0 ? r : 1;
}

static int on_generation(const struct nlmsghdr *message, void *userdata) {
        static const struct attr_field fields[] = { { NFTA_GEN_ID, sizeof(uint32_t), 0 } };
        struct nfgenmsg family;
        uint32_t generation = 0;
        uint64_t present;
        int r;

        r = ATTR_READ(message, message->nlmsg_len, &family, fields, &generation, &present);
        if (r < 0)
                return r;
        *(uint32_t *)userdata = ntohl(generation);
        return 0;
}

int gate_kernel_generation(struct netlink *netlink, uint32_t *ret_generation) {
        struct request request;

        request_init(&request, NFT_MSG_GETGEN, AF_UNSPEC);
        return netlink_request(netlink, &request.header, on_generation, ret_generation, NULL);
}

/* The counter */

struct counter_attrs {
        struct attr_blob data;
        uint64_t packets;
};

static int on_counter(const struct nlmsghdr *message, void *userdata) {
        static const struct attr_field outer[] = {
                ATTR_FIELD_BLOB(NFTA_OBJ_DATA, struct counter_attrs, data),
        };
        static const struct attr_field inner[] = {
                ATTR_FIELD(NFTA_COUNTER_PACKETS, struct counter_attrs, packets),
        };
        struct counter_attrs counter = { .packets = 0 };
        struct nfgenmsg family;
        uint64_t present;
        int r;

        r = ATTR_READ(message, message->nlmsg_len, &family, outer, &counter, &present);
        if (r == 0)
                r = attr_decode(&counter.data, inner, ARRAY_SIZE(inner), &counter, &present);
        if (r == 0)
                *(uint64_t *)userdata = be64toh(counter.packets);
        return r;
}

int gate_kernel_dropped(struct netlink *netlink, uint64_t *ret_packets) {
        const uint32_t type = htonl(NFT_OBJECT_COUNTER);
        struct request request;

        request_init(&request, NFT_MSG_GETOBJ, NFPROTO_INET);
        request_put_text(&request, NFTA_OBJ_TABLE, GATE_TABLE);
        request_put_text(&request, NFTA_OBJ_NAME, GATE_COUNTER);
        request_put(&request, NFTA_OBJ_TYPE, &type, sizeof(type));
        return netlink_request(netlink, &request.header, on_counter, ret_packets, NULL);
}

/* Elements */

/* Of a set of intervals, end is the last key; else it is empty. */
struct element {
        struct attr_blob key, end;
};

typedef int (*element_fn)(const struct element *element, void *userdata);

struct elements {
        element_fn on_element;
        void *userdata;
};

static int data_open(struct attr_blob *data) {
        static const struct attr_field fields[] = { { NFTA_DATA_VALUE, 0, 0 } };
        struct attr_blob value = { 0 };
        uint64_t present;
        int r;

        r = attr_decode(data, fields, ARRAY_SIZE(fields), &value, &present);
        if (r == 0)
                *data = value;
        return r;
}

static int element_read(const struct attr_blob *attrs, struct element *ret_element) {
        static const struct attr_field fields[] = {
                ATTR_FIELD_BLOB(NFTA_SET_ELEM_KEY, struct element, key),
                ATTR_FIELD_BLOB(NFTA_SET_ELEM_KEY_END, struct element, end),
        };
        uint64_t present;
        int r;

        *ret_element = (struct element){ 0 };
        r = attr_decode(attrs, fields, ARRAY_SIZE(fields), ret_element, &present);
        if (r == 0)
                r = data_open(&ret_element->key);
        if (r == 0)
                r = data_open(&ret_element->end);
        return r;
}

static int on_elements(const struct nlmsghdr *message, void *userdata) {
        static const struct attr_field fields[] = { { NFTA_SET_ELEM_LIST_ELEMENTS, 0, 0 } };
        const struct elements *elements = userdata;
        struct attr_blob list = { 0 }, attrs;
        struct element element;
        struct nfgenmsg family;
        uint64_t present;
        uint16_t type;
        int r;

        r = ATTR_READ(message, message->nlmsg_len, &family, fields, &list, &present);
        while (r == 0 && (r = attr_next(&list, &type, &attrs)) > 0) {
                r = element_read(&attrs, &element);
                if (r == 0)
                        r = elements->on_element(&element, elements->userdata);
        }
        return r;
}

static int kernel_dump(struct netlink *netlink, const char *set, struct elements *elements) {
        struct request request;
        int r = -EINTR;

        for (unsigned int i = 0; r == -EINTR && i < ATTEMPTS; i++) {
                request_init(&request, NFT_MSG_GETSETELEM, NFPROTO_INET);
                request.header.nlmsg_flags = NLM_F_DUMP;
                request_put_text(&request, NFTA_SET_ELEM_LIST_TABLE, GATE_TABLE);
                request_put_text(&request, NFTA_SET_ELEM_LIST_SET, set);
                r = netlink_request(netlink, &request.header, on_elements, elements, NULL);
        }
        return r;
}

struct tokens {
        gate_token_fn on_token;
        void *userdata;
};

/* What somebody else has put in between is skipped if it is no token at all. */
static int on_token_element(const struct element *element, void *userdata) {
        const struct tokens *tokens = userdata;
        uint32_t token;

        if (element->key.len != sizeof(token))
                return 0;
        memcpy(&token, element->key.data, sizeof(token));
        return tokens->on_token(ntohl(token), tokens->userdata);
}

int gate_kernel_tokens(struct netlink *netlink, gate_token_fn on_token, void *userdata) {
        struct tokens tokens = { on_token, userdata };
        struct elements elements = { on_token_element, &tokens };

        return kernel_dump(netlink, GATE_GUARDED, &elements);
}

struct listeners {
        uint16_t family;
        gate_listener_fn on_listener;
        void *userdata;
};

/* Bits that two addresses have in common at their beginning. */
static uint8_t common_bits(const uint8_t *a, const uint8_t *b, size_t len) {
        size_t bits = 0;

        while (bits < len * 8 && ((a[bits / 8] ^ b[bits / 8]) & 0x80u >> bits % 8) == 0)
                bits++;
        return (uint8_t)bits;
}

static uint16_t port_at(const uint8_t *bytes) {
        return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* The key: address, port, padding to four bytes. */
static int on_listener_element(const struct element *element, void *userdata) {
        const struct listeners *listeners = userdata;
        const size_t len = listeners->family == AF_INET ? 4 : 16;
        const struct attr_blob *end = element->end.len > 0 ? &element->end : &element->key;
        struct gate_listener listener = { .prefix.family = listeners->family };

        if (element->key.len != len + 4 || end->len != len + 4)
                return 0;
        memcpy(listener.prefix.bytes, element->key.data, len);
        listener.prefix_len = common_bits(element->key.data, end->data, len);
        listener.first = port_at(element->key.data + len);
        listener.last = port_at(end->data + len);
        return listeners->on_listener(&listener, listeners->userdata);
}

int gate_kernel_listeners(struct netlink *netlink, gate_listener_fn on_listener, void *userdata) {
        struct listeners listeners = { AF_INET, on_listener, userdata };
        struct elements elements = { on_listener_element, &listeners };
        int r;

        r = kernel_dump(netlink, GATE_REQUIRED "4", &elements);
        if (r < 0)
                return r;
        listeners.family = AF_INET6;
        return kernel_dump(netlink, GATE_REQUIRED "6", &elements);
}
