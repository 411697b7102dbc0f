/*
 * What mptcpized does without running: daemon_check() and daemon_restore() of daemon.h.
 */
#include "daemon.h"

#include <errno.h>
#include <string.h>

#include "host/rules.h"
#include "host/runtime.h"
#include "host/setting.h"
#include "takeover.h"
#include "util/cleanup.h"
#include "util/log.h"

static void on_policy_error(const char *error) {
        log_error("%s", error);
}

int daemon_check(const struct daemon_options *options) {
        char error[SETTING_ERROR];
        struct setting *setting;
        int r = setting_read(options->config, options->config_optional, options->plugins, &setting,
                             error);
        int k = rules_check(options->policies, options->n_policies, on_policy_error);

        if (r < 0)
                log_error("%s", error);
        else
                setting_free(setting);
        if (k < 0 && k != -EINVAL)
                log_error("policies can't be compiled: %s", strerror(-k));
        return r < 0 ? r : k;
}

int daemon_restore(const struct daemon_options *options) {
        _cleanup_(closep) int lock = runtime_lock(options->runtime);
        int r;

        if (lock < 0)
                return lock;
        r = takeover_restore(options->runtime);
        if (r > 0)
                log_info("nothing to put back");
        return r < 0 ? r : 0;
}
