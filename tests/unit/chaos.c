#include "chaos.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

static uint32_t chaos_byte(struct chaos *chaos) {
        if (!chaos->left)
                return 0;
        chaos->left--;
        return *chaos->bytes++;
}

uint32_t chaos_any(struct chaos *chaos, uint32_t n) {
        if (chaos->bytes && n <= 256)
                return chaos_byte(chaos) % n;
        if (chaos->bytes)
                return (chaos_byte(chaos) << 16 | chaos_byte(chaos) << 8 | chaos_byte(chaos)) % n;
        chaos->random ^= chaos->random << 13;
        chaos->random ^= chaos->random >> 7;
        chaos->random ^= chaos->random << 17;
        return (uint32_t)(chaos->random >> 16) % n;
}

struct connection *chaos_connection(const struct chaos *chaos, uint32_t i) {
        return model_find(&chaos->world->engine.model, TOKEN + i);
}

void chaos_check(struct chaos *chaos) {
        while (!chaos->busy && model_check_take(&chaos->check))
                ;
        model_check(&chaos->check);
}

void chaos_feed(struct chaos *chaos, struct event event) {
        chaos->check.strange = event.type == EVENT_INTRUDER;
        world_feed(chaos->world, event);
        chaos_check(chaos);
}

/* That is no mistake, and there is memory. */
static void must(int r) {
        assert(r == 0);
}

/* What may happen */

struct mptcpize_address chaos_local(struct chaos *chaos, bool port) {
        static const char *const hosts[] = { "192.0.2.1", "198.51.100.1", "192.0.2.9" };
        struct mptcpize_address address = at(hosts[chaos_any(chaos, 3)]);

        if (port)
                address.port = (uint16_t)(40000 + chaos_any(chaos, 3));
        return address;
}

struct mptcpize_address chaos_remote(struct chaos *chaos) {
        static const char *const hosts[] = { "203.0.113.1:80", "203.0.113.2:80", "203.0.113.2:81" };

        return at(hosts[chaos_any(chaos, 3)]);
}

/* Of a subflow that is known, as far as it is, or of any. */
static struct mptcp_event any_subflow(struct chaos *chaos) {
        const uint32_t i = chaos_any(chaos, CHAOS_TOKENS);
        const struct connection *connection = chaos_connection(chaos, i);
        struct mptcp_event event = { .token = TOKEN + i,
                                     .local = chaos_local(chaos, true),
                                     .remote = chaos_remote(chaos),
                                     .local_id = (uint8_t)chaos_any(chaos, 4),
                                     .remote_id = (uint8_t)chaos_any(chaos, 4) };

        if (connection && connection->subflows.n && chaos_any(chaos, 4)) {
                const struct mptcpize_subflow *is =
                                &connection->subflows
                                                 .items[chaos_any(chaos, connection->subflows.n)]
                                                 .is;

                event.local = is->local;
                event.remote = is->remote;
                event.local_id = is->local_id;
                if (!event.local.port)
                        event.local.port = (uint16_t)(40000 + chaos_any(chaos, 3));
        }
        return event;
}

static int any_error(struct chaos *chaos) {
        static const int errors[] = { 0,         0,          0,           0,
                                      EINVAL,    ESRCH,      ENOENT,      ECONNREFUSED,
                                      ETIMEDOUT, ENOTCONN,   ENETUNREACH, EADDRNOTAVAIL,
                                      ENOBUFS,   ECONNRESET, EACCES,      EKEYREJECTED,
                                      ECANCELED };

        return errors[chaos_any(chaos, sizeof(errors) / sizeof(*errors))];
}

static void any_mptcp(struct chaos *chaos) {
        static const enum event_type types[] = {
                EVENT_CREATED,    EVENT_ESTABLISHED, EVENT_ESTABLISHED,     EVENT_CLOSED,
                EVENT_ANNOUNCED,  EVENT_REMOVED,     EVENT_SUB_ESTABLISHED, EVENT_SUB_ESTABLISHED,
                EVENT_SUB_CLOSED, EVENT_SUB_CLOSED,  EVENT_SUB_PRIORITY,    EVENT_ESTABLISHED,
        };
        struct event event = { .type = types[chaos_any(chaos, sizeof(types) / sizeof(*types))],
                               .mptcp = any_subflow(chaos) };

        if (event.type == EVENT_CLOSED && chaos_any(chaos, 4))
                return;
        if (event.type <= EVENT_ESTABLISHED) {
                event.mptcp.local = at("192.0.2.1:40000");
                event.mptcp.remote = at("203.0.113.1:80");
                event.mptcp.flags = event.mptcp.token % 3;
        }
        if (event.type == EVENT_SUB_CLOSED) {
                event.mptcp.error = any_error(chaos);
                event.mptcp.reset = chaos_any(chaos, 4) == 0;
                event.mptcp.reset_transient = chaos_any(chaos, 2);
                event.mptcp.reset_reason = chaos_any(chaos, 3);
        }
        event.mptcp.backup = chaos_any(chaos, 2);
        chaos_feed(chaos, event);
}

