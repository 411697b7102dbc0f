#include "engine-host.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugin-random.h"

#define SLOTS 64u

static struct {
        struct chaos chaos;
        struct memo slots[SLOTS]; /* the first is never used: 0 is no slot */
        bool settled;
} host;

static uint32_t any(uint32_t n) {
        return chaos_any(&host.chaos, n);
}

/* Memory */

static int memory_keep(void *userdata, const struct memo *memo, uint32_t *slot) {
        uint32_t i = *slot;

        (void)userdata;
        assert(i < SLOTS && (!i || host.slots[i].kind == memo->kind));
        assert(memo->n_addresses <= LIMIT_MEMO_ADDRESSES && !(memo->flags & ~_MEMO_FLAGS));
        for (uint32_t k = 1; !i && k < SLOTS; k++)
                i = host.slots[k].kind ? 0 : k;
        if (!i)
                return -ENOSPC;
        host.slots[i] = *memo;
        *slot = i;
        return 0;
}

static void memory_drop(void *userdata, uint32_t slot) {
        (void)userdata;
        assert(slot && slot < SLOTS && host.slots[slot].kind);
        host.slots[slot] = (struct memo){ 0 };
}

/* That of any other connection: addresses are checked by whoever keeps it. */
static int memory_recall(void *userdata, uint32_t token, const struct mptcpize_address *local,
                         const struct mptcpize_address *remote, struct memo *ret_memo) {
        const struct memo *memo = &host.slots[any(SLOTS)];

        (void)userdata, (void)token, (void)local, (void)remote;
        assert(!host.settled);
        if (memo->kind != MEMO_CONNECTION)
                return -ENOENT;
        *ret_memo = *memo;
        return 0;
}

static void memory_listeners(void *userdata, void (*fn)(const struct memo *memo, void *fn_userdata),
                             void *fn_userdata) {
        const struct memo memo = { .kind = MEMO_LISTENER,
                                   .local = chaos_local(&host.chaos, true),
                                   .cookie = 1 };

        (void)userdata;
        fn(&memo, fn_userdata);
}

static void memory_settled(void *userdata) {
        (void)userdata;
        host.settled = true;
}

/* What is kept is of something that is there. */
static void check_slots(const struct engine *engine) {
        const struct connection *connection;
        size_t used = 0, known = 0;

        for (uint32_t i = 1; i < SLOTS; i++)
                used += host.slots[i].kind != 0;
        for (uint32_t token = 0; (connection = model_from(&engine->model, token));
             token = connection->token + 1) {
                assert(!connection->slot ||
                       host.slots[connection->slot].token == connection->token);
                known += connection->slot != 0;
        }
        for (size_t i = 0; i < engine->listeners.n; i++)
                known += engine->listeners.items[i].slot != 0;
        assert(used == known);
}

/* Addresses as the kernel has them: the rest of the bytes of IPv4 is 0 */

static struct mptcpize_address any_address(void) {
        static const char *const hosts[] = { "0.0.0.0",    "127.0.0.1", "255.255.255.255",
                                             "224.0.0.1",  "::",        "::1",
                                             "fe80::1",    "ff02::1",   "2001:db8::1",
                                             "2001:db8::2" };
        const uint32_t which = any(16);
        struct mptcpize_address address;

        if (which >= 10)
                return which & 1 ? chaos_local(&host.chaos, which & 2) : chaos_remote(&host.chaos);
        address = at(hosts[which]);
        address.port = (uint16_t)any(3);
        return address;
}

/* Of a subflow: of one family with the other end, with a port. */
static struct mptcpize_address any_end(const struct mptcpize_address *other) {
        struct mptcpize_address end = any_address();

        if (other && end.family != other->family)
                end = *other;
        end.port = end.port ? end.port : 1;
        return end;
}

static int32_t any_ifindex(void) {
        return (int32_t)any(6);
}

/* The network */

static void feed(struct event event) {
        chaos_feed(&host.chaos, event);
}

