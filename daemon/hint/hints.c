/*
 * Hints, as the loop sees them. See hints.h.
 */
#include "hints.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "../util/cleanup.h"
#include "../util/clock.h"
#include "../util/log.h"
#include "reader.h"

#define KNOWN      64u /* what was logged last, so that it is logged once */
#define LINES      10u /* of the log, within PAUSE_USEC */
#define PAUSE_USEC 10000000u

struct known {
        char program[LIMIT_PROGRAM];
        char text[HINT_TEXT];
        unsigned int kind;
};

struct hints {
        struct reader *reader;
        int fd;
        hints_event_fn on_event;
        void *userdata;
        struct known known[KNOWN];
        size_t n_known;      /* ever; the oldest makes room */
        uint64_t since_usec; /* when the count of lines was begun */
        unsigned int n_lines;
        char socket[PATH_MAX];
};

DEFINE_CLEANUP(struct hints *, hints_free)

void hints_free(struct hints *hints) {
        if (!hints)
                return;
        reader_free(hints->reader);
        free(hints);
}

int hints_new(const char *runtime, const char *database, hints_event_fn on_event, void *userdata,
              struct hints **ret_hints) {
        _cleanup_(hints_freep) struct hints *hints = calloc(1, sizeof(*hints));
        int r;

        if (!hints)
                return -ENOMEM;
        hints->on_event = on_event;
        hints->userdata = userdata;
        snprintf(hints->socket, sizeof(hints->socket), "%s/" HINT_SOCKET, runtime);
        r = reader_new(hints->socket, database, &hints->reader, &hints->fd);
        if (r < 0)
                return r;
        *ret_hints = TAKE_PTR(hints);
        return 0;
}

int hints_fd(const struct hints *hints) {
        return hints->fd;
}

/* Log */

static bool hints_is_known(struct hints *hints, const struct hint_report *report) {
        struct known *slot = &hints->known[hints->n_known % KNOWN];

        for (size_t i = 0; i < KNOWN && i < hints->n_known; i++)
                if (hints->known[i].kind == report->event.kind &&
                    strcmp(hints->known[i].program, report->event.program.name) == 0 &&
                    strcmp(hints->known[i].text, report->text) == 0)
                        return true;
        slot->kind = report->event.kind;
        memcpy(slot->program, report->event.program.name, sizeof(slot->program));
        memcpy(slot->text, report->text, sizeof(slot->text));
        hints->n_known++;
        return false;
}

/* Strangers choose the words, so there are only so many. */
static bool hints_may_log(struct hints *hints) {
        uint64_t now = clock_usec();

        if (now - hints->since_usec > PAUSE_USEC) {
                hints->since_usec = now;
                hints->n_lines = 0;
        }
        return hints->n_lines++ < LINES;
}

static void hints_log(struct hints *hints, const struct hint_report *report) {
        const struct program *program = &report->event.program;
        const char *name = program->name[0] ? program->name : "a program that has ended";

        if (report->event.kind != HINT_REFUSED && report->event.kind != HINT_DEMOTED &&
            report->event.kind != HINT_FELL_BACK)
                return;
        if (hints_is_known(hints, report) || !hints_may_log(hints))
                return;
        if (report->event.kind == HINT_REFUSED)
                log_info("a hint was refused: %s", report->text);
        else if (report->event.kind == HINT_DEMOTED)
                log_info("%s (pid %d) uses TCP instead of MPTCP for: %s", name, program->pid,
                         report->text);
        else
                log_info("%s (pid %d) has a connection that fell back to TCP%s%s", name,
                         program->pid, report->text[0] ? ": " : "", report->text);
}

/* Events */

static void hints_give(struct hints *hints, const struct hint_report *report) {
        struct event event = { .type = EVENT_HINT, .usec = clock_usec(), .hint = report->event };

        event.hint.profile = report->profile;
        event.hint.policy = report->policy;
        event.hint.key = report->keyed ? report->key : NULL;
        hints->on_event(&event, hints->userdata);
        hints_log(hints, report);
}

int hints_dispatch(struct hints *hints) {
        struct hint_report report;
        int n = 0;

        while (n < HINTS_BATCH &&
               recv(hints->fd, &report, sizeof(report), MSG_DONTWAIT) == sizeof(report)) {
                hints_give(hints, &report);
                explicit_bzero(&report, sizeof(report));
                n++;
        }
        return n;
}
