/*
 * A configuration together with the plugin that it names: read, checked, loaded as one, so that
 * either all of a new configuration is in place or nothing of it.
 */
#pragma once

#include <stdbool.h>
#include "../core/conf.h"

struct setting;

#define SETTING_ERROR 1024

/*
 * Reads file (with optional, a file that isn't there counts as empty) and loads its plugin from
 * dir. On failure a negative errno and "FILE:LINE:COLUMN: what" in error.
 */
int setting_read(const char *file, bool optional, const char *dir, struct setting **ret_setting,
                 char error[static SETTING_ERROR]);

/* No state of its plugin may be alive any more. Takes NULL. */
void setting_free(struct setting *setting);

const struct conf *setting_conf(const struct setting *setting);
const struct mptcpize_plugin *setting_plugin(const struct setting *setting);
