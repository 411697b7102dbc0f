/*
 * Logging to standard error. See log.h.
 *
 * A message leaves in one write(), so that lines of threads don't mix. What it quotes may come
 * from a peer or a plugin: control characters are replaced, a message stays one line.
 */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_TEXT 2048

static int max_level = LOG_INFO;

void log_set_level(int level) {
        max_level = level;
}

int log_level(void) {
        return max_level;
}

/* $JOURNAL_STREAM is inherited; only if it names our standard error does the journal read it. */
static bool stderr_is_journal(void) {
        const char *text = getenv("JOURNAL_STREAM");
        unsigned long long device, inode;
        struct stat st;
        char *end;

        if (!text)
                return false;
        device = strtoull(text, &end, 10);
        if (*end != ':')
                return false;
        inode = strtoull(end + 1, &end, 10);
        return *end == '\0' && fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device &&
               st.st_ino == inode;
}

static int line_prefix(char *line, size_t size, int level) {
        static int journal = -1; /* not yet known */

        if (journal < 0)
                journal = stderr_is_journal();
        if (journal)
                return snprintf(line, size, "<%d>", level);
        return snprintf(line, size, "mptcpized: ");
}

void log_message(int level, const char *format, ...) {
        int saved = errno;
        char line[LINE_TEXT];
        size_t len, i;
        va_list ap;

        if (level > max_level)
                return;
        len = (size_t)line_prefix(line, sizeof(line), level);
        errno = saved; /* for %m */
        va_start(ap, format);
        vsnprintf(line + len, sizeof(line) - len, format, ap);
        va_end(ap);
        len = strlen(line);
        for (i = 0; i < len; i++)
                if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
                        line[i] = '?';
        line[len++] = '\n'; /* takes the place of the NUL */
        if (write(STDERR_FILENO, line, len) < 0)
                errno = 0; /* there is nobody left to tell */
        errno = saved;
}
