#include "run-policy.h"
#include "../policy-view.h"
#include "run-file.h"
#include "../../util/cleanup.h"
#include "../../../policy/compile.h"
#include "../../../policy/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every program that is started has the mode. */
#define MODE_POLICY "{ \"match\": { \"app\": \"*\" }, \"paths\": { \"mode\": \"%s\" } }"

struct compilation {
        struct policy_sources sources;
        struct policy_networks networks;
        struct policy_errors errors;
        void *half;
        size_t size;
};

static void compilation_done(struct compilation *compilation) {
        policy_sources_done(&compilation->sources);
        policy_errors_done(&compilation->errors);
        ARRAY_DONE(&compilation->networks.list);
        free(compilation->half);
}

static bool mode_is_known(const char *mode) {
        int i;

        for (i = POLICY_MODE_OFF; i <= POLICY_MODE_NDIFFPORTS; i++)
                if (strcmp(mode, policy_mode_name(i)) == 0)
                        return true;
        return false;
}

static int mode_add(struct compilation *compilation, const char *mode) {
        _cleanup_(freep) char *text = NULL;
        int n = asprintf(&text, MODE_POLICY, mode);

        return n < 0 ? -ENOMEM
                     : policy_sources_add(&compilation->sources, "run.json", text, (size_t)n,
                                          POLICY_SYSTEM, &compilation->errors);
}

/* The first mistake. */
static int compilation_fail(const struct ctl *ctl, const struct compilation *compilation) {
        char text[POLICY_ERROR_TEXT];

        policy_error_print(&compilation->errors.list.items[0], text);
        return ctl_fail(ctl, CTL_USAGE, "%s", text);
}

static int compile(const struct ctl *ctl, struct compilation *compilation) {
        int r = ctl->policy ? policy_load_file(&compilation->sources, ctl->policy, POLICY_SYSTEM,
                                               &compilation->errors)
                            : mode_add(compilation, ctl->mode);

        if (r == 0)
                r = view_networks(&compilation->networks);
        if (r == 0)
                r = policy_compile(&compilation->sources, &compilation->networks,
                                   &compilation->half, &compilation->size, &compilation->errors);
        if (r == -EINVAL || r == 1)
                return compilation_fail(ctl, compilation);
        if (r < 0)
                return ctl_fail(ctl, CTL_FAILED, "the policy can't be compiled: %s", strerror(-r));
        return CTL_DONE;
}

static int store(const struct compilation *compilation, const char *path) {
        struct policy_store *file = NULL;
        int r = policy_store_open(path, false, &file);

        if (r == 0)
                r = policy_store_write(file, compilation->half, compilation->size);
        policy_store_close(file);
        return r;
}

int run_policy_make(const struct ctl *ctl, char path[static PATH_MAX]) {
        _cleanup_(compilation_done) struct compilation compilation = { .half = NULL };
        int r;

        if (ctl->policy && ctl->mode)
                return ctl_fail(ctl, CTL_USAGE, "--policy and --mode exclude each other");
        if (ctl->mode && !mode_is_known(ctl->mode))
                return ctl_fail(ctl, CTL_USAGE,
                                "unknown mode \"%s\", expected: off, handover, interactive, "
                                "aggregate or ndiffports",
                                ctl->mode);
        r = compile(ctl, &compilation);
        if (r != CTL_DONE)
                return r;
        r = run_file_make("policy", path);
        if (r >= 0) {
                close(r);
                r = store(&compilation, path);
        }
        if (r >= 0 && setenv("MPTCPIZE_POLICY", path, 1) < 0)
                r = -errno;
        if (r < 0) {
                unlink(path);
                return ctl_fail(ctl, CTL_FAILED, "the file \"%s\" can't be written: %s", path,
                                strerror(-r));
        }
        return CTL_DONE;
}
