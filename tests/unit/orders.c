#include "orders.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

char order_said[LIMIT_REASON];

int64_t order_give(struct world *world, struct order order) {
        uint32_t serial = 0;
        int r;

        order.token = TOKEN;
        memset(order_said, 0, sizeof(order_said));
        r = engine_order(&world->engine, &order, &serial, order_said);
        assert_true(r == 0 || order_said[0]);
        return r < 0 ? r : (int64_t)serial;
}

int64_t order_add(struct world *world, const char *local, const char *remote) {
        struct order order = { .type = ORDER_ADD };

        if (local)
                order.local = at(local);
        if (remote)
                order.remote = at(remote);
        return order_give(world, order);
}

int64_t order_drop(struct world *world, const char *local) {
        return order_give(world, (struct order){ .type = ORDER_REMOVE, .local = at(local) });
}

int64_t order_backup(struct world *world, const char *local, bool backup) {
        return order_give(world, (struct order){ .type = ORDER_BACKUP,
                                                 .local = at(local),
                                                 .backup = backup });
}

int64_t order_announce(struct world *world, enum order_type type, const char *local) {
        return order_give(world, (struct order){ .type = type, .local = at(local) });
}

void order_connect(struct world *world) {
        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
}

void order_closed(struct world *world, const char *local, uint8_t id, int error) {
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, local, SERVER, id, 0, error);
}

struct action order_expect(struct world *world, enum action_type type, int64_t serial) {
        struct action action = world_expect(world, type);

        assert_true(serial > 0);
        assert_int_equal(action.serial, serial);
        return action;
}

void order_remove_lte(struct world *world) {
        const int64_t serial = order_drop(world, LTE);
        const struct action action = order_expect(world, ACTION_DESTROY, serial);

        assert_int_equal(action.local.port, 40001);
        world_outcome(world, &action, 0);
        order_closed(world, LTE ":40001", 1, 0);
        world_expect_nothing(world);
}

void order_change(struct world *world) {
        world_address(world, 3, "2001:db8::7", true);
        world_settle(world);
}

void order_change_back(struct world *world) {
        world_address_gone(world, 3, "2001:db8::7");
        world_settle(world);
}

const char *order_text(const struct mptcpize_address *address) {
        static char text[ADDRESS_TEXT];

        return address_format(address, text);
}

/* How many lines of the log there are with that reason. */
struct search {
        const char *reason;
        size_t n;
};

static int count_line(const struct trace_line *line, void *userdata) {
        struct search *search = userdata;

        search->n += strstr(line->reason, search->reason) != NULL;
        return 0;
}

size_t order_lines(struct world *world, const char *reason) {
        struct search search = { .reason = reason };

        trace_each(&world->engine.trace, TOKEN, SIZE_MAX, count_line, &search);
        return search.n;
}
