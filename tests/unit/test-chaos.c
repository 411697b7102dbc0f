/*
 * The engine under events and answers that come in any order, with any error: what must be true
 * whatever happens. Each seed is a story of its own, and always the same one.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../daemon/core/order.h"
#include "world.h"

#define SEEDS  300u
#define STEPS  500u
#define TOKENS 4u
#define ASKED  256u

struct chaos {
        struct world *world;
        uint64_t random;
        enum connection_state states[TOKENS]; /* before the event; NEW if there is no connection */
        struct action asked[ASKED];           /* that the kernel has not answered */
        size_t n_asked;
};

static uint32_t any(struct chaos *chaos, uint32_t n) {
        chaos->random ^= chaos->random << 13;
        chaos->random ^= chaos->random >> 7;
        chaos->random ^= chaos->random << 17;
        return (uint32_t)(chaos->random >> 16) % n;
}

static struct connection *connection_of(const struct chaos *chaos, uint32_t i) {
        return model_find(&chaos->world->engine.model, TOKEN + i);
}

/* What must be true */

static void check_heap(const struct heap *heap) {
        for (size_t i = 0; i < heap->n; i++) {
                assert_int_equal(heap->nodes[i]->index, i);
                assert_true(!i || heap->nodes[(i - 1) / 2]->key <= heap->nodes[i]->key);
        }
}

static void check_ids(const struct connection *connection) {
        for (size_t i = 0; i < connection->ids.n; i++)
                for (size_t k = 0; k < i; k++) {
                        const struct local_id *a = &connection->ids.items[i];
                        const struct local_id *b = &connection->ids.items[k];

                        assert_int_not_equal(a->id, b->id);
                        assert_false(address_equal(&a->address, &b->address));
                }
}

static void check_joins(const struct chaos *chaos, const struct connection *connection) {
        size_t joins = 0;

        for (size_t i = 0; i < connection->subflows.n; i++)
                joins += connection->subflows.items[i].serial &&
                         connection->subflows.items[i].is.state == MPTCPIZE_SUBFLOW_PENDING;
        assert_true(joins <= chaos->world->engine.limits.max_joins);
        assert_true(connection->subflows.n <= LIMIT_SUBFLOWS);
}

static bool changes_something(const struct action *action) {
        return action->type != ACTION_SNAPSHOT && action->type != ACTION_MEASURE &&
               action->type != ACTION_QUERY && action->type != ACTION_RELEASE;
}

/* Nothing but an order does what an operator has ruled out. */
static void check_orders(const struct action *action, struct connection *connection) {
        const struct refusal *refusal =
                        connection_find_refusal(connection, &action->local, &action->remote);
        const struct subflow *subflow =
                        connection_find_subflow(connection, &action->local, &action->remote);
        const struct local_id *id = connection_find_address(connection, &action->local);

        /* Another subflow of the same pair may be asked whether it is alive. */
        if (action->ordered || strncmp(action->reason, "a probe", 7) == 0)
                return;
        if (action->type == ACTION_CREATE && refusal)
                assert_false(refusal->ordered);
        if (action->type == ACTION_BACKUP && subflow)
                assert_false(subflow->pinned);
        if (action->type == ACTION_ANNOUNCE && id)
                assert_true(!id->barred || id->renewed);
}

static void check_action(const struct chaos *chaos, const struct action *action) {
        struct connection *connection = model_find(&chaos->world->engine.model, action->token);

        if (!connection || !changes_something(action))
                return;
        switch (chaos->states[action->token - TOKEN]) {
        case CONNECTION_FALLBACK:
        case CONNECTION_KERNEL:
        case CONNECTION_LOCAL:
                fail_msg("%s of a connection that is %s: %s", action_name(action->type),
                         connection_state_name(connection->state), action->reason);
                break;
        case CONNECTION_NEW:
        case CONNECTION_ESTABLISHED:
        case CONNECTION_ENDING:
        default:
                break;
        }
        check_orders(action, connection);
        if (action->type == ACTION_CREATE)
                assert_true(engine_may_join(connection));
        if (action->type == ACTION_CREATE && connection->flags & MPTCPIZE_VIEW_DENY_JOIN_INITIAL)
                assert_false(address_equal(&action->remote, &connection->remotes.items[0].address));
}

