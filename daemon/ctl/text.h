/*
 * Values as text for people. Whatever comes from outside (names, reasons, words of the command
 * line) goes through text_escape() before a terminal sees it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Room for the numbers and times below. */
#define TEXT_SHORT 40

/*
 * Copies from, with control characters and bytes that are no UTF-8 written as \xNN; what does not
 * fit is replaced by "...". size is at least 16. Returns to, which is then valid UTF-8.
 */
char *text_escape(const char *from, char *to, size_t size);

/* Columns of a text that text_escape() made: one for each character. */
size_t text_width(const char *text);

/* "999 B", "12.3 MB": powers of 1000. */
const char *text_bytes(uint64_t bytes, char text[static TEXT_SHORT]);

/* "45 us", "12.3 ms", "1.20 s". */
const char *text_duration(uint64_t usec, char text[static TEXT_SHORT]);

/* CLOCK_REALTIME as local time, "2024-05-01 12:00:00.123". */
const char *text_time(uint64_t usec, char text[static TEXT_SHORT]);
