#include "ctl.h"
#include "render.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>

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