static void collect(struct chaos *chaos) {
        struct action_queue *queue = &chaos->world->engine.queue;

        for (const struct action *action; (action = action_queue_peek(queue));) {
                check_action(chaos, action);
                if (chaos->n_asked < ASKED)
                        chaos->asked[chaos->n_asked++] = *action;
                action_queue_pop(queue);
        }
}

static void check(struct chaos *chaos) {
        const struct model *model = &chaos->world->engine.model;

        collect(chaos);
        check_heap(&model->deadlines);
        check_heap(&model->measurements);
        for (uint32_t i = 0; i < TOKENS; i++) {
                const struct connection *connection = connection_of(chaos, i);

                chaos->states[i] = connection ? connection->state : CONNECTION_NEW;
                if (!connection)
                        continue;
                check_ids(connection);
                check_joins(chaos, connection);
        }
}

static void feed(struct chaos *chaos, struct event event) {
        world_feed(chaos->world, event);
        check(chaos);
}

/* What may happen */

static struct mptcpize_address any_local(struct chaos *chaos, bool port) {
        static const char *const hosts[] = { "192.0.2.1", "198.51.100.1", "192.0.2.9" };
        struct mptcpize_address address = at(hosts[any(chaos, 3)]);

        if (port)
                address.port = (uint16_t)(40000 + any(chaos, 3));
        return address;
}

static struct mptcpize_address any_remote(struct chaos *chaos) {
        static const char *const hosts[] = { "203.0.113.1:80", "203.0.113.2:80", "203.0.113.2:81" };

        return at(hosts[any(chaos, 3)]);
}

/* Of a subflow that is known, as far as it is, or of any. */
static struct mptcp_event any_subflow(struct chaos *chaos) {
        const uint32_t i = any(chaos, TOKENS);
        const struct connection *connection = connection_of(chaos, i);
        struct mptcp_event event = { .token = TOKEN + i,
                                     .local = any_local(chaos, true),
                                     .remote = any_remote(chaos),
                                     .local_id = (uint8_t)any(chaos, 4),
                                     .remote_id = (uint8_t)any(chaos, 4) };

        if (connection && connection->subflows.n && any(chaos, 4)) {
                const struct mptcpize_subflow *is =
                                &connection->subflows.items[any(chaos, connection->subflows.n)].is;

                event.local = is->local;
                event.remote = is->remote;
                event.local_id = is->local_id;
                if (!event.local.port)
                        event.local.port = (uint16_t)(40000 + any(chaos, 3));
        }
        return event;
}

static int any_error(struct chaos *chaos) {
        static const int errors[] = { 0,         0,          0,           0,
                                      EINVAL,    ESRCH,      ENOENT,      ECONNREFUSED,
                                      ETIMEDOUT, ENOTCONN,   ENETUNREACH, EADDRNOTAVAIL,
                                      ENOBUFS,   ECONNRESET, EACCES,      EKEYREJECTED,
                                      ECANCELED };

        return errors[any(chaos, sizeof(errors) / sizeof(*errors))];
}

