/*
 * Others on the system bus that the doctor asks: systemd and NetworkManager. Nobody is started by
 * a question, and nobody is waited for long.
 */
#pragma once

#include <jansson.h>

#include "../../util/cleanup.h"

struct doctor_bus;

/* 0 or a negative errno: there is no bus. */
int doctor_bus_new(struct doctor_bus **ret_bus);
void doctor_bus_free(struct doctor_bus *bus);
DEFINE_CLEANUP(struct doctor_bus *, doctor_bus_free)

/*
 * Calls a method; types and what follows are its arguments, all of them strings. ret_reply: an
 * array of what it returned. -ESRCH: nobody has that name; or another negative errno. Takes NULL.
 */
int doctor_bus_call(struct doctor_bus *bus, const char *to, const char *path, const char *interface,
                    const char *method, json_t **ret_reply, const char *types, ...);

/* All properties of an interface, as one object. Errors as above. */
int doctor_bus_properties(struct doctor_bus *bus, const char *to, const char *path,
                          const char *interface, json_t **ret_properties);
