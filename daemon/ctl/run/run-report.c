#include "run-report.h"
#include "../text.h"
#include "../../util/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

struct kind_row {
        const char *name; /* in JSON */
        const char *text;
};

static const struct kind_row kinds[_REPORT_KIND_MAX] = {
        [0] = { "other", "more than can be counted apart" },
        [REPORT_UPGRADED] = { "upgraded", "upgraded to Multipath TCP" },
        [REPORT_REFUSED] = { "refused", "refused by the kernel, so plain TCP" },
        [REPORT_POLICY] = { "policy", "plain TCP by policy" },
        [REPORT_DEMOTED] = { "demoted", "made plain TCP for an option" },
        [REPORT_KEPT] = { "kept", "should have become plain TCP but could not" },
        [REPORT_FELL_BACK] = { "fell_back", "fell back to plain TCP" },
        [REPORT_OPTION] = { "option", "option accepted without effect" },
        [REPORT_KEY] = { "key", "key for join authentication" },
};

struct report *report_map(int fd) {
        struct report *report;

        /* blocks, not a hole: on a full disk it is us who fails, not the program */
        errno = posix_fallocate(fd, 0, sizeof(*report));
        if (errno != 0)
                return NULL;
        report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (report == MAP_FAILED)
                return NULL;
        report_init(report);
        return report;
}

/* Rows of one meaning are there twice if two programs made them at the same time. */
static json_t *row_find(json_t *rows, const char *what, const char *detail) {
        json_t *row;
        size_t i;

        json_array_foreach(rows, i,
                           row) if (strcmp(json_string_value(json_object_get(row, "what")), what) ==
                                                    0 &&
                                    strcmp(json_string_value(json_object_get(row, "detail")),
                                           detail) == 0) return row;
        row = json_pack("{s:s, s:s, s:i}", "what", what, "detail", detail, "count", 0);
        json_array_append_new(rows, row);
        return row;
}

static void row_add(json_t *rows, enum report_kind kind, const struct report_row *row) {
        uint32_t count = __atomic_load_n(&row->count, __ATOMIC_RELAXED);
        char raw[REPORT_WHAT], detail[4 * REPORT_WHAT];
        json_t *to, *sum;

        if (count == 0)
                return;
        memcpy(raw, row->what, sizeof(raw)); /* the program may write into it at any time */
        raw[sizeof(raw) - 1] = '\0';
        text_escape(raw, detail, sizeof(detail));
        to = row_find(rows, kinds[kind].name, detail);
        sum = json_object_get(to, "count");
        json_integer_set(sum, json_integer_value(sum) + count);
}

json_t *report_json(const struct report *report) {
        json_t *rows = json_array();
        int kind;
        size_t i;

        for (kind = 1; kind <= _REPORT_KIND_MAX; kind++)
                for (i = 0; i < REPORT_ROWS; i++)
                        if (report->rows[i].key >> 24 == (uint32_t)(kind % _REPORT_KIND_MAX))
                                row_add(rows, kind % _REPORT_KIND_MAX, &report->rows[i]);
        return json_pack("{s:o}", "sockets", rows);
}

static void row_print(const json_t *row) {
        const char *what = json_string_value(json_object_get(row, "what"));
        const char *detail = json_string_value(json_object_get(row, "detail"));
        size_t i;

        for (i = 0; i < ARRAY_SIZE(kinds); i++)
                if (strcmp(kinds[i].name, what) == 0)
                        what = kinds[i].text;
        fprintf(stderr, "mptcpctl: %s%s%s: %" JSON_INTEGER_FORMAT "\n", what, *detail ? ", " : "",
                detail, json_integer_value(json_object_get(row, "count")));
}

void report_print(const struct report *report, bool json) {
        json_t *value = report_json(report);
        const json_t *row;
        size_t i;

        if (json) {
                json_dumpf(value, stderr, JSON_ENSURE_ASCII | JSON_INDENT(2));
                fputc('\n', stderr);
        } else {
                json_array_foreach(json_object_get(value, "sockets"), i, row) {
                        row_print(row);
                }
        }
        json_decref(value);
}
