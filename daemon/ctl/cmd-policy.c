/*
 * mptcpctl policy: the words of its commands; list and show.
 *
 * Its options have values and mean nothing elsewhere, so they stand behind "policy" and are read
 * here.
 */
#include "cmd-policy.h"
#include "render.h"
#include "text.h"
#include "../util/cleanup.h"
#include "policy/describe.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct policy_command {
        const char *name;
        const char *synopsis;
        size_t min_args;
        size_t max_args;
        policy_run_fn run;
};

static const struct policy_command commands[] = {
        { "list", " [--db DB]", 0, 0, policy_list },
        { "show", " [--db DB] NAME", 1, 1, policy_show },
        { "check", " FILE|DIRECTORY...", 1, SIZE_MAX, policy_check },
        { "compile", " [--output DB FILE|DIRECTORY...]", 0, SIZE_MAX, policy_output },
        { "explain",
          " [--db DB] [--connect|--listen] [--uid USER] [--unit UNIT] [--from ADDRESS] "
          "[--device INTERFACE] PROGRAM ADDRESS[:PORT]",
          2, 2, policy_explain },
};

struct policy_option_row {
        const char *name;
        size_t at; /* offset in struct policy_words */
        bool has_value;
};

static const struct policy_option_row options[] = {
        { "--json", offsetof(struct policy_words, ctl.json), false },
        { "--db", offsetof(struct policy_words, db), true },
        { "--output", offsetof(struct policy_words, output), true },
        { "--uid", offsetof(struct policy_words, uid), true },
        { "--unit", offsetof(struct policy_words, unit), true },
        { "--from", offsetof(struct policy_words, from), true },
        { "--device", offsetof(struct policy_words, device), true },
        { "--listen", offsetof(struct policy_words, listen), false },
        { "--connect", offsetof(struct policy_words, connect), false },
};

static const struct policy_option_row *option_find(const char *name) {
        for (size_t i = 0; i < ARRAY_SIZE(options); i++)
                if (strcmp(options[i].name, name) == 0)
                        return &options[i];
        return NULL;
}

/* Sorts the words: arguments move to the front. CTL_DONE, or the status of a mistake. */
static int words_sort(struct policy_words *words) {
        struct ctl *ctl = &words->ctl;
        size_t i, n = 0;
        bool rest = false;

        for (i = 0; i < ctl->n_args; i++) {
                const struct policy_option_row *option;
                char *word = ctl->args[i], *at;

                if (!rest && strcmp(word, "--") == 0) {
                        rest = true;
                        continue;
                }
                if (rest || word[0] != '-' || !word[1]) {
                        ctl->args[n++] = word;
                        continue;
                }
                option = option_find(word);
                if (!option)
                        return ctl_fail(ctl, CTL_USAGE, "unknown option \"%s\": see 'man mptcpctl'",
                                        word);
                at = (char *)words + option->at;
                if (!option->has_value)
                        *(bool *)at = true;
                else if (i + 1 < ctl->n_args)
                        *(const char **)(void *)at = ctl->args[++i];
                else
                        return ctl_fail(ctl, CTL_USAGE, "%s needs a value", word);
        }
        ctl->args[n] = NULL;
        ctl->n_args = n;
        return CTL_DONE;
}

static const struct policy_command *command_find(const char *name) {
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
                if (strcmp(commands[i].name, name) == 0)
                        return &commands[i];
        return NULL;
}

int cmd_policy(const struct ctl *ctl) {
        struct policy_words words = { .ctl = *ctl };
        const struct policy_command *command = command_find(ctl->args[0]);
        int status;

        /* so that a mistake is told in the right form */
        for (size_t i = 1; i < ctl->n_args; i++)
                words.ctl.json = words.ctl.json || strcmp(ctl->args[i], "--json") == 0;
        if (!command)
                return ctl_fail(&words.ctl, CTL_USAGE,
                                "unknown command \"policy %s\": see 'mptcpctl --help'",
                                ctl->args[0]);
        words.ctl.args++;
        words.ctl.n_args--;
        status = words_sort(&words);
        if (status != CTL_DONE)
                return status;
        if (words.ctl.n_args < command->min_args || words.ctl.n_args > command->max_args)
                return ctl_fail(&words.ctl, CTL_USAGE,
                                "wrong number of arguments, expected: mptcpctl policy %s%s",
                                command->name, command->synopsis);
        return command->run(&words);
}

