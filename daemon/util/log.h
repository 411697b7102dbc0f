/*
 * Logging to standard error: one line a message, "<N>" priority prefixes when the reader is the
 * journal, fields as NAME=value pairs behind the text otherwise.
 *
 * The level is the only global of the daemon. core, codecs, policy and plugins never log; the
 * others log once, at the point of decision.
 */
#pragma once

#include <stdint.h>
#include <syslog.h> /* LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG */

/* Messages less urgent than level are dropped; LOG_INFO at start. */
void log_set_level(int level);
int log_level(void);

/* errno is kept. */
void log_message(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_message(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_message(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_message(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_message(LOG_DEBUG, __VA_ARGS__)
