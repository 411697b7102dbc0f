/*
 * Events of the family "mptcp_pm".
 */
#include <assert.h>
#include <errno.h>
#include "fuzz.h"
#include "kern/codec-mptcp.h"

static bool has_family(const struct mptcpize_address *address) {
        return address->family == AF_INET || address->family == AF_INET6;
}

static void check(const struct event *event) {
        const struct mptcp_event *mptcp = &event->mptcp;
        const bool ends = event->type == EVENT_CLOSED || event->type == EVENT_REMOVED;
        const bool announced = event->type == EVENT_ANNOUNCED;

        assert(event->type <= EVENT_LISTENER_CLOSED);
        assert(!(mptcp->flags & ~(EVENT_MPTCP_DENY_JOIN_INITIAL | EVENT_MPTCP_SERVER)));
        assert(mptcp->error >= 0 && mptcp->error <= UINT8_MAX);
        assert(ends || announced || has_family(&mptcp->local));
        assert(ends || event->type >= EVENT_LISTENER_CREATED || has_family(&mptcp->remote));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        struct event event = { .type = _EVENT_MAX };
        int r = codec_mptcp_decode(data, n, &event);

        if (r == 0)
                check(&event);
        else
                assert((r == 1 || r == -EBADMSG) && event.type == _EVENT_MAX);
        return 0;
}
