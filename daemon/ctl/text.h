/*
 * Values as text for people. Whatever comes from outside (names, reasons, words of the command
 * line) goes through text_escape() before a terminal sees it.
 */
#pragma once

#include <stdbool.h>
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

/*
 * Copies from as one word of a shell's command line, in quotes, whatever is in it; "''" if it does
 * not fit, which is no word of anything. size is at least 3. Returns to.
 */
char *text_quote(const char *from, char *to, size_t size);

/* The same, without quotes around what a shell leaves alone. */
char *text_word(const char *from, char *to, size_t size);

/*
 * Copies as much of a text that text_escape() made as has room in that many columns of a terminal
 * and in size bytes. What the locale can't print, or has no width of its own, becomes a "?".
 * Returns how many columns it takes.
 */
size_t text_fit(const char *from, size_t columns, char *to, size_t size);

/* "999 B", "12.3 MB": powers of 1000. */
const char *text_bytes(uint64_t bytes, char text[static TEXT_SHORT]);

/* Bytes a second as bits a second, "999", "12.3M". */
const char *text_rate(uint64_t bytes, char text[static TEXT_SHORT]);

/* Who has asked for a backup: "ours", "peer's", "both", "no". */
const char *text_backup(bool ours, bool theirs);

/* "45 us", "12.3 ms", "1.20 s". */
const char *text_duration(uint64_t usec, char text[static TEXT_SHORT]);

/* CLOCK_REALTIME as local time, "2024-05-01 12:00:00.123". */
const char *text_time(uint64_t usec, char text[static TEXT_SHORT]);
