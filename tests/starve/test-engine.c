/*
 * The engine while memory runs out: at every single allocation of a story, and from every one on to
 * its end. Nothing crashes, and some seconds later the model is again what the (fake) kernel has.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/net.h"
#include "../fake/fake-private.h"
#include "../unit/world.h"
#include "starve.h"

#define CLIENT     0x1001u
#define SERVER     0x1002u
#define LATER      0x1003u
#define QUIET_USEC 20000000u /* is enough for whatever is put off for want of memory */

struct scene {
        struct world *world;
        struct kern *kern;
};

static void on_event(const struct event *event, void *userdata) {
        struct scene *scene = userdata;

        starve_hold(false);
        engine_feed(&scene->world->engine, event);
        starve_hold(true);
}

static bool scene_flush(struct scene *scene) {
        struct engine *engine = &scene->world->engine;
        const struct action *action;
        bool any = false;

        if (engine_take_relist(engine))
                (void)scene->kern->ops->list_net(scene->kern);
        starve_hold(false);
        engine_settle(engine);
        while ((action = engine_next_action(engine))) {
                starve_hold(true);
                assert_int_equal(scene->kern->ops->submit(scene->kern, action), 0);
                starve_hold(false);
                action_queue_pop(&engine->queue);
                any = true;
        }
        starve_hold(true);
        return any;
}

/* Until there is nothing more to be done now. */
static void scene_run(struct scene *scene) {
        while (scene_flush(scene) || fake_pump(scene->kern))
                ;
}

static void scene_pass(struct scene *scene, uint64_t usec) {
        struct world *world = scene->world;
        const uint64_t end = world->now + usec;
        const struct event tick = { .type = EVENT_TICK };

        scene_run(scene);
        while (engine_deadline(&world->engine) <= end) {
                if (engine_deadline(&world->engine) > world->now)
                        world->now = engine_deadline(&world->engine);
                fake_set_now(scene->kern, world->now);
                starve_hold(false);
                world_feed(world, tick);
                starve_hold(true);
                scene_run(scene);
        }
        world->now = end;
        fake_set_now(scene->kern, end);
}

/* What happens */

static void scene_hint(struct scene *scene, uint32_t token) {
        struct event event = { .type = EVENT_HINT,
                               .hint = { .kind = HINT_CONNECT,
                                         .token = token,
                                         .cookie = token,
                                         .profile = "narrow",
                                         .program = { .name = "curl", .pid = 7, .uid = 1000 } } };

        event.usec = scene->world->now;
        on_event(&event, scene);
        event.hint.kind = HINT_LISTEN;
        event.hint.token = 0;
        event.hint.cookie = 9;
        event.hint.local = at("192.0.2.1:80");
        on_event(&event, scene);
}

static void story_connections(struct scene *scene) {
        struct kern *kern = scene->kern;

        fake_connect(kern, CLIENT, "192.0.2.1:40000", "203.0.113.1:80", false);
        fake_establish(kern, CLIENT);
        scene_run(scene);
        scene_hint(scene, LATER);
        fake_connect(kern, SERVER, "192.0.2.1:80", "203.0.113.9:50000", true);
        fake_establish(kern, SERVER);
        fake_peer_join(kern, SERVER, "192.0.2.1:80", "203.0.113.8:50001");
        fake_peer_announce(kern, CLIENT, 5, "203.0.113.2");
        scene_run(scene);
        fake_connect(kern, LATER, "192.0.2.1:40001", "203.0.113.1:80", false);
        fake_establish(kern, LATER);
        scene_pass(scene, 1000000);
}

static void story_network(struct scene *scene) {
        struct kern *kern = scene->kern;

        fake_address_gone(kern, 3, "198.51.100.1");
        scene_run(scene);
        fake_link(kern, 4, "wwan0", true, false);
        fake_address(kern, 4, "192.0.2.129", true);
        fake_route(kern, 4, "0.0.0.0", 0);
        scene_run(scene);
        fake_address(kern, 3, "198.51.100.1", true);
        fake_route(kern, 3, "0.0.0.0", 0);
        scene_pass(scene, 1000000);
        fake_carrier(kern, 2, false);
        scene_run(scene);
        fake_carrier(kern, 2, true);
        fake_route(kern, 2, "0.0.0.0", 0);
        scene_pass(scene, 1000000);
}

