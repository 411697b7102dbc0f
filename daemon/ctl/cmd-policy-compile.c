/*
 * mptcpctl policy check, mptcpctl policy compile: files in, mistakes or a database out.
 */
#include "cmd-policy.h"
#include "render.h"
#include "../util/cleanup.h"
#include "policy/describe.h"
#include "policy/listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Files and what they come to. */
struct job {
        struct policy_sources sources;
        struct policy_networks networks;
        struct policy_errors errors;
        void *half;
        size_t size;
};

static void job_done(struct job *job) {
        policy_sources_done(&job->sources);
        policy_errors_done(&job->errors);
        ARRAY_DONE(&job->networks.list);
        free(job->half);
}

static int job_load(struct job *job, char *const *paths, size_t n, uint32_t owner) {
        int r = 0;

        for (size_t i = 0; i < n && r != -ENOMEM; i++) {
                const char *path = paths[i];
                struct stat st;

                if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
                        r = policy_load_dirs(&job->sources, &path, 1, owner, &job->errors);
                else
                        r = policy_load_file(&job->sources, path, owner, &job->errors);
        }
        return r == -ENOMEM ? r : 0;
}

/* 0, 1 if there are mistakes, or a negative errno. */
static int job_compile(struct job *job, char *const *paths, size_t n, uint32_t owner) {
        int r = job_load(job, paths, n, owner);

        if (r == 0)
                r = view_networks(&job->networks);
        if (r == 0)
                r = policy_compile(&job->sources, &job->networks, &job->half, &job->size,
                                   &job->errors);
        return r == 0 && job->errors.list.n > 0 ? 1 : r;
}

static json_t *errors_rows(const struct policy_errors *errors) {
        json_t *rows = json_array();

        for (size_t i = 0; i < errors->list.n; i++) {
                const struct policy_error *error = &errors->list.items[i];
                const struct json_place *place = &error->what.place;
                json_t *row = json_pack("{s:s,s:o,s:o,s:s}", "file", error->file, "line",
                                        place->line ? json_integer(place->line) : json_null(),
                                        "column",
                                        place->line ? json_integer(place->column) : json_null(),
                                        "what", error->what.text);

                json_array_append_new(rows, row);
        }
        return rows;
}

#define OPEN_LISTENERS                                                                   \
        "\"require\" protects a listener from the first word of its program on, unless " \
        "\"listen\" in \"socket\" names it"

/* What is no mistake, but may be none of the intentions either. */
static json_t *notes_rows(const struct job *job) {
        const struct policy_read read = { .half = job->half };
        const struct policy_app *app;
        json_t *rows = json_array();

        for (uint32_t i = 0;
             read.half && (app = policy_at(&read, &read.half->apps, i, sizeof(*app))); i++)
                if (policy_leaves_listeners_open(app))
                        json_array_append_new(rows,
                                              json_pack("{s:o,s:i,s:s}", "file",
                                                        policy_describe_text(&read, &app->file),
                                                        "line", (int)app->line, "what",
                                                        OPEN_LISTENERS));
        return rows;
}

/* What came of it; output is the database that was written, if any. */
static int job_print(const struct ctl *ctl, const struct job *job, int r, const char *output) {
        _cleanup_(json_decrefp) json_t *value = NULL;

        if (r < 0)
                return ctl_fail(ctl, CTL_FAILED, "the policies can't be compiled: %s",
                                strerror(-r));
        value = json_pack("{s:i,s:s?,s:o,s:i,s:o}", "files", (int)job->sources.list.n, "database",
                          output, "errors", errors_rows(&job->errors), "errors_left_out",
                          (int)job->errors.left_out, "notes", notes_rows(job));
        if (!value)
                return ctl_fail(ctl, CTL_FAILED, "out of memory");
        render(ctl, value, render_check);
        return r == 0 ? CTL_DONE : CTL_FAILED;
}

int policy_check(const struct ctl *ctl) {
        struct job job = { .half = NULL };
        int r = job_compile(&job, ctl->args, ctl->n_args, POLICY_SYSTEM);
        int status = job_print(ctl, &job, r, NULL);

        job_done(&job);
        return status;
}

/*
 * Somebody else's file, which is not to become a database? One that begins with zeros was one that
 * was not finished.
 */
static bool is_foreign(const char *path) {
        static const char zeros[sizeof(POLICY_MAGIC)];
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        char magic[sizeof(POLICY_MAGIC)] = { 0 };

        return fd >= 0 && read(fd, magic, sizeof(magic)) > 0 &&
               memcmp(magic, POLICY_MAGIC, sizeof(magic)) != 0 &&
               memcmp(magic, zeros, sizeof(magic)) != 0;
}

/* 0 or a negative errno; -EEXIST: there is a file of another kind. */
static int job_store(const struct job *job, const char *path) {
        struct policy_store *store;
        int r = is_foreign(path) ? -EEXIST : policy_store_open(path, false, &store);

        if (r < 0)
                return r;
        r = policy_store_write(store, job->half, job->size);
        policy_store_close(store);
        return r;
}

static int job_run(const struct ctl *ctl, char *const *paths, size_t n, uint32_t owner,
                   const char *output) {
        struct job job = { .half = NULL };
        int r = job_compile(&job, paths, n, owner), stored = 0, status;

        /* a policy that is missing could open what it kept closed: all or nothing */
        if (r == 0)
                stored = job_store(&job, output);
        if (stored == -EWOULDBLOCK)
                status = ctl_fail(ctl, CTL_FAILED, "\"%s\" is being written by another program",
                                  output);
        else if (stored == -EEXIST)
                status = ctl_fail(ctl, CTL_FAILED,
                                  "\"%s\" is no database of policies, and is left as it is",
                                  output);
        else if (stored < 0)
                status = ctl_fail(ctl, CTL_FAILED, "\"%s\" can't be written: %s", output,
                                  strerror(-stored));
        else
                status = job_print(ctl, &job, r, r == 0 ? output : NULL);
        job_done(&job);
        return status;
}

/* The directory of a user's own database. */
static int own_mkdir(const char *database) {
        _cleanup_(freep) char *copy = strdup(database);

        if (!copy)
                return -ENOMEM;
        return mkdir(dirname(copy), 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int own_run(const struct ctl *ctl) {
        _cleanup_(freep) char *database = view_own_database();
        _cleanup_(freep) char *dir = view_own_dir();
        int r;

        if (geteuid() == 0)
                return ctl_fail(ctl, CTL_USAGE,
                                "the system's policies are compiled by mptcpized, see 'mptcpctl "
                                "reload': as root, name a database with --output");
        if (!database || !dir)
                return ctl_fail(ctl, CTL_FAILED, "%s is not set: name a database with --output",
                                database ? "HOME" : "XDG_RUNTIME_DIR");
        r = own_mkdir(database);
        if (r < 0)
                return ctl_fail(ctl, CTL_FAILED, "the directory of \"%s\" can't be made: %s",
                                database, strerror(-r));
        return job_run(ctl, &dir, 1, geteuid(), database);
}

int policy_output(const struct ctl *ctl) {
        if (!ctl->output != (ctl->n_args == 0))
                return ctl_fail(ctl, CTL_USAGE,
                                "--output and files belong together; without both, a user's own "
                                "policies are compiled");
        if (!ctl->output)
                return own_run(ctl);
        return job_run(ctl, ctl->args, ctl->n_args, POLICY_SYSTEM, ctl->output);
}
