/*
 * Questions to the kernel by netlink, that need no rights: mptcpctl has no connection to it, and
 * asks once.
 */
#pragma once

#include <stddef.h>
#include <linux/netlink.h>

/* Gets each message of the answer; what it returns, if negative, ends the dump. */
typedef int (*dump_fn)(const struct nlmsghdr *message, void *userdata);

/*
 * Sends a request, whose length and flags are filled in (NLM_F_DUMP, or none: one answer), on a
 * socket of its own, and reads what comes. 0 or a negative errno, also the kernel's. -EINTR: what
 * is listed has changed meanwhile, so that something may be missing, or be there twice.
 */
int dump_ask(int protocol, struct nlmsghdr *request, dump_fn fn, void *userdata);

/*
 * Reads one datagram of an answer to a request numbered DUMP_SEQUENCE. Positive: there is more to
 * come; 0: that was the end; or a negative errno as above, -EBADMSG if it is damaged.
 */
#define DUMP_SEQUENCE 1u
int dump_take(const char *buffer, size_t n, dump_fn fn, void *userdata);

/* Has a message a header of that size behind its own? */
#define DUMP_HAS(message, head) ((message)->nlmsg_len >= NLMSG_LENGTH(sizeof(head)))

/* Adds an attribute behind a request, which has room for it. */
void dump_append(struct nlmsghdr *request, unsigned short type, const void *data, size_t n);

/* What follows the header of a message. */
const void *dump_head(const struct nlmsghdr *message);

/*
 * Attributes that begin head bytes behind a message's header, by their type; NULL: not there, or
 * its type is n or above.
 */
void dump_attributes(const struct nlmsghdr *message, size_t head, const struct nlattr **table,
                     size_t n);

/* The same of a nest. */
void dump_nest(const struct nlattr *nest, const struct nlattr **table, size_t n);

/* What is in an attribute: at least min bytes, or NULL. Takes NULL. */
const void *dump_data(const struct nlattr *attribute, size_t min);
size_t dump_size(const struct nlattr *attribute);

/* A number of 1, 2 or 4 bytes, in the byte order of this host; 0 if it isn't there. */
unsigned int dump_number(const struct nlattr *attribute);

/* A string; "" if it isn't there. */
const char *dump_string(const struct nlattr *attribute);
