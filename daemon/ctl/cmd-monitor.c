/*
 * mptcpctl monitor: what happens, as it happens, and why.
 *
 * The daemon sends its signals to us alone, for as long as we are on the bus. Both may go away and
 * come back; then we say so, and subscribe again. Whoever can send to this bus could send such a
 * signal to us: only those of the one who answered Subscribe count.
 */
#include "client.h"
#include "ctl.h"
#include "event-line.h"
#include "target.h"
#include "value.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define RETRY_USEC     UINT64_C(500000)
#define SUBSCRIBE_USEC UINT64_C(5000000)

#define MATCH_EVENTS "type='signal',path='" CLIENT_PATH "',interface='" CLIENT_MANAGER "'"
#define MATCH_OWNER                                                              \
        "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged'," \
        "arg0='" CLIENT_NAME "'"
#define MATCH_END                                           \
        "type='signal',path='/org/freedesktop/DBus/Local'," \
        "interface='org.freedesktop.DBus.Local',member='Disconnected'"

struct monitor {
        const struct ctl *ctl;
        sd_event *event;
        sd_bus *bus;
        sd_event_source *retry;
        char owner[64]; /* unique name of the daemon that sends to us, "": none */
        uint32_t token; /* that is asked for, if filtered */
        bool filtered;
        bool counted; /* there was an event, with that serial */
        uint64_t serial;
        uint64_t excused; /* lost ones that the daemon has told of, which are a gap as well */
};

/* Ends the loop: with 0, or because the output can't be written. */
static void monitor_end(struct monitor *monitor, int r) {
        (void)sd_event_exit(monitor->event, r);
}

static void monitor_say(struct monitor *monitor, json_t *line) {
        int r = event_line_print(monitor->ctl, line);

        json_decref(line);
        if (r < 0)
                monitor_end(monitor, r);
}

static void monitor_say_lost(struct monitor *monitor, uint64_t count) {
        monitor_say(monitor, json_pack("{s:s,s:I}", "kind", "lost", "count", (json_int_t)count));
}

static void monitor_say_state(struct monitor *monitor, const char *kind, const char *reason) {
        monitor_say(monitor, json_pack("{s:s,s:s}", "kind", kind, "reason", reason));
}

/* Serials follow each other; what is missing is lost, and told of once. */
static void monitor_count(struct monitor *monitor, uint64_t serial) {
        uint64_t gap = monitor->counted && serial > monitor->serial ? serial - monitor->serial - 1
                                                                    : 0;

        if (gap > monitor->excused)
                monitor_say_lost(monitor, gap - monitor->excused);
        monitor->excused = 0;
        monitor->counted = true;
        monitor->serial = serial;
}

static void monitor_take_event(struct monitor *monitor, const json_t *event) {
        monitor_count(monitor, (uint64_t)json_integer_value(json_object_get(event, "Serial")));
        if (monitor->filtered &&
            json_integer_value(json_object_get(event, "Token")) != (json_int_t)monitor->token)
                return;
        monitor_say(monitor, event_line_new(event));
}

static int on_event(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        struct monitor *monitor = userdata;
        _cleanup_(json_decrefp) json_t *values = NULL;
        const char *sender = sd_bus_message_get_sender(message);

        (void)error;
        if (!sender || strcmp(sender, monitor->owner) != 0 || value_read_all(message, &values) < 0)
                return 0;
        if (sd_bus_message_is_signal(message, NULL, "Event") &&
            json_is_object(json_array_get(values, 0))) {
                monitor_take_event(monitor, json_array_get(values, 0));
        } else if (sd_bus_message_is_signal(message, NULL, "EventsLost")) {
                uint64_t n = (uint64_t)json_integer_value(json_array_get(values, 0));

                monitor->excused += n;
                monitor_say_lost(monitor, n);
        }
        return 0;
}

/* Asks for the events. auto_start: let the bus start the daemon, if it isn't there. */
static int monitor_subscribe(struct monitor *monitor, bool auto_start, struct client_error *error) {
        _cleanup_(sd_bus_error_free) sd_bus_error why = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        int r = sd_bus_message_new_method_call(monitor->bus, &call, CLIENT_NAME, CLIENT_PATH,
                                               CLIENT_MANAGER, "Subscribe");

        if (r >= 0)
                r = sd_bus_message_set_auto_start(call, auto_start);
        if (r >= 0)
                r = sd_bus_call(monitor->bus, call, SUBSCRIBE_USEC, &why, &reply);
        if (r < 0)
                return client_explain(error, &why, r);
        snprintf(monitor->owner, sizeof(monitor->owner), "%s", sd_bus_message_get_sender(reply));
        monitor->counted = false;
        monitor->excused = 0;
        return 0;
}

/* The daemon has gone, or has come. */
static int on_owner(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        struct monitor *monitor = userdata;
        const char *name, *before, *now;
        struct client_error why;

        (void)error;
        if (sd_bus_message_read(message, "sss", &name, &before, &now) < 0 ||
            strcmp(now, monitor->owner) == 0)
                return 0;
        if (monitor->owner[0])
                monitor_say_state(monitor, "disconnected",
                                  "mptcpized has gone: waiting for it to come back");
        monitor->owner[0] = '\0';
        if (!*now)
                return 0;
        if (monitor_subscribe(monitor, false, &why) == 0)
                monitor_say_state(monitor, "connected",
                                  "mptcpized is back: what happened meanwhile is not shown");
        else
                monitor_say_state(monitor, "disconnected", why.text);
        return 0;
}

