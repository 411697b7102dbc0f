/*
 * What people are told of: lines of the log, and what only those see who watch it.
 *
 * That a connection is there or gone says an event, or a note; so the log does without, and has
 * room for more. Whoever watches all connections wants one line for each, whatever made it known.
 */
#include "order.h"

#include <stdio.h>

void engine_trace_note(struct engine *engine, const struct connection *connection,
                       const struct mptcpize_subflow *subflow, const char *reason) {
        struct trace_line line = {
                .usec = engine->now_usec,
                .token = connection->token,
                .kind = TRACE_NOTE,
                .local = subflow ? subflow->local : ADDRESS_NULL,
                .remote = subflow ? subflow->remote : ADDRESS_NULL,
        };

        snprintf(line.reason, sizeof(line.reason), "%s", reason);
        trace_add(&engine->trace, &line);
}

void engine_trace_event(struct engine *engine, enum event_type type,
                        const struct mptcp_event *event) {
        struct trace_line line = {
                .usec = engine->now_usec,
                .token = event->token,
                .kind = TRACE_EVENT,
                .event = type,
                .error = event->error,
                .local = event->local,
                .remote = event->remote,
        };

        if (event->reset)
                snprintf(line.reason, sizeof(line.reason), "reset by the peer, reason %u",
                         event->reset_reason);
        else if (type == EVENT_SUB_PRIORITY)
                snprintf(line.reason, sizeof(line.reason), "the peer %s",
                         event->backup ? "asks for backup" : "no longer asks for backup");
        trace_add(&engine->trace, &line);
}

void engine_set_tap(struct engine *engine, trace_fn fn, void *userdata) {
        engine->trace.tap = fn;
        engine->trace.tap_userdata = userdata;
}

void engine_show(const struct engine *engine, enum trace_kind kind, uint32_t token,
                 const struct mptcpize_address *local, const struct mptcpize_address *remote,
                 const char *reason) {
        struct trace_line line;

        if (!engine->trace.tap)
                return;
        line = (struct trace_line){
                .usec = engine->now_usec,
                .token = token,
                .kind = kind,
                .local = *local,
                .remote = *remote,
        };
        snprintf(line.reason, sizeof(line.reason), "%s", reason);
        trace_show(&engine->trace, &line);
}
