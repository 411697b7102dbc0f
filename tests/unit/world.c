#include "world.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

struct mptcpize_address at(const char *text) {
        struct mptcpize_address address;

        assert_int_equal(address_parse(text, &address), 0);
        return address;
}

void world_feed(struct world *world, struct event event) {
        event.usec = world->now;
        engine_feed(&world->engine, &event);
}

void world_settle(struct world *world) {
        engine_settle(&world->engine);
}

void world_later(struct world *world, uint64_t usec) {
        world->now += usec;
        world->engine.sweep_usec = 0;
        world_feed(world, (struct event){ .type = EVENT_TICK });
}

void world_skip_measures(struct world *world) {
        while (action_queue_peek(&world->engine.queue) &&
               action_queue_peek(&world->engine.queue)->type == ACTION_MEASURE)
                (void)world_expect(world, ACTION_MEASURE);
}

void world_rest(struct world *world, uint64_t usec) {
        world_later(world, usec);
        world_skip_measures(world);
}

void world_reload(struct world *world, const struct mptcpize_plugin *plugin) {
        conf_profile_init(&world->profiles[0], &world->conf, plugin);
        world->profiles[0].auth = world->auth;
        world_feed(world, (struct event){
                                          .type = EVENT_CONFIGURED,
                                          .configured = { .conf = &world->conf,
                                                          .profiles = world->profiles,
                                                          .n_profiles = world->n_profiles },
                          });
}

void world_follow(struct world *world) {
        engine_follow(&world->engine, SIZE_MAX);
        assert_false(engine_is_following(&world->engine));
}

void world_configure_plugin(struct world *world, const struct mptcpize_plugin *plugin) {
        world_reload(world, plugin);
        world_follow(world);
}

void world_configure(struct world *world) {
        world_configure_plugin(world, mptcpize_plugin());
}

void world_link(struct world *world, int32_t ifindex, const char *name, bool up) {
        struct event event = { .type = EVENT_LINK, .link = { .ifindex = ifindex, .up = up } };

        snprintf(event.link.name, sizeof(event.link.name), "%s", name);
        world_feed(world, event);
}

void world_address(struct world *world, int32_t ifindex, const char *address, bool usable) {
        world_feed(world, (struct event){
                                          .type = EVENT_ADDRESS,
                                          .address = { .ifindex = ifindex,
                                                       .address = at(address),
                                                       .prefix_len = 24,
                                                       .usable = usable },
                          });
}

void world_address_gone(struct world *world, int32_t ifindex, const char *address) {
        world_feed(world, (struct event){
                                          .type = EVENT_ADDRESS_GONE,
                                          .address = { .ifindex = ifindex, .address = at(address) },
                          });
}

static void world_any_route(struct world *world, enum event_type type, int32_t ifindex,
                            const char *prefix, uint8_t len) {
        world_feed(world, (struct event){
                                          .type = type,
                                          .route = { .ifindex = ifindex,
                                                     .prefix = at(prefix),
                                                     .prefix_len = len,
                                                     .table = 254 },
                          });
}

void world_route(struct world *world, int32_t ifindex, const char *prefix, uint8_t len) {
        world_any_route(world, EVENT_ROUTE, ifindex, prefix, len);
}

void world_route_gone(struct world *world, int32_t ifindex, const char *prefix, uint8_t len) {
        world_any_route(world, EVENT_ROUTE_GONE, ifindex, prefix, len);
}

void world_mptcp(struct world *world, enum event_type type, uint32_t token, const char *local,
                 const char *remote, uint8_t local_id, uint8_t remote_id, int error) {
        struct event event = {
                .type = type,
                .mptcp = { .token = token,
                           .local_id = local_id,
                           .remote_id = remote_id,
                           .error = error },
        };

        if (local)
                event.mptcp.local = at(local);
        if (remote)
                event.mptcp.remote = at(remote);
        world_feed(world, event);
}

void world_connect(struct world *world, uint32_t token, uint32_t flags) {
        struct event event = {
                .type = EVENT_CREATED,
                .mptcp = { .token = token,
                           .flags = flags,
                           .local = at("192.0.2.1:40000"),
                           .remote = at("203.0.113.1:80") },
        };

        world_feed(world, event);
        event.type = EVENT_ESTABLISHED;
        world_feed(world, event);
}

void world_outcome(struct world *world, const struct action *action, int error) {
        world_feed(world, (struct event){
                                          .type = EVENT_OUTCOME,
                                          .outcome = { .action = *action, .error = error },
                          });
}

struct action world_expect(struct world *world, enum action_type type) {
        const struct action *next = action_queue_peek(&world->engine.queue);
        struct action action;

        assert_non_null(next);
        action = *next;
        action_queue_pop(&world->engine.queue);
        assert_string_equal(action_name(action.type), action_name(type));
        return action;
}

