/* See decide.h. */
#include "decide.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config.h"
#include "database.h"
#include "environment.h"
#include "identity.h"

/* A database that changes while it is read is read again, so many times. */
#define DECIDE_TRIES 8

/*
 * What is known of a database, in one word: the generation that was read, the policy's index plus
 * one (0: none matches), whether that policy wants keys of sessions, whether the database is sound
 * at all, whether that policy has sets, what of it another must not weaken, and what it says at
 * socket().
 */
#define KNOWN_GENERATION_SHIFT 32
#define KNOWN_INDEX_SHIFT      9
#define KNOWN_INDEX_MASK       0x7fffffu
#define KNOWN_KEYS             0x100u
#define KNOWN_SETS             0x80u
#define KNOWN_SOUND            0x40u
#define KNOWN_STRICT_SHIFT     4
#define KNOWN_STRICT_MASK      0x3u /* POLICY_STRICT_* */
#define KNOWN_REASON           0xfu

_Static_assert(_POLICY_REASON_MAX <= KNOWN_REASON + 1, "reasons fit");

struct decide_source {
        const void *_Atomic map;
        _Atomic uint64_t known;
        const char *path; /* for the one line on stderr; NULL: nothing to be said */
};

static struct decide_source decide_system, decide_user;

static const uint32_t decide_nothing;

struct decide_shortcut decide_shortcut = {
        .generations = { &decide_nothing, &decide_nothing },
};

void decide_open_shortcut(uint64_t seen) {
        atomic_store_explicit(&decide_shortcut.open, seen, memory_order_relaxed);
}

/* One source */

static void decide_complain(struct decide_source *source, const char *what) {
        char line[PATH_MAX + 128];
        const char *parts[] = { "mptcpize: ignoring ", source->path, ": ", what, "\n" };
        size_t n = 0;

        if (!source->path)
                return;
        for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
                size_t len = strnlen(parts[i], PATH_MAX);

                if (len > sizeof(line) - n)
                        break;
                memcpy(line + n, parts[i], len);
                n += len;
        }
        source->path = NULL;
        if (write(STDERR_FILENO, line, n) < 0)
                return; /* nobody is left to be told */
}

/* With a shared key the daemon needs none of ours. */
static bool decide_policy_wants_keys(const struct policy_app *app) {
        return app->auth != POLICY_AUTH_OFF && app->psk.n == 0 && (app->flags & POLICY_APP_HINTS);
}

/* The word for what has been read, of which app is this program's. */
static uint64_t decide_word(const struct policy_read *read, const struct policy_app *app) {
        const struct policy_call call = { .direction = POLICY_SOCKET };
        const char *apps = (const char *)read->half + read->half->apps.offset;
        uint64_t word = (uint64_t)read->generation << KNOWN_GENERATION_SHIFT | KNOWN_SOUND;
        struct policy_verdict verdict;

        if (!app)
                return word;
        policy_judge(read, app, &call, &verdict);
        word |= (uint64_t)((size_t)((const char *)app - apps) / sizeof(*app) + 1)
                << KNOWN_INDEX_SHIFT;
        word |= policy_strictness(app) << KNOWN_STRICT_SHIFT;
        return word | verdict.reason | (app->sets.n > 0 ? KNOWN_SETS : 0) |
               (decide_policy_wants_keys(app) ? KNOWN_KEYS : 0);
}

/* Reads the database, after its first or another generation has appeared. */
static uint64_t decide_learn(struct decide_source *source) {
        const void *map = atomic_load_explicit(&source->map, memory_order_relaxed);
        uint64_t word = 0;

        for (int i = 0; i < DECIDE_TRIES; i++) {
                uint32_t generation = policy_generation(map, POLICY_FILE_BYTES);
                struct policy_read read;

                word = (uint64_t)generation << KNOWN_GENERATION_SHIFT;
                if (policy_begin(map, POLICY_FILE_BYTES, &read)) {
                        word = decide_word(&read, policy_find(&read, identity_get()));
                        if (!policy_end(&read))
                                continue;
                } else if (policy_generation(map, POLICY_FILE_BYTES) != generation) {
                        continue;
                } else if (generation != 0) {
                        decide_complain(source, "damaged, or of another version");
                }
                atomic_store_explicit(&source->known, word, memory_order_relaxed);
                break;
        }
        return word;
}

static uint64_t decide_known(struct decide_source *source) {
        const void *map = atomic_load_explicit(&source->map, memory_order_acquire);
        uint64_t known = atomic_load_explicit(&source->known, memory_order_relaxed);

        if (!map)
                return 0;
        if (policy_generation(map, POLICY_FILE_BYTES) == known >> KNOWN_GENERATION_SHIFT)
                return known;
        return decide_learn(source);
}

/* Both */

static uint32_t decide_strictness(uint64_t known) {
        return known >> KNOWN_STRICT_SHIFT & KNOWN_STRICT_MASK;
}

/* The source whose policy decides, as policy_own_counts() has it, and what is known of it. */
static struct decide_source *decide_choose(uint64_t *ret_known) {
        uint64_t system = decide_known(&decide_system), user = decide_known(&decide_user);
        bool users = (user >> KNOWN_INDEX_SHIFT & KNOWN_INDEX_MASK) != 0 &&
                     (decide_strictness(system) & ~decide_strictness(user)) == 0;

        *ret_known = users ? user : system;
        return users ? &decide_user : &decide_system;
}

enum policy_reason decide_socket(bool *ret_has_sets) {
        uint64_t known;

        (void)decide_choose(&known);
        *ret_has_sets = known & KNOWN_SETS;
        return known & KNOWN_REASON;
}

