/*
 * The log that people ask for: what happened and why, for all connections together in one ring of
 * fixed size, so that a connection costs nothing more for having a history.
 *
 * Writing is a copy into the ring; formatting of addresses is done by who reads.
 */
#pragma once

#include "event.h"

#define TRACE_LINES 4096u

enum trace_kind {
        TRACE_EVENT,   /* something that happened: .event */
        TRACE_ACTION,  /* sent to the kernel: .action */
        TRACE_FAILED,  /* an action that the kernel refused: .action, .error */
        TRACE_REFUSED, /* an action of a plugin that a check refused: .action, .error */
        TRACE_NOTE,    /* words of a plugin or of the engine */
        TRACE_ADDED,   /* a connection is known from now on; only for the tap */
        TRACE_REMOVED  /* and no more; the same */
};

struct trace_line {
        uint64_t usec;
        uint32_t token;
        enum trace_kind kind;
        enum event_type event;
        enum action_type action;
        bool off; /* ACTION_BACKUP: the flag is taken away */
        int error;
        struct mptcpize_address local;
        struct mptcpize_address remote;
        char reason[LIMIT_REASON];
};

/* Must not change anything that there are lines of. */
typedef void (*trace_fn)(const struct trace_line *line, void *userdata);

struct trace {
        trace_fn tap; /* sees each line when it is written; NULL: nobody does */
        void *tap_userdata;
        struct trace_line *lines;
        uint32_t head; /* where the next line goes */
        uint32_t n;
};

int trace_init(struct trace *trace); /* 0 or -ENOMEM */
void trace_done(struct trace *trace);
void trace_add(struct trace *trace, const struct trace_line *line);

/* Shows a line to the tap, if there is one, and keeps nothing. */
void trace_show(const struct trace *trace, const struct trace_line *line);

/*
 * Calls fn for the last max lines of token, oldest first; stops at its first non-zero return and
 * returns that, else 0.
 */
int trace_each(const struct trace *trace, uint32_t token, size_t max,
               int (*fn)(const struct trace_line *line, void *userdata), void *userdata);

/* "event", "action", "failed", "refused", "note", "connection-added", "connection-removed". */
const char *trace_kind_name(enum trace_kind kind);

/* An error in words, whatever its sign: those of libc, unless they are of another trade. */
const char *trace_error(int error);

/* One line for people: "create 192.0.2.1 -> 203.0.113.1:80". Returns buffer. */
const char *trace_format(const struct trace_line *line, char *buffer, size_t size);
