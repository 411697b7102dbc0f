/*
 * Asynchronous calls, one after the other: pages, then subflows. See top-feed.h.
 */
#include "top-feed.h"
#include "../client.h"
#include "../value.h"
#include "../../util/limits.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define PAGES        8u       /* of a round: the list of ten thousand connections takes five */
#define TIMEOUT_USEC 3000000u /* of a call */
#define PRIORITY     (SD_EVENT_PRIORITY_NORMAL + 10) /* behind keys and signals */

struct top_feed {
        sd_event *event;
        sd_bus *bus;
        sd_bus_slot *slot; /* of the call under way, NULL: none is */
        struct top_data *data;
        top_feed_fn on_fed;
        void *userdata;
        bool all, waiting;
        int error;
        uint32_t cursor;           /* of the next page */
        size_t pages;              /* of this round, so far */
        ARRAY_OF(uint32_t) wanted; /* connections whose subflows are to be asked for, */
        size_t next;               /* and the next of them */
};

static void feed_disconnect(struct top_feed *feed) {
        feed->slot = sd_bus_slot_unref(feed->slot);
        if (feed->bus)
                sd_bus_detach_event(feed->bus);
        feed->bus = sd_bus_flush_close_unref(feed->bus);
}

static int feed_connect(struct top_feed *feed) {
        int r;

        if (feed->bus && sd_bus_is_open(feed->bus) > 0)
                return 0;
        feed_disconnect(feed);
        r = sd_bus_open_system(&feed->bus);
        if (r >= 0)
                r = sd_bus_attach_event(feed->bus, feed->event, PRIORITY);
        if (r < 0)
                feed_disconnect(feed);
        return r;
}

int top_feed_new(sd_event *event, struct top_data *data, bool all, top_feed_fn on_fed,
                 void *userdata, struct top_feed **ret_feed) {
        struct top_feed *feed = calloc(1, sizeof(*feed));

        if (!feed)
                return -ENOMEM;
        feed->event = event;
        feed->data = data;
        feed->all = all;
        feed->on_fed = on_fed;
        feed->userdata = userdata;
        *ret_feed = feed;
        return 0;
}

void top_feed_free(struct top_feed *feed) {
        if (!feed)
                return;
        feed_disconnect(feed);
        ARRAY_DONE(&feed->wanted);
        free(feed);
}

/* The end of a round, or of what was asked for in between. */
static void feed_end(struct top_feed *feed, int r) {
        feed->wanted.n = 0;
        feed->next = 0;
        feed->waiting = r < 0;
        if (r < 0 && feed->bus && sd_bus_is_open(feed->bus) <= 0)
                feed_disconnect(feed);
        (void)top_data_settle(feed->data);
        feed->on_fed(feed->userdata);
}

/* Takes over the message. */
static int feed_send(struct top_feed *feed, sd_bus_message *message,
                     sd_bus_message_handler_t on_reply) {
        int r = sd_bus_message_set_auto_start(message, false);

        if (r >= 0)
                r = sd_bus_call_async(feed->bus, &feed->slot, message, on_reply, feed,
                                      TIMEOUT_USEC);
        sd_bus_message_unref(message);
        return r;
}

/* Subflows */

static int feed_subflows(struct top_feed *feed);

static bool is_gone(sd_bus_message *reply) {
        return sd_bus_error_has_name(sd_bus_message_get_error(reply), SD_BUS_ERROR_UNKNOWN_OBJECT);
}

static int on_subflows(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        _cleanup_(json_decrefp) json_t *values = NULL;
        struct top_feed *feed = userdata;
        int r = 0;

        (void)error;
        feed->slot = sd_bus_slot_unref(feed->slot);
        if (!sd_bus_message_is_method_error(reply, NULL))
                r = value_read_all(reply, &values);
        else if (!is_gone(reply))
                r = -sd_bus_message_get_errno(reply);
        if (r >= 0)
                r = top_data_subflows(feed->data, feed->wanted.items[feed->next],
                                      json_array_get(values, 0));
        feed->next++;
        if (r >= 0)
                r = feed_subflows(feed);
        if (r <= 0)
                feed_end(feed, r);
        return 0;
}

/* Asks for the next. 1; 0: there is none; or a negative errno. */
static int feed_subflows(struct top_feed *feed) {
        sd_bus_message *message = NULL;
        char path[sizeof(CLIENT_PATH "/connection/12345678")];
        int r;

        if (feed->next == feed->wanted.n)
                return 0;
        snprintf(path, sizeof(path), CLIENT_PATH "/connection/%08" PRIx32,
                 feed->wanted.items[feed->next]);
        r = sd_bus_message_new_method_call(feed->bus, &message, "org.mptcpize1", path,
                                           "org.freedesktop.DBus.Properties", "Get");
        if (r >= 0)
                r = sd_bus_message_append(message, "ss", CLIENT_CONNECTION, "Subflows");
        if (r < 0) {
                sd_bus_message_unref(message);
                return r;
        }
        r = feed_send(feed, message, on_subflows);
        return r < 0 ? r : 1;
}

