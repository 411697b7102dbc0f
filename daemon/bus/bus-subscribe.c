/*
 * Subscribers: who gets a signal for each line of the log, as it is written.
 *
 * The engine shows its lines to a tap, which copies them into one ring for all; that is all that
 * happens on the event path, and without subscribers not even that. Signals are made at the
 * priority of the bus, a few at a time. Each subscriber has a place in the ring; what is
 * overwritten before it was sent is lost to it, and it is told how much that was.
 *
 * A subscriber that does not read must not fill the queues of the bus either: now and then it is
 * asked for a sign of life (Ping), and without one it gets no more than a window's worth.
 */
#include "bus-private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../util/cleanup.h"
#include "../util/clock.h"
#include "../util/utf8.h"

#define SUBSCRIBE_BATCH     64u    /* signals of one turn */
#define SUBSCRIBE_WINDOW    512u   /* to one subscriber, without a sign of life */
#define SUBSCRIBE_PING      128u   /* signals between two questions for one */
#define SUBSCRIBE_WQUEUE    128u   /* messages that the bus has not taken: no more then */
#define SUBSCRIBE_WAIT_USEC 10000u /* until it is tried again */

/* A line with what is known of its connection when it is written: later it may have ended. */
struct signal {
        struct trace_line line;
        char program[LIMIT_PROGRAM];
        char plugin[LIMIT_NAME];
};

struct subscriber {
        struct bus *bus;
        char *name; /* unique, on the bus */
        uint32_t uid;
        sd_bus_slot *match;
        sd_bus_slot *ping; /* NULL: no question is open */
        uint64_t next;     /* serial of the next line for it */
        uint64_t lost;     /* that it has not been told of */
        uint64_t sent, asked, answered;
};

static void subscriber_free(struct subscriber *subscriber) {
        if (!subscriber)
                return;
        sd_bus_slot_unref(subscriber->match);
        sd_bus_slot_unref(subscriber->ping);
        free(subscriber->name);
        free(subscriber);
}

DEFINE_CLEANUP(struct subscriber *, subscriber_free)

static struct subscriber *subscribers_find(const struct subscribers *subscribers,
                                           const char *name) {
        for (size_t i = 0; i < subscribers->list.n; i++)
                if (strcmp(subscribers->list.items[i]->name, name) == 0)
                        return subscribers->list.items[i];
        return NULL;
}

/* The tap, on the event path. */

static void subscribers_wake(struct subscribers *subscribers, uint64_t usec) {
        subscribers->awake = true;
        (void)sd_event_source_set_time_relative(subscribers->turn, usec);
        (void)sd_event_source_set_enabled(subscribers->turn, SD_EVENT_ONESHOT);
}

static void on_line(const struct trace_line *line, void *userdata) {
        struct bus *bus = userdata;
        struct subscribers *subscribers = &bus->subscribers;
        struct signal *signal = &subscribers->ring[subscribers->end++ % LIMIT_SIGNALS];
        const struct connection *connection = model_find(&bus->host.engine->model, line->token);

        signal->line = *line;
        signal->program[0] = signal->plugin[0] = '\0';
        if (connection)
                memcpy(signal->program, connection->advice.program.name, sizeof(signal->program));
        if (connection && connection->plugin)
                snprintf(signal->plugin, sizeof(signal->plugin), "%s", connection->plugin->name);
        if (!subscribers->awake)
                subscribers_wake(subscribers, 0);
}

/* Signals */

static int signal_append_pair(sd_bus_message *message, const struct engine *engine,
                              const struct trace_line *line) {
        const struct address *address = model_find_address(&engine->model, &line->local);
        const struct link *link =
                        address ? model_find_link(&engine->model, address->is.ifindex) : NULL;
        char local[ADDRESS_TEXT], remote[ADDRESS_TEXT], name[sizeof(link->is.name)];

        return sd_bus_message_append(
                        message, "{sv}{sv}{sv}", "Local", "s",
                        line->local.family ? address_format(&line->local, local) : "", "Remote",
                        "s", line->remote.family ? address_format(&line->remote, remote) : "",
                        "Interface", "s", utf8_copy(link ? link->is.name : "", name, sizeof(name)));
}

