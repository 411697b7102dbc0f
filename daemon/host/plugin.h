/*
 * Loading of path-manager plugins (shared objects, <mptcpize/plugin.h>).
 */
#pragma once

#include "../core/conf.h"

struct plugin;

#define PLUGIN_ERROR 512

/*
 * Loads dir/name.so. On failure a negative errno and one sentence in error: -ENOENT no such file,
 * -ELIBBAD not a plugin or damaged, -EPROTONOSUPPORT made for another ABI.
 */
int plugin_load(const char *dir, const char *name, struct plugin **ret_plugin,
                char error[static PLUGIN_ERROR]);

/* No state of the plugin may be alive any more. */
void plugin_free(struct plugin *plugin);

/* The description, as our own ABI has it; valid until plugin_free(). */
const struct mptcpize_plugin *plugin_api(const struct plugin *plugin);

/*
 * Tries the options that conf has for this plugin on a trial state. 0, or -EINVAL with error
 * filled in with the place of the option, or -ENOMEM.
 */
int plugin_try_options(const struct plugin *plugin, const struct conf *conf,
                       struct json_error *error);
