/*
 * Orders: methods that change one connection, and are answered when the kernel has answered.
 *
 * An order is kept until then, one of a bounded list. Events only mark it (they come on the path of
 * path management); what follows from that is done at the priority of the bus. It may have to wait
 * for the address ids of its connection first, and the connection, or the caller, may go meanwhile.
 */
#include "bus-private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../util/cleanup.h"
#include "../util/clock.h"
#include "../util/utf8.h"

#define ORDER_USEC      30000000u /* then it is no use to wait any longer */
#define ORDER_LOOK_USEC 1000000u  /* between two looks if the connection is still there */

static void pending_done(struct pending *pending) {
        sd_bus_message_unref(pending->call);
}

static void orders_wake(struct orders *orders, uint64_t usec) {
        (void)sd_event_source_set_time_relative(orders->turn, usec);
        (void)sd_event_source_set_enabled(orders->turn, SD_EVENT_ONESHOT);
}

/* Errors */

/* What was not found: who is meant depends on the order. */
static const char *order_missing(const struct bus *bus, const struct order *order) {
        if (!model_find(&bus->host.engine->model, order->token))
                return BUS_ERROR_NO_CONNECTION;
        if (order->type == ORDER_REMOVE || order->type == ORDER_BACKUP)
                return BUS_ERROR_NO_SUBFLOW;
        return order->ifindex ? BUS_ERROR_NO_INTERFACE : BUS_ERROR_NO_ADDRESS;
}

static const char *order_error_name(const struct bus *bus, const struct order *order, int error) {
        switch (error) {
        case -ENOENT:
                return order_missing(bus, order);
        case -ENOTUNIQ:
                return BUS_ERROR_AMBIGUOUS;
        case -EPERM:
                return BUS_ERROR_NOT_MANAGED;
        case -EAFNOSUPPORT:
                return BUS_ERROR_BAD_ADDRESS;
        case -ENOBUFS:
                return BUS_ERROR_TOO_MANY;
        default:
                return BUS_ERROR_REFUSED;
        }
}

static int order_refuse(const struct bus *bus, const struct order *order, int error,
                        const char *reason, sd_bus_error *ret_error) {
        char shown[LIMIT_REASON];

        return sd_bus_error_set(ret_error, order_error_name(bus, order, error),
                                reason[0] ? utf8_copy(reason, shown, sizeof(shown))
                                          : strerror(-error));
}

/* Answers */

/* What became of it, to the caller. */
static void pending_answer(struct bus *bus, struct pending *pending) {
        __attribute__((cleanup(sd_bus_error_free))) sd_bus_error error = SD_BUS_ERROR_NULL;
        char text[2 * LIMIT_REASON];

        if (pending->error == 0) {
                (void)sd_bus_reply_method_return(pending->call, NULL);
                return;
        }
        if (pending->asked) { /* the kernel's words */
                snprintf(text, sizeof(text), "%s%s%s", trace_error(pending->error),
                         pending->reason[0] ? ": " : "", pending->reason);
                utf8_clean(text);
                (void)sd_bus_error_set(&error, BUS_ERROR_REFUSED, text);
        } else
                (void)order_refuse(bus, &pending->order, pending->error, pending->reason, &error);
        (void)sd_bus_reply_method_error(pending->call, &error);
}

/* Gives it to the engine. It waits after that, or is ready. */
static void pending_try(struct bus *bus, struct pending *pending) {
        struct event event = { .type = EVENT_TICK, .usec = clock_usec() };
        int r;

        pending->again = false;
        engine_feed(bus->host.engine, &event);
        r = engine_order(bus->host.engine, &pending->order, &pending->serial, pending->reason);
        if (r == -EAGAIN)
                return;
        pending->asked = r == 0 && pending->serial != 0;
        pending->ready = !pending->asked;
        pending->error = r;
}

static void pending_fail(struct pending *pending, int error, const char *reason) {
        pending->ready = true;
        pending->asked = false;
        pending->error = error;
        snprintf(pending->reason, sizeof(pending->reason), "%s", reason);
}

