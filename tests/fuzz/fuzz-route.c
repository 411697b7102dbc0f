/*
 * Routes and rules of the kernel, sent back as requests of ours, which have to say the same.
 */
#include <assert.h>
#include <string.h>
#include "fuzz.h"
#include "kern/codec-route.h"
#include "kern/codec-rtnl.h"

static bool encode(const struct event *event, union route_request *ret) {
        const bool add = event->type == EVENT_ROUTE || event->type == EVENT_RULE;

        if (event->type == EVENT_RULE || event->type == EVENT_RULE_GONE)
                codec_route_encode_rule(&event->rule, add, ret);
        else if (event->type == EVENT_ROUTE || event->type == EVENT_ROUTE_GONE)
                codec_route_encode(&event->route, add, ret);
        else
                return false;
        return true;
}

static void on_again(const struct event *event, void *userdata) {
        union route_request request;

        assert(encode(event, &request));
        assert(memcmp(&request, userdata, sizeof(request)) == 0);
}

static void on_event(const struct event *event, void *userdata) {
        union route_request request;

        (void)userdata;
        if (encode(event, &request))
                assert(codec_rtnl_decode(&request, request.header.nlmsg_len, on_again, &request) ==
                       0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        (void)codec_rtnl_decode(data, n, on_event, NULL);
        return 0;
}
