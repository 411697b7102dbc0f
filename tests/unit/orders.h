/*
 * An operator, who gives orders to the connection of a world.
 */
#pragma once

#include "../../daemon/core/order.h"
#include "world.h"

#define WIFI   "192.0.2.1"
#define LTE    "198.51.100.1"
#define SERVER "203.0.113.1:80"
#define SECOND "203.0.113.2:80"

/* What the last order was answered. */
extern char order_said[LIMIT_REASON];

/* All of these: the number of the action, or the error. */
int64_t order_give(struct world *world, struct order order);
int64_t order_add(struct world *world, const char *local, const char *remote); /* NULL: unsaid */
int64_t order_drop(struct world *world, const char *local);
int64_t order_backup(struct world *world, const char *local, bool backup);
int64_t order_announce(struct world *world, enum order_type type, const char *local);

/* Takes the action that an order has led to. */
struct action order_expect(struct world *world, enum action_type type, int64_t serial);

/* A connection over wifi0 with a join over lte0. */
void order_connect(struct world *world);

/* Removes the join over lte0, and the kernel obeys. */
void order_remove_lte(struct world *world);

/* The kernel says that a subflow has ended. */
void order_closed(struct world *world, const char *local, uint8_t id, int error);

/* An address that can't be used for this connection comes, or goes. */
void order_change(struct world *world);
void order_change_back(struct world *world);

/* How many lines of the log have that in their reason. */
size_t order_lines(struct world *world, const char *reason);

const char *order_text(const struct mptcpize_address *address);