static struct measure any_measure(struct chaos *chaos) {
        return (struct measure){
                .unacked = chaos_any(chaos, 9),
                .notsent = chaos_any(chaos, 2),
                .bytes_received = chaos_any(chaos, 9999),
                .bytes_acked = chaos_any(chaos, 3),
                .rtt_usec = chaos_any(chaos, 300000),
                .rto_usec = 200000,
                .retransmits = chaos_any(chaos, 99),
                .backoff = (uint8_t)chaos_any(chaos, 9),
                .last_data_sent_msec = chaos_any(chaos, 2000),
                .last_data_recv_msec = chaos_any(chaos, 2000),
                .last_ack_recv_msec = chaos_any(chaos, 2000),
        };
}

static void answer(struct chaos *chaos, uint32_t i, int error) {
        const struct action action = chaos->check.asked.items[i];
        struct event event = { .type = EVENT_MEASURED,
                               .measured = { .token = action.token,
                                             .local = action.local,
                                             .remote = action.remote } };

        if (action.type == ACTION_MEASURE && !error) {
                event.measured.measure = any_measure(chaos);
                chaos_feed(chaos, event);
        }
        model_check_answer(&chaos->check, i);
        event = (struct event){ .type = EVENT_OUTCOME,
                                .outcome = { .action = action, .error = -error } };
        chaos_feed(chaos, event);
}

static void any_answer(struct chaos *chaos) {
        if (chaos->check.asked.n)
                answer(chaos, chaos_any(chaos, chaos->check.asked.n), any_error(chaos));
}

static void any_time(struct chaos *chaos) {
        struct engine *engine = &chaos->world->engine;

        chaos->world->now += 1u << chaos_any(chaos, 24);
        chaos_feed(chaos, (struct event){ .type = EVENT_TICK });
        assert(engine_deadline(engine) > chaos->world->now);
}

static void any_network(struct chaos *chaos) {
        const int32_t ifindex = (int32_t)(2 + chaos_any(chaos, 2));

        switch (chaos_any(chaos, 3)) {
        case 0:
                world_link(chaos->world, ifindex, ifindex == 2 ? "wifi0" : "lte0",
                           chaos_any(chaos, 3));
                break;
        case 1:
                world_address_gone(chaos->world, ifindex,
                                   ifindex == 2 ? "192.0.2.1" : "198.51.100.1");
                break;
        default:
                world_address(chaos->world, ifindex, ifindex == 2 ? "192.0.2.1" : "198.51.100.1",
                              chaos_any(chaos, 4));
        }
        world_settle(chaos->world);
        chaos_check(chaos);
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
        return chaos_any(chaos, 2) ? SNAPSHOT_JOIN_LOC : SNAPSHOT_JOIN_REM;
}

static void any_comparison(struct chaos *chaos) {
        struct snapshot snapshot = { .started_usec = chaos->world->now -
                                                     chaos_any(chaos, 2) * 50000 };
        struct event event = { .type = EVENT_SNAPSHOT, .snapshot = &snapshot };

        for (uint32_t i = 0; i < CHAOS_TOKENS; i++) {
                const struct snapshot_connection row = {
                        .token = TOKEN + i,
                        .flags = chaos_any(chaos, 20) == 0 ? SNAPSHOT_FALLBACK : 0,
                        .state = 1,
                        .local = at("192.0.2.1:40000"),
                        .remote = at("203.0.113.1:80"),
                };

                if (chaos_any(chaos, 4))
                        must(ARRAY_APPEND(&snapshot.connections, row, 64));
        }
        for (uint32_t n = chaos_any(chaos, 12); n > 0; n--) {
                const struct mptcp_event of = any_subflow(chaos);
                const uint32_t flags = flags_of(chaos, &of);
                const struct snapshot_subflow row = {
                        .token = of.token,
                        .flags = flags,
                        /* SYN_SENT only of what this host has opened */
                        .state = flags == SNAPSHOT_JOIN_LOC && chaos_any(chaos, 2) ? 2 : 1,
                        .local_id = of.local_id,
                        .remote_id = of.remote_id,
                        .local = of.local,
                        .remote = of.remote,
                };

                must(ARRAY_APPEND(&snapshot.subflows, row, 64));
        }
        chaos_feed(chaos, event);
        world_settle(chaos->world);
        chaos_check(chaos);
        snapshot_done(&snapshot);
}

