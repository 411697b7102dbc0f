/*
 * What became of a program's sockets (policy/report.h): the file in which all its processes count,
 * and the words for people at the end.
 */
#pragma once

#include <stdbool.h>

#include <jansson.h>

#include "../../../policy/report.h"

/*
 * Makes an empty report in the file fd, and maps it; NULL: errno says why. It stays mapped for
 * ever.
 */
struct report *report_map(int fd);

/* The report as JSON: {"sockets": [{"what", "detail", "count"}]}, sorted; NULL: no memory. */
json_t *report_json(const struct report *report);

/* Prints that: a line for each row, nothing if there is none; or the JSON itself. */
void report_print(const struct report *report, bool json);
