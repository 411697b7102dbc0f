/*
 * mptcpctl: looks at mptcpized and controls it; runs programs with MPTCP.
 *
 * Options may stand before or behind the command. For "run", everything from the first word that
 * is no option on belongs to the program.
 */
#include "ctl.h"
#include "render.h"
#include "text.h"
#include "../util/cleanup.h"
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct command {
        const char *name;
        const char *synopsis; /* of its arguments */
        const char *help;
        size_t min_args;
        size_t max_args;
        ctl_run_fn run;
        bool rest; /* its arguments are a command line of their own */
};

static const struct command commands[] = {
        { "status", "", "what the daemon is and does", 0, 0, cmd_status, false },
        { "connections", "", "the connections that it knows", 0, 0, cmd_connections, false },
        { "show", " TOKEN", "one connection: its subflows, and what was done and why", 1, 1,
          cmd_show, false },
        { "plugin", " TOKEN NAME", "hand a connection to a plugin, a mode or a policy", 2, 2,
          cmd_plugin, false },
        { "reload", "", "make the daemon read its configuration again", 0, 0, cmd_reload, false },
        { "policy", " list|show|check|compile|explain [ARGUMENT...]",
          "the policies, and what they say of a program", 1, SIZE_MAX, cmd_policy, true },
        { "run", " [OPTION...] [--] COMMAND [ARGUMENT...]", "run a program with MPTCP", 1, SIZE_MAX,
          cmd_run, true },
};

struct option_row {
        const char *name;
        const char *value;   /* what follows it, NULL: nothing does */
        const char *command; /* the only one that it is for, NULL: all */
        size_t member;       /* offset in struct ctl, of a const char * or else a bool */
        const char *help;
};

static const struct option_row options[] = {
        { "--json", NULL, NULL, offsetof(struct ctl, json), "print JSON" },
        { "--help", NULL, NULL, offsetof(struct ctl, help), "print this text" },
        { "--version", NULL, NULL, offsetof(struct ctl, version), "print the version" },
        { "--mode", "MODE", "run", offsetof(struct ctl, mode),
          "off, handover, interactive, aggregate or ndiffports" },
        { "--policy", "FILE", "run", offsetof(struct ctl, policy), "a policy for this run" },
        { "--verbose", NULL, "run", offsetof(struct ctl, verbose),
          "say at the end what became of its sockets" },
        { "--supervise", NULL, "run", offsetof(struct ctl, supervise),
          "reach static and Go programs, whatever the command is" },
        { "--no-supervise", NULL, "run", offsetof(struct ctl, no_supervise),
          "do not, so that it may gain rights (sudo)" },
};

/* What the words of the command line come to. */
struct words {
        const struct command *command;
        const char *problem; /* of the first word that is wrong, NULL: none is */
        const char *wrong;
        const struct option_row *last; /* that is for one command only */
};

int ctl_fail(const struct ctl *ctl, int status, const char *format, ...) {
        char raw[1024], text[2048];
        va_list ap;

        va_start(ap, format);
        vsnprintf(raw, sizeof(raw), format, ap);
        va_end(ap);
        text_escape(raw, text, sizeof(text));
        fprintf(stderr, "mptcpctl: %s\n", text);
        if (ctl->json) {
                json_t *value = json_pack("{s:s}", "error", text);

                render(ctl, value, render_nothing);
                json_decref(value);
        }
        return status;
}

static const struct command *command_find(const char *name) {
        size_t i;

        for (i = 0; i < ARRAY_SIZE(commands); i++)
                if (strcmp(commands[i].name, name) == 0)
                        return &commands[i];
        return NULL;
}

static const struct option_row *option_find(const char *name) {
        size_t i;

        for (i = 0; i < ARRAY_SIZE(options); i++)
                if (strcmp(options[i].name, name) == 0)
                        return &options[i];
        return NULL;
}

/* The first problem is kept, and reading goes on: a --json that follows it counts. */
static void words_complain(struct words *words, const char *problem, const char *wrong) {
        if (words->problem)
                return;
        words->problem = problem;
        words->wrong = wrong;
}

