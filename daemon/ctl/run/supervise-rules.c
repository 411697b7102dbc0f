#include "supervise-rules.h"
#include "../../../shim/database.h"
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define TRIES 8 /* for a database that changes while it is read */

void rules_init(struct rules *rules) {
        const char *chosen = secure_getenv("MPTCPIZE_POLICY");
        const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
        char path[PATH_MAX] = "";

        *rules = (struct rules){ .system.map = database_map(MPTCPIZE_RUNTIME "/policy.db", false) };
        if (chosen && *chosen)
                snprintf(path, sizeof(path), "%s", chosen);
        else if (runtime)
                snprintf(path, sizeof(path), "%s/mptcpize/policy.db", runtime);
        if (*path)
                rules->own.map = database_map(path, true);
}

/* Reads what is in force now, if that has changed. */
static void source_update(struct rules_source *source) {
        uint32_t generation = policy_generation(source->map, POLICY_FILE_BYTES);

        if (generation == source->generation)
                return;
        source->generation = generation;
        source->sound = policy_begin(source->map, POLICY_FILE_BYTES, &source->read);
        if (source->sound)
                source->generation = source->read.generation;
}

static const struct policy_app *source_find(const struct rules_source *source,
                                            const struct policy_identity *who) {
        return source->sound ? policy_find(&source->read, who) : NULL;
}

static void known_update(const struct rules *rules, const struct policy_identity *who,
                         struct rules_known *known) {
        if (known->valid && known->system_generation == rules->system.generation &&
            known->own_generation == rules->own.generation)
                return;
        *known = (struct rules_known){ .valid = true,
                                       .system_generation = rules->system.generation,
                                       .own_generation = rules->own.generation,
                                       .system = source_find(&rules->system, who),
                                       .own = source_find(&rules->own, who) };
}

static void answer_find(const struct rules *rules, const struct rules_known *known,
                        const struct policy_call *call, struct rules_answer *answer) {
        bool own = policy_own_counts(known->system, known->own);
        const struct rules_source *source = own ? &rules->own : &rules->system;

        answer->app = own ? known->own : known->system;
        answer->read = source->sound ? &source->read : NULL;
        policy_judge(answer->read, answer->app, call, &answer->verdict);
        if (own && rules->system.sound)
                policy_judge_host(&rules->system.read, answer->app, call, &answer->verdict);
}

void rules_judge(struct rules *rules, const struct policy_identity *who, struct rules_known *known,
                 const struct policy_call *call, struct rules_answer *ret_answer) {
        int i;

        for (i = 0; i < TRIES; i++) {
                source_update(&rules->system);
                source_update(&rules->own);
                known_update(rules, who, known);
                answer_find(rules, known, call, ret_answer);
                if ((!rules->system.sound || policy_end(&rules->system.read)) &&
                    (!rules->own.sound || policy_end(&rules->own.read)))
                        return;
        }
}
