#include "setting.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../util/cleanup.h"
#include "plugin.h"

struct setting {
        struct conf conf;
        struct plugin *plugin;
};

DEFINE_CLEANUP(struct setting *, setting_free)

void setting_free(struct setting *setting) {
        if (!setting)
                return;
        plugin_free(setting->plugin);
        conf_done(&setting->conf);
        free(setting);
}

const struct conf *setting_conf(const struct setting *setting) {
        return &setting->conf;
}

const struct mptcpize_plugin *setting_plugin(const struct setting *setting) {
        return plugin_api(setting->plugin);
}

/* The text of file, at most one byte over the limit, so that the parser sees when it is too long.
 */
static int setting_load(const char *file, char **ret_text, size_t *ret_len) {
        _cleanup_(fclosep) FILE *stream = fopen(file, "re");
        _cleanup_(freep) char *text = NULL;
        size_t len;

        if (!stream)
                return -errno;
        text = malloc(LIMIT_CONF_BYTES + 1);
        if (!text)
                return -ENOMEM;
        errno = 0;
        len = fread(text, 1, LIMIT_CONF_BYTES + 1, stream);
        if (ferror(stream))
                return errno ? -errno : -EIO;
        *ret_text = TAKE_PTR(text);
        *ret_len = len;
        return 0;
}

static int setting_parse(struct setting *setting, const char *file, bool optional,
                         struct json_error *error) {
        _cleanup_(freep) char *text = NULL;
        struct conf conf;
        size_t len = 0;
        int r = setting_load(file, &text, &len);

        if (r == -ENOENT && optional)
                return 0;
        if (r < 0) {
                *error = (struct json_error){ 0 };
                snprintf(error->text, sizeof(error->text), "%s", strerror(-r));
                return r;
        }
        r = conf_parse(text, len, &conf, error);
        if (r < 0)
                return r;
        conf_done(&setting->conf);
        setting->conf = conf;
        return 0;
}

static int setting_describe(const char *file, const struct json_error *where, int r,
                            char error[static SETTING_ERROR]) {
        if (r == -ENOMEM)
                snprintf(error, SETTING_ERROR, "%s: out of memory", file);
        else if (where->place.line)
                snprintf(error, SETTING_ERROR, "%s:%u:%u: %s", file, where->place.line,
                         where->place.column, where->text);
        else
                snprintf(error, SETTING_ERROR, "%s: %s", file, where->text);
        return r;
}

static bool setting_has_tried(const struct conf *conf, size_t index) {
        const char *name = conf->options.items[index].plugin;

        if (strcmp(name, conf->plugin) == 0)
                return true;
        for (size_t i = 0; i < index; i++)
                if (strcmp(conf->options.items[i].plugin, name) == 0)
                        return true;
        return false;
}

DEFINE_CLEANUP(struct plugin *, plugin_free)

/*
 * Those of the plugins that a mode or a policy may want. One that can't be loaded is no mistake
 * here: who wants it is told.
 */
static int setting_try_others(const struct conf *conf, const char *dir, struct json_error *where) {
        char text[PLUGIN_ERROR];
        int r = 0;

        for (size_t i = 0; i < conf->options.n && r >= 0; i++) {
                _cleanup_(plugin_freep) struct plugin *plugin = NULL;

                if (!setting_has_tried(conf, i) &&
                    plugin_load(dir, conf->options.items[i].plugin, &plugin, text) == 0)
                        r = plugin_try_options(plugin, conf, where);
        }
        return r;
}

int setting_read(const char *file, bool optional, const char *dir, struct setting **ret_setting,
                 char error[static SETTING_ERROR]) {
        _cleanup_(setting_freep) struct setting *setting = calloc(1, sizeof(*setting));
        struct json_error where = { 0 };
        char text[PLUGIN_ERROR];
        int r;

        if (!setting)
                return setting_describe(file, &where, -ENOMEM, error);
        conf_init(&setting->conf);
        r = setting_parse(setting, file, optional, &where);
        if (r < 0)
                return setting_describe(file, &where, r, error);
        r = plugin_load(dir, setting->conf.plugin, &setting->plugin, text);
        if (r < 0) {
                where.place = setting->conf.plugin_place;
                snprintf(where.text, sizeof(where.text), "%.250s", r == -ENOMEM ? "" : text);
                return setting_describe(file, &where, r, error);
        }
        r = plugin_try_options(setting->plugin, &setting->conf, &where);
        if (r == 0)
                r = setting_try_others(&setting->conf, dir, &where);
        if (r < 0)
                return setting_describe(file, &where, r, error);
        *ret_setting = TAKE_PTR(setting);
        return 0;
}
