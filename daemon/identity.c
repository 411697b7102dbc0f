/*
 * Whose connections are. See identity.h.
 *
 * Asked for a connection that is not accepted yet, the kernel knows neither user nor inode, and
 * says 0, which is nobody's: then it is asked once more, when something else has happened to the
 * connection or the next comparison has been made. The control group is known at once.
 */
#include "identity.h"

#include <errno.h>
#include <stdlib.h>

#include "hint/cgroups.h"
#include "hint/owner.h"
#include "util/clock.h"

#define TRIES 4 /* of a look at the database while it is written */

struct identity {
        struct identity_host host;
        struct cgroups *cgroups;
        struct owner_need need;
        uint32_t generation; /* that need was found in */
        size_t n_asked;      /* after one comparison */
};

int identity_new(const struct identity_host *host, struct identity **ret_identity) {
        struct identity *identity = calloc(1, sizeof(*identity));
        int r;

        if (!identity)
                return -ENOMEM;
        identity->host = *host;
        r = cgroups_new(cgroups_mount(), &identity->cgroups);
        if (r < 0) {
                identity_free(identity);
                return r;
        }
        *ret_identity = identity;
        return 0;
}

void identity_free(struct identity *identity) {
        if (!identity)
                return;
        cgroups_free(identity->cgroups);
        free(identity);
}

/* The database, if it has anything for connections like these; else NULL. */
static const struct policy_read *identity_read(struct identity *identity) {
        const struct policy_read *read =
                        database_read(identity->host.policies, identity->host.path);
        const uint32_t generation = read ? read->generation : 0;

        if (generation != identity->generation) {
                identity->need = owner_need(read);
                identity->generation = generation;
        }
        return identity->need.any ? read : NULL;
}

static void identity_find(struct identity *identity, const struct ownership *owner,
                          const struct connection *connection, char name[static LIMIT_NAME]) {
        const struct policy_read *read = identity_read(identity);
        struct policy_text unit = { NULL, 0 };

        if (identity->need.units)
                unit = cgroups_unit(identity->cgroups, owner->cgroup, clock_usec());
        for (int i = 0; i < TRIES && read; i++) {
                if (owner_find(read, owner->uid, unit, connection, name))
                        return;
                read = identity_read(identity);
        }
        name[0] = '\0';
}

static void identity_ask(struct identity *identity, struct connection *connection) {
        struct kern *kern = identity->host.kern;
        struct event event = { .type = EVENT_OWNER, .usec = clock_usec() };
        char name[LIMIT_NAME];
        struct ownership owner;

        if (kern->ops->owner(kern, connection->token, &owner) < 0)
                return;
        identity_find(identity, &owner, connection, name);
        event.owner.token = connection->token;
        event.owner.uid = owner.uid;
        event.owner.profile = name;
        engine_feed(identity->host.engine, &event);
}

static bool connection_is_anybodys(const struct connection *connection) {
        return !connection->advice.cookie && connection->advice.owner != OWNER_SETTLED &&
               connection->state <= CONNECTION_ESTABLISHED;
}

static void identity_visit(struct connection *connection, void *userdata) {
        struct identity *identity = userdata;

        if (identity->n_asked < LIMIT_OWNERS && connection_is_anybodys(connection)) {
                identity->n_asked++;
                identity_ask(identity, connection);
        }
}

void identity_feed(struct identity *identity, const struct event *event) {
        struct connection *connection;

        if (!identity || (event->type != EVENT_SNAPSHOT && event->type != EVENT_CREATED &&
                          event->type != EVENT_SUB_ESTABLISHED))
                return;
        if (!identity_read(identity))
                return;
        if (event->type == EVENT_SNAPSHOT) {
                identity->n_asked = 0;
                model_each(&identity->host.engine->model, identity_visit, identity);
                return;
        }
        connection = model_find(&identity->host.engine->model, event->mptcp.token);
        if (connection && connection_is_anybodys(connection))
                identity_ask(identity, connection);
}
