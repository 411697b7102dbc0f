#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAPPED_BITS 96u

static int address_refuse(const char **ret_why, const char *why) {
        *ret_why = why;
        return -EINVAL;
}

int policy_address_parse(const char *text, struct policy_address *ret_address) {
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
        struct sockaddr_in in4 = { .sin_family = AF_INET };

        if (inet_pton(AF_INET, text, &in4.sin_addr) == 1)
                *ret_address = policy_address(&in4, sizeof(in4));
        else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
                *ret_address = policy_address(&in6, sizeof(in6));
        else
                return -EINVAL;
        return 0;
}

/* 1 to 5 digits, without a leading zero, up to max; -1 if it is none. */
static long number_parse(const char *text, size_t n, long max) {
        char digits[6] = "";
        long number;

        if (n < 1 || n >= sizeof(digits) || strspn(text, "0123456789") < n ||
            (text[0] == '0' && n > 1))
                return -1;
        memcpy(digits, text, n);
        number = strtol(digits, NULL, 10);
        return number <= max ? number : -1;
}

static int prefix_set_len(struct policy_prefix *prefix, unsigned int len, const char **ret_why) {
        for (unsigned int bit = len; bit < 8 * sizeof(prefix->bytes); bit++)
                if (prefix->bytes[bit / 8] & (0x80u >> bit % 8))
                        return address_refuse(ret_why, "expected an address without bits behind "
                                                       "the length of the prefix");
        prefix->len = (uint8_t)len;
        return 0;
}

struct policy_prefix policy_prefix_of(const struct policy_address *address) {
        struct policy_prefix prefix = { .family = address->family,
                                        .len = address->family == 4 ? 32 : 128 };

        memcpy(prefix.bytes, address->bytes, sizeof(prefix.bytes));
        return prefix;
}

int policy_prefix_parse(const char *text, struct policy_prefix *ret_prefix, const char **ret_why) {
        const char *slash = strchr(text, '/');
        size_t n = slash ? (size_t)(slash - text) : strlen(text);
        char host[INET6_ADDRSTRLEN] = "";
        struct policy_address address;
        struct policy_prefix prefix;
        bool mapped;
        long len;

        if (n < sizeof(host))
                memcpy(host, text, n);
        if (policy_address_parse(host, &address) < 0)
                return address_refuse(ret_why, "expected an address or a prefix, \"192.0.2.0/24\" "
                                               "or \"2001:db8::/32\"");
        mapped = address.family == 4 && strchr(host, ':');
        prefix = policy_prefix_of(&address);
        if (!slash) {
                *ret_prefix = prefix;
                return 0;
        }
        len = number_parse(slash + 1, strlen(slash + 1), prefix.len + (mapped ? MAPPED_BITS : 0));
        if (len < (mapped ? (long)MAPPED_BITS : 0))
                return address_refuse(ret_why, address.family == 4 && !mapped
                                                               ? "expected a prefix of 0 to 32 bits"
                                               : mapped ? "expected a prefix of 96 to 128 bits"
                                                        : "expected a prefix of 0 to 128 bits");
        if (prefix_set_len(&prefix, (unsigned int)len - (mapped ? MAPPED_BITS : 0), ret_why) < 0)
                return -EINVAL;
        *ret_prefix = prefix;
        return 0;
}

/* "22" or "8000-8010", of n bytes. */
static int range_parse(const char *text, size_t n, struct policy_ports *ret_range,
                       const char **ret_why) {
        const char *dash = memchr(text, '-', n);
        size_t n_first = dash ? (size_t)(dash - text) : n;
        long first = number_parse(text, n_first, UINT16_MAX);
        long last = dash ? number_parse(dash + 1, n - n_first - 1, UINT16_MAX) : first;

        if (first < 1 || last < 1)
                return address_refuse(ret_why, "expected ports from 1 to 65535, \"22,8000-8010\"");
        if (last < first)
                return address_refuse(ret_why, "expected the lower port of a range first");
        ret_range->first = (uint16_t)first;
        ret_range->last = (uint16_t)last;
        return 0;
}

int policy_ports_parse(const char *text, struct policy_ports *ranges, size_t max, size_t *ret_n,
                       const char **ret_why) {
        size_t n = 0;

        for (;;) {
                size_t len = strcspn(text, ",");

                if (n == max)
                        return address_refuse(ret_why, "expected fewer ranges of ports");
                if (range_parse(text, len, &ranges[n], ret_why) < 0)
                        return -EINVAL;
                n++;
                if (text[len] == '\0')
                        break;
                text += len + 1;
        }
        *ret_n = n;
        return 0;
}

/* The address of "ADDRESS:PORTS"; sets port to what is behind the colon. */
static int host_parse(const char *text, struct policy_address *ret_address, const char **ret_port) {
        const char *colon = strrchr(text, ':');
        bool bracket = text[0] == '[';
        char host[INET6_ADDRSTRLEN] = "";
        size_t n;

        *ret_address = (struct policy_address){ 0 };
        *ret_port = colon ? colon + 1 : text;
        if (!colon || (colon == text + 1 && text[0] == '*'))
                return 0;
        if (bracket && colon[-1] != ']')
                return -EINVAL;
        n = (size_t)(colon - text) - (bracket ? 2 : 0);
        if (n >= sizeof(host))
                return -EINVAL;
        memcpy(host, text + bracket, n);
        /* without brackets, the last part of an address could be taken for a port */
        if (!bracket != !strchr(host, ':'))
                return -EINVAL;
        return policy_address_parse(host, ret_address);
}

int policy_endpoint_parse(const char *text, struct policy_endpoint *ret_endpoint,
                          const char **ret_why) {
        struct policy_endpoint endpoint;
        const char *port;

        if (host_parse(text, &endpoint.address, &port) < 0)
                return address_refuse(ret_why, "expected \"443\", \"*:443\", \"192.0.2.1:443\" or "
                                               "\"[2001:db8::1]:443\"");
        if (range_parse(port, strlen(port), &endpoint.ports, ret_why) < 0)
                return -EINVAL;
        *ret_endpoint = endpoint;
        return 0;
}

void policy_prefix_print(const struct policy_prefix *prefix,
                         char text[static POLICY_ADDRESS_TEXT]) {
        size_t n;

        if (!inet_ntop(prefix->family == 4 ? AF_INET : AF_INET6, prefix->bytes, text,
                       INET6_ADDRSTRLEN))
                text[0] = '\0';
        n = strlen(text);
        if (prefix->len != (prefix->family == 4 ? 32 : 128))
                snprintf(text + n, POLICY_ADDRESS_TEXT - n, "/%u", (unsigned int)prefix->len);
}

void policy_ports_print(const struct policy_ports *ports, char text[static POLICY_ADDRESS_TEXT]) {
        if (ports->first == ports->last)
                snprintf(text, POLICY_ADDRESS_TEXT, "%u", (unsigned int)ports->first);
        else
                snprintf(text, POLICY_ADDRESS_TEXT, "%u-%u", (unsigned int)ports->first,
                         (unsigned int)ports->last);
}
