/*
 * The host's configuration. Of a mistake the place is one in the text.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include "core/conf.h"
#include "fuzz.h"

static void check(const struct conf *conf) {
        const struct limits limits = conf_limits(conf);
        const char *why = NULL;

        assert(limits_check(&limits) == 0 && strlen(conf->plugin) < LIMIT_NAME);
        assert(conf->dead_after >= CONF_DEAD_AFTER_MIN && conf->dead_after <= CONF_DEAD_AFTER_MAX);
        assert(strlen(conf->metrics_file) < LIMIT_VALUE && conf->auth_port <= UINT16_MAX);
        for (size_t i = 0; i < conf->roles.n; i++) {
                assert(strlen(conf->roles.items[i].pattern) < LIMIT_NAME);
                assert(role_name(conf->roles.items[i].role));
                (void)conf_role(conf, conf->roles.items[i].pattern, &why);
                assert(why);
        }
        for (size_t i = 0; i < conf->options.n; i++)
                assert(strlen(conf->options.items[i].plugin) < LIMIT_NAME &&
                       strlen(conf->options.items[i].key) < LIMIT_NAME &&
                       strlen(conf->options.items[i].value) < LIMIT_VALUE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        struct conf conf = { .dead_after = 1 };
        struct json_error error = { .text = "" };
        uint32_t lines = 1;
        int r = conf_parse((const char *)data, n, &conf, &error);

        for (size_t i = 0; i < n; i++)
                lines += data[i] == '\n';
        if (r == 0)
                check(&conf);
        else
                assert(r == -EINVAL && conf.dead_after == 1 && error.place.line <= lines &&
                       error.text[0] && memchr(error.text, '\0', sizeof(error.text)));
        if (r == 0)
                conf_done(&conf);
        return 0;
}