struct action world_expect_create(struct world *world, const char *local, const char *remote) {
        struct action action = world_expect(world, ACTION_CREATE);
        char text[ADDRESS_TEXT];

        assert_string_equal(address_format(&action.local, text), local);
        assert_string_equal(address_format(&action.remote, text), remote);
        return action;
}

void world_expect_nothing(struct world *world) {
        const struct action *next = action_queue_peek(&world->engine.queue);

        if (next)
                fail_msg("unexpected action %s: %s", action_name(next->type), next->reason);
}

void world_expect_buried(struct world *world, const char *local, uint8_t id) {
        struct mptcpize_address address = at(local);
        struct action withdraw = world_expect(world, ACTION_WITHDRAW);
        struct action abort = world_expect(world, ACTION_ABORT);

        assert_int_equal(withdraw.local_id, id);
        assert_true(address_equal(&abort.local, &address));
        world_expect_nothing(world);
}

void world_find_join(struct world *world, uint8_t state) {
        struct snapshot_connection connection = {
                .token = TOKEN,
                .state = 1,
                .local = at("192.0.2.1:40000"),
                .remote = at("203.0.113.1:80"),
        };
        struct snapshot_subflow rows[] = {
                { .token = TOKEN,
                  .flags = SNAPSHOT_MCAP_LOC | SNAPSHOT_FULLY_EST,
                  .state = 1,
                  .local = connection.local,
                  .remote = connection.remote },
                { .token = TOKEN,
                  .flags = SNAPSHOT_JOIN_LOC,
                  .state = state,
                  .local_id = 1,
                  .local = at("198.51.100.1:40001"),
                  .remote = connection.remote },
        };
        struct snapshot snapshot = { .connections = { .items = &connection, .n = 1 },
                                     .subflows = { .items = rows, .n = 2 } };

        snapshot.started_usec = world->now += 1000;
        world_feed(world, (struct event){ .type = EVENT_SNAPSHOT, .snapshot = &snapshot });
}

void world_join(struct world *world, const char *local, const char *remote) {
        struct action action = world_expect_create(world, local, remote);
        char with_port[ADDRESS_TEXT + 8];

        snprintf(with_port, sizeof(with_port), "%s:40001", local);
        world_outcome(world, &action, 0);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, action.token, with_port, remote, action.local_id,
                    0, 0);
}

void world_protect(struct world *world, uint32_t auth) {
        world->auth = auth;
        world_configure(world);
        world_settle(world);
}

void world_joins(struct world *world, enum joins joins, const char *reason) {
        world_feed(world,
                   (struct event){
                                   .type = EVENT_JOINS,
                                   .joins = { .token = TOKEN, .joins = joins, .reason = reason },
                   });
}

struct connection *world_connection(struct world *world) {
        return model_find(&world->engine.model, TOKEN);
}

size_t world_subflows(struct world *world, uint32_t state) {
        const struct connection *connection = world_connection(world);
        size_t n = 0;

        for (size_t i = 0; connection && i < connection->subflows.n; i++)
                n += connection->subflows.items[i].is.state == state;
        return n;
}

void world_begin(struct world *world) {
        world_configure(world);
        world_feed(world, (struct event){ .type = EVENT_NET_BEGIN });
        world_link(world, 2, "wifi0", true);
        world_link(world, 3, "lte0", true);
        world_address(world, 2, "192.0.2.1", true);
        world_address(world, 3, "198.51.100.1", true);
        world_route(world, 2, "0.0.0.0", 0);
        world_route(world, 3, "0.0.0.0", 0);
        world_feed(world, (struct event){ .type = EVENT_NET_END });
        world_settle(world);
}

int world_setup(void **state) {
        struct world *world = calloc(1, sizeof(*world));

        assert_non_null(world);
        world->now = 1000000;
        world->n_profiles = 1;
        conf_init(&world->conf);
        assert_int_equal(engine_init(&world->engine, 42), 0);
        world_begin(world);
        *state = world;
        return 0;
}

void world_add_profiles(struct world *world) {
        for (size_t i = 1; i < 4; i++)
                conf_profile_init(&world->profiles[i], &world->conf, world->profiles[0].plugin);
        strcpy(world->profiles[1].name, "narrow");
        world->profiles[1].max_subflows = 1;
        world->profiles[1].own_limit = true;
        strcpy(world->profiles[2].name, "off");
        world->profiles[2].plugin = NULL;
        world->profiles[2].max_subflows = 1;
        world->profiles[2].own_limit = true;
        strcpy(world->profiles[3].name, "backup");
        world->n_profiles = 4;
}

int world_teardown(void **state) {
        struct world *world = *state;

        engine_done(&world->engine);
        for (size_t i = 0; i < world->n_profiles; i++)
                conf_profile_done(&world->profiles[i]);
        conf_done(&world->conf);
        free(world);
        return 0;
}
