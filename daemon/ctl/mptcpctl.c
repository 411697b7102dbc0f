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
        { "reload", "", "make the daemon read its configuration again", 0, 0, cmd_reload, false },
        { "policy", " list|show|check|compile|explain [ARGUMENT...]",
          "the policies, and what they say of a program", 1, SIZE_MAX, cmd_policy, true },
        { "run", " [--] COMMAND [ARGUMENT...]", "run a program with MPTCP", 1, SIZE_MAX, cmd_run,
          true },
};

struct option_row {
        const char *name;
        size_t flag; /* offset in struct ctl */
        const char *help;
};

static const struct option_row options[] = {
        { "--json", offsetof(struct ctl, json), "print JSON" },
        { "--help", offsetof(struct ctl, help), "print this text" },
        { "--version", offsetof(struct ctl, version), "print the version" },
};

/* What the words of the command line come to. */
struct words {
        const struct command *command;
        const char *problem; /* of the first word that is wrong, NULL: none is */
        const char *wrong;
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

static bool option_set(struct ctl *ctl, const char *name) {
        size_t i;

        for (i = 0; i < ARRAY_SIZE(options); i++) {
                if (strcmp(options[i].name, name) == 0) {
                        *(bool *)((char *)ctl + options[i].flag) = true;
                        return true;
                }
        }
        return false;
}

/* The first problem is kept, and reading goes on: a --json that follows it counts. */
static void words_complain(struct words *words, const char *problem, const char *wrong) {
        if (words->problem)
                return;
        words->problem = problem;
        words->wrong = wrong;
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
                        if (!option_set(ctl, word))
                                words_complain(words, "unknown option", word);
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
}

static void help_print(void) {
        size_t i;

        printf("Usage: mptcpctl [OPTION...] COMMAND [ARGUMENT...]\n\nCommands:\n");
        for (i = 0; i < ARRAY_SIZE(commands); i++)
                printf("  %s%s\n        %s\n", commands[i].name, commands[i].synopsis,
                       commands[i].help);
        printf("\nOptions:\n");
        for (i = 0; i < ARRAY_SIZE(options); i++)
                printf("  %-10s  %s\n", options[i].name, options[i].help);
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
