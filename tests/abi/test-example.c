/*
 * The example of mptcpize-plugin(3) does what the page says: loaded as the daemon loads it, and
 * asked with views that the daemon could give. argv[1] is the directory of standby.so.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "../../daemon/host/plugin.h"
#include "../../daemon/util/cleanup.h"

static const char *directory;

/* A client with three interfaces (1, 2, 3), and one subflow, on 1. */
struct scene {
        struct plugin *plugin;
        void *state;
        struct mptcpize_local locals[3];
        struct mptcpize_remote remote;
        struct mptcpize_subflow subflows[4];
        const struct mptcpize_local *local_list[3];
        const struct mptcpize_remote *remote_list[1];
        const struct mptcpize_subflow *subflow_list[4];
        struct mptcpize_view view;
        struct mptcpize_sink sink;
        struct mptcpize_action actions[8]; /* what the plugin emitted */
        size_t n;
};

static int scene_emit(struct mptcpize_sink *sink, const struct mptcpize_action *action) {
        struct scene *scene = (struct scene *)((char *)sink - offsetof(struct scene, sink));

        assert_true(scene->n < ARRAY_SIZE(scene->actions));
        assert_true(MPTCPIZE_HAS(action, struct mptcpize_action, reason));
        assert_non_null(action->reason);
        scene->actions[scene->n++] = *action;
        return 0;
}

static void scene_add_subflow(struct scene *scene, int32_t ifindex, uint32_t state,
                              uint32_t flags) {
        size_t i = scene->view.n_subflows++;

        scene->subflows[i] = (struct mptcpize_subflow){
                .size = sizeof(scene->subflows[i]),
                .state = state,
                .flags = flags,
                .ifindex = ifindex,
        };
        scene->subflow_list[i] = &scene->subflows[i];
}

static void scene_fill(struct scene *scene) {
        for (size_t i = 0; i < ARRAY_SIZE(scene->locals); i++) {
                scene->locals[i] = (struct mptcpize_local){
                        .size = sizeof(scene->locals[i]),
                        .address = { .family = AF_INET, .bytes = { 192, 0, 2, (uint8_t)(i + 1) } },
                        .ifindex = (int32_t)i + 1,
                        .ifname = "eth",
                };
                scene->local_list[i] = &scene->locals[i];
        }
        scene->remote = (struct mptcpize_remote){
                .size = sizeof(scene->remote),
                .address = { .family = AF_INET, .port = 443, .bytes = { 203, 0, 113, 1 } },
                .flags = MPTCPIZE_REMOTE_INITIAL,
        };
        scene->remote_list[0] = &scene->remote;
        scene->view = (struct mptcpize_view){
                .size = sizeof(scene->view),
                .flags = MPTCPIZE_VIEW_ESTABLISHED,
                .random = UINT64_MAX,
                .max_subflows = 4,
                .locals = scene->local_list,
                .n_locals = ARRAY_SIZE(scene->locals),
                .remotes = scene->remote_list,
                .n_remotes = 1,
                .subflows = scene->subflow_list,
        };
        scene->sink = (struct mptcpize_sink){ .size = sizeof(scene->sink), .emit = scene_emit };
        scene_add_subflow(scene, 1, MPTCPIZE_SUBFLOW_ESTABLISHED,
                          MPTCPIZE_SUBFLOW_INITIAL | MPTCPIZE_SUBFLOW_OURS);
}

static int scene_make(void **state) {
        struct scene *scene = calloc(1, sizeof(*scene));
        char error[PLUGIN_ERROR];

        *state = scene;
        if (plugin_load(directory, "standby", &scene->plugin, error) < 0) {
                fprintf(stderr, "%s\n", error);
                return -1;
        }
        scene_fill(scene);
        return plugin_api(scene->plugin)->init(&scene->state);
}

static int scene_remove(void **state) {
        struct scene *scene = *state;

        plugin_api(scene->plugin)->done(scene->state);
        plugin_api(scene->plugin)->done(NULL);
        plugin_free(scene->plugin);
        free(scene);
        return 0;
}

/* How many actions the plugin emits on this event. */
static size_t scene_decide(struct scene *scene, uint32_t type) {
        struct mptcpize_event event = { .size = sizeof(event), .type = type };

        scene->n = 0;
        assert_int_equal(plugin_api(scene->plugin)
                                         ->decide(scene->state, &scene->view, &event, &scene->sink),
                         0);
        return scene->n;
}

static int scene_config(struct scene *scene, const char *key, const char *value) {
        return plugin_api(scene->plugin)->config(scene->state, key, value);
}

