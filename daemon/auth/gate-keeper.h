/*
 * Keeps the kernel's table as it is wanted: the work of the gate's thread.
 *
 * It opens no socket and writes nothing before something is to be dropped. Then changes of elements
 * go in one transaction each; if that fails, whatever the cause, or somebody else has changed the
 * table, it is written anew as a whole.
 */
#pragma once

#include "gate-listeners.h"
#include "../util/cleanup.h"

struct gate_keeper;

int gate_keeper_new(struct gate_keeper **ret_keeper);
void gate_keeper_free(struct gate_keeper *keeper);
DEFINE_CLEANUP(struct gate_keeper *, gate_keeper_free)

/* As gate_table_want(), and those that follow: nothing is done yet. */
int gate_keeper_want(struct gate_keeper *keeper, const struct gate_request *request);
void gate_keeper_want_listeners(struct gate_keeper *keeper, struct gate_listeners *listeners);
void gate_keeper_settle(struct gate_keeper *keeper);

/* Does it. 0 or a negative errno, of which the status has the reason; it is tried again later. */
int gate_keeper_work(struct gate_keeper *keeper);

/* When there is more to do by itself (CLOCK_MONOTONIC); UINT64_MAX: never. */
uint64_t gate_keeper_due(const struct gate_keeper *keeper);

/* Readable when somebody has changed some table; -1: nothing to hear. */
int gate_keeper_fd(const struct gate_keeper *keeper);

void gate_keeper_status(const struct gate_keeper *keeper, struct gate_status *ret_status);

/* The last thing: leaves the table without admissions, or removes it. */
void gate_keeper_end(struct gate_keeper *keeper, bool keep);
