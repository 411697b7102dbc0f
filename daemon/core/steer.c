/*
 * Roles and limits that somebody sets while the daemon runs. See order.h.
 *
 * A role is judged together with what else has changed in the network, as a change of links would
 * be: engine_settle() makes the lists of addresses anew, and plugins see what is different.
 */
#include "order.h"

#include <errno.h>
#include <string.h>

/* Roles */

static struct set_role *steer_find(const struct engine *engine, const char *ifname) {
        for (size_t i = 0; i < engine->roles.n; i++)
                if (strcmp(engine->roles.items[i].name, ifname) == 0)
                        return &engine->roles.items[i];
        return NULL;
}

static struct advised_role *steer_find_advice(const struct engine *engine, const char *ifname) {
        for (size_t i = 0; i < engine->advised.n; i++)
                if (strcmp(engine->advised.items[i].name, ifname) == 0)
                        return &engine->advised.items[i];
        return NULL;
}

/* Where neither a policy nor an operator has a word: the file, then advice, then what is built in.
 */
static enum mptcpize_role steer_host_role(const struct engine *engine, const char *ifname,
                                          const char **ret_why) {
        const struct advised_role *advised = steer_find_advice(engine, ifname);

        if (!advised || advised->role == ROLE_UNSET || conf_names(engine->conf, ifname))
                return conf_role(engine->conf, ifname, ret_why);
        *ret_why = advised->reason;
        return (enum mptcpize_role)advised->role;
}

enum mptcpize_role engine_role(const struct engine *engine, const struct conf_profile *profile,
                               const char *ifname, const char **ret_why) {
        const struct set_role *set = steer_find(engine, ifname);
        const char *why = "set at run time";
        enum mptcpize_role role;

        if ((!set || set->role != MPTCPIZE_ROLE_OFF) && profile &&
            conf_profile_role(profile, ifname, &role))
                why = profile->name;
        else if (set)
                role = set->role;
        else
                role = steer_host_role(engine, ifname, &why);
        if (ret_why)
                *ret_why = why;
        return role;
}

/* As the kernel has it: no separators, nothing that can't be seen. */
static bool steer_is_name(const char *ifname) {
        const size_t len = strlen(ifname);

        if (len == 0 || len >= sizeof(((struct set_role *)NULL)->name) ||
            strcmp(ifname, ".") == 0 || strcmp(ifname, "..") == 0)
                return false;
        for (size_t i = 0; i < len; i++)
                if ((unsigned char)ifname[i] <= ' ' || strchr("/:\x7f", ifname[i]))
                        return false;
        return true;
}

/* Both: 1 if it is another one than before. */
static int steer_unset(struct engine *engine, const char *ifname) {
        const struct set_role *known = steer_find(engine, ifname);

        if (!known)
                return 0;
        ARRAY_CUT(&engine->roles, (size_t)(known - engine->roles.items));
        return 1;
}

static int steer_set(struct engine *engine, const char *ifname, enum mptcpize_role role) {
        struct set_role *known = steer_find(engine, ifname);
        struct set_role fresh = { .role = role };
        int r;

        if (known) {
                r = known->role != role;
                known->role = role;
                return r;
        }
        memcpy(fresh.name, ifname, strlen(ifname));
        r = ARRAY_APPEND(&engine->roles, fresh, LIMIT_SET_ROLES);
        return r < 0 ? r : 1;
}

int engine_set_role(struct engine *engine, const char *ifname, int role_or_unset) {
        int r;

        if (!steer_is_name(ifname) || role_or_unset < ROLE_UNSET ||
            role_or_unset > (int)MPTCPIZE_ROLE_OFF)
                return -EINVAL;
        r = role_or_unset == ROLE_UNSET
                            ? steer_unset(engine, ifname)
                            : steer_set(engine, ifname, (enum mptcpize_role)role_or_unset);
        if (r > 0)
                engine->net_changed = true;
        return r < 0 ? r : 0;
}

/* Advice */

const char *engine_leaving(const struct engine *engine, const char *ifname) {
        const struct advised_role *advised = steer_find_advice(engine, ifname);

        return advised && advised->leaving ? advised->reason : NULL;
}

/* Both: 1 if it is another one than before; another reason alone is none. */
static int steer_ignore(struct engine *engine, const char *ifname) {
        const struct advised_role *known = steer_find_advice(engine, ifname);

        if (!known)
                return 0;
        ARRAY_CUT(&engine->advised, (size_t)(known - engine->advised.items));
        return 1;
}

static int steer_advise(struct engine *engine, const struct advised_role *advised) {
        struct advised_role *known = steer_find_advice(engine, advised->name);
        int r;

        if (known) {
                r = known->role != advised->role || known->leaving != advised->leaving;
                *known = *advised;
                return r;
        }
        r = ARRAY_APPEND(&engine->advised, *advised, LIMIT_SET_ROLES);
        return r < 0 ? r : 1;
}

int engine_advise(struct engine *engine, const struct advised_role *advised) {
        int r;

        if (!steer_is_name(advised->name) || advised->role < ROLE_UNSET ||
            advised->role > (int)MPTCPIZE_ROLE_OFF)
                return -EINVAL;
        r = advised->role == ROLE_UNSET && !advised->leaving ? steer_ignore(engine, advised->name)
                                                             : steer_advise(engine, advised);
        if (r > 0)
                engine->net_changed = true;
        return r;
}

/* Limits */

uint32_t engine_max_subflows(const struct engine *engine, const struct connection *connection) {
        const struct conf_profile *profile = engine_profile(engine, connection)->conf;

        return profile->own_limit ? profile->max_subflows : engine->limits.max_subflows;
}

int engine_set_limits(struct engine *engine, const struct limits *limits) {
        int r = limits_check(limits);

        if (r < 0)
                return r;
        engine->limits = *limits;
        engine_begin_follow(engine);
        return 0;
}

/* Following */

void engine_begin_follow(struct engine *engine) {
        engine->following = engine->model.n_connections > 0;
        engine->follow_token = 0;
}

bool engine_is_following(const struct engine *engine) {
        return engine->following;
}

static void steer_follow(struct engine *engine, struct connection *connection) {
        const bool unasked = connection->unasked;

        connection->unasked = false;
        engine_trim(engine, connection);
        engine_decide_simple(engine, connection,
                             unasked ? MPTCPIZE_EVENT_CONFIGURED : MPTCPIZE_EVENT_LOCALS_CHANGED);
}

void engine_follow(struct engine *engine, size_t max) {
        while (max-- > 0 && engine->following) {
                const struct connection *next = model_from(&engine->model, engine->follow_token);

                engine->following = next && next->token < UINT32_MAX;
                if (!next)
                        return;
                engine->follow_token = next->token + 1;
                steer_follow(engine, model_find(&engine->model, next->token));
        }
}
