/*
 * mptcpctl policy explain: what becomes of a socket, and the rule that says so.
 *
 * It asks the evaluator that the library asks, about a program and a call that need not exist.
 */
#include "cmd-policy.h"
#include "render.h"
#include "../util/cleanup.h"
#include "policy/describe.h"
#include "policy/explain.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct question {
        char exe[PATH_MAX];
        struct policy_identity who;
        struct policy_call call;
};

/* The policy that counts, and where it is. */
struct answer {
        const struct view_base *base; /* NULL: no database at all */
        const struct policy_app *app;
        struct policy_verdict verdict;
};

/* As a shell finds it. Leaves exe empty if it is not there: then only its name is known. */
static void program_find(const char *program, char exe[static PATH_MAX]) {
        const char *dirs = getenv("PATH");
        char path[PATH_MAX];

        exe[0] = '\0';
        if (strchr(program, '/')) {
                if (!realpath(program, exe))
                        snprintf(exe, PATH_MAX, "%s", program);
                return;
        }
        while (dirs && *dirs) {
                size_t n = strcspn(dirs, ":");
                int length = snprintf(path, sizeof(path), "%.*s/%s", (int)n, dirs, program);

                if (length > 0 && length < (int)sizeof(path) && access(path, X_OK) == 0) {
                        if (!realpath(path, exe))
                                exe[0] = '\0';
                        return;
                }
                dirs += n + (dirs[n] == ':');
        }
}

static int uid_parse(const char *text, uint32_t *ret_uid) {
        const struct passwd *user = getpwnam(text);
        unsigned long number;
        char *end;

        if (user) {
                *ret_uid = user->pw_uid;
                return 0;
        }
        errno = 0;
        number = strtoul(text, &end, 10);
        if (errno || end == text || *end || text[0] < '0' || text[0] > '9' ||
            number >= POLICY_ANY_UID)
                return -EINVAL;
        *ret_uid = (uint32_t)number;
        return 0;
}

static int question_read_call(const struct ctl *ctl, struct policy_call *call) {
        struct policy_explain_error error;

        if (ctl->listen && (ctl->connect || ctl->from))
                return ctl_fail(ctl, CTL_USAGE,
                                "--listen goes neither with --connect nor with --from");
        if (policy_explain_call(ctl->listen ? POLICY_LISTEN : POLICY_CONNECT, ctl->args[1],
                                ctl->from, call, &error) < 0)
                return ctl_fail(ctl, CTL_USAGE, "\"%s\" %s%s%s", error.text, error.what,
                                error.why[0] ? ": " : "", error.why);
        call->device = policy_text_of(ctl->device);
        return CTL_DONE;
}

static int question_read(const struct ctl *ctl, struct question *question) {
        const char *program = ctl->args[0], *slash = strrchr(program, '/');
        struct policy_identity *who = &question->who;

        program_find(program, question->exe);
        who->app = policy_text_of(slash ? slash + 1 : program);
        who->exe = policy_text_of(question->exe);
        who->unit = policy_text_of(ctl->unit);
        who->uid = geteuid();
        if (ctl->uid && uid_parse(ctl->uid, &who->uid) < 0)
                return ctl_fail(ctl, CTL_USAGE, "\"%s\" is no user", ctl->uid);
        return question_read_call(ctl, &question->call);
}

/* The user's own policy, if it counts, else the system's. */
static struct answer view_answer(const struct view *view, const struct question *question) {
        const struct policy_app *apps[ARRAY_SIZE(view->bases)] = { NULL };
        struct answer answer = { .base = view->n ? &view->bases[view->n - 1] : NULL };
        size_t last = view->n ? view->n - 1 : 0;

        for (size_t i = 0; i < view->n; i++)
                apps[i] = policy_find(&view->bases[i].read, &question->who);
        answer.app = apps[last];
        if (last > 0 && policy_own_counts(apps[last], apps[0])) {
                answer.base = &view->bases[0];
                answer.app = apps[0];
        }
        policy_judge(answer.base ? &answer.base->read : NULL, answer.app, &question->call,
                     &answer.verdict);
        if (last > 0 && answer.base == &view->bases[0])
                policy_judge_host(&view->bases[last].read, answer.app, &question->call,
                                  &answer.verdict);
        return answer;
}

static json_t *string_or_null(const char *text) {
        return text && *text ? json_string(text) : json_null();
}

static void answer_add_rule(json_t *value, const struct answer *answer) {
        uint32_t line, column;

        policy_explain_place(answer->app, &answer->verdict, &line, &column);
        json_object_set_new(value, "line", line ? json_integer(line) : json_null());
        json_object_set_new(value, "column", column ? json_integer(column) : json_null());
}

static json_t *answer_value(const struct answer *answer, const struct question *question,
                            const struct ctl *ctl) {
        const struct policy_app *app = answer->app;
        const struct policy_read *read = answer->base ? &answer->base->read : NULL;
        json_t *value = json_pack(
                        "{s:s,s:s,s:o,s:o,s:s,s:o,s:s,s:o,s:s?,s:{s:s,s:o,s:o,s:I}}", "protocol",
                        answer->verdict.mptcp ? "mptcp" : "tcp", "reason",
                        policy_reason_name(answer->verdict.reason), "policy",
                        app ? policy_describe_text(read, &app->name) : json_null(), "file",
                        app ? policy_describe_text(read, &app->file) : json_null(), "mode",
                        policy_mode_name(app ? app->mode : POLICY_MODE_DEFAULT), "plugin",
                        app ? policy_describe_text(read, &app->plugin) : json_null(), "auth",
                        policy_auth_name(app ? app->auth : POLICY_AUTH_OFF), "psk",
                        app ? policy_describe_text(read, &app->psk) : json_null(), "database",
                        answer->base ? answer->base->database : NULL, "program", "app",
                        question->who.app.bytes, "exe", string_or_null(question->exe), "unit",
                        string_or_null(ctl->unit), "uid", (json_int_t)question->who.uid);

        if (value)
                answer_add_rule(value, answer);
        return value;
}

int policy_explain(const struct ctl *ctl) {
        _cleanup_(json_decrefp) json_t *value = NULL;
        struct question question = { 0 };
        struct view_error error;
        struct answer answer;
        struct view view;
        int status = question_read(ctl, &question);

        if (status != CTL_DONE)
                return status;
        if (view_open(&view, ctl->db, &error) < 0) {
                view_done(&view);
                return ctl_fail(ctl, CTL_FAILED, "%s", error.text);
        }
        policy_warn(&view.errors);
        answer = view_answer(&view, &question);
        value = answer_value(&answer, &question, ctl);
        view_done(&view);
        if (!value)
                return ctl_fail(ctl, CTL_FAILED, "out of memory");
        render(ctl, value, render_explanation);
        return CTL_DONE;
}