static int signal_append_line(sd_bus_message *message, const struct bus *bus,
                              const struct signal *signal) {
        const struct trace_line *line = &signal->line;
        char what[256], reason[LIMIT_REASON], program[LIMIT_PROGRAM], plugin[LIMIT_NAME];

        trace_format(line, what, sizeof(what));
        utf8_clean(what);
        return sd_bus_message_append(
                        message, "{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}", "TimeUsec", "t",
                        line->usec + bus->subscribers.offset_usec, "Token", "u", line->token,
                        "Kind", "s", trace_kind_name(line->kind), "What", "s", what, "Error", "i",
                        line->error < 0 ? -line->error : line->error, "Reason", "s",
                        utf8_copy(line->reason, reason, sizeof(reason)), "Program", "s",
                        utf8_copy(signal->program, program, sizeof(program)), "Plugin", "s",
                        utf8_copy(signal->plugin, plugin, sizeof(plugin)));
}

static int subscriber_new_signal(const struct subscriber *subscriber, const char *member,
                                 sd_bus_message **ret_message) {
        int r = sd_bus_message_new_signal(subscriber->bus->bus, ret_message, BUS_PATH, BUS_MANAGER,
                                          member);

        return r < 0 ? r : sd_bus_message_set_destination(*ret_message, subscriber->name);
}

static int subscriber_send_line(const struct subscriber *subscriber) {
        __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *message = NULL;
        const struct bus *bus = subscriber->bus;
        const struct signal *signal = &bus->subscribers.ring[subscriber->next % LIMIT_SIGNALS];
        int r = subscriber_new_signal(subscriber, "Event", &message);

        if (r >= 0)
                r = sd_bus_message_open_container(message, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_append(message, "{sv}", "Serial", "t", subscriber->next);
        if (r >= 0)
                r = signal_append_line(message, bus, signal);
        if (r >= 0)
                r = signal_append_pair(message, bus->host.engine, &signal->line);
        if (r >= 0)
                r = sd_bus_message_close_container(message);
        return r < 0 ? r : sd_bus_send(bus->bus, message, NULL);
}

static int subscriber_send_lost(struct subscriber *subscriber) {
        __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *message = NULL;
        int r = subscriber_new_signal(subscriber, "EventsLost", &message);

        if (r >= 0)
                r = sd_bus_message_append(message, "t", subscriber->lost);
        if (r >= 0)
                r = sd_bus_send(subscriber->bus->bus, message, NULL);
        if (r >= 0)
                subscriber->lost = 0;
        return r;
}

/* Signs of life */

/* Is it not on the bus any more? Other errors are an answer, too. */
static bool is_gone(const sd_bus_error *error) {
        return sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
               sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
               sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY);
}

static int on_pong(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct subscriber *subscriber = userdata;

        (void)error;
        if (sd_bus_message_is_method_error(reply, NULL) &&
            is_gone(sd_bus_message_get_error(reply))) {
                bus_unsubscribe(subscriber->bus, subscriber->name);
                return 0;
        }
        subscriber->ping = sd_bus_slot_unref(subscriber->ping);
        subscriber->answered = subscriber->asked;
        subscribers_wake(&subscriber->bus->subscribers, 0);
        return 0;
}

static int subscriber_ping(struct subscriber *subscriber) {
        __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *ping = NULL;
        sd_bus *bus = subscriber->bus->bus;
        int r = sd_bus_message_new_method_call(bus, &ping, subscriber->name, "/",
                                               "org.freedesktop.DBus.Peer", "Ping");

        if (r >= 0)
                r = sd_bus_message_set_auto_start(ping, 0);
        if (r >= 0)
                r = sd_bus_call_async(bus, &subscriber->ping, ping, on_pong, subscriber,
                                      UINT64_MAX);
        if (r >= 0)
                subscriber->asked = subscriber->sent;
        return r;
}