/* An option, whose value is the next word. Returns how many words it has. */
static int words_take_option(struct words *words, struct ctl *ctl, char **word) {
        const struct option_row *option = option_find(word[0]);
        char *member;

        if (!option) {
                words_complain(words, "unknown option", word[0]);
                return 1;
        }
        member = (char *)ctl + option->member;
        words->last = option->command ? option : words->last;
        if (!option->value) {
                *(bool *)member = true;
                return 1;
        }
        if (!word[1]) {
                words_complain(words, "nothing follows", word[0]);
                return 1;
        }
        *(const char **)(void *)member = word[1];
        return 2;
}

/*
 * Sorts the words; the arguments of the command move to the front of argv. Returns what was found
 * in words.
 */
static void words_read(struct words *words, struct ctl *ctl, int argc, char **argv) {
        bool rest = false, named = false;
        int i;

        ctl->args = argv;
        for (i = 1; i < argc; i++) {
                char *word = argv[i];

                if (!rest && strcmp(word, "--") == 0) {
                        rest = true;
                } else if (!rest && word[0] == '-' && word[1]) {
                        i += words_take_option(words, ctl, argv + i) - 1;
                } else if (!named) {
                        named = true;
                        words->command = command_find(word);
                        if (!words->command)
                                words_complain(words, "unknown command", word);
                } else {
                        rest = rest || (words->command && words->command->rest);
                        argv[ctl->n_args++] = word;
                }
        }
        argv[ctl->n_args] = NULL;
        if (words->last && words->command &&
            strcmp(words->last->command, words->command->name) != 0)
                words_complain(words, "not an option of this command:", words->last->name);
}

static void help_print(void) {
        size_t i;

        printf("Usage: mptcpctl [OPTION...] COMMAND [ARGUMENT...]\n\nCommands:\n");
        for (i = 0; i < ARRAY_SIZE(commands); i++)
                printf("  %s%s\n        %s\n", commands[i].name, commands[i].synopsis,
                       commands[i].help);
        printf("\nOptions:\n");
        for (i = 0; i < ARRAY_SIZE(options); i++)
                printf("  %s %-*s  %s\n", options[i].name, (int)(15 - strlen(options[i].name)),
                       options[i].value ? options[i].value : "", options[i].help);
}

static int version_print(const struct ctl *ctl) {
        json_t *value = json_pack("{s:s}", "version", MPTCPIZE_VERSION);

        if (ctl->json)
                render(ctl, value, render_nothing);
        else
                printf("mptcpctl %s\n", MPTCPIZE_VERSION);
        json_decref(value);
        return CTL_DONE;
}

static int words_run(const struct words *words, const struct ctl *ctl) {
        const struct command *command = words->command;

        if (ctl->help) {
                help_print();
                return CTL_DONE;
        }
        if (words->problem)
                return ctl_fail(ctl, CTL_USAGE, "%s \"%s\": see 'mptcpctl --help'", words->problem,
                                words->wrong);
        if (ctl->version)
                return version_print(ctl);
        if (!command)
                return ctl_fail(ctl, CTL_USAGE, "expected a command: see 'mptcpctl --help'");
        if (ctl->n_args < command->min_args || ctl->n_args > command->max_args)
                return ctl_fail(ctl, CTL_USAGE,
                                "wrong number of arguments, expected: mptcpctl %s%s", command->name,
                                command->synopsis);
        return command->run(ctl);
}

int main(int argc, char **argv) {
        struct words words = { .command = NULL };
        struct ctl ctl = { .json = false };
        int status;

        if (argc < 1)
                return CTL_USAGE;
        words_read(&words, &ctl, argc, argv);
        status = words_run(&words, &ctl);
        if (fflush(stdout) != 0 || ferror(stdout)) {
                fprintf(stderr, "mptcpctl: the output can't be written: %s\n", strerror(errno));
                return status == CTL_DONE ? CTL_FAILED : status;
        }
        return status;
}
