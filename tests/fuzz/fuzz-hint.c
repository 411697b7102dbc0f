/*
 * Datagrams to the thread that reads hints. An input is: how many descriptors, the first of them,
 * the datagram.
 */
#include <assert.h>
#include <string.h>
#include <unistd.h>
#include "fuzz.h"
#include "hint-host.h"
#include "hint/reader.h"

static void check(const struct hint_report *report, const struct hint *hint, size_t n_fds) {
        const unsigned int kind = report->event.kind;

        assert(memchr(report->profile, '\0', sizeof(report->profile)));
        assert(memchr(report->policy, '\0', sizeof(report->policy)));
        for (const char *at = report->text; *at; at++)
                assert(at < report->text + sizeof(report->text) - 1 && *at >= ' ' && *at <= '~');
        assert(!report->keyed || kind == HINT_KEY);
        if (kind == HINT_REFUSED) {
                assert(report->text[0]);
                return;
        }
        assert(kind == hint->kind && kind < _HINT_KIND_MAX && n_fds == 1);
        assert(report->event.cookie && report->event.program.uid == getuid());
        assert(report->event.user_timeout_msec == hint->user_timeout_msec);
        assert(!report->keyed || memcmp(report->key, hint->key, sizeof(hint->key)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        struct hint_report report;
        struct hint hint = { 0 };
        size_t n_fds;

        if (n < 2)
                return 0;
        n_fds = data[0] % 6;
        memcpy(&hint, data + 2, n - 2 < sizeof(hint) ? n - 2 : sizeof(hint));
        hint_host_send(data + 2, n - 2, data[1], n_fds);
        hint_host_receive(&report);
        check(&report, &hint, n_fds);
        return 0;
}
