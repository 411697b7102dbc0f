#include "ctl.h"
#include "render.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WORD_MAX 256u

int ctl_fail(const struct ctl *ctl, int status, const char *format, ...) {
        char raw[1024], text[2048];
        va_list ap;

        va_start(ap, format);
        vsnprintf(raw, sizeof(raw), format, ap);
        va_end(ap);
        text_escape(raw, text, sizeof(text));
        fprintf(stderr, "mptcpctl: %s\n", text);
        if (ctl->json) {
                json_t *value = json_pack("{s:s}", "error", text);

                render(ctl, value, render_nothing);
                json_decref(value);
        }
        return status;
}

int ctl_done(const struct ctl *ctl) {
        json_t *nothing = json_object();

        render(ctl, nothing, render_nothing);
        json_decref(nothing);
        return CTL_DONE;
}

int ctl_check_words(const struct ctl *ctl) {
        char text[4 * WORD_MAX + 16];

        for (size_t i = 0; i < ctl->n_args; i++) {
                const char *word = ctl->args[i];

                if (!*word)
                        return ctl_fail(ctl, CTL_USAGE, "an argument is empty");
                if (strlen(word) >= WORD_MAX)
                        return ctl_fail(ctl, CTL_USAGE, "an argument is too long: \"%.32s...\"",
                                        word);
                if (strcmp(text_escape(word, text, sizeof(text)), word) != 0)
                        return ctl_fail(ctl, CTL_USAGE,
                                        "\"%s\" has control characters, or bytes that are no text",
                                        word);
        }
        return CTL_DONE;
}
