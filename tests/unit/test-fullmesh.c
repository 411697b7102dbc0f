/*
 * What fullmesh asks for, seen directly: the engine would hide what it asks for in vain.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "world.h"

static char asked[512]; /* "LOCAL>REMOTE " of each CREATE, in order */

static int collect(struct mptcpize_sink *sink, const struct mptcpize_action *action) {
        char local[ADDRESS_TEXT], remote[ADDRESS_TEXT];
        size_t len = strlen(asked);

        (void)sink;
        assert_int_equal(action->type, MPTCPIZE_ACTION_CREATE);
        snprintf(asked + len, sizeof(asked) - len, "%s>%s%s ",
                 address_format(&action->local, local), address_format(&action->remote, remote),
                 action->backup ? "!" : "");
        return 0;
}

static const char *decide(uint32_t flags, const char *option, enum mptcpize_role lte_role) {
        const struct mptcpize_plugin *plugin = mptcpize_plugin();
        struct mptcpize_local wifi = {
                .size = sizeof(wifi), .address = at("192.0.2.1"), .ifindex = 2, .ifname = "wifi0"
        };
        struct mptcpize_local lte = { .size = sizeof(lte),
                                      .address = at("198.51.100.1"),
                                      .ifindex = 3,
                                      .role = lte_role,
                                      .ifname = "lte0" };
        struct mptcpize_remote first = { .size = sizeof(first),
                                         .address = at("203.0.113.1:80"),
                                         .flags = MPTCPIZE_REMOTE_INITIAL };
        struct mptcpize_remote other = { .size = sizeof(other),
                                         .address = at("203.0.113.2:80"),
                                         .id = 5 };
        const struct mptcpize_local *locals[] = { &wifi, &lte };
        const struct mptcpize_remote *remotes[] = { &first, &other };
        struct mptcpize_view view = { .size = sizeof(view),
                                      .flags = flags,
                                      .locals = locals,
                                      .n_locals = 2,
                                      .remotes = remotes,
                                      .n_remotes = 2 };
        struct mptcpize_event event = { .size = sizeof(event), .type = MPTCPIZE_EVENT_ESTABLISHED };
        struct mptcpize_sink sink = { .size = sizeof(sink), .emit = collect };
        void *state;

        asked[0] = '\0';
        assert_int_equal(plugin->init(&state), 0);
        if (option)
                assert_int_equal(plugin->config(state, "announced", option), 0);
        assert_int_equal(plugin->decide(state, &view, &event, &sink), 0);
        plugin->done(state);
        return asked;
}

static void test_decide_established_asks_for_all_pairs_initial_remote_first(void **state) {
        (void)state;
        assert_string_equal(decide(MPTCPIZE_VIEW_ESTABLISHED, NULL, MPTCPIZE_ROLE_ON),
                            "192.0.2.1>203.0.113.1:80 198.51.100.1>203.0.113.1:80 "
                            "192.0.2.1>203.0.113.2:80 198.51.100.1>203.0.113.2:80 ");
}

static void test_decide_denied_initial_remote_is_not_asked_for(void **state) {
        (void)state;
        assert_string_equal(decide(MPTCPIZE_VIEW_ESTABLISHED | MPTCPIZE_VIEW_DENY_JOIN_INITIAL,
                                   "true", MPTCPIZE_ROLE_ON),
                            "192.0.2.1>203.0.113.2:80 198.51.100.1>203.0.113.2:80 ");
}

static void test_decide_announced_false_asks_for_the_initial_remote_only(void **state) {
        (void)state;
        assert_string_equal(decide(MPTCPIZE_VIEW_ESTABLISHED, "false", MPTCPIZE_ROLE_BACKUP),
                            "192.0.2.1>203.0.113.1:80 198.51.100.1>203.0.113.1:80! ");
}

static void test_decide_server_or_not_established_asks_for_nothing(void **state) {
        (void)state;
        assert_string_equal(decide(0, NULL, MPTCPIZE_ROLE_ON), "");
        assert_string_equal(decide(MPTCPIZE_VIEW_ESTABLISHED | MPTCPIZE_VIEW_SERVER, NULL,
                                   MPTCPIZE_ROLE_ON),
                            "");
}

static void test_config_wrong_option_or_value_is_refused(void **state) {
        const struct mptcpize_plugin *plugin = mptcpize_plugin();
        void *instance;

        (void)state;
        assert_int_equal(plugin->init(&instance), 0);
        assert_int_equal(plugin->config(instance, "anounced", "true"), -ENOENT);
        assert_int_equal(plugin->config(instance, "announced", "yes"), -EINVAL);
        plugin->done(instance);
        plugin->done(NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_decide_established_asks_for_all_pairs_initial_remote_first),
                cmocka_unit_test(test_decide_denied_initial_remote_is_not_asked_for),
                cmocka_unit_test(test_decide_announced_false_asks_for_the_initial_remote_only),
                cmocka_unit_test(test_decide_server_or_not_established_asks_for_nothing),
                cmocka_unit_test(test_config_wrong_option_or_value_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
