#include "trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int trace_init(struct trace *trace) {
        struct trace_line *lines = calloc(TRACE_LINES, sizeof(*lines));

        if (!lines)
                return -ENOMEM;
        *trace = (struct trace){ .lines = lines };
        return 0;
}

void trace_done(struct trace *trace) {
        free(trace->lines);
        *trace = (struct trace){ 0 };
}

void trace_add(struct trace *trace, const struct trace_line *line) {
        trace->lines[trace->head] = *line;
        trace->head = (trace->head + 1) % TRACE_LINES;
        if (trace->n < TRACE_LINES)
                trace->n++;
        trace_show(trace, line);
}

void trace_show(const struct trace *trace, const struct trace_line *line) {
        if (trace->tap)
                trace->tap(line, trace->tap_userdata);
}

/* The line that is age lines older than the newest. */
static const struct trace_line *trace_at(const struct trace *trace, uint32_t age) {
        return &trace->lines[(trace->head + TRACE_LINES - 1 - age) % TRACE_LINES];
}

int trace_each(const struct trace *trace, uint32_t token, size_t max,
               int (*fn)(const struct trace_line *line, void *userdata), void *userdata) {
        uint32_t age = 0;
        size_t found = 0;
        int r;

        while (age < trace->n && found < max)
                if (trace_at(trace, age++)->token == token)
                        found++;
        while (age-- > 0) {
                if (trace_at(trace, age)->token != token)
                        continue;
                r = fn(trace_at(trace, age), userdata);
                if (r != 0)
                        return r;
        }
        return 0;
}

static void trace_format_pair(const struct trace_line *line, char *buffer, size_t size) {
        char local[ADDRESS_TEXT], remote[ADDRESS_TEXT];

        snprintf(buffer, size, "%s%s%s%s%s", line->local.family || line->remote.family ? " " : "",
                 line->local.family ? address_format(&line->local, local) : "",
                 line->local.family && line->remote.family ? " -> " : "",
                 line->remote.family ? address_format(&line->remote, remote) : "",
                 line->kind == TRACE_REFUSED ? " (not tried)" : "");
}

const char *trace_kind_name(enum trace_kind kind) {
        static const char *const names[] = {
                [TRACE_EVENT] = "event",
                [TRACE_ACTION] = "action",
                [TRACE_FAILED] = "failed",
                [TRACE_REFUSED] = "refused",
                [TRACE_NOTE] = "note",
                [TRACE_ADDED] = "connection-added",
                [TRACE_REMOVED] = "connection-removed",
        };

        return names[kind];
}

static const char *trace_what(const struct trace_line *line) {
        switch (line->kind) {
        case TRACE_EVENT:
                return event_name(line->event);
        case TRACE_ACTION:
        case TRACE_FAILED:
        case TRACE_REFUSED:
                return line->off ? "backup off" : action_name(line->action);
        case TRACE_ADDED:
                return "connection added";
        case TRACE_REMOVED:
                return "connection removed";
        case TRACE_NOTE:
        default:
                return "note";
        }
}

const char *trace_error(int error) {
        if (error < 0)
                error = -error;
        return error == EKEYREJECTED ? "Not confirmed" : strerror(error);
}

const char *trace_format(const struct trace_line *line, char *buffer, size_t size) {
        static const char *const prefix[] = {
                [TRACE_EVENT] = "",
                [TRACE_ACTION] = "",
                [TRACE_FAILED] = "failed: ",
                [TRACE_NOTE] = "",
                [TRACE_REFUSED] = "left out: ",
                [TRACE_ADDED] = "",
                [TRACE_REMOVED] = "",
        };
        const char *what = trace_what(line);
        char pair[2 * ADDRESS_TEXT + 32];

        trace_format_pair(line, pair, sizeof(pair));
        if (line->error)
                snprintf(buffer, size, "%s%s%s: %s", prefix[line->kind], what, pair,
                         trace_error(line->error));
        else
                snprintf(buffer, size, "%s%s%s", prefix[line->kind], what, pair);
        return buffer;
}