/* Turns */

/* What is overwritten is lost. */
static void subscriber_skip(struct subscriber *subscriber) {
        struct subscribers *subscribers = &subscriber->bus->subscribers;
        uint64_t first = subscribers->end > LIMIT_SIGNALS ? subscribers->end - LIMIT_SIGNALS : 0;

        if (subscriber->next >= first)
                return;
        subscriber->lost += first - subscriber->next;
        subscribers->lost += first - subscriber->next;
        subscriber->next = first;
}

static bool subscriber_may_have(const struct subscriber *subscriber) {
        return subscriber->next < subscriber->bus->subscribers.end &&
               subscriber->sent - subscriber->answered < SUBSCRIBE_WINDOW;
}

/* The next line for it. 0 or a negative errno. */
static int subscriber_serve(struct subscriber *subscriber) {
        int r = subscriber->lost ? subscriber_send_lost(subscriber) : 0;

        if (r >= 0)
                r = subscriber_send_line(subscriber);
        if (r < 0)
                return r;
        subscriber->next++;
        subscriber->sent++;
        if (!subscriber->ping && subscriber->sent - subscriber->asked >= SUBSCRIBE_PING)
                return subscriber_ping(subscriber);
        return 0;
}

static bool is_congested(const struct bus *bus) {
        uint64_t queued;

        return sd_bus_get_n_queued_write(bus->bus, &queued) < 0 || queued >= SUBSCRIBE_WQUEUE;
}

/* In turns, so that each gets its share. 1: there is more; 0, or a negative errno. */
static int subscribers_serve(struct subscribers *subscribers) {
        unsigned int room = SUBSCRIBE_BATCH;
        bool any = true;
        int r;

        while (any && room > 0) {
                any = false;
                for (size_t i = 0; i < subscribers->list.n && room > 0; i++) {
                        struct subscriber *subscriber = subscribers->list.items[i];

                        subscriber_skip(subscriber);
                        if (!subscriber_may_have(subscriber))
                                continue;
                        any = true;
                        room--;
                        r = subscriber_serve(subscriber);
                        if (r < 0)
                                return r;
                }
        }
        return any;
}

static int on_turn(sd_event_source *source, uint64_t usec, void *userdata) {
        struct bus *bus = userdata;
        struct subscribers *subscribers = &bus->subscribers;
        int r = 1;

        (void)source, (void)usec;
        subscribers->awake = false;
        subscribers->offset_usec = clock_read_usec(CLOCK_REALTIME) - clock_usec();
        if (subscribers->list.n == 0)
                return 0;
        if (!is_congested(bus))
                r = subscribers_serve(subscribers);
        if (r != 0)
                subscribers_wake(subscribers, r < 0 || is_congested(bus) ? SUBSCRIBE_WAIT_USEC : 0);
        return 0;
}

/* Coming and going */

static void subscribers_stop(struct bus *bus) {
        struct subscribers *subscribers = &bus->subscribers;

        if (!subscribers->ring)
                return;
        bus_shown_done(bus);
        engine_set_tap(bus->host.engine, NULL, NULL);
        free(subscribers->ring);
        subscribers->ring = NULL;
        subscribers->awake = false;
        (void)sd_event_source_set_enabled(subscribers->turn, SD_EVENT_OFF);
}

static int subscribers_start(struct bus *bus) {
        struct subscribers *subscribers = &bus->subscribers;
        int r = 0;

        if (subscribers->ring)
                return 0;
        if (!subscribers->turn) {
                r = sd_event_add_time_relative(bus->event, &subscribers->turn, CLOCK_MONOTONIC, 0,
                                               0, on_turn, bus);
                if (r >= 0)
                        r = sd_event_source_set_priority(subscribers->turn, BUS_PRIORITY);
        }
        if (r < 0)
                return r;
        subscribers->ring = calloc(LIMIT_SIGNALS, sizeof(*subscribers->ring));
        if (!subscribers->ring)
                return -ENOMEM;
        engine_set_tap(bus->host.engine, on_line, bus);
        return 0;
}