static void any_mptcp(struct chaos *chaos) {
        static const enum event_type types[] = {
                EVENT_CREATED,    EVENT_ESTABLISHED, EVENT_ESTABLISHED,     EVENT_CLOSED,
                EVENT_ANNOUNCED,  EVENT_REMOVED,     EVENT_SUB_ESTABLISHED, EVENT_SUB_ESTABLISHED,
                EVENT_SUB_CLOSED, EVENT_SUB_CLOSED,  EVENT_SUB_PRIORITY,    EVENT_ESTABLISHED,
        };
        struct event event = { .type = types[any(chaos, sizeof(types) / sizeof(*types))],
                               .mptcp = any_subflow(chaos) };

        if (event.type == EVENT_CLOSED && any(chaos, 4))
                return;
        if (event.type <= EVENT_ESTABLISHED) {
                event.mptcp.local = at("192.0.2.1:40000");
                event.mptcp.remote = at("203.0.113.1:80");
                event.mptcp.flags = event.mptcp.token % 3;
        }
        if (event.type == EVENT_SUB_CLOSED) {
                event.mptcp.error = any_error(chaos);
                event.mptcp.reset = any(chaos, 4) == 0;
                event.mptcp.reset_transient = any(chaos, 2);
                event.mptcp.reset_reason = any(chaos, 3);
        }
        event.mptcp.backup = any(chaos, 2);
        feed(chaos, event);
}

static void answer(struct chaos *chaos, size_t i, int error) {
        const struct action action = chaos->asked[i];
        struct event event = { .type = EVENT_OUTCOME,
                               .outcome = { .action = action, .error = -error } };

        chaos->asked[i] = chaos->asked[--chaos->n_asked];
        if (action.type == ACTION_MEASURE && !error)
                feed(chaos,
                     (struct event){
                                     .type = EVENT_MEASURED,
                                     .measured = { .token = action.token,
                                                   .local = action.local,
                                                   .remote = action.remote,
                                                   .measure = { .unacked = any(chaos, 9),
                                                                .notsent = any(chaos, 2),
                                                                .bytes_received = any(chaos, 9999),
                                                                .bytes_acked = any(chaos, 3),
                                                                .rtt_usec = any(chaos, 300000),
                                                                .rto_usec = 200000,
                                                                .retransmits = any(chaos, 99),
                                                                .backoff = (uint8_t)any(chaos, 9),
                                                                .last_data_sent_msec =
                                                                                any(chaos, 2000),
                                                                .last_data_recv_msec =
                                                                                any(chaos, 2000),
                                                                .last_ack_recv_msec = any(chaos,
                                                                                          2000) } },
                     });
        feed(chaos, event);
}

static void any_answer(struct chaos *chaos) {
        if (chaos->n_asked)
                answer(chaos, any(chaos, (uint32_t)chaos->n_asked), any_error(chaos));
}

static void any_time(struct chaos *chaos) {
        struct engine *engine = &chaos->world->engine;

        chaos->world->now += 1u << any(chaos, 24);
        feed(chaos, (struct event){ .type = EVENT_TICK });
        assert_true(engine_deadline(engine) > chaos->world->now);
}

static void any_network(struct chaos *chaos) {
        const int32_t ifindex = (int32_t)(2 + any(chaos, 2));

        switch (any(chaos, 3)) {
        case 0:
                world_link(chaos->world, ifindex, ifindex == 2 ? "wifi0" : "lte0", any(chaos, 3));
                break;
        case 1:
                world_address_gone(chaos->world, ifindex,
                                   ifindex == 2 ? "192.0.2.1" : "198.51.100.1");
                break;
        default:
                world_address(chaos->world, ifindex, ifindex == 2 ? "192.0.2.1" : "198.51.100.1",
                              any(chaos, 4));
        }
        world_settle(chaos->world);
        check(chaos);
}

/* As the kernel has them of a subflow that is known, or any. */
static uint32_t flags_of(struct chaos *chaos, const struct mptcp_event *of) {
        struct connection *connection = model_find(&chaos->world->engine.model, of->token);
        const struct subflow *known =
                        connection ? connection_find_subflow(connection, &of->local, &of->remote)
                                   : NULL;

        if (known && known->is.flags & MPTCPIZE_SUBFLOW_INITIAL)
                return SNAPSHOT_MCAP_LOC | SNAPSHOT_FULLY_EST;
        if (known && known->is.flags & MPTCPIZE_SUBFLOW_OURS)
                return SNAPSHOT_JOIN_LOC;
        return any(chaos, 2) ? SNAPSHOT_JOIN_LOC : SNAPSHOT_JOIN_REM;
}

