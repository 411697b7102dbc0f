#include "words.h"
#include "suggest.h"

#include <stdio.h>
#include <string.h>

/* The first problem is kept, and reading goes on: a --json that follows it counts. */
static void words_complain(struct words *words, const char *problem, const char *wrong) {
        if (words->problem)
                return;
        words->problem = problem;
        words->wrong = wrong;
}

/* An option, whose value is the next word. Returns how many words it has. */
static int words_take_option(struct words *words, struct ctl *ctl, char **word) {
        const struct option_row *option = option_find(words->table, word[0]);
        char *member;

        if (!option) {
                words_complain(words, "unknown option", word[0]);
                return 1;
        }
        member = (char *)ctl + option->member;
        words->seen |= UINT64_C(1) << (option - words->table->options);
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

static bool words_can_begin(const struct words *words, const char *word) {
        for (size_t i = 0; i < words->table->n_commands; i++)
                if (command_begins_with(&words->table->commands[i], word))
                        return true;
        return false;
}

/* The second word of "subflow add". */
static void words_take_second(struct words *words, const char *word) {
        for (size_t i = 0; i < words->table->n_commands && !words->command; i++) {
                const struct command *command = &words->table->commands[i];

                if (command_begins_with(command, words->first) &&
                    strcmp(command->name + strlen(words->first) + 1, word) == 0)
                        words->command = command;
        }
        if (!words->command)
                words_complain(words, "unknown command", word);
}

static void words_take_command(struct words *words, const char *word) {
        words->command = command_find(words->table, word);
        if (!words->command && words_can_begin(words, word))
                words->first = word;
        else if (!words->command)
                words_complain(words, "unknown command", word);
}

static void words_check_options(struct words *words) {
        for (size_t i = 0; i < words->table->n_options; i++)
                if ((words->seen >> i & 1) && words->command &&
                    !option_fits(&words->table->options[i], words->command))
                        words_complain(words, "not an option of this command:",
                                       words->table->options[i].name);
}

void words_read(struct words *words, struct ctl *ctl, int argc, char **argv) {
        bool rest = false;
        int i;

        ctl->args = argv;
        for (i = 1; i < argc; i++) {
                char *word = argv[i];

                if (!rest && strcmp(word, "--") == 0) {
                        rest = true;
                } else if (!rest && word[0] == '-' && word[1]) {
                        i += words_take_option(words, ctl, argv + i) - 1;
                } else if (!words->command && !words->problem) {
                        if (words->first)
                                words_take_second(words, word);
                        else
                                words_take_command(words, word);
                } else {
                        rest = rest || (words->command && words->command->rest);
                        argv[ctl->n_args++] = word;
                }
        }
        argv[ctl->n_args] = NULL;
        words_check_options(words);
}

/* What could have been meant by the word that is wrong. */
static void words_suggest(const struct words *words, struct suggestion *suggestion,
                          char (*firsts)[32]) {
        const struct command_table *table = words->table;

        for (size_t i = 0; i < table->n_options && words->wrong[0] == '-'; i++)
                if (!words->command || option_fits(&table->options[i], words->command))
                        suggestion_offer(suggestion, table->options[i].name);
        for (size_t i = 0; i < table->n_commands && words->wrong[0] != '-'; i++) {
                const struct command *command = &table->commands[i];

                if (command->group == COMMAND_HIDDEN)
                        continue;
                if (words->first && command_begins_with(command, words->first))
                        suggestion_offer(suggestion, command->name + strlen(words->first) + 1);
                if (words->first)
                        continue;
                snprintf(firsts[i], sizeof(firsts[i]), "%.*s", (int)strcspn(command->name, " "),
                         command->name);
                suggestion_offer(suggestion, firsts[i]);
        }
}

int words_fail(const struct words *words, const struct ctl *ctl) {
        struct suggestion suggestion = { .word = words->wrong };
        char text[SUGGESTION_TEXT], firsts[64][32];

        if (strncmp(words->problem, "unknown", strlen("unknown")) == 0)
                words_suggest(words, &suggestion, firsts);
        suggestion_text(&suggestion, text);
        return ctl_fail(ctl, CTL_USAGE, "%s \"%s%s%s\"%s%s see 'mptcpctl --help'", words->problem,
                        words->first && words->wrong[0] != '-' ? words->first : "",
                        words->first && words->wrong[0] != '-' ? " " : "", words->wrong, text,
                        *text ? "" : ":");
}

/* "add, remove, backup": the second words that there are. */
static const char *words_seconds(const struct words *words, char text[static 128]) {
        size_t used = 0;

        text[0] = '\0';
        for (size_t i = 0; i < words->table->n_commands && used < 128; i++)
                if (command_begins_with(&words->table->commands[i], words->first))
                        used += (size_t)snprintf(text + used, 128 - used, "%s%s", used ? ", " : "",
                                                 words->table->commands[i].name +
                                                                 strlen(words->first) + 1);
        return text;
}

int words_check(const struct words *words, const struct ctl *ctl) {
        const struct command *command = words->command;
        char seconds[128];

        if (!command && words->first)
                return ctl_fail(ctl, CTL_USAGE, "\"%s\" is followed by one of: %s", words->first,
                                words_seconds(words, seconds));
        if (!command)
                return ctl_fail(ctl, CTL_USAGE, "expected a command, such as 'mptcpctl status'");
        if (ctl->n_args < command->min_args || ctl->n_args > command->max_args)
                return ctl_fail(ctl, CTL_USAGE,
                                "wrong number of arguments, expected: mptcpctl %s%s", command->name,
                                command->synopsis);
        return CTL_DONE;
}
