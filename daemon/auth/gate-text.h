/*
 * The words for libnftables: see gate-table.h for what they mean.
 */
#pragma once

#include <stdio.h>
#include "gate-listeners.h"

/* Replaces the table that may be there by one without elements. */
void gate_text_template(FILE *file);

/* One command for many elements of a set; no words at all if it gets none. */
struct gate_text {
        FILE *file;
        const char *verb; /* "add", "delete" */
        const char *set;
        const char *suffix; /* of the set's name: "", "4", "6" */
        size_t n;
};

void gate_text_token(struct gate_text *text, uint32_t token);
/* timeout_msec 0: none, as for deletion. */
void gate_text_admission(struct gate_text *text, uint32_t token,
                         const struct mptcpize_address *source, uint64_t timeout_msec);
void gate_text_listener(struct gate_text *text, const struct gate_listener *listener);
void gate_text_end(struct gate_text *text);
