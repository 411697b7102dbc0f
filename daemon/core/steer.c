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
                role = conf_role(engine->conf, ifname, &why);
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

/* Limits */

uint32_t engine_max_subflows(const struct engine *engine, const struct connection *connection) {
        const struct conf_profile *profile = engine_profile(engine, connection)->conf;

        return profile->own_limit ? profile->max_subflows : engine->limits.max_subflows;
}

static void steer_follow(struct connection *connection, void *userdata) {
        struct engine *engine = userdata;

        engine_trim(engine, connection);
        engine_decide_simple(engine, connection, MPTCPIZE_EVENT_LOCALS_CHANGED);
}

int engine_set_limits(struct engine *engine, const struct limits *limits) {
        int r = limits_check(limits);

        if (r < 0)
                return r;
        engine->limits = *limits;
        model_each(&engine->model, steer_follow, engine);
        return 0;
}
