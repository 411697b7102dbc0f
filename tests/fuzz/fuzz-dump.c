/*
 * What mptcpctl reads of netlink by itself: datagrams of messages, and their attributes.
 */
#include <assert.h>
#include <string.h>
#include "ctl/doctor/dump.h"
#include "fuzz.h"
#include "util/cleanup.h"

static size_t sum; /* so that everything is read */

static void look(const struct nlattr *attribute) {
        const struct nlattr *inside[8];

        dump_nest(attribute, inside, ARRAY_SIZE(inside));
        for (size_t i = 0; i < ARRAY_SIZE(inside); i++)
                sum += dump_number(inside[i]) + strlen(dump_string(inside[i]));
        for (size_t i = 0; i < dump_size(attribute); i++)
                sum += ((const uint8_t *)dump_data(attribute, i))[i];
}

static int on_message(const struct nlmsghdr *message, void *userdata) {
        const struct nlattr *attributes[16];
        const size_t head = message->nlmsg_type % 3 * 10;

        assert(!userdata && message->nlmsg_seq == DUMP_SEQUENCE);
        dump_attributes(message, head, attributes, ARRAY_SIZE(attributes));
        for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
                look(attributes[i]);
        return message->nlmsg_type == 0xdead ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        assert(dump_take((const char *)data, n, on_message, NULL) <= 1);
        return 0;
}