static void happen_route(void) {
        struct event event = { .type = any(2) ? EVENT_ROUTE : EVENT_ROUTE_GONE };

        event.route.prefix = any_address();
        event.route.prefix_len = (uint8_t)any(34);
        event.route.ifindex = any_ifindex();
        event.route.table = any(2) ? 254 : any(3);
        event.route.metric = any(3);
        event.route.gateway = any_address();
        event.route.protocol = (uint8_t)any(256);
        event.route.replaces = any(2);
        feed(event);
}

static void happen_rule(void) {
        struct event event = { .type = any(2) ? EVENT_RULE : EVENT_RULE_GONE };

        event.rule.from = any_address();
        event.rule.from_len = (uint8_t)(any(128) + 1);
        event.rule.protocol = (uint8_t)any(256);
        event.rule.priority = any(3);
        event.rule.table = any(3);
        feed(event);
}

static void happen_filter(void) {
        struct event event = { .type = EVENT_FILTER };

        event.filter.ifindex = any_ifindex() - 1;
        event.filter.rp_filter = (uint8_t)any(3);
        feed(event);
}

static void happen_link(void) {
        static const char *const names[] = { "wifi0", "lte0", "docker0", "lo" };
        struct event event = { .type = any(4) ? EVENT_LINK : EVENT_LINK_GONE };

        event.link.ifindex = any_ifindex();
        event.link.up = any(2);
        event.link.loopback = any(8) == 7;
        event.link.dial_up = any(2);
        strcpy(event.link.name, names[any(4)]);
        feed(event);
}

static void happen_address(void) {
        struct event event = { .type = any(4) ? EVENT_ADDRESS : EVENT_ADDRESS_GONE };

        event.address.ifindex = any_ifindex();
        event.address.address = any_address();
        event.address.address.port = 0;
        event.address.prefix_len = (uint8_t)any(33);
        event.address.usable = any(4);
        feed(event);
}

static void happen_listing(void) {
        feed((struct event){ .type = EVENT_NET_BEGIN });
        for (uint32_t i = any(4); i > 0; i--) {
                happen_link();
                happen_address();
                happen_route();
        }
        feed((struct event){ .type = EVENT_NET_END });
}

static void happen_judgement(void) {
        world_settle(host.chaos.world);
        chaos_check(&host.chaos);
}

/* Connections */

static void happen_mptcp(void) {
        struct event event = { .type = any(EVENT_LISTENER_CLOSED + 1) };

        event.mptcp.token = TOKEN + any(CHAOS_TOKENS);
        event.mptcp.flags = any(4);
        event.mptcp.local = any_end(NULL);
        event.mptcp.remote = any_end(&event.mptcp.local);
        event.mptcp.local_id = (uint8_t)any(256);
        event.mptcp.remote_id = (uint8_t)any(256);
        event.mptcp.backup = any(2);
        event.mptcp.ifindex = any_ifindex();
        event.mptcp.error = (int32_t)any(140);
        event.mptcp.reset = any(2);
        event.mptcp.reset_reason = any(8);
        event.mptcp.reset_transient = any(2);
        feed(event);
}

static struct snapshot_subflow any_row(void) {
        struct snapshot_subflow row = { .token = TOKEN + any(CHAOS_TOKENS + 1) };

        row.cookie = any(8);
        row.flags = any(128);
        row.state = (uint8_t)any(13);
        row.local_id = (uint8_t)any(256);
        row.remote_id = (uint8_t)any(256);
        row.ifindex = any_ifindex();
        row.local = any_end(NULL);
        row.remote = any_end(&row.local);
        row.measure.unacked = any(9);
        row.measure.bytes_received = any(99999);
        row.measure.rtt_usec = any(300000);
        return row;
}

