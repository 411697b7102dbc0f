/*
 * Policies for tests: from the texts of files to what a program has mapped.
 */
#pragma once

#include "../../policy/compile.h"
#include "../../policy/eval.h"

struct policies_file {
        const char *path;
        const char *text;
};

/* Compiles; errors has the mistakes. Returns what policy_compile() returned. */
int policies_compile(const struct policies_file *files, size_t n,
                     const struct policy_networks *networks, void **ret_half, size_t *ret_size,
                     struct policy_errors *errors);

/* A mapped database with these bytes in force, in a block of exactly its size; to be freed. */
void *policies_image(const void *half, size_t size);

/* The half of an image that is in force; to be changed. */
struct policy_half *policies_half(void *image);

/* Makes the sum right again, so that only what is in the half is wrong. */
void policies_stamp(void *image);

/* The image of files without mistakes. */
void *policies_new(const struct policies_file *files, size_t n,
                   const struct policy_networks *networks);

/* "192.0.2.1:443"; NULL: none. */
struct policy_address policies_address(const char *text);

/* Starts to read a good image. */
struct policy_read policies_begin(const void *image);

/* eth0 has 192.0.2.7/24, wwan0 has 2001:db8:7::7/64. */
struct policy_networks policies_networks(void);

/* Asks everything that can be asked of a database, which may be a hostile one; as programs do, */
void policies_ask(const struct policy_read *read);
/* and as people do, of a few policies. */
void policies_describe(const struct policy_read *read);
