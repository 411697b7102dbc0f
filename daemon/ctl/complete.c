#include "complete.h"
#include "limit.h"
#include "policy-view.h"
#include "text.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECONDS_MAX 2u /* nobody waits longer for a tab */

/* They mean nothing to bash, zsh and fish, and begin no option, pattern or assignment. */
#define FIRSTS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_["
#define LATERS FIRSTS "]-.,:@%+/="

static bool is_harmless(const char *word) {
        const char *name = strncmp(word, "--", 2) == 0 ? word + 2 : word;

        return *name && strchr(FIRSTS, *name) && name[strspn(name, LATERS)] == '\0';
}

void complete_offer(const struct typed *typed, const char *word, const char *text) {
        char escaped[128];

        if (strncmp(word, typed->last, strlen(typed->last)) != 0 || !is_harmless(word))
                return;
        printf("%s\t%s\n", word, text_escape(text, escaped, sizeof(escaped)));
}

/* Reading */

static bool can_begin(const struct command_table *table, const char *word) {
        for (size_t i = 0; i < table->n_commands; i++)
                if (command_begins_with(&table->commands[i], word))
                        return true;
        return false;
}

static void typed_take_command(struct typed *typed, const char *word) {
        char name[64];

        snprintf(name, sizeof(name), "%s%s%s", typed->first ? typed->first : "",
                 typed->first ? " " : "", word);
        typed->command = command_find(typed->table, name);
        if (!typed->command && !typed->first && can_begin(typed->table, word))
                typed->first = word;
        else if (!typed->command)
                typed->wrong = true;
}

static void typed_take_argument(struct typed *typed, const char *word) {
        if (typed->n_args < COMMAND_ARGUMENTS)
                typed->args[typed->n_args] = word;
        typed->n_args++;
        typed->rest = typed->rest || typed->command->rest;
}

void typed_read(struct typed *typed, const struct command_table *table, char *const *words,
                size_t n) {
        *typed = (struct typed){ .table = table,
                                 .last = n ? words[n - 1] : "",
                                 .at = n ? n - 1 : 0 };
        for (size_t i = 0; i + 1 < n; i++) {
                const struct option_row *option = NULL;

                if (!typed->rest && words[i][0] == '-' && words[i][1]) {
                        typed->rest = strcmp(words[i], "--") == 0;
                        option = option_find(table, words[i]);
                        if (!option || !option->value)
                                continue;
                        if (i + 2 == n)
                                typed->option = option;
                        else if (strcmp(option->name, "--db") == 0)
                                typed->db = words[i + 1];
                        i++;
                } else if (typed->command) {
                        typed_take_argument(typed, words[i]);
                } else {
                        typed_take_command(typed, words[i]);
                }
        }
}

/* Offering */

static void offer_options(const struct typed *typed) {
        for (size_t i = 0; i < typed->table->n_options; i++) {
                const struct option_row *option = &typed->table->options[i];

                if (typed->command ? option_fits(option, typed->command) : !option->command)
                        complete_offer(typed, option->name, option->help);
        }
}

/* First words of commands or, behind one, the second ones. */
static void offer_commands(const struct typed *typed, const char *first) {
        const struct command_table *table = typed->table;
        char before[32] = "", word[32];

        for (size_t i = 0; i < table->n_commands; i++) {
                const struct command *command = &table->commands[i];
                const size_t len = strcspn(command->name, " ");

                if (command->group == COMMAND_HIDDEN ||
                    (first && !command_begins_with(command, first)))
                        continue;
                if (first) {
                        complete_offer(typed, command->name + len + 1, command->help);
                        continue;
                }
                snprintf(word, sizeof(word), "%.*s", (int)len, command->name);
                if (strcmp(word, before) != 0) /* those with the same first word are neighbours */
                        complete_offer(typed, word, command->name[len] ? "" : command->help);
                snprintf(before, sizeof(before), "%s", word);
        }
}

static void offer_words(const struct typed *typed, const char *const *words, const char *text) {
        for (; *words; words++)
                complete_offer(typed, *words, text);
}

static void offer_policies(const struct typed *typed) {
        const struct policy_app *app;
        struct view_error error;
        struct view view;

        if (view_open(&view, typed->db, &error) >= 0)
                for (size_t i = 0; i < view.n; i++) {
                        const struct policy_read *read = &view.bases[i].read;

                        for (uint32_t j = 0;
                             (app = policy_at(read, &read->half->apps, j, sizeof(*app))); j++) {
                                struct policy_text text = policy_text(read, &app->name);
                                char name[128];

                                snprintf(name, sizeof(name), "%.*s", (int)text.n,
                                         (const char *)text.bytes);
                                complete_offer(typed, name, "policy");
                        }
                }
        view_done(&view);
}

static void offer_limits(const struct typed *typed) {
        char word[64];

        for (size_t i = 0; limit_key(i); i++) {
                snprintf(word, sizeof(word), "%s=", limit_key(i));
                complete_offer(typed, word, limit_help(limit_key(i)));
        }
}

static const char *const modes[] = { "off",       "handover",   "interactive",
                                     "aggregate", "ndiffports", NULL };
static const char *const roles[] = { "master", "on", "backup", "off", "default", NULL };
static const char *const switches[] = { "on", "off", NULL };
static const char *const defaults[] = { "default", NULL };

static void offer_argument(const struct typed *typed, enum argument argument) {
        if (argument == ARGUMENT_MODE || argument == ARGUMENT_PLUGIN)
                offer_words(typed, modes, "mode");
        if (argument == ARGUMENT_PLUGIN)
                offer_words(typed, defaults, "what the configuration says");
        if (argument == ARGUMENT_PLUGIN || argument == ARGUMENT_POLICY)
                offer_policies(typed);
        if (argument == ARGUMENT_ROLE)
                offer_words(typed, roles, "role");
        if (argument == ARGUMENT_SWITCH)
                offer_words(typed, switches, "");
        if (argument == ARGUMENT_LIMIT)
                offer_limits(typed);
        if (argument == ARGUMENT_COMMAND)
                offer_commands(typed, typed->n_args ? typed->args[0] : NULL);
        if (argument == ARGUMENT_FILE)
                printf(":files\n");
        if (argument == ARGUMENT_PROGRAM)
                printf(":command %zu\n", typed->at - typed->n_args);
        complete_offer_daemon(typed, argument);
}

/* What the argument is that last stands for. */
static enum argument typed_argument(const struct typed *typed) {
        const enum argument *arguments = typed->command->arguments;
        size_t last = COMMAND_ARGUMENTS - 1;

        while (last > 0 && !arguments[last])
                last--;
        return arguments[typed->n_args < last ? typed->n_args : last];
}

static void offer_all(const struct typed *typed) {
        if (typed->wrong)
                return;
        if (typed->option)
                offer_argument(typed, typed->option->argument);
        else if (!typed->rest && typed->last[0] == '-')
                offer_options(typed);
        else if (typed->command && typed->n_args < typed->command->max_args)
                offer_argument(typed, typed_argument(typed));
        else if (!typed->command)
                offer_commands(typed, typed->first);
}

/* A bus that hangs must not hang the shell. */
static void on_alarm(int signum) {
        (void)signum;
        _exit(CTL_FAILED);
}

int cmd_complete(const struct ctl *ctl) {
        struct typed typed;

        signal(SIGALRM, on_alarm);
        alarm(SECONDS_MAX);
        typed_read(&typed, ctl->table, ctl->args, ctl->n_args);
        offer_all(&typed);
        return CTL_DONE;
}
