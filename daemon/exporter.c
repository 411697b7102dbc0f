/*
 * See exporter.h.
 */
#include "exporter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/replace.h"

#define KEPT          20 /* times what it took */
#define ACCURACY_USEC 250000u
#define TEMPORARY     ".tmp" /* node_exporter reads *.prom only */

struct exporter {
        struct metrics_host host;
        sd_event_source *timer;
        char file[LIMIT_VALUE]; /* "": none */
        uint64_t interval_usec;
        bool written; /* the file is ours */
        bool failed;  /* which was told of */
        char *text;   /* for the bus */
        uint64_t until_usec;
};

/* The file */

static int file_replace(const char *file, const char *text) {
        char temporary[LIMIT_VALUE + sizeof(TEMPORARY)];

        snprintf(temporary, sizeof(temporary), "%s" TEMPORARY, file);
        return replace_file(AT_FDCWD, file, temporary, text, false);
}

static void exporter_write(struct exporter *exporter) {
        _cleanup_(freep) char *text = NULL;
        int r = metrics_write(&exporter->host, METRICS_PROMETHEUS, &text);

        if (r == 0)
                r = file_replace(exporter->file, text);
        if (r < 0 && !exporter->failed)
                log_error("metrics can't be written to %s: %s; it is tried again, without a word",
                          exporter->file, strerror(-r));
        if (r == 0 && exporter->failed)
                log_notice("metrics are written to %s again", exporter->file);
        exporter->failed = r < 0;
        exporter->written |= r == 0;
}

static void exporter_remove(struct exporter *exporter) {
        if (exporter->written && unlink(exporter->file) < 0 && errno != ENOENT)
                log_error("%s can't be removed: %s", exporter->file, strerror(errno));
        exporter->written = false;
        exporter->failed = false;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct exporter *exporter = userdata;

        (void)usec;
        exporter_write(exporter);
        (void)sd_event_source_set_time_relative(source, exporter->interval_usec);
        (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return 0;
}

/* Life */

int exporter_new(sd_event *event, const struct metrics_host *host, struct exporter **ret_exporter) {
        struct exporter *exporter = calloc(1, sizeof(*exporter));
        int r;

        if (!exporter)
                return -ENOMEM;
        exporter->host = *host;
        exporter->host.started_usec = clock_read_usec(CLOCK_REALTIME);
        r = sd_event_add_time(event, &exporter->timer, CLOCK_MONOTONIC, 0, ACCURACY_USEC, on_timer,
                              exporter);
        if (r >= 0)
                r = sd_event_source_set_priority(exporter->timer, SD_EVENT_PRIORITY_IDLE);
        if (r >= 0)
                r = sd_event_source_set_enabled(exporter->timer, SD_EVENT_OFF);
        if (r < 0) {
                exporter_free(exporter);
                return r;
        }
        *ret_exporter = exporter;
        return 0;
}

void exporter_free(struct exporter *exporter) {
        if (!exporter)
                return;
        exporter_remove(exporter);
        sd_event_source_disable_unref(exporter->timer);
        free(exporter->text);
        free(exporter);
}

void exporter_follow(struct exporter *exporter, const struct conf *conf) {
        if (!exporter)
                return;
        if (strcmp(exporter->file, conf->metrics_file) != 0)
                exporter_remove(exporter);
        memcpy(exporter->file, conf->metrics_file, sizeof(exporter->file));
        exporter->interval_usec = conf->metrics_interval * UINT64_C(1000000);
        (void)sd_event_source_set_time_relative(exporter->timer, 0);
        (void)sd_event_source_set_enabled(exporter->timer,
                                          exporter->file[0] ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

const char *exporter_text(void *userdata) {
        struct exporter *exporter = userdata;
        const uint64_t started = clock_usec();
        char *text;

        if (exporter->text && started < exporter->until_usec)
                return exporter->text;
        if (metrics_write(&exporter->host, METRICS_OPEN, &text) < 0)
                return NULL;
        free(exporter->text);
        exporter->text = text;
        exporter->until_usec = started + KEPT * (clock_usec() - started);
        return text;
}
