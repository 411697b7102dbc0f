/*
 * A plugin that wants anything: addresses that are not ours, hundreds of actions at once, and
 * structures of any size. It looks at what it is shown, and at what it is told.
 */
#pragma once

#include "../unit/chaos.h"

/* Whose numbers it uses from now on. */
void plugin_random_begin(struct chaos *chaos);

/* All states that were made have been ended. */
void plugin_random_end(void);