void policy_warn(const struct policy_errors *errors) {
        char raw[POLICY_ERROR_TEXT], text[2 * POLICY_ERROR_TEXT];

        for (size_t i = 0; i < errors->list.n; i++) {
                policy_error_print(&errors->list.items[i], raw);
                fprintf(stderr, "mptcpctl: left out: %s\n", text_escape(raw, text, sizeof(text)));
        }
}

/* list */

static json_t *row_of(const struct view_base *base, const struct policy_app *app) {
        json_t *policy = policy_describe(&base->read, app);
        json_t *row = json_pack(
                        "{s:o,s:O,s:O,s:i,s:s,s:o,s:s,s:o,s:s?}", "name",
                        policy_describe_text(&base->read, &app->name), "match",
                        json_object_get(policy, "match"), "upgrade",
                        json_object_get(json_object_get(policy, "socket"), "upgrade"), "exceptions",
                        (int)json_array_size(json_object_get(json_object_get(policy, "socket"),
                                                             "except")),
                        "mode", policy_mode_name(app->mode), "plugin",
                        policy_describe_text(&base->read, &app->plugin), "auth",
                        policy_auth_name(app->auth), "file",
                        policy_describe_text(&base->read, &app->file), "database", base->database);

        json_decref(policy);
        return row;
}

static json_t *view_rows(const struct view *view) {
        const struct policy_app *app;
        json_t *rows = json_array();

        for (size_t i = 0; i < view->n; i++) {
                const struct policy_read *read = &view->bases[i].read;

                for (uint32_t j = 0; (app = policy_at(read, &read->half->apps, j, sizeof(*app)));
                     j++)
                        json_array_append_new(rows, row_of(&view->bases[i], app));
        }
        return rows;
}

int policy_list(const struct policy_words *words) {
        _cleanup_(json_decrefp) json_t *value = NULL;
        struct view_error error;
        struct view view;

        if (view_open(&view, words->db, &error) < 0) {
                view_done(&view);
                return ctl_fail(&words->ctl, CTL_FAILED, "%s", error.text);
        }
        policy_warn(&view.errors);
        value = json_pack("{s:o,s:o}", "databases", view_databases(&view), "policies",
                          view_rows(&view));
        view_done(&view);
        if (!value)
                return ctl_fail(&words->ctl, CTL_FAILED, "out of memory");
        render(&words->ctl, value, render_policies);
        return CTL_DONE;
}

/* show */

static json_t *view_show(const struct view *view, const char *name) {
        const struct policy_app *app;

        for (size_t i = 0; i < view->n; i++) {
                const struct view_base *base = &view->bases[i];
                const struct policy_read *read = &base->read;

                for (uint32_t j = 0; (app = policy_at(read, &read->half->apps, j, sizeof(*app)));
                     j++) {
                        struct policy_text text = policy_text(read, &app->name);

                        if (text.n != strlen(name) || memcmp(text.bytes, name, text.n) != 0)
                                continue;
                        return json_pack("{s:s,s:o,s:s?,s:o}", "name", name, "file",
                                         policy_describe_text(read, &app->file), "database",
                                         base->database, "policy", policy_describe(read, app));
                }
        }
        return NULL;
}

int policy_show(const struct policy_words *words) {
        const char *name = words->ctl.args[0];
        _cleanup_(json_decrefp) json_t *value = NULL;
        struct view_error error;
        struct view view;

        if (view_open(&view, words->db, &error) < 0) {
                view_done(&view);
                return ctl_fail(&words->ctl, CTL_FAILED, "%s", error.text);
        }
        policy_warn(&view.errors);
        value = view_show(&view, name);
        view_done(&view);
        if (!value)
                return ctl_fail(&words->ctl, CTL_FAILED,
                                "there is no policy \"%s\": 'mptcpctl policy list' lists those "
                                "that there are",
                                name);
        render(&words->ctl, value, render_policy);
        return CTL_DONE;
}
