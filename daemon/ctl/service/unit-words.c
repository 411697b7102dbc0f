/*
 * Words in settings of units. See unit-words.h.
 */
#include "unit-words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BLANKS " \t"

int unit_word(const char **text, char word[static UNIT_WORD]) {
        const char *at = *text + strspn(*text, BLANKS);
        char quote = '\0';
        size_t n = 0;

        if (!*at)
                return 0;
        for (; *at && (quote || !strchr(BLANKS, *at)); at++) {
                char c = *at;

                if (c == quote) {
                        quote = '\0';
                        continue;
                }
                if (!quote && (c == '"' || c == '\'')) {
                        quote = c;
                        continue;
                }
                if (c == '\\' && at[1])
                        c = *++at;
                if (n < UNIT_WORD - 1)
                        word[n++] = c;
        }
        word[n] = '\0';
        *text = at;
        return 1;
}

int unit_variable(const json_t *settings, const char *name, char value[static UNIT_WORD]) {
        const size_t n = strlen(name);
        char word[UNIT_WORD];
        const json_t *row;
        int found = 0;
        size_t i;

        json_array_foreach(json_object_get(settings, "Environment"), i, row) {
                const char *text = json_string_value(row);

                while (unit_word(&text, word)) {
                        if (strncmp(word, name, n) != 0 || word[n] != '=')
                                continue;
                        snprintf(value, UNIT_WORD, "%s", word + n + 1);
                        found = 1;
                }
        }
        return found;
}

int unit_quote(const char *word, char *to, size_t size) {
        size_t n = 0;

        if (size < 3)
                return -ENOBUFS;
        to[n++] = '"';
        for (; *word; word++) {
                if (n + 4 > size)
                        return -ENOBUFS;
                if (*word == '"' || *word == '\\')
                        to[n++] = '\\';
                to[n++] = *word;
        }
        to[n++] = '"';
        to[n] = '\0';
        return 0;
}
