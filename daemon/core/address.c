/*
 * IP addresses. See address.h.
 */
#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define PORT_MAX 65535u

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

/* Bytes of an address of this family, 0 for none. */
static size_t family_len(uint16_t family) {
        if (family == AF_INET)
                return 4;
        return family == AF_INET6 ? 16 : 0;
}

int address_init(struct mptcpize_address *ret_address, const void *bytes, size_t len,
                 uint16_t port) {
        const uint8_t *from = bytes;
        struct mptcpize_address address = { .port = port };

        if (len != 4 && len != 16)
                return -EINVAL;
        if (len == 16 && memcmp(from, mapped, sizeof(mapped)) == 0) {
                from += sizeof(mapped);
                len = 4;
        }
        address.family = len == 4 ? AF_INET : AF_INET6;
        memcpy(address.bytes, from, len);
        *ret_address = address;
        return 0;
}

/* One to five digits, no sign, no leading zero, 1 to 65535: a port that is written is one. */
static int port_parse(const char *text, uint16_t *ret_port) {
        unsigned int port = 0;
        size_t i;

        if (text[0] == '0')
                return -EINVAL;
        for (i = 0; text[i]; i++) {
                if (text[i] < '0' || text[i] > '9' || i >= 5)
                        return -EINVAL;
                port = port * 10 + (unsigned int)(text[i] - '0');
        }
        if (port == 0 || port > PORT_MAX)
                return -EINVAL;
        *ret_port = (uint16_t)port;
        return 0;
}

/* The host of len characters, without brackets. */
static int host_parse(int family, const char *text, size_t len, uint16_t port,
                      struct mptcpize_address *ret_address) {
        char host[INET6_ADDRSTRLEN];
        uint8_t bytes[16];

        if (len >= sizeof(host))
                return -EINVAL;
        memcpy(host, text, len);
        host[len] = '\0';
        if (inet_pton(family, host, bytes) != 1)
                return -EINVAL;
        return address_init(ret_address, bytes, family_len((uint16_t)family), port);
}

static int parse_bracketed(const char *text, struct mptcpize_address *ret_address) {
        const char *end = strchr(text, ']');
        uint16_t port;

        if (!end || end[1] != ':' || port_parse(end + 2, &port) < 0)
                return -EINVAL;
        return host_parse(AF_INET6, text + 1, (size_t)(end - text) - 1, port, ret_address);
}

int address_parse(const char *text, struct mptcpize_address *ret_address) {
        const char *colon = strchr(text, ':');
        uint16_t port = 0;

        if (text[0] == '[')
                return parse_bracketed(text, ret_address);
        if (colon && strchr(colon + 1, ':')) /* at least two: IPv6, and no room for a port */
                return host_parse(AF_INET6, text, strlen(text), 0, ret_address);
        if (!colon)
                return host_parse(AF_INET, text, strlen(text), 0, ret_address);
        if (port_parse(colon + 1, &port) < 0)
                return -EINVAL;
        return host_parse(AF_INET, text, (size_t)(colon - text), port, ret_address);
}

const char *address_format(const struct mptcpize_address *address,
                           char buffer[static ADDRESS_TEXT]) {
        bool v6 = address->family == AF_INET6;
        char host[INET6_ADDRSTRLEN];

        if (!inet_ntop(address->family, address->bytes, host, sizeof(host)))
                snprintf(buffer, ADDRESS_TEXT, "none");
        else if (!address->port)
                snprintf(buffer, ADDRESS_TEXT, "%s", host);
        else
                snprintf(buffer, ADDRESS_TEXT, v6 ? "[%s]:%u" : "%s:%u", host, address->port);
        return buffer;
}

bool address_equal(const struct mptcpize_address *a, const struct mptcpize_address *b) {
        return a->port == b->port && address_same_host(a, b);
}

bool address_same_host(const struct mptcpize_address *a, const struct mptcpize_address *b) {
        return a->family == b->family && memcmp(a->bytes, b->bytes, family_len(a->family)) == 0;
}

bool address_in_prefix(const struct mptcpize_address *address,
                       const struct mptcpize_address *prefix, unsigned int len) {
        size_t size = family_len(address->family);
        unsigned int whole = len / 8, rest = len % 8;
        uint8_t mask = (uint8_t)(0xff00u >> rest);

        if (address->family != prefix->family || size == 0 || len > size * 8)
                return false;
        if (memcmp(address->bytes, prefix->bytes, whole) != 0)
                return false;
        return rest == 0 || ((address->bytes[whole] ^ prefix->bytes[whole]) & mask) == 0;
}

static bool address_is_v6(const struct mptcpize_address *address) {
        return address->family == AF_INET6;
}

bool address_is_any(const struct mptcpize_address *address) {
        static const uint8_t none[16];
        const size_t len = family_len(address->family);

        return len > 0 && memcmp(address->bytes, none, len) == 0;
}

bool address_is_loopback(const struct mptcpize_address *address) {
        static const uint8_t v6[16] = { [15] = 1 };

        if (address_is_v6(address))
                return memcmp(address->bytes, v6, sizeof(v6)) == 0;
        return address->family == AF_INET && address->bytes[0] == 127;
}

bool address_is_link_local(const struct mptcpize_address *address) {
        const uint8_t *bytes = address->bytes;

        if (address_is_v6(address))
                return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
        return address->family == AF_INET && bytes[0] == 169 && bytes[1] == 254;
}

bool address_is_host(const struct mptcpize_address *address) {
        static const uint8_t all[4] = { 255, 255, 255, 255 };
        const uint8_t *bytes = address->bytes;
        size_t len = family_len(address->family);

        if (len == 0 || address_is_any(address))
                return false;
        if (address_is_v6(address))
                return bytes[0] != 0xff;
        return (bytes[0] & 0xf0) != 0xe0 && memcmp(bytes, all, len) != 0;
}

struct mptcpize_address address_without_port(const struct mptcpize_address *address) {
        struct mptcpize_address copy = *address;

        copy.port = 0;
        return copy;
}

socklen_t address_to_sockaddr(const struct mptcpize_address *address, uint32_t scope,
                              struct sockaddr_storage *ret_sockaddr) {
        struct sockaddr_in *in4 = (void *)ret_sockaddr;
        struct sockaddr_in6 *in6 = (void *)ret_sockaddr;

        *ret_sockaddr = (struct sockaddr_storage){ .ss_family = address->family };
        if (address->family == AF_INET) {
                in4->sin_port = htons(address->port);
                memcpy(&in4->sin_addr, address->bytes, sizeof(in4->sin_addr));
                return sizeof(*in4);
        }
        in6->sin6_port = htons(address->port);
        memcpy(&in6->sin6_addr, address->bytes, sizeof(in6->sin6_addr));
        if (address_is_link_local(address))
                in6->sin6_scope_id = scope;
        return sizeof(*in6);
}

int address_from_sockaddr(const struct sockaddr_storage *sockaddr,
                          struct mptcpize_address *ret_address) {
        const struct sockaddr_in *in4 = (const void *)sockaddr;
        const struct sockaddr_in6 *in6 = (const void *)sockaddr;

        if (sockaddr->ss_family == AF_INET)
                return address_init(ret_address, &in4->sin_addr, 4, ntohs(in4->sin_port));
        if (sockaddr->ss_family == AF_INET6)
                return address_init(ret_address, &in6->sin6_addr, 16, ntohs(in6->sin6_port));
        return -EAFNOSUPPORT;
}
