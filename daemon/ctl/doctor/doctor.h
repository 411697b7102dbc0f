/*
 * mptcpctl doctor: what its checks share.
 *
 * A check looks at one thing and adds findings, which are data: how bad, of what, what it is, why
 * that matters, and a command that mends it. It changes nothing. What it was not allowed to look
 * at is said, and the check then never counts as passed.
 */
#pragma once

#include <stdbool.h>
#include <jansson.h>

#include "../ctl.h"

enum severity {
        SEVERITY_OK,
        SEVERITY_NOTE,    /* worth knowing; Multipath TCP works */
        SEVERITY_WARNING, /* it works worse than it could */
        SEVERITY_BROKEN,  /* it does not, or not everywhere */
        _SEVERITY_MAX
};

/* Strings are copied. remedy: a command line, or NULL if there is nothing to be done. */
struct finding {
        enum severity severity;
        const char *subject;
        const char *what;
        const char *why; /* NULL: what says it all */
        const char *remedy;
};

struct doctor_bus;

struct doctor {
        bool root;
        const json_t *manager;  /* properties of the daemon; NULL: it can't be asked */
        const char *no_answer;  /* why manager is NULL */
        const char *runtime;    /* directory of the daemon's files */
        struct doctor_bus *bus; /* NULL: there is none, */
        int bus_error;          /* for this reason */
        json_t *world;          /* of doctor-net.c, for the checks that come after */
        json_t *findings;       /* of all checks */
        json_t *texts;          /* doctor_text() keeps them here */
        const char *check;
        enum severity worst; /* of this check */
        bool unseen;         /* this check could not look at everything */
        size_t n;            /* findings of this check */
};

const char *severity_name(enum severity severity);

void doctor_add(struct doctor *doctor, const struct finding *finding);

/* Adds a note that something could not be looked at; the check doesn't count as passed. */
void doctor_add_unseen(struct doctor *doctor, const char *subject, const char *what,
                       const char *remedy);

/* A text that lives as long as the doctor, made as by printf; harmless for terminals. */
const char *doctor_text(struct doctor *doctor, const char *format, ...)
                __attribute__((format(printf, 2, 3)));

/*
 * A name from outside as one word of a remedy, which is meant to be pasted: whatever is in it, a
 * shell takes it for that word alone. doctor_word() has quotes only if it needs them.
 */
const char *doctor_quote(struct doctor *doctor, const char *name);
const char *doctor_word(struct doctor *doctor, const char *name);

/* A property of the daemon as a number or a string; 0 and "" if there is none. */
json_int_t doctor_number(const struct doctor *doctor, const char *property);
const char *doctor_string(const struct doctor *doctor, const char *property);

/* Checks, in the order in which they are run. */
void doctor_check_mptcp(struct doctor *doctor);
void doctor_check_sysctls(struct doctor *doctor);
void doctor_check_owner(struct doctor *doctor);
void doctor_check_daemon(struct doctor *doctor);
void doctor_check_policies(struct doctor *doctor);
void doctor_check_congestion(struct doctor *doctor); /* a part of the one before */
void doctor_check_library(struct doctor *doctor);
void doctor_check_interfaces(struct doctor *doctor);
void doctor_check_routing(struct doctor *doctor);
void doctor_check_firewall(struct doctor *doctor);
void doctor_check_networkmanager(struct doctor *doctor);
void doctor_check_programs(struct doctor *doctor);
void doctor_check_peers(struct doctor *doctor);
void doctor_check_authentication(struct doctor *doctor);
