/*
 * The plan of the lab. See lab.h.
 */
#include "lab.h"

#include <stdlib.h>

struct mptcpize_address lab_address(enum lab_place place, enum lab_kind kind, uint16_t port) {
        static const char *const texts[_LAB_PLACE_MAX][2] = {
                [LAB_WIFI] = { "192.0.2.1", "2001:db8:1::1" },
                [LAB_LTE] = { "198.51.100.1", "2001:db8:2::1" },
                [LAB_PEER] = { "203.0.113.1", "2001:db8:3::1" },
                [LAB_PEER_SECOND] = { "203.0.113.2", "2001:db8:3::2" },
                [LAB_NOBODY] = { "192.0.2.99", "2001:db8:1::99" },
        };
        struct mptcpize_address address = ADDRESS_NULL;

        if (address_parse(texts[place][kind == LAB_V6], &address) < 0)
                abort();
        address.port = port;
        return address;
}
