/*
 * Compiled policy databases made by hand, for tests: what no compiler would make too, such as
 * damaged ones.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "policy/format.h"

struct builder {
        union {
                struct policy_half half;
                char bytes[POLICY_HALF_BYTES];
        };
        uint32_t end; /* of what is in use */
};

/* Empty, for the given generation. */
void builder_init(struct builder *builder, uint32_t generation);

/* Appends n bytes, as a table of n_elements or a string. */
struct policy_span builder_add(struct builder *builder, const void *data, size_t n,
                               size_t n_elements);
struct policy_span builder_add_text(struct builder *builder, const char *text);

/* A policy for programs of that name ("*": all), with those flags and mode. */
struct policy_app builder_app(struct builder *builder, const char *name, uint32_t flags,
                              enum policy_mode mode);

/* Ends the half with these policies, and sums it up. */
void builder_finish(struct builder *builder, const struct policy_app *apps, uint32_t n);

/*
 * Writes the half into the file as its next generation, as the compiler does; makes the file, of
 * the right size, if it is not there. 0 or a negative errno.
 */
int builder_write(const struct builder *builder, const char *path);