static void happen_snapshot(void) {
        struct snapshot snapshot = { .started_usec = host.chaos.world->now - any(2) * 50000 };
        int r = 0;

        for (uint32_t i = any(CHAOS_TOKENS + 2); i > 0 && r == 0; i--) {
                const struct snapshot_connection row = { .token = TOKEN + any(CHAOS_TOKENS + 1),
                                                         .flags = any(8) == 7,
                                                         .uid = any(2) ? UINT32_MAX : any(2),
                                                         .state = (uint8_t)any(13),
                                                         .local = any_end(NULL),
                                                         .remote = any_end(NULL) };

                r = ARRAY_APPEND(&snapshot.connections, row, SIZE_MAX);
        }
        for (uint32_t i = any(8) == 7 ? any(99) : any(4); i > 0 && r == 0; i--)
                r = ARRAY_APPEND(&snapshot.subflows, any_row(), SIZE_MAX);
        for (uint32_t i = any(3); i > 0 && r == 0; i--) {
                const struct snapshot_listener row = { .cookie = any(8) };

                r = ARRAY_APPEND(&snapshot.listeners, row, SIZE_MAX);
        }
        assert(r == 0);
        feed((struct event){ .type = EVENT_SNAPSHOT, .snapshot = &snapshot });
        snapshot_done(&snapshot);
}

static void happen_entries(void) {
        struct entry entries[80];
        struct event event = { .type = EVENT_ENTRIES };

        event.entries.token = TOKEN + any(CHAOS_TOKENS);
        event.entries.entries = entries;
        for (uint32_t n = any(8) == 7 ? 80 : any(4); event.entries.n < n; event.entries.n++)
                entries[event.entries.n] =
                                (struct entry){ .address = any_address(), .id = (uint8_t)any(256) };
        feed(event);
}

/* Programs and operators */

static const char *any_profile(void) {
        static const char *const names[] = { "", "narrow", "off", "backup", "nonsense", "default" };

        return names[any(sizeof(names) / sizeof(*names))];
}

static void happen_hint(void) {
        struct event event = { .type = EVENT_HINT };

        event.hint.kind = any(_HINT_KIND_MAX + 1);
        event.hint.token = any(8) ? TOKEN + any(CHAOS_TOKENS) : any(2);
        event.hint.cookie = 1 + any(8);
        event.hint.local = any_address();
        event.hint.ipv6_only = any(2);
        event.hint.profile = any_profile();
        event.hint.policy = any(2) ? any_profile() : NULL;
        event.hint.user_timeout_msec = any(3) * 5000;
        feed(event);
}

static void happen_owner(void) {
        struct event event = { .type = EVENT_OWNER };

        event.owner.token = TOKEN + any(CHAOS_TOKENS);
        event.owner.uid = any(2) ? UINT32_MAX : any(2);
        event.owner.profile = any_profile();
        feed(event);
}

static void happen_choice(void) {
        struct event event = { .type = EVENT_ASSIGNED };

        event.assigned.token = TOKEN + any(CHAOS_TOKENS);
        event.assigned.profile = any_profile();
        feed(event);
}

static void happen_counters(void) {
        struct event event = { .type = EVENT_COUNTERS };

        event.counters.timeouts = any(256);
        event.counters.blackholes = any(3);
        feed(event);
}

static void happen_advice(void) {
        static const char *const names[] = { "wifi0", "lte0", "", "a/b", "docker0" };
        struct advised_role advised = { .role = (int)any(7) - 2, .leaving = any(2) };

        strcpy(advised.name, names[any(5)]);
        strcpy(advised.reason, "told so");
        (void)engine_advise(&host.chaos.world->engine, &advised);
        (void)engine_set_role(&host.chaos.world->engine, names[any(5)], (int)any(7) - 2);
        happen_judgement();
}

static void happen_order(void) {
        struct order order = { .type = any(ORDER_WITHDRAW + 1) };
        char reason[LIMIT_REASON] = "";
        uint32_t serial = 0;
        int r;

        order.token = TOKEN + any(CHAOS_TOKENS + 1);
        order.local = any(4) ? any_address() : ADDRESS_NULL;
        order.remote = any(4) ? any_address() : ADDRESS_NULL;
        order.ifindex = any(4) ? 0 : any_ifindex();
        order.backup = any(2);
        r = engine_order(&host.chaos.world->engine, &order, &serial, reason);
        assert(r == 0 ? serial : r < 0 && reason[0] && memchr(reason, 0, sizeof(reason)));
        chaos_check(&host.chaos);
}

