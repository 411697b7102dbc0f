#include "policies.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/log.h"

#define RETRY_USEC 1000000u /* when there was no memory */

int policies_init(struct policies *policies, const struct daemon_options *options) {
        int r;

        snprintf(policies->path, sizeof(policies->path), "%s/policy.db", options->runtime);
        r = rules_new(options->policies, options->n_policies, policies->path, &policies->rules);
        if (r < 0)
                log_error("%s can't be opened: %s", policies->path, strerror(-r));
        return r;
}

void policies_done(struct policies *policies) {
        rules_free(policies->rules);
        database_done(&policies->database);
}

static void policies_log(const struct policies *policies) {
        struct rules_status status;

        rules_status(policies->rules, &status);
        for (size_t i = 0; i < status.n_errors; i++)
                log_error("%s", status.errors[i]);
        if (status.n_errors > 0)
                log_notice("these policies are left out");
        log_info("%u policies in %s, generation %u", status.policies, status.database,
                 status.generation);
}

int policies_start(struct policies *policies, const struct engine *engine) {
        int r = rules_start(policies->rules, &engine->model);

        if (r < 0) {
                log_error("policies can't be compiled: %s", strerror(-r));
                return r;
        }
        policies->net_serial = engine->net_serial;
        policies_log(policies);
        return 0;
}

int policies_reload(struct policies *policies, const struct engine *engine,
                    rules_prepare_fn prepare, void *userdata, char error[static RULES_ERROR]) {
        struct rules_status status;
        int r = rules_reload(policies->rules, &engine->model, prepare, userdata);

        if (r >= 0)
                return 0;
        rules_status(policies->rules, &status);
        snprintf(error, RULES_ERROR, "%s", status.n_errors > 0 ? status.errors[0] : strerror(-r));
        for (size_t i = 1; i < status.n_errors; i++)
                log_error("%s", status.errors[i]);
        return r;
}

bool policies_are_behind(const struct policies *policies, const struct engine *engine) {
        return policies->net_serial != engine->net_serial &&
               policies->retry_usec <= engine->now_usec;
}

uint64_t policies_deadline(const struct policies *policies, const struct engine *engine,
                           uint64_t usec) {
        const bool waits = policies->net_serial != engine->net_serial &&
                           policies->retry_usec > engine->now_usec;

        return waits && policies->retry_usec < usec ? policies->retry_usec : usec;
}

void policies_follow(struct policies *policies, const struct engine *engine) {
        int r = rules_follow(policies->rules, &engine->model);

        if (r < 0)
                log_error("policies can't be compiled for the changed network: %s", strerror(-r));
        if (r == -ENOMEM) {
                policies->retry_usec = engine->now_usec + RETRY_USEC;
                return;
        }
        policies->net_serial = engine->net_serial;
        policies->retry_usec = 0;
}

const struct policy_read *policies_read(struct policies *policies) {
        return database_read(&policies->database, policies->path);
}