/* The bus has gone. Its connection can't be freed from here, so the timer does that. */
static int on_bus_end(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        struct monitor *monitor = userdata;

        (void)message, (void)error;
        monitor->owner[0] = '\0';
        monitor_say_state(monitor, "disconnected", "the bus has gone: trying to reach it again");
        (void)sd_event_source_set_time_relative(monitor->retry, RETRY_USEC);
        (void)sd_event_source_set_enabled(monitor->retry, SD_EVENT_ONESHOT);
        return 0;
}

static void monitor_disconnect(struct monitor *monitor) {
        if (!monitor->bus)
                return;
        (void)sd_bus_detach_event(monitor->bus);
        monitor->bus = sd_bus_flush_close_unref(monitor->bus);
}

/* On failure there is no connection. */
static int monitor_connect(struct monitor *monitor) {
        int r = sd_bus_open_system(&monitor->bus);

        if (r >= 0)
                r = sd_bus_add_match(monitor->bus, NULL, MATCH_EVENTS, on_event, monitor);
        if (r >= 0)
                r = sd_bus_add_match(monitor->bus, NULL, MATCH_OWNER, on_owner, monitor);
        if (r >= 0)
                r = sd_bus_add_match(monitor->bus, NULL, MATCH_END, on_bus_end, monitor);
        if (r >= 0)
                r = sd_bus_attach_event(monitor->bus, monitor->event, 0);
        if (r < 0)
                monitor_disconnect(monitor);
        return r < 0 ? r : 0;
}

/* Without a daemon there may be one later: on_owner() waits for it. */
static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        struct monitor *monitor = userdata;
        struct client_error why;

        (void)usec;
        monitor_disconnect(monitor);
        if (monitor_connect(monitor) < 0) {
                (void)sd_event_source_set_time_relative(source, RETRY_USEC);
                return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        }
        if (monitor_subscribe(monitor, false, &why) == 0)
                monitor_say_state(monitor, "connected",
                                  "mptcpized is back: what happened meanwhile is not shown");
        return 0;
}

/* Who reads us has gone. */
static int on_output(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        (void)source, (void)fd, (void)revents;
        monitor_end(userdata, 0);
        return 0;
}

/* SIGINT and SIGTERM end the loop with 0; SIGPIPE is noticed by who writes. */
static int monitor_watch(struct monitor *monitor) {
        sigset_t ends;
        int r;

        sigemptyset(&ends);
        sigaddset(&ends, SIGINT);
        sigaddset(&ends, SIGTERM);
        if (sigprocmask(SIG_BLOCK, &ends, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
                return -errno;
        r = sd_event_default(&monitor->event);
        if (r >= 0)
                r = sd_event_add_signal(monitor->event, NULL, SIGINT, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_signal(monitor->event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_time(monitor->event, &monitor->retry, CLOCK_MONOTONIC, 0, 0,
                                      on_retry, monitor);
        if (r >= 0)
                r = sd_event_source_set_enabled(monitor->retry, SD_EVENT_OFF);
        /* files can't be waited for, and have no reader that could go */
        if (r >= 0)
                (void)sd_event_add_io(monitor->event, NULL, STDOUT_FILENO, 0, on_output, monitor);
        return r < 0 ? r : 0;
}

static int monitor_find_target(struct monitor *monitor) {
        _cleanup_(client_freep) struct client *client = NULL;
        const struct ctl *ctl = monitor->ctl;
        struct client_error error;
        int status;

        monitor->filtered = ctl->n_args > 0;
        if (!monitor->filtered)
                return CTL_DONE;
        status = target_check(ctl, ctl->args[0]);
        if (status != CTL_DONE)
                return status;
        if (client_new(&client, &error) < 0)
                return ctl_fail(ctl, CTL_FAILED, "%s", error.text);
        return target_find(ctl, client, ctl->args[0], &monitor->token);
}

static int monitor_run(struct monitor *monitor) {
        const struct ctl *ctl = monitor->ctl;
        struct client_error error;
        int r = monitor_watch(monitor);

        if (r >= 0)
                r = monitor_connect(monitor);
        if (r < 0)
                client_explain_bus(&error, r);
        else
                r = monitor_subscribe(monitor, true, &error);
        if (r < 0)
                return ctl_fail(ctl, CTL_FAILED, "%s", error.text);
        monitor_say_state(monitor, "connected", "mptcpized answers; Ctrl-C ends this");
        r = sd_event_loop(monitor->event);
        return event_line_end(ctl, r);
}

int cmd_monitor(const struct ctl *ctl) {
        struct monitor monitor = { .ctl = ctl };
        int status = monitor_find_target(&monitor);

        if (status == CTL_DONE)
                status = monitor_run(&monitor);
        monitor_disconnect(&monitor);
        sd_event_source_disable_unref(monitor.retry);
        sd_event_unref(monitor.event);
        return status;
}