static const struct mptcpize_plugin *any_plugin(void);

static void happen_reload(void) {
        struct conf *conf = &host.chaos.world->conf;

        conf->max_joins = 1 + any(4);
        conf->max_subflows = 1 + any(4);
        conf->max_accepted = 1 + any(4);
        conf->max_connections = 1 + any(6);
        conf->max_retries = 1 + any(20);
        conf->routing = any(2) ? CONF_ROUTING_OFF : conf->routing;
        host.chaos.world->auth = any(3);
        world_reload(host.chaos.world, any_plugin());
        chaos_check(&host.chaos);
}

static void happen_lull(void) {
        engine_lull(&host.chaos.world->engine);
        chaos_check(&host.chaos);
}

static void happen_start(void) {
        feed((struct event){ .type = EVENT_STARTED });
}

/* From now on, or no more. */
static void happen_business(void) {
        host.chaos.busy = !host.chaos.busy && host.chaos.world->engine.queue.n < 1024;
        chaos_check(&host.chaos);
}

void engine_host_step(struct chaos *chaos) {
        static void (*const happenings[])(void) = {
                happen_route,   happen_rule,   happen_filter,    happen_link,     happen_address,
                happen_listing, happen_mptcp,  happen_snapshot,  happen_entries,  happen_hint,
                happen_owner,   happen_choice, happen_counters,  happen_advice,   happen_order,
                happen_reload,  happen_lull,   happen_judgement, happen_business, happen_start,
        };
        const uint32_t n = sizeof(happenings) / sizeof(*happenings), which = any(2 * n);

        if (which < n)
                happenings[which]();
        else
                chaos_happens(chaos);
        check_slots(&chaos->world->engine);
}

/* Beginning and end */

const struct mptcpize_plugin *plugin_announce(void);
const struct mptcpize_plugin *plugin_backup(void);
const struct mptcpize_plugin *plugin_fullmesh(void);
const struct mptcpize_plugin *plugin_ndiffports(void);

static const struct mptcpize_plugin *any_plugin(void) {
        static const mptcpize_plugin_fn plugins[] = { mptcpize_plugin, plugin_announce,
                                                      plugin_backup, plugin_fullmesh,
                                                      plugin_ndiffports };

        return plugins[any(sizeof(plugins) / sizeof(*plugins))]();
}

struct chaos *engine_host_begin(const uint8_t *bytes, size_t n) {
        static const struct memory_ops ops = { .keep = memory_keep,
                                               .drop = memory_drop,
                                               .recall = memory_recall,
                                               .listeners = memory_listeners,
                                               .settled = memory_settled };
        const struct memory memory = { .ops = &ops };
        const struct conf_role role = { .pattern = "lte*", .role = MPTCPIZE_ROLE_BACKUP };
        struct world *world;
        void *state;
        int r;

        memset(&host, 0, sizeof(host));
        r = world_setup(&state);
        assert(r == 0);
        world = state;
        chaos_begin(&host.chaos, world, 0, bytes, n);
        plugin_random_begin(&host.chaos);
        world_add_profiles(world);
        world->profiles[1].plugin = any_plugin();
        world->profiles[3].plugin = any_plugin();
        r = ARRAY_APPEND(&world->profiles[3].roles, role, 1);
        assert(r == 0);
        world_configure_plugin(world, any_plugin());
        engine_set_memory(&world->engine, &memory);
        return &host.chaos;
}

void engine_host_end(struct chaos *chaos) {
        void *world = chaos->world;

        chaos->busy = false;
        for (uint32_t i = 0; i < CHAOS_TOKENS + 1; i++)
                feed((struct event){ .type = EVENT_CLOSED, .mptcp = { .token = TOKEN + i } });
        while (chaos->check.asked.n)
                model_check_answer(&chaos->check, 0);
        assert(!chaos->world->engine.model.n_connections && !chaos->check.listeners);
        chaos_done(chaos);
        assert(world_teardown(&world) == 0);
        plugin_random_end();
}