static void any_comparison(struct chaos *chaos) {
        struct snapshot snapshot = { .started_usec = chaos->world->now - any(chaos, 2) * 50000 };
        struct event event = { .type = EVENT_SNAPSHOT, .snapshot = &snapshot };

        for (uint32_t i = 0; i < TOKENS; i++) {
                const struct snapshot_connection row = {
                        .token = TOKEN + i,
                        .flags = any(chaos, 20) == 0 ? SNAPSHOT_FALLBACK : 0,
                        .state = 1,
                        .local = at("192.0.2.1:40000"),
                        .remote = at("203.0.113.1:80"),
                };

                if (any(chaos, 4))
                        assert_int_equal(ARRAY_APPEND(&snapshot.connections, row, 64), 0);
        }
        for (uint32_t n = any(chaos, 12); n > 0; n--) {
                const struct mptcp_event of = any_subflow(chaos);
                const uint32_t flags = flags_of(chaos, &of);
                const struct snapshot_subflow row = {
                        .token = of.token,
                        .flags = flags,
                        /* SYN_SENT only of what this host has opened */
                        .state = flags == SNAPSHOT_JOIN_LOC && any(chaos, 2) ? 2 : 1,
                        .local_id = of.local_id,
                        .remote_id = of.remote_id,
                        .local = of.local,
                        .remote = of.remote,
                };

                assert_int_equal(ARRAY_APPEND(&snapshot.subflows, row, 64), 0);
        }
        feed(chaos, event);
        world_settle(chaos->world);
        check(chaos);
        snapshot_done(&snapshot);
}

static void any_entries(struct chaos *chaos) {
        const struct entry entries[] = { { .address = any_local(chaos, false), .id = 1 },
                                         { .address = any_local(chaos, false), .id = 2 } };
        struct event event = { .type = EVENT_ENTRIES,
                               .entries = { .token = TOKEN + any(chaos, TOKENS),
                                            .entries = entries,
                                            .n = any(chaos, 3) } };

        feed(chaos, event);
}

static void any_hint(struct chaos *chaos) {
        feed(chaos, (struct event){
                                    .type = EVENT_HINT,
                                    .hint = { .kind = any(chaos, 2) ? HINT_CONNECT : HINT_OPTION,
                                              .token = TOKEN + any(chaos, TOKENS),
                                              .cookie = 1 + any(chaos, 3),
                                              .profile = "",
                                              .user_timeout_msec = any(chaos, 2) * 5000 },
                    });
}

/* The configuration is read again, or somebody chooses a policy. */
static void any_order(struct chaos *chaos) {
        chaos->world->conf.max_joins = 3;
        chaos->world->conf.max_accepted = 1 + any(chaos, 3);
        chaos->world->auth = any(chaos, 4) % 3; /* off more often than not */
        if (any(chaos, 2))
                world_reload(chaos->world, mptcpize_plugin());
        else
                feed(chaos, (struct event){
                                            .type = EVENT_ASSIGNED,
                                            .assigned = { .token = TOKEN + any(chaos, TOKENS),
                                                          .profile = "default" },
                            });
        check(chaos);
}

static void any_wish(struct chaos *chaos) {
        struct order order = { .type = any(chaos, ORDER_WITHDRAW + 1),
                               .token = TOKEN + any(chaos, TOKENS),
                               .local = any_local(chaos, any(chaos, 4) == 0),
                               .ifindex = (int32_t)(any(chaos, 8) == 0 ? 2 + any(chaos, 2) : 0),
                               .backup = any(chaos, 2) };
        char reason[LIMIT_REASON] = "";
        uint32_t serial = 0;
        int r;

        if (any(chaos, 2))
                order.remote = any_remote(chaos);
        if (any(chaos, 4) == 0)
                order.local = ADDRESS_NULL;
        r = engine_order(&chaos->world->engine, &order, &serial, reason);
        assert_true(r < 0 ? reason[0] && !serial : serial > 0);
        if (r == 0 && order.type == ORDER_REMOVE)
                assert_true(connection_count(model_find(&chaos->world->engine.model, order.token),
                                             SUBFLOWS_CARRYING, NULL) > 0);
        check(chaos);
}