void bus_unsubscribe(struct bus *bus, const char *name) {
        struct subscribers *subscribers = &bus->subscribers;

        for (size_t i = 0; i < subscribers->list.n; i++) {
                struct subscriber *subscriber = subscribers->list.items[i];

                if (strcmp(subscriber->name, name) != 0)
                        continue;
                ARRAY_REMOVE(&subscribers->list, i);
                subscriber_free(subscriber);
                break;
        }
        if (subscribers->list.n == 0)
                subscribers_stop(bus);
}

static int on_leave(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const struct subscriber *subscriber = userdata;

        (void)message, (void)error;
        bus_unsubscribe(subscriber->bus, subscriber->name);
        return 0;
}

/* The first question also finds out if it has gone before we watched for that. */
static int subscribers_add(struct bus *bus, const char *name) {
        struct subscribers *subscribers = &bus->subscribers;
        _cleanup_(subscriber_freep) struct subscriber *subscriber = calloc(1, sizeof(*subscriber));
        int r;

        if (!subscriber)
                return -ENOMEM;
        subscriber->bus = bus;
        subscriber->uid = bus->access.uid;
        subscriber->next = subscribers->end;
        subscriber->name = strdup(name);
        r = subscriber->name ? bus_watch_caller(bus, name, &subscriber->match, on_leave, subscriber)
                             : -ENOMEM;
        if (r >= 0)
                r = subscriber_ping(subscriber);
        if (r >= 0)
                r = subscribers_start(bus);
        if (r >= 0)
                r = ARRAY_APPEND(&subscribers->list, subscriber, LIMIT_SUBSCRIBERS);
        if (r < 0 && subscribers->list.n == 0)
                subscribers_stop(bus);
        if (r >= 0)
                TAKE_PTR(subscriber);
        return r;
}

void bus_subscribers_done(struct bus *bus) {
        struct subscribers *subscribers = &bus->subscribers;

        for (size_t i = 0; i < subscribers->list.n; i++)
                subscriber_free(subscribers->list.items[i]);
        ARRAY_DONE(&subscribers->list);
        subscribers_stop(bus);
        subscribers->turn = sd_event_source_disable_unref(subscribers->turn);
}

/* Methods */

/* Others want some, too; root may have all that there are. */
static bool subscribers_has_room(const struct subscribers *subscribers, uint32_t uid) {
        size_t n = 0;

        for (size_t i = 0; i < subscribers->list.n; i++)
                n += subscribers->list.items[i]->uid == uid;
        return uid == 0 || n < LIMIT_SUBSCRIBERS_USER;
}

static int subscribe_identified(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        struct bus *bus = userdata;
        const char *sender = sd_bus_message_get_sender(call);
        int r = 0;

        if (subscribers_find(&bus->subscribers, sender))
                return sd_bus_reply_method_return(call, NULL);
        if (!subscribers_has_room(&bus->subscribers, bus->access.uid))
                return sd_bus_error_setf(error, BUS_ERROR_TOO_MANY,
                                         "your user has %u subscribers already",
                                         LIMIT_SUBSCRIBERS_USER);
        r = subscribers_add(bus, sender);
        if (r == -ENOBUFS)
                return sd_bus_error_setf(error, BUS_ERROR_TOO_MANY,
                                         "there are %u subscribers already", LIMIT_SUBSCRIBERS);
        if (r < 0)
                return r;
        bus_show_changes(bus);
        return sd_bus_reply_method_return(call, NULL);
}

int bus_subscribe(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return bus_identify(userdata, call, subscribe_identified, error);
}

static int unsubscribe_identified(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        (void)error;
        bus_unsubscribe(userdata, sd_bus_message_get_sender(call));
        return sd_bus_reply_method_return(call, NULL);
}

/* As slow as the other one, so that the last of both counts. */
int bus_unsubscribe_call(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return bus_identify(userdata, call, unsubscribe_identified, error);
}
