#include "report.h"

#define REPORT_CLAIMED UINT32_MAX

void report_init(struct report *report) {
        report->n = REPORT_ROWS;
        __atomic_store_n(&report->magic, REPORT_MAGIC, __ATOMIC_RELEASE);
}

int report_is_valid(const struct report *report, size_t size) {
        return size >= sizeof(*report) && report->magic == REPORT_MAGIC && report->n == REPORT_ROWS;
}

static void report_fill(struct report_row *row, const char *what) {
        size_t i;

        for (i = 0; i + 1 < REPORT_WHAT && what[i]; i++)
                row->what[i] = what[i];
        row->what[i] = '\0';
}

/* The row of key, claimed if there is none. */
static struct report_row *report_row(struct report *report, uint32_t key, const char *what) {
        for (uint32_t i = 0; i + 1 < REPORT_ROWS; i++) {
                struct report_row *row = &report->rows[i];
                uint32_t found = __atomic_load_n(&row->key, __ATOMIC_ACQUIRE);

                if (found == key)
                        return row;
                if (found != 0 || !__atomic_compare_exchange_n(&row->key, &found, REPORT_CLAIMED, 0,
                                                               __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
                        continue;
                report_fill(row, what);
                __atomic_store_n(&row->key, key, __ATOMIC_RELEASE);
                return row;
        }
        return &report->rows[REPORT_ROWS - 1];
}

void report_count(struct report *report, enum report_kind kind, uint32_t detail, const char *what) {
        uint32_t key = (uint32_t)kind << 24 | (detail & 0xffffffu);

        __atomic_fetch_add(&report_row(report, key, what)->count, 1, __ATOMIC_RELAXED);
}
