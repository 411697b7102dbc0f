/*
 * A kernel that does at once what the engine of a world asks for, and a log of it in few words.
 */
#pragma once

#include "world.h"

/*
 * Answers all actions, and those that come of the answers. A new subflow gets the next port from
 * 50000 on.
 */
void pump(struct world *world);

/*
 * What was done since the last call, "create lte+ bit wifi- ". Words: create, close, abort, bit
 * (with + or - for backup), announce, withdraw. 192.0.2.1 is wifi, 198.51.100.1 lte; another
 * remote address than the first follows a ">".
 */
const char *pump_log(void);

/* From now on joins get no answer (true), or the kernel's yes again. */
void pump_mute(bool mute);

/* Lets time go by, with all that falls due. */
void pump_pass(struct world *world, uint64_t usec);

/* The link of an interface, and with it its address. */
void pump_link(struct world *world, int32_t ifindex, bool up);

/* Connects, and pumps. Resets what the functions above keep. */
void pump_connect(struct world *world, uint32_t flags);

/* One more option of the plugin, and the configuration read again. */
void pump_option(struct world *world, const char *key, const char *value);

/* A role for interfaces that fit, and the configuration read again. */
void pump_role(struct world *world, const char *pattern, enum mptcpize_role role);