bool decide_wants_keys(void) {
        uint64_t known;

        (void)decide_choose(&known);
        return (known & KNOWN_KEYS) && decide_has_daemon();
}

bool decide_has_daemon(void) {
        return atomic_load_explicit(&decide_system.map, memory_order_relaxed) != NULL;
}

/* read is NULL if there is no sound database, app if no policy in it is ours. */
typedef void decide_visit(const struct policy_read *read, const struct policy_app *app,
                          void *context);

/* Shows one source, of which known is known. False: it was rewritten meanwhile. */
static bool decide_show(const struct decide_source *source, uint64_t known, decide_visit *visit,
                        void *context) {
        const void *map = atomic_load_explicit(&source->map, memory_order_relaxed);
        uint32_t index = known >> KNOWN_INDEX_SHIFT & KNOWN_INDEX_MASK;
        const struct policy_app *app = NULL;
        struct policy_read read;

        if (!(known & KNOWN_SOUND)) {
                visit(NULL, NULL, context);
                return true;
        }
        read = policy_resume(map, (uint32_t)(known >> KNOWN_GENERATION_SHIFT));
        if (index > 0)
                app = policy_at(&read, &read.half->apps, index - 1, sizeof(*app));
        visit(&read, app, context);
        return policy_end(&read);
}

struct decide_question {
        const struct policy_call *call;
        struct policy_verdict *verdict;
        const struct policy_app *app; /* that gave the verdict */
};

static void decide_judge(const struct policy_read *read, const struct policy_app *app,
                         void *context) {
        struct decide_question *question = context;

        policy_judge(read, app, question->call, question->verdict);
        question->app = app;
}

/* What is known of this host's network is in the system's database, and up to date only there. */
static void decide_judge_host(const struct policy_read *read, const struct policy_app *app,
                              void *context) {
        const struct decide_question *question = context;

        (void)app;
        if (read)
                policy_judge_host(read, question->app, question->call, question->verdict);
}

/* After the user's policy has judged; false: the system's database was rewritten meanwhile. */
static bool decide_add_host(struct decide_question *question) {
        if (!question->verdict->mptcp)
                return true;
        return decide_show(&decide_system, decide_known(&decide_system), decide_judge_host,
                           question);
}

void decide_call(const struct policy_call *call, struct policy_verdict *ret_verdict) {
        struct decide_question question = { call, ret_verdict, NULL };

        for (int i = 0; i < DECIDE_TRIES; i++) {
                uint64_t known;
                const struct decide_source *source = decide_choose(&known);

                if (decide_show(source, known, decide_judge, &question) &&
                    (source == &decide_system || decide_add_host(&question)))
                        return;
        }
}

static void decide_copy(const struct policy_read *read, const struct policy_app *app,
                        void *context) {
        struct decide_policy *policy = context;
        const struct policy_set *set;
        struct policy_text name;

        *policy = (struct decide_policy){
                .flags = POLICY_APP_DEFAULT,
        };
        if (!app)
                return;
        policy->flags = app->flags;
        policy->mode = app->mode;
        policy->auth = app->auth;
        name = policy_text(read, &app->name);
        memcpy(policy->name, name.bytes ? name.bytes : "",
               name.n < sizeof(policy->name) ? name.n : sizeof(policy->name) - 1);
        while (policy->n_sets < DECIDE_SETS &&
               (set = policy_at(read, &app->sets, policy->n_sets, sizeof(*set))))
                policy->sets[policy->n_sets++] = *set;
}

void decide_policy(struct decide_policy *ret_policy) {
        for (int i = 0; i < DECIDE_TRIES; i++) {
                uint64_t known;
                const struct decide_source *source = decide_choose(&known);

                if (decide_show(source, known, decide_copy, ret_policy))
                        return;
        }
}

/* Start */

static void decide_open(struct decide_source *source, const char *path, bool own, bool debug) {
        const struct policy_header *map = database_map(path, own);

        source->path = debug ? path : NULL;
        if (!map && errno != ENOENT && errno != ENOTDIR)
                decide_complain(source, errno == EPERM    ? "wrong owner or mode"
                                        : errno == EINVAL ? "not a database"
                                                          : "not readable");
        if (!map)
                return;
        atomic_store_explicit(&source->map, (const void *)map, memory_order_release);
        atomic_store_explicit(&decide_shortcut.generations[own], &map->generation,
                              memory_order_release);
        if (debug)
                (void)decide_known(source);
}

/* Joins two strings in *path; false: too long. */
static bool decide_join(char (*path)[PATH_MAX], const char *folder, const char *name) {
        size_t n = strnlen(folder, sizeof(*path)), more = strlen(name) + 1;

        if (n + more > sizeof(*path))
                return false;
        memcpy(*path, folder, n);
        memcpy(*path + n, name, more);
        return true;
}

/* A user's own database. Not in a setuid program, whose environment is another user's. */
static void decide_open_user(bool debug) {
        static char path[PATH_MAX];
        const char *chosen = environment_get("MPTCPIZE_POLICY");
        const char *runtime = environment_get("XDG_RUNTIME_DIR");

        if (chosen && *chosen ? decide_join(&path, chosen, "")
                              : runtime && decide_join(&path, runtime, "/mptcpize/policy.db"))
                decide_open(&decide_user, path, true, debug);
}

void decide_init(void) {
        int saved = errno;
        bool debug = environment_get("MPTCPIZE_DEBUG") != NULL;

        identity_init();
        decide_open(&decide_system, MPTCPIZE_RUNTIME "/policy.db", false, debug);
        decide_open_user(debug);
        decide_open_shortcut(0); /* somebody's constructor may have opened it before */
        errno = saved;
}
