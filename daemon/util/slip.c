#include "slip.h"

#include <stdint.h>
#include <string.h>

#include "limits.h"

static size_t least(size_t a, size_t b) {
        return a < b ? a : b;
}

size_t slip_distance(const char *typed, const char *name) {
        size_t row[LIMIT_NAME], n = strlen(name), i, j;

        if (n >= LIMIT_NAME)
                return SIZE_MAX;
        for (j = 0; j <= n; j++)
                row[j] = j;
        for (i = 0; typed[i]; i++) {
                size_t corner = row[0];

                row[0] = i + 1;
                for (j = 1; j <= n; j++) {
                        size_t replaced = corner + (typed[i] != name[j - 1]);

                        corner = row[j];
                        row[j] = least(replaced, least(row[j], row[j - 1]) + 1);
                }
        }
        return row[n];
}

bool slip_is(const char *typed, const char *name) {
        size_t wrong = slip_distance(typed, name);

        return wrong <= 2 && 2 * wrong <= strlen(name);
}
