#include "policy-host.h"

#include <assert.h>
#include <stdlib.h>

#include "../../policy/describe.h"
#include "../unit/policies.h"

/* From 1; one column more than the line has bytes is where something is missing. */
static void check_place(const struct json_place *place, const char *text, size_t n) {
        const char *at = text, *end = text + n;

        assert(place->line && place->column);
        for (uint32_t line = 1; line < place->line; line++) {
                at = memchr(at, '\n', (size_t)(end - at));
                assert(at);
                at++;
        }
        assert(place->column <= (size_t)(end - at) + 1);
        assert(!memchr(at, '\n', place->column - 1));
}

static void check_errors(const struct policy_errors *errors, const char *text, size_t n) {
        char line[POLICY_ERROR_TEXT];

        for (size_t i = 0; i < errors->list.n; i++) {
                check_place(&errors->list.items[i].what.place, text, n);
                policy_error_print(&errors->list.items[i], line);
                assert(!strpbrk(line, "\n\r\t\x1b"));
        }
}

void *policy_host_compile(const char *text, size_t n) {
        const struct policy_networks networks = policies_networks();
        struct policy_sources sources = { 0 };
        struct policy_errors errors = { 0 };
        void *half, *image = NULL;
        size_t size;
        int r = policy_sources_add(&sources, "x.json", text, n, POLICY_SYSTEM, &errors);

        assert(r == 0);
        r = policy_compile(&sources, &networks, &half, &size, &errors);
        assert(r == (errors.list.n > 0));
        check_errors(&errors, text, n);
        if (r == 0)
                image = policies_image(half, size);
        policy_errors_done(&errors);
        policy_sources_done(&sources);
        free(half);
        return image;
}

json_t *policy_host_describe(const void *image) {
        const struct policy_read read = policies_begin(image);
        const struct policy_app *app = policy_at(&read, &read.half->apps, 0, sizeof(*app));

        assert(app);
        policies_ask(&read);
        return policy_describe(&read, app);
}
