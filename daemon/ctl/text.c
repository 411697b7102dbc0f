/*
 * Values as text for people. See text.h.
 */
#include "text.h"
#include "../util/cleanup.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

/* Bytes of the UTF-8 sequence of a printable character at text, 0 if there is none. */
static size_t character_read(const unsigned char *text, uint32_t *ret_code) {
        uint32_t code;
        size_t len, i;

        *ret_code = text[0];
        if (text[0] < 0x80)
                return text[0] >= 0x20 && text[0] != 0x7f;
        if (text[0] < 0xc2 || text[0] > 0xf4)
                return 0;
        len = text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
        code = text[0] & (0x7fu >> len);
        for (i = 1; i < len; i++) {
                if ((text[i] & 0xc0) != 0x80)
                        return 0;
                code = code << 6 | (text[i] & 0x3f);
        }
        if (code < 0xa0) /* a C1 control character, as good as an escape sequence */
                return 0;
        if ((len == 3 && code < 0x800) || (code >= 0xd800 && code < 0xe000))
                return 0;
        *ret_code = code;
        return len == 4 && (code < 0x10000 || code > 0x10ffff) ? 0 : len;
}

static size_t character_len(const unsigned char *text) {
        uint32_t code;

        return character_read(text, &code);
}

char *text_escape(const char *from, char *to, size_t size) {
        const size_t room = size - sizeof("...");
        size_t used = 0;

        while (*from) {
                const unsigned char *at = (const unsigned char *)from;
                size_t len = character_len(at);

                if (used + (len ? len : 4) > room) {
                        memcpy(to + used, "...", 4);
                        return to;
                }
                if (len) {
                        memcpy(to + used, from, len);
                        used += len;
                        from += len;
                } else {
                        used += (size_t)snprintf(to + used, 5, "\\x%02x", *at);
                        from++;
                }
        }
        to[used] = '\0';
        return to;
}

char *text_quote(const char *from, char *to, size_t size) {
        size_t used = 0;

        to[used++] = '\'';
        for (; *from; from++) {
                const bool quote = *from == '\'';
                const size_t len = quote ? 4 : 1;

                if (used + len + 2 > size)
                        return memcpy(to, "''", sizeof("''"));
                memcpy(to + used, quote ? "'\\''" : from, len);
                used += len;
        }
        to[used++] = '\'';
        to[used] = '\0';
        return to;
}

char *text_word(const char *from, char *to, size_t size) {
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                    "_@%+=:,./-";
        const size_t n = strlen(from);

        if (n == 0 || n >= size || strspn(from, plain) < n)
                return text_quote(from, to, size);
        return memcpy(to, from, n + 1);
}

size_t text_width(const char *text) {
        size_t width = 0;

        for (; *text; text++)
                width += ((unsigned char)*text & 0xc0) != 0x80;
        return width;
}

size_t text_fit(const char *from, size_t columns, char *to, size_t size) {
        size_t used = 0, width = 0;

        while (*from && used + 4 < size) {
                uint32_t code;
                size_t len = character_read((const unsigned char *)from, &code);
                int wide = len == 0 ? 0 : len == 1 ? 1 : wcwidth((wchar_t)code);
                size_t takes = wide > 0 ? (size_t)wide : 1;

                if (width + takes > columns)
                        break;
                if (wide > 0)
                        memcpy(to + used, from, len);
                else
                        to[used] = '?';
                used += wide > 0 ? len : 1;
                width += takes;
                from += len ? len : 1;
        }
        to[used] = '\0';
        return width;
}

const char *text_bytes(uint64_t bytes, char text[static TEXT_SHORT]) {
        static const char *const units[] = { "kB", "MB", "GB", "TB", "PB", "EB" };
        double number = (double)bytes / 1000;
        size_t i;

        if (bytes < 1000) {
                snprintf(text, TEXT_SHORT, "%u B", (unsigned int)bytes);
                return text;
        }
        /* 999.95 would be printed as 1000.0 */
        for (i = 0; number >= 999.95 && i + 1 < ARRAY_SIZE(units); i++)
                number /= 1000;
        snprintf(text, TEXT_SHORT, "%.1f %s", number, units[i]);
        return text;
}

const char *text_rate(uint64_t bytes, char text[static TEXT_SHORT]) {
        static const char units[] = "kMGTPE";
        double number = (double)bytes * 8;
        size_t i = 0;

        if (number < 1000) {
                snprintf(text, TEXT_SHORT, "%.0f", number);
                return text;
        }
        /* 999.95 would be printed as 1000.0 */
        for (number /= 1000; number >= 999.95 && i + 2 < sizeof(units); i++)
                number /= 1000;
        snprintf(text, TEXT_SHORT, "%.1f%c", number, units[i]);
        return text;
}

const char *text_backup(bool ours, bool theirs) {
        return ours && theirs ? "both" : ours ? "ours" : theirs ? "peer's" : "no";
}

const char *text_duration(uint64_t usec, char text[static TEXT_SHORT]) {
        if (usec < 1000)
                snprintf(text, TEXT_SHORT, "%u us", (unsigned int)usec);
        else if (usec < 999950)
                snprintf(text, TEXT_SHORT, "%.1f ms", (double)usec / 1e3);
        else
                snprintf(text, TEXT_SHORT, "%.2f s", (double)usec / 1e6);
        return text;
}

const char *text_time(uint64_t usec, char text[static TEXT_SHORT]) {
        const time_t seconds = (time_t)(usec / 1000000);
        struct tm tm;
        size_t n;

        if (!localtime_r(&seconds, &tm)) {
                snprintf(text, TEXT_SHORT, "-");
                return text;
        }
        n = strftime(text, TEXT_SHORT, "%Y-%m-%d %H:%M:%S", &tm);
        snprintf(text + n, TEXT_SHORT - n, ".%03u", (unsigned int)(usec / 1000 % 1000));
        return text;
}
