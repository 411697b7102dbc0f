#include "help.h"
#include "suggest.h"

#include <stdio.h>
#include <string.h>

static const char *const titles[_COMMAND_GROUP_MAX] = {
        [COMMAND_LOOK] = "Look",
        [COMMAND_STEER] = "Steer (as root, or with polkit's org.mptcpize1.manage)",
        [COMMAND_POLICY] = "Policies",
        [COMMAND_PROGRAM] = "Programs",
};

/* Name and synopsis, and the line of help behind them or, if they are long, below. */
static void help_print_line(FILE *file, const struct command *command) {
        int wide = fprintf(file, "  %s%s", command->name, command->synopsis);

        if (wide > 32)
                fprintf(file, "\n%34s%s\n", "", command->help);
        else
                fprintf(file, "%*s%s\n", 34 - wide, "", command->help);
}

static void help_print_options(FILE *file, const struct command_table *table,
                               const struct command *command) {
        for (size_t i = 0; i < table->n_options; i++) {
                const struct option_row *option = &table->options[i];

                if (command ? option->command && option_fits(option, command) : !option->command)
                        fprintf(file, "  %s %-*s%s\n", option->name,
                                (int)(31 - strlen(option->name)),
                                option->value ? option->value : "", option->help);
        }
}

static bool help_has_options(const struct command_table *table, const struct command *command) {
        for (size_t i = 0; i < table->n_options; i++)
                if (table->options[i].command && option_fits(&table->options[i], command))
                        return true;
        return false;
}

void help_print(FILE *file, const struct command_table *table) {
        fprintf(file, "Usage: mptcpctl [OPTION...] COMMAND [ARGUMENT...]\n");
        for (enum command_group group = 0; group < COMMAND_HIDDEN; group++) {
                fprintf(file, "\n%s:\n", titles[group]);
                for (size_t i = 0; i < table->n_commands; i++)
                        if (table->commands[i].group == group)
                                help_print_line(file, &table->commands[i]);
        }
        fprintf(file, "\nOptions of all commands:\n");
        help_print_options(file, table, NULL);
        fprintf(file, "\n'mptcpctl help COMMAND' tells more of one of them, 'man mptcpctl' all.\n");
}

/* Each line with an indent. */
static void help_print_lines(const char *lines, const char *indent) {
        while (*lines) {
                size_t len = strcspn(lines, "\n");

                printf("%s%.*s\n", indent, (int)len, lines);
                lines += len + (lines[len] == '\n');
        }
}

void help_print_command(const struct command_table *table, const struct command *command) {
        printf("Usage: mptcpctl %s%s\n  %s\n", command->name, command->synopsis, command->help);
        if (command->more) {
                printf("\n");
                help_print_lines(command->more, "  ");
        }
        if (help_has_options(table, command)) {
                printf("\nOptions:\n");
                help_print_options(stdout, table, command);
        }
        if (command->example) {
                printf("\nExample:\n");
                help_print_lines(command->example, "  $ ");
        }
}

void help_print_group(const struct command_table *table, const char *first) {
        bool any = false;

        for (size_t i = 0; i < table->n_commands; i++) {
                if (!command_begins_with(&table->commands[i], first))
                        continue;
                printf("%s", any ? "\n" : "");
                help_print_command(table, &table->commands[i]);
                any = true;
        }
}

/* "help", "help subflow", "help subflow add". */
int cmd_help(const struct ctl *ctl) {
        const struct command_table *table = ctl->table;
        struct suggestion suggestion = { .word = ctl->n_args ? ctl->args[0] : "" };
        const struct command *command;
        char name[64], text[SUGGESTION_TEXT];
        bool begins = false;

        if (ctl->n_args == 0) {
                help_print(stdout, table);
                return CTL_DONE;
        }
        snprintf(name, sizeof(name), "%s%s%s", ctl->args[0], ctl->n_args > 1 ? " " : "",
                 ctl->n_args > 1 ? ctl->args[1] : "");
        command = command_find(table, name);
        for (size_t i = 0; i < table->n_commands; i++) {
                begins = begins || command_begins_with(&table->commands[i], name);
                if (table->commands[i].group != COMMAND_HIDDEN)
                        suggestion_offer(&suggestion, table->commands[i].name);
        }
        if (command)
                help_print_command(table, command);
        if (command && begins)
                printf("\n");
        if (begins)
                help_print_group(table, name);
        if (command || begins)
                return CTL_DONE;
        return ctl_fail(ctl, CTL_USAGE, "there is no command \"%s\"%s", name,
                        suggestion_text(&suggestion, text));
}
