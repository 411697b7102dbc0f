/*
 * Which policy a connection has of which no hint has spoken: by its user, its systemd unit, and its
 * addresses. A policy that names a program is for none of these, for which program it is is not
 * known; but for one that protects listeners which it names, that doesn't matter: nobody else is to
 * listen there, and a program may be silent because it has a sandbox.
 */
#pragma once

#include "../core/event.h"
#include "database.h"

struct connection;

/* What policies there are that can be for such a connection. */
struct owner_need {
        bool any;   /* else it need not be asked whose a connection is */
        bool units; /* one of them speaks of units */
};

/* read may be NULL: there is no database. */
struct owner_need owner_need(const struct policy_read *read);

/*
 * Puts the name of the policy into name, "" for none; false: the database was rewritten meanwhile.
 * uid is UINT32_MAX if unknown. A policy with "except", "listen" or "upgrade" that would have kept
 * this connection from being upgraded does not count.
 */
bool owner_find(const struct policy_read *read, uint32_t uid, struct policy_text unit,
                const struct connection *connection, char name[static LIMIT_NAME]);

/* Does it say anything of paths? */
bool owner_speaks_of_paths(const struct policy_app *app);