static void any_entries(struct chaos *chaos) {
        const struct entry entries[] = { { .address = chaos_local(chaos, false), .id = 1 },
                                         { .address = chaos_local(chaos, false), .id = 2 } };
        struct event event = { .type = EVENT_ENTRIES,
                               .entries = { .token = TOKEN + chaos_any(chaos, CHAOS_TOKENS),
                                            .entries = entries,
                                            .n = chaos_any(chaos, 3) } };

        chaos_feed(chaos, event);
}

static void any_hint(struct chaos *chaos) {
        chaos_feed(chaos,
                   (struct event){
                                   .type = EVENT_HINT,
                                   .hint = { .kind = chaos_any(chaos, 2) ? HINT_CONNECT
                                                                         : HINT_OPTION,
                                             .token = TOKEN + chaos_any(chaos, CHAOS_TOKENS),
                                             .cookie = 1 + chaos_any(chaos, 3),
                                             .profile = "",
                                             .user_timeout_msec = chaos_any(chaos, 2) * 5000 },
                   });
}

/* The configuration is read again, or somebody chooses a policy. */
static void any_order(struct chaos *chaos) {
        chaos->world->conf.max_joins = 3;
        chaos->world->conf.max_accepted = 1 + chaos_any(chaos, 3);
        chaos->world->auth = chaos_any(chaos, 4) % 3; /* off more often than not */
        if (chaos_any(chaos, 2))
                world_reload(chaos->world, mptcpize_plugin());
        else
                chaos_feed(chaos,
                           (struct event){
                                           .type = EVENT_ASSIGNED,
                                           .assigned = { .token = TOKEN +
                                                                  chaos_any(chaos, CHAOS_TOKENS),
                                                         .profile = "default" },
                           });
        chaos_check(chaos);
}

static void any_wish(struct chaos *chaos) {
        struct order order = {
                .type = chaos_any(chaos, ORDER_WITHDRAW + 1),
                .token = TOKEN + chaos_any(chaos, CHAOS_TOKENS),
                .local = chaos_local(chaos, chaos_any(chaos, 4) == 0),
                .ifindex = (int32_t)(chaos_any(chaos, 8) == 0 ? 2 + chaos_any(chaos, 2) : 0),
                .backup = chaos_any(chaos, 2)
        };
        char reason[LIMIT_REASON] = "";
        uint32_t serial = 0;
        int r;

        if (chaos_any(chaos, 2))
                order.remote = chaos_remote(chaos);
        if (chaos_any(chaos, 4) == 0)
                order.local = ADDRESS_NULL;
        r = engine_order(&chaos->world->engine, &order, &serial, reason);
        assert(r < 0 ? reason[0] && !serial : serial > 0);
        if (r == 0 && order.type == ORDER_REMOVE)
                assert(connection_count(model_find(&chaos->world->engine.model, order.token),
                                        SUBFLOWS_CARRYING, NULL) > 0);
        chaos_check(chaos);
}

static void any_role(struct chaos *chaos) {
        must(engine_set_role(&chaos->world->engine, chaos_any(chaos, 2) ? "wifi0" : "lte0",
                             (int)chaos_any(chaos, MPTCPIZE_ROLE_OFF + 2) - 1));
        world_settle(chaos->world);
        chaos_check(chaos);
}

static void any_limits(struct chaos *chaos) {
        struct limits limits = conf_limits(&chaos->world->conf);

        limits.max_subflows = 1 + chaos_any(chaos, 4);
        limits.max_accepted = 1 + chaos_any(chaos, 4);
        limits.max_connections = 2 + chaos_any(chaos, 4);
        must(engine_set_limits(&chaos->world->engine, &limits));
        chaos_check(chaos);
}