static void test_standby_decide_established_joins_from_another_interface(void **state) {
        struct scene *scene = *state;
        const struct mptcpize_action *action = &scene->actions[0];

        assert_int_equal(scene_decide(scene, MPTCPIZE_EVENT_ESTABLISHED), 1);
        assert_int_equal(action->type, MPTCPIZE_ACTION_CREATE);
        assert_int_equal(action->ifindex, 2);
        assert_int_equal(action->backup, 1);
        assert_memory_equal(&action->local, &scene->locals[1].address, sizeof(action->local));
        assert_memory_equal(&action->remote, &scene->remote.address, sizeof(action->remote));
}

static void test_standby_decide_enough_there_does_nothing(void **state) {
        struct scene *scene = *state;

        scene_add_subflow(scene, 3, MPTCPIZE_SUBFLOW_PENDING,
                          MPTCPIZE_SUBFLOW_OURS | MPTCPIZE_SUBFLOW_BACKUP);
        assert_int_equal(scene_decide(scene, MPTCPIZE_EVENT_LOCALS_CHANGED), 0);
}

static void test_standby_decide_dead_one_is_replaced(void **state) {
        struct scene *scene = *state;

        scene_add_subflow(scene, 2, MPTCPIZE_SUBFLOW_DEAD,
                          MPTCPIZE_SUBFLOW_OURS | MPTCPIZE_SUBFLOW_BACKUP);
        assert_int_equal(scene_decide(scene, MPTCPIZE_EVENT_SUBFLOW_DEAD), 1);
        assert_int_equal(scene->actions[0].type, MPTCPIZE_ACTION_CREATE);
}

static void test_standby_decide_count_2_joins_from_two(void **state) {
        struct scene *scene = *state;

        assert_int_equal(scene_config(scene, "count", "2"), 0);
        assert_int_equal(scene_decide(scene, MPTCPIZE_EVENT_CONFIGURED), 2);
        assert_int_equal(scene->actions[0].ifindex, 2);
        assert_int_equal(scene->actions[1].ifindex, 3);
}

static void test_standby_decide_refused_waits_five_to_six_seconds(void **state) {
        struct scene *scene = *state;

        assert_int_equal(scene_decide(scene, MPTCPIZE_EVENT_REFUSED), 1);
        assert_int_equal(scene->actions[0].type, MPTCPIZE_ACTION_TIMER);
        assert_in_range(scene->actions[0].usec, 5000000, 6000000);
        assert_int_equal(scene_decide(scene, MPTCPIZE_EVENT_TIMER), 1);
        assert_int_equal(scene->actions[0].type, MPTCPIZE_ACTION_CREATE);
}

static void test_standby_decide_server_does_nothing(void **state) {
        struct scene *scene = *state;

        scene->view.flags |= MPTCPIZE_VIEW_SERVER;
        assert_int_equal(scene_decide(scene, MPTCPIZE_EVENT_ESTABLISHED), 0);
}

static void test_standby_decide_not_established_does_nothing(void **state) {
        struct scene *scene = *state;

        scene->view.flags = 0;
        assert_int_equal(scene_decide(scene, MPTCPIZE_EVENT_ANNOUNCED), 0);
}

static void test_standby_config_mistakes_are_told(void **state) {
        struct scene *scene = *state;

        assert_int_equal(scene_config(scene, "number", "1"), -ENOENT);
        assert_int_equal(scene_config(scene, "count", "0"), -EINVAL);
        assert_int_equal(scene_config(scene, "count", "9"), -EINVAL);
        assert_int_equal(scene_config(scene, "count", "12"), -EINVAL);
        assert_int_equal(scene_config(scene, "count", ""), -EINVAL);
}

#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, scene_make, scene_remove)

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                IN_SCENE(test_standby_decide_established_joins_from_another_interface),
                IN_SCENE(test_standby_decide_enough_there_does_nothing),
                IN_SCENE(test_standby_decide_dead_one_is_replaced),
                IN_SCENE(test_standby_decide_count_2_joins_from_two),
                IN_SCENE(test_standby_decide_refused_waits_five_to_six_seconds),
                IN_SCENE(test_standby_decide_server_does_nothing),
                IN_SCENE(test_standby_decide_not_established_does_nothing),
                IN_SCENE(test_standby_config_mistakes_are_told),
        };

        if (argc != 2) {
                fprintf(stderr, "usage: test-example DIRECTORY\n");
                return 2;
        }
        directory = argv[1];
        return cmocka_run_group_tests(tests, NULL, NULL);
}
