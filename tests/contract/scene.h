/*
 * What every contract test has: a lab, and a record of the events that its kern gave.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lab.h"

struct record {
        struct event event; /* its pointers lead to what follows */
        struct snapshot snapshot;
        struct entry *entries;
        bool taken;
};

struct scene {
        struct lab *lab;
        struct kern *kern;
        enum lab_kind kind;
        uint32_t serial;
        ARRAY_OF(struct record *) records;
};

/* Fixtures of cmocka; *state is an enum lab_kind * or NULL before and a struct scene * after. */
int scene_setup(void **state);
int scene_teardown(void **state);

/*
 * Dispatches until there is an event of this type that was not taken yet (token 0: of any token),
 * and takes it. The test fails if that takes ten seconds.
 */
const struct event *scene_await(struct scene *scene, enum event_type type, uint32_t token);

/* Has there been one? How many? Which place in the order, -1 for none? */
size_t scene_count(const struct scene *scene, enum event_type type, uint32_t token);
int scene_place(const struct scene *scene, enum event_type type, uint32_t token);

/*
 * Dispatches until all MPTCP events that the world has caused so far have been seen: those of a
 * connection that is opened and closed for it come last.
 */
void scene_settle(struct scene *scene);

/* Submits; the result of submit(). */
int scene_submit(struct scene *scene, struct action *action);

/* Submits, awaits the outcome, and returns its error. */
int scene_do(struct scene *scene, struct action action);

/* The same for a connection: CREATE from a place, on its device, to a port of the peer. */
int scene_create(struct scene *scene, const struct lab_connection *connection, enum lab_place place,
                 uint8_t id, uint16_t port);

/* A connection as a client (or server) that takes joins. */
struct lab_connection scene_client(struct scene *scene);
struct lab_connection scene_server(struct scene *scene);

/* A second, established subflow of it from lte0 with that id: its event. */
struct mptcp_event scene_join(struct scene *scene, const struct lab_connection *connection,
                              uint8_t id);

/* A fresh snapshot. It lives as long as the scene. */
const struct snapshot *scene_snapshot(struct scene *scene);
const struct snapshot_connection *scene_row(const struct snapshot *snapshot, uint32_t token);
const struct snapshot_subflow *scene_subflow(const struct snapshot *snapshot,
                                             const struct mptcp_event *event);
size_t scene_count_subflows(const struct snapshot *snapshot, uint32_t token);

/* Skips the test if this kernel does without. */
void scene_needs(const struct scene *scene, enum feature feature);

/* A fresh list of local addresses, for which the kernel has to have lists; the query must succeed.
 */
const struct entries_event *scene_entries(struct scene *scene, uint32_t token);
const struct entry *scene_entry(const struct entries_event *entries, uint8_t id);

void scene_assert_address(const struct mptcpize_address *is, const struct mptcpize_address *want);

/* Groups of tests, for main(). */
int contract_connection(void);
int contract_create(void);
int contract_action(void);
int contract_question(void);
int contract_listen(void);
int contract_net(void);

#define SCENE_TEST(fn) cmocka_unit_test_setup_teardown(fn, scene_setup, scene_teardown)

/* The same for every kind of addresses. */
#define SCENE_TESTS(fn)                                                                         \
        { #fn "_v4", fn, scene_setup, scene_teardown, &scene_kinds[LAB_V4] },                   \
                        { #fn "_v6", fn, scene_setup, scene_teardown, &scene_kinds[LAB_V6] }, { \
#fn "_mapped", fn, scene_setup, scene_teardown, &scene_kinds[LAB_MAPPED]        \
        }

extern enum lab_kind scene_kinds[3];