static void any_joins(struct chaos *chaos) {
        static const char *const reasons[] = { NULL, "", "the peer has confirmed" };

        chaos_feed(chaos,
                   (struct event){ .type = EVENT_JOINS,
                                   .joins = { .token = TOKEN + chaos_any(chaos, CHAOS_TOKENS),
                                              .joins = chaos_any(chaos, JOINS_BARRED + 1),
                                              .reason = reasons[chaos_any(chaos, 3)] } });
}

static void any_intruder(struct chaos *chaos) {
        const struct mptcp_event of = any_subflow(chaos);

        chaos_feed(chaos,
                   (struct event){ .type = EVENT_INTRUDER,
                                   .intruder = { of.token, of.local, of.remote, "unknown" } });
}

static void any_overrun(struct chaos *chaos) {
        chaos_feed(chaos, (struct event){ .type = EVENT_OVERRUN });
}

static void any_follow(struct chaos *chaos) {
        engine_follow(&chaos->world->engine, 1 + chaos_any(chaos, 2));
        chaos_check(chaos);
}

void chaos_happens(struct chaos *chaos) {
        static const struct {
                void (*fn)(struct chaos *chaos);
                uint32_t weight;
        } kinds[] = {
                { any_network, 1 }, { any_comparison, 1 }, { any_entries, 1 }, { any_hint, 1 },
                { any_overrun, 1 }, { any_time, 2 },       { any_answer, 5 },  { any_order, 1 },
                { any_role, 1 },    { any_limits, 1 },     { any_wish, 2 },    { any_follow, 2 },
                { any_joins, 2 },   { any_intruder, 1 },   { any_mptcp, 4 },
        };
        uint32_t left = chaos_any(chaos, 26), i = 0;

        for (; left >= kinds[i].weight; i++)
                left -= kinds[i].weight;
        kinds[i].fn(chaos);
}

/* The kernel has what the model has, but for what is on its way. */
static void compare_well(struct chaos *chaos) {
        struct snapshot snapshot = { .started_usec = chaos->world->now };

        for (uint32_t i = 0; i < CHAOS_TOKENS; i++) {
                struct connection *connection = chaos_connection(chaos, i);
                const struct snapshot_connection row = { .token = TOKEN + i,
                                                         .state = 1,
                                                         .local = at("192.0.2.1:40000"),
                                                         .remote = at("203.0.113.1:80") };

                if (!connection)
                        continue;
                must(ARRAY_APPEND(&snapshot.connections, row, 64));
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
                                must(ARRAY_APPEND(&snapshot.subflows, subflow, 512));
                }
        }
        chaos_feed(chaos, (struct event){ .type = EVENT_SNAPSHOT, .snapshot = &snapshot });
        snapshot_done(&snapshot);
        world_settle(chaos->world);
}

static void obey(struct chaos *chaos, size_t i) {
        const struct action action = chaos->check.asked.items[i];
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
        chaos_feed(chaos, (struct event){ .type = EVENT_SUB_ESTABLISHED, .mptcp = made });
}

void chaos_calms_down(struct chaos *chaos) {
        struct world *world = chaos->world;

        for (uint32_t i = 0; i < 200; i++) {
                for (uint32_t k = 0; k < CHAOS_TOKENS; k++)
                        chaos_feed(chaos, (struct event){ .type = EVENT_JOINS,
                                                          .joins = { .token = TOKEN + k,
                                                                     .joins = JOINS_ASK } });
                engine_follow(&world->engine, CHAOS_TOKENS);
                while (chaos->check.asked.n)
                        obey(chaos, chaos->check.asked.n - 1);
                chaos->world->now += 1000000;
                chaos_feed(chaos, (struct event){ .type = EVENT_TICK });
        }
        assert(!world->engine.queue.n);
}

void chaos_begin(struct chaos *chaos, struct world *world, uint64_t seed, const uint8_t *bytes,
                 size_t n) {
        *chaos = (struct chaos){
                .world = world, .random = seed * 0x9e3779b97f4a7c15u | 1, .bytes = bytes, .left = n
        };
        world->now = 100000000;
        model_check_begin(&chaos->check, &world->engine);
        chaos_check(chaos);
}

void chaos_done(struct chaos *chaos) {
        model_check_done(&chaos->check);
}