static void any_role(struct chaos *chaos) {
        assert_int_equal(engine_set_role(&chaos->world->engine, any(chaos, 2) ? "wifi0" : "lte0",
                                         (int)any(chaos, MPTCPIZE_ROLE_OFF + 2) - 1),
                         0);
        world_settle(chaos->world);
        check(chaos);
}

static void any_limits(struct chaos *chaos) {
        struct limits limits = conf_limits(&chaos->world->conf);

        limits.max_subflows = 1 + any(chaos, 4);
        limits.max_accepted = 1 + any(chaos, 4);
        limits.max_connections = 2 + any(chaos, 4);
        assert_int_equal(engine_set_limits(&chaos->world->engine, &limits), 0);
        check(chaos);
}

static void any_joins(struct chaos *chaos) {
        static const char *const reasons[] = { NULL, "", "the peer has confirmed" };

        feed(chaos, (struct event){ .type = EVENT_JOINS,
                                    .joins = { .token = TOKEN + any(chaos, TOKENS),
                                               .joins = any(chaos, JOINS_BARRED + 1),
                                               .reason = reasons[any(chaos, 3)] } });
}

static void any_intruder(struct chaos *chaos) {
        const struct mptcp_event of = any_subflow(chaos);

        feed(chaos, (struct event){ .type = EVENT_INTRUDER,
                                    .intruder = { of.token, of.local, of.remote, "unknown" } });
}

static void any_overrun(struct chaos *chaos) {
        feed(chaos, (struct event){ .type = EVENT_OVERRUN });
}

static void any_follow(struct chaos *chaos) {
        engine_follow(&chaos->world->engine, 1 + any(chaos, 2));
        check(chaos);
}

static void any_event(struct chaos *chaos) {
        static const struct {
                void (*fn)(struct chaos *chaos);
                uint32_t weight;
        } kinds[] = {
                { any_network, 1 }, { any_comparison, 1 }, { any_entries, 1 }, { any_hint, 1 },
                { any_overrun, 1 }, { any_time, 2 },       { any_answer, 5 },  { any_order, 1 },
                { any_role, 1 },    { any_limits, 1 },     { any_wish, 2 },    { any_follow, 2 },
                { any_joins, 2 },   { any_intruder, 1 },   { any_mptcp, 4 },
        };
        uint32_t left = any(chaos, 26), i = 0;

        for (; left >= kinds[i].weight; i++)
                left -= kinds[i].weight;
        kinds[i].fn(chaos);
}

static void chaos_begin(struct chaos *chaos, struct world *world, uint64_t seed) {
        *chaos = (struct chaos){ .world = world, .random = seed * 0x9e3779b97f4a7c15u | 1 };
        world->now = 100000000;
        check(chaos);
}

static void test_chaos_breaks_no_rule(void **state) {
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
                struct chaos chaos;
                void *world;

                (void)state;
                assert_int_equal(world_setup(&world), 0);
                chaos_begin(&chaos, world, seed);
                for (uint32_t i = 0; i < STEPS; i++)
                        any_event(&chaos);
                assert_int_equal(world_teardown(&world), 0);
        }
}

/* When the kernel is itself again, and the network has come back, all that can
 * be carried is. */

