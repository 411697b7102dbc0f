#include "plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../util/cleanup.h"

struct plugin {
        void *object;               /* of dlopen() */
        struct mptcpize_plugin api; /* copy of min(its size, ours) */
};

DEFINE_CLEANUP(struct plugin *, plugin_free)

void plugin_free(struct plugin *plugin) {
        if (!plugin)
                return;
        if (plugin->object)
                dlclose(plugin->object);
        free(plugin);
}

const struct mptcpize_plugin *plugin_api(const struct plugin *plugin) {
        return &plugin->api;
}

/* Up to here ABI 1.0 goes; what came later may be missing and is zero then. */
#define PLUGIN_SIZE_MIN (offsetof(struct mptcpize_plugin, done) + sizeof(void *))

/* Writes the sentence and returns r. */
static int plugin_fail(char error[static PLUGIN_ERROR], int r, const char *format, ...)
                __attribute__((format(printf, 3, 4)));

static int plugin_fail(char error[static PLUGIN_ERROR], int r, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        vsnprintf(error, PLUGIN_ERROR, format, ap);
        va_end(ap);
        return r;
}

static int plugin_check(const struct mptcpize_plugin *api, const char *path, const char *name,
                        char error[static PLUGIN_ERROR]) {
        if (!api || !MPTCPIZE_HAS(api, struct mptcpize_plugin, abi))
                return plugin_fail(error, -ELIBBAD, "%s: its description is too short", path);
        if (api->abi >> 16 != MPTCPIZE_ABI_MAJOR)
                return plugin_fail(error, -EPROTONOSUPPORT,
                                   "%s: made for plugin ABI %u, this mptcpized has ABI %u: "
                                   "install the plugin that belongs to this version",
                                   path, api->abi >> 16, MPTCPIZE_ABI_MAJOR);
        if (api->size < PLUGIN_SIZE_MIN)
                return plugin_fail(error, -ELIBBAD, "%s: its description is too short", path);
        if (!api->name || strcmp(api->name, name) != 0)
                return plugin_fail(error, -ELIBBAD, "%s: calls itself \"%s\", not \"%s\"", path,
                                   api->name ? api->name : "", name);
        if (!api->init || !api->config || !api->decide || !api->done)
                return plugin_fail(error, -ELIBBAD, "%s: a function is missing", path);
        return 0;
}

static int plugin_open(struct plugin *plugin, const char *path, const char *name,
                       char error[static PLUGIN_ERROR]) {
        mptcpize_plugin_fn describe;
        const struct mptcpize_plugin *api;
        void *symbol;
        int r;

        plugin->object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (!plugin->object)
                return plugin_fail(error, -ELIBBAD, "plugin can't be loaded: %s", dlerror());
        symbol = dlsym(plugin->object, MPTCPIZE_PLUGIN_SYMBOL);
        if (!symbol)
                return plugin_fail(error, -ELIBBAD, "%s: is no mptcpize plugin (no function %s)",
                                   path, MPTCPIZE_PLUGIN_SYMBOL);
        memcpy(&describe, &symbol, sizeof(describe));
        api = describe();
        r = plugin_check(api, path, name, error);
        if (r < 0)
                return r;
        memcpy(&plugin->api, api, api->size < sizeof(*api) ? api->size : sizeof(*api));
        return 0;
}

int plugin_load(const char *dir, const char *name, struct plugin **ret_plugin,
                char error[static PLUGIN_ERROR]) {
        _cleanup_(plugin_freep) struct plugin *plugin = NULL;
        char path[PATH_MAX];
        int r;

        snprintf(path, sizeof(path), "%s/%s.so", dir, name);
        if (access(path, F_OK) < 0)
                return plugin_fail(error, -ENOENT, "there is no plugin \"%s\" (%s: %s)", name, path,
                                   strerror(errno));
        plugin = calloc(1, sizeof(*plugin));
        if (!plugin)
                return -ENOMEM;
        r = plugin_open(plugin, path, name, error);
        if (r < 0)
                return r;
        *ret_plugin = TAKE_PTR(plugin);
        return 0;
}

static int plugin_try_option(const struct plugin *plugin, void *state,
                             const struct conf_option *option, struct json_error *error) {
        int r = plugin->api.config(state, option->key, option->value);

        if (r >= 0)
                return 0;
        error->place = option->place;
        snprintf(error->text, sizeof(error->text),
                 r == -ENOENT ? "plugin %s has no option \"%s\" (value \"%.60s\") (see "
                                "mptcpized.conf(5))"
                              : "plugin %s: option \"%s\" can't be \"%.60s\" (see "
                                "mptcpized.conf(5))",
                 option->plugin, option->key, option->value);
        return -EINVAL;
}

int plugin_try_options(const struct plugin *plugin, const struct conf *conf,
                       struct json_error *error) {
        void *state;
        int r = plugin->api.init(&state);

        if (r < 0)
                return r;
        for (size_t i = 0; i < conf->options.n && r >= 0; i++)
                if (strcmp(conf->options.items[i].plugin, plugin->api.name) == 0)
                        r = plugin_try_option(plugin, state, &conf->options.items[i], error);
        plugin->api.done(state);
        return r < 0 ? r : 0;
}