/* True if it has ended. */
static bool pending_look(struct bus *bus, struct pending *pending, uint64_t now) {
        if (!pending->ready && !model_find(&bus->host.engine->model, pending->order.token))
                pending_fail(pending, -ENOENT, "the connection has ended");
        if (!pending->ready && pending->again)
                pending_try(bus, pending);
        if (!pending->ready && now >= pending->until_usec)
                pending_fail(pending, -ETIMEDOUT, "the kernel has not answered");
        if (!pending->ready)
                return false;
        pending_answer(bus, pending);
        pending_done(pending);
        return true;
}

static int on_orders_turn(sd_event_source *source, uint64_t usec, void *userdata) {
        struct bus *bus = userdata;
        struct orders *orders = &bus->orders;
        const uint64_t now = clock_usec();

        (void)source, (void)usec;
        for (size_t i = 0; i < orders->list.n;)
                if (pending_look(bus, &orders->list.items[i], now))
                        ARRAY_CUT(&orders->list, i);
                else
                        i++;
        if (orders->list.n > 0)
                orders_wake(orders, ORDER_LOOK_USEC);
        return 0;
}

/* Events, on the event path. */

static bool pending_feed(struct pending *pending, const struct outcome_event *outcome) {
        if (pending->ready)
                return false;
        if (pending->asked && outcome->action.serial == pending->serial) {
                pending->ready = true;
                pending->error = order_has_failed(outcome) ? outcome->error : 0;
                memcpy(pending->reason, outcome->message, sizeof(pending->reason));
                return true;
        }
        if (!pending->asked && outcome->action.type == ACTION_QUERY &&
            outcome->action.token == pending->order.token)
                pending->again = true;
        return pending->again;
}

void bus_orders_feed(struct bus *bus, const struct event *event) {
        struct orders *orders = &bus->orders;
        bool wake = event->type == EVENT_CLOSED || event->type == EVENT_SNAPSHOT;

        if (event->type == EVENT_OUTCOME)
                for (size_t i = 0; i < orders->list.n; i++)
                        wake |= pending_feed(&orders->list.items[i], &event->outcome);
        if (wake)
                orders_wake(orders, 0);
}

/* Giving them */

static size_t orders_count(const struct orders *orders, const char *sender) {
        size_t n = 0;

        for (size_t i = 0; i < orders->list.n; i++)
                n += strcmp(sd_bus_message_get_sender(orders->list.items[i].call), sender) == 0;
        return n;
}

static int orders_start(struct bus *bus) {
        int r = 0;

        if (bus->orders.turn)
                return 0;
        r = sd_event_add_time_relative(bus->event, &bus->orders.turn, CLOCK_MONOTONIC, 0, 0,
                                       on_orders_turn, bus);
        return r < 0 ? r : sd_event_source_set_priority(bus->orders.turn, BUS_PRIORITY);
}

int bus_order(struct bus *bus, sd_bus_message *call, const struct order *order,
              sd_bus_error *error) {
        struct orders *orders = &bus->orders;
        struct pending pending = { .order = *order, .until_usec = clock_usec() + ORDER_USEC };
        int r = orders_start(bus);

        if (r < 0)
                return r;
        if (orders->list.n >= LIMIT_ORDERS ||
            orders_count(orders, sd_bus_message_get_sender(call)) >= LIMIT_ORDERS_CALLER)
                return sd_bus_error_set(error, BUS_ERROR_TOO_MANY,
                                        "too many orders are waiting for the kernel");
        pending_try(bus, &pending);
        if (pending.ready && pending.error < 0)
                return order_refuse(bus, order, pending.error, pending.reason, error);
        if (pending.ready)
                return sd_bus_reply_method_return(call, NULL);
        pending.call = sd_bus_message_ref(call);
        r = ARRAY_APPEND(&orders->list, pending, LIMIT_ORDERS);
        if (r < 0) {
                pending_done(&pending);
                return r;
        }
        if (orders->list.n == 1) /* else a turn is to come, which others wait for */
                orders_wake(orders, ORDER_LOOK_USEC);
        return 1;
}

void bus_orders_done(struct bus *bus) {
        for (size_t i = 0; i < bus->orders.list.n; i++)
                pending_done(&bus->orders.list.items[i]);
        ARRAY_DONE(&bus->orders.list);
        bus->orders.turn = sd_event_source_disable_unref(bus->orders.turn);
}