/* The kernel has what the model has, but for what is on its way. */
static void compare_well(struct chaos *chaos) {
        struct snapshot snapshot = { .started_usec = chaos->world->now };

        for (uint32_t i = 0; i < TOKENS; i++) {
                struct connection *connection = connection_of(chaos, i);
                const struct snapshot_connection row = { .token = TOKEN + i,
                                                         .state = 1,
                                                         .local = at("192.0.2.1:40000"),
                                                         .remote = at("203.0.113.1:80") };

                if (!connection)
                        continue;
                assert_int_equal(ARRAY_APPEND(&snapshot.connections, row, 64), 0);
                for (size_t k = 0; k < connection->subflows.n; k++) {
                        const struct mptcpize_subflow *is = &connection->subflows.items[k].is;
                        const struct mptcp_event of = { .token = TOKEN + i,
                                                        .local = is->local,
                                                        .remote = is->remote };
                        const struct snapshot_subflow subflow = { .token = TOKEN + i,
                                                                  .flags = flags_of(chaos, &of),
                                                                  .state = 1,
                                                                  .local_id = is->local_id,
                                                                  .local = is->local,
                                                                  .remote = is->remote };

                        if (is->state == MPTCPIZE_SUBFLOW_ESTABLISHED)
                                assert_int_equal(ARRAY_APPEND(&snapshot.subflows, subflow, 512), 0);
                }
        }
        feed(chaos, (struct event){ .type = EVENT_SNAPSHOT, .snapshot = &snapshot });
        snapshot_done(&snapshot);
        world_settle(chaos->world);
}

static void obey(struct chaos *chaos, size_t i) {
        const struct action action = chaos->asked[i];
        struct mptcp_event made = { .token = action.token,
                                    .local = action.local,
                                    .remote = action.remote,
                                    .local_id = action.local_id };

        if (action.type == ACTION_SNAPSHOT)
                compare_well(chaos);
        answer(chaos, i, 0);
        if (action.type != ACTION_CREATE)
                return;
        made.local.port = (uint16_t)(50000 + action.serial % 10000);
        feed(chaos, (struct event){ .type = EVENT_SUB_ESTABLISHED, .mptcp = made });
}

static void calm_down(struct chaos *chaos) {
        struct world *world = chaos->world;

        for (uint32_t i = 0; i < 200; i++) {
                for (uint32_t k = 0; k < TOKENS; k++)
                        feed(chaos,
                             (struct event){ .type = EVENT_JOINS,
                                             .joins = { .token = TOKEN + k, .joins = JOINS_ASK } });
                engine_follow(&world->engine, TOKENS);
                while (chaos->n_asked)
                        obey(chaos, chaos->n_asked - 1);
                chaos->world->now += 1000000;
                feed(chaos, (struct event){ .type = EVENT_TICK });
        }
        assert_false(world->engine.queue.n);
}

static void check_carried(const struct connection *connection) {
        if (!connection || connection->state != CONNECTION_ESTABLISHED ||
            connection->flags & (MPTCPIZE_VIEW_DENY_JOIN_INITIAL | MPTCPIZE_VIEW_SERVER))
                return;
        for (size_t i = 0; i < connection->refusals.n; i++)
                if (connection->refusals.items[i].final && !connection->refusals.items[i].ordered)
                        return;
        assert_true(connection_count(connection, SUBFLOWS_CARRYING, NULL) > 0);
}

static void test_chaos_ends_well(void **state) {
        (void)state;
        if (strcmp(mptcpize_plugin()->name, "announce") == 0)
                return; /* it never dials */
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
                struct chaos chaos;
                void *world;

                (void)state;
                assert_int_equal(world_setup(&world), 0);
                chaos_begin(&chaos, world, seed);
                for (uint32_t i = 0; i < STEPS / 4; i++)
                        any_event(&chaos);
                world_link(world, 2, "wifi0", false);
                world_settle(world);
                world_link(world, 2, "wifi0", true);
                world_address(world, 2, "192.0.2.1", true);
                (void)engine_set_role(&chaos.world->engine, "wifi0", ROLE_UNSET);
                world_settle(world);
                check(&chaos);
                calm_down(&chaos);
                for (uint32_t i = 0; i < TOKENS; i++)
                        check_carried(connection_of(&chaos, i));
                assert_int_equal(world_teardown(&world), 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_chaos_breaks_no_rule),
                cmocka_unit_test(test_chaos_ends_well),
        };

        return cmocka_run_group_tests_name("chaos", tests, NULL, NULL);
}