/* All that are in the list. */
static int feed_want_all(struct top_feed *feed) {
        size_t i;
        int r = 0;

        feed->wanted.n = 0;
        for (i = 0; i < feed->data->connections.n && r == 0; i++)
                r = ARRAY_APPEND(&feed->wanted, feed->data->connections.items[i].token,
                                 LIMIT_SNAPSHOT);
        return r;
}

/* Pages */

static int feed_page(struct top_feed *feed);

/* Keeps the page; the cursor moves on, to 0 behind the last one. */
static int feed_take_page(struct top_feed *feed, sd_bus_message *reply) {
        _cleanup_(json_decrefp) json_t *values = NULL;
        uint32_t from = feed->cursor;
        json_int_t next;
        int r = sd_bus_message_is_method_error(reply, NULL) ? -sd_bus_message_get_errno(reply)
                                                            : value_read_all(reply, &values);

        if (r < 0)
                return r;
        next = json_integer_value(json_array_get(values, 1));
        if (next != 0 && (next <= from || next > UINT32_MAX))
                return -EBADMSG;
        feed->cursor = (uint32_t)next;
        return top_data_page(feed->data, json_array_get(values, 0), from, feed->cursor);
}

static int on_page(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct top_feed *feed = userdata;
        int r;

        (void)error;
        feed->slot = sd_bus_slot_unref(feed->slot);
        r = feed_take_page(feed, reply);
        feed->pages++;
        if (r >= 0 && feed->cursor != 0 && (feed->all || feed->pages < PAGES)) {
                r = feed_page(feed);
        } else if (r >= 0) {
                if (feed->all)
                        r = feed_want_all(feed);
                if (r >= 0)
                        r = feed_subflows(feed);
        } else {
                feed->cursor = 0;
        }
        if (r <= 0)
                feed_end(feed, r);
        return 0;
}

/* 1 or a negative errno. */
static int feed_page(struct top_feed *feed) {
        sd_bus_message *message = NULL;
        int r = sd_bus_message_new_method_call(feed->bus, &message, "org.mptcpize1", CLIENT_PATH,
                                               CLIENT_MANAGER, "List");

        if (r >= 0)
                r = sd_bus_message_append(message, "uu", feed->cursor, LIMIT_LIST_ROWS);
        if (r < 0) {
                sd_bus_message_unref(message);
                return r;
        }
        r = feed_send(feed, message, on_page);
        return r < 0 ? r : 1;
}

/* Rounds */

static int feed_want(struct top_feed *feed, const uint32_t *tokens, size_t n, bool known) {
        size_t i, count;
        int r = 0;

        feed->wanted.n = 0;
        feed->next = 0;
        for (i = 0; i < n && r == 0; i++)
                if (known || !top_data_subflows_of(feed->data, tokens[i], &count))
                        r = ARRAY_APPEND(&feed->wanted, tokens[i], LIMIT_SNAPSHOT);
        return r;
}

void top_feed_round(struct top_feed *feed, const uint32_t *tokens, size_t n) {
        struct traffic traffic;
        int r;

        if (feed->slot)
                return;
        feed->error = traffic_read(&traffic);
        if (feed->error == 0)
                top_data_traffic(feed->data, &traffic);
        if (!feed->all)
                top_data_keep(feed->data, tokens, n);
        feed->pages = 0;
        if (feed->all)
                feed->cursor = 0;
        r = feed_want(feed, tokens, n, true);
        if (r == 0)
                r = feed_connect(feed);
        if (r >= 0)
                r = feed_page(feed);
        if (r < 0)
                feed_end(feed, r);
}

void top_feed_more(struct top_feed *feed, const uint32_t *tokens, size_t n) {
        int r;

        if (feed->slot || feed->waiting)
                return;
        r = feed_want(feed, tokens, n, false);
        if (r == 0 && feed->wanted.n > 0)
                r = feed_connect(feed);
        if (r >= 0)
                r = feed_subflows(feed);
        if (r < 0)
                feed_end(feed, r);
}

bool top_feed_is_waiting(const struct top_feed *feed) {
        return feed->waiting;
}

int top_feed_error(const struct top_feed *feed) {
        return feed->error;
}
