/*
 * Unit files of systemd, as mptcpctl reads them; and words of their settings, in quotes and back.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "ctl/service/unit-file.h"
#include "ctl/service/unit-words.h"
#include "directory.h"
#include "fuzz.h"

static void check_words(const char *text) {
        char word[UNIT_WORD], quoted[2 * UNIT_WORD + 3], again[UNIT_WORD];

        while (unit_word(&text, word)) {
                const char *at = quoted;

                assert(unit_quote(word, quoted, sizeof(quoted)) == 0);
                assert(unit_word(&at, again) && *at == '\0' && strcmp(word, again) == 0);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        const struct unit unit = { .name = "a.service", .file = "/a.service" };
        int root = open(directory_path(), O_PATH | O_DIRECTORY | O_CLOEXEC);
        char *text = fuzz_text(data, n), value[UNIT_WORD];
        json_t *settings = NULL;

        assert(root >= 0);
        directory_write("a.service", data, n);
        if (unit_read(root, &unit, "Service", NULL, &settings) == 0) {
                (void)unit_variable(settings, "LD_PRELOAD", value);
                check_words(unit_value(settings, "ExecStart"));
                json_decref(settings);
        }
        check_words(text);
        free(text);
        close(root);
        return 0;
}
