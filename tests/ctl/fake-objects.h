/*
 * The interfaces and plugins of the fake daemon, some of which have names that do harm to a shell
 * or a terminal that believes them.
 */
#pragma once

#include <systemd/sd-bus.h>

/* sd-bus hands userdata back as a plain pointer; it is only read through it. */
int add_object(sd_bus *bus, const char *path, const char *name, const sd_bus_vtable *vtable,
               const void *userdata);

/* They, and the object manager. 0 or a negative errno. */
int add_objects(sd_bus *bus);
