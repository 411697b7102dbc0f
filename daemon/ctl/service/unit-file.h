/*
 * Unit files of systemd, as far as it takes to put a drop-in beside one and to know what it starts:
 * of this host or of a tree that is to become a root file system, whether systemd runs or not.
 *
 * Read as systemd.unit(5) has it: which directories, aliases, templates, masks, drop-ins and their
 * order, lines that go on. Specifiers (%i) stay as they are.
 */
#pragma once

#include <jansson.h>
#include <limits.h>

#include "../../util/limits.h"

struct unit {
        char name[LIMIT_UNIT]; /* its own, which may be another than that asked for: aliases */
        char file[PATH_MAX];   /* seen from the root */
};

/* Opens a file with all links within root, a descriptor. A descriptor or a negative errno. */
int root_open(int root, const char *path, int flags);

/* Is it the name of a unit of that kind (".service"), without a path? */
int unit_name_is(const char *name, const char *kind);

/* The name of the template of an instance, "a@b.service" -> "a@.service"; 0: it is none. */
int unit_template(const char *name, char to[static LIMIT_UNIT]);

/*
 * Finds the unit of that name. 0; -ENOENT: there is none; -ERFKILL: it is masked; -EINVAL: it is
 * no name; or another negative errno.
 */
int unit_find(int root, const char *name, struct unit *ret_unit);

/*
 * The settings of one section of the unit, drop-ins included but for those called without (NULL:
 * all of them): an object that has of each setting an array of its values, and after an empty one
 * only those behind it. 0 or a negative errno.
 */
int unit_read(int root, const struct unit *unit, const char *section, const char *without,
              json_t **ret_settings);

/* The last value of a setting, "" if there is none. */
const char *unit_value(const json_t *settings, const char *key);

/* Names of all units of a kind, templates included: an array without doubles. NULL: no memory. */
json_t *unit_list(int root, const char *kind);