static void story_changes(struct scene *scene) {
        struct kern *kern = scene->kern;

        starve_hold(false);
        world_configure(scene->world);
        starve_hold(true);
        scene_run(scene);
        fake_peer_remove(kern, CLIENT, 5);
        fake_peer_reset(kern, SERVER, "192.0.2.1:80", "203.0.113.8:50001", 104);
        fake_lose_events(kern, 2);
        fake_fastclose(kern, CLIENT);
        fake_connect(kern, 0x1004, "198.51.100.1:40002", "203.0.113.1:80", false);
        fake_establish(kern, 0x1004);
        scene_pass(scene, 1000000);
        fake_close(kern, SERVER);
        scene_run(scene);
}

/* What is true */

static size_t established(const struct connection *connection) {
        return connection_count(connection, 1u << MPTCPIZE_SUBFLOW_ESTABLISHED, NULL);
}

static void check_connection(struct scene *scene, const struct fake_connection *is) {
        struct connection *known = model_find(&scene->world->engine.model, is->is.token);
        size_t n = 0;

        assert_non_null(known);
        assert_int_equal(known->state, CONNECTION_ESTABLISHED);
        for (size_t i = 0; i < is->subflows.n; i++) {
                const struct snapshot_subflow *row = &is->subflows.items[i];

                if (row->state != FAKE_TCP_ESTABLISHED)
                        continue;
                assert_non_null(connection_find_subflow(known, &row->local, &row->remote));
                n++;
        }
        assert_int_equal(established(known), n);
}

static void check(struct scene *scene) {
        const struct fake *fake = fake_of(scene->kern);
        const struct model *model = &scene->world->engine.model;

        assert_int_equal(model->links.n, fake->links.n);
        assert_int_equal(model->addresses.n, fake->addresses.n);
        assert_int_equal(model->routes.n, fake->routes.n);
        assert_int_equal(model->n_connections, fake->connections.n);
        for (size_t i = 0; i < fake->connections.n; i++)
                check_connection(scene, &fake->connections.items[i]);
}

/* A hint is taken, or it is said that it is lost. */
static void check_hint(struct scene *scene) {
        const struct engine *engine = &scene->world->engine;
        const struct connection *hinted = model_find(&engine->model, LATER);

        assert_non_null(hinted);
        if (hinted->advice.profile == 0)
                assert_true(engine->counters[COUNTER_HINTS_DROPPED] > 0);
}

static void scene_begin(struct scene *scene) {
        starve_hold(true);
        assert_int_equal(world_setup((void **)&scene->world), 0);
        world_add_profiles(scene->world);
        world_configure(scene->world);
        assert_int_equal(fake_new(on_event, scene, &scene->kern), 0);
        fake_set_now(scene->kern, scene->world->now);
        fake_link(scene->kern, 2, "wifi0", true, false);
        fake_link(scene->kern, 3, "lte0", true, false);
        fake_address(scene->kern, 2, "192.0.2.1", true);
        fake_address(scene->kern, 3, "198.51.100.1", true);
        fake_route(scene->kern, 2, "0.0.0.0", 0);
        fake_route(scene->kern, 3, "0.0.0.0", 0);
        scene_run(scene);
}

/* False: there are not so many allocations. */
static bool tell(unsigned long n, bool lasting) {
        struct scene scene;
        bool failed;

        scene_begin(&scene);
        starve_begin(n, lasting);
        story_connections(&scene);
        story_network(&scene);
        story_changes(&scene);
        failed = starve_end();
        scene_pass(&scene, QUIET_USEC);
        if (failed)
                print_message("allocation %lu%s\n", n, lasting ? " and all later ones" : "");
        check(&scene);
        check_hint(&scene);
        scene.kern->ops->free(scene.kern);
        world_teardown((void *[]){ scene.world });
        starve_hold(false);
        return failed;
}

static void test_engine_no_allocation_fails_model_is_right(void **state) {
        (void)state;
        assert_false(tell(ULONG_MAX / 2, false));
}

static void test_engine_each_allocation_fails_model_is_right(void **state) {
        unsigned long n = 1;

        (void)state;
        while (tell(n, false))
                n++;
        assert_true(n > 50);
        print_message("%lu allocations\n", n - 1);
}

static void test_engine_all_from_there_on_fail_model_is_right(void **state) {
        (void)state;
        for (unsigned long n = 1; tell(n, true); n++)
                ;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_engine_no_allocation_fails_model_is_right),
                cmocka_unit_test(test_engine_each_allocation_fails_model_is_right),
                cmocka_unit_test(test_engine_all_from_there_on_fail_model_is_right),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
