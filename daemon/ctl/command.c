#include "command.h"

#include <stdio.h>
#include <string.h>

const struct command *command_find(const struct command_table *table, const char *name) {
        for (size_t i = 0; i < table->n_commands; i++)
                if (strcmp(table->commands[i].name, name) == 0)
                        return &table->commands[i];
        return NULL;
}

bool command_begins_with(const struct command *command, const char *word) {
        size_t len = strlen(word);

        return len && strncmp(command->name, word, len) == 0 && command->name[len] == ' ';
}

bool option_fits(const struct option_row *option, const struct command *command) {
        const char *at = option->command;
        char name[64];

        if (!at)
                return true;
        for (size_t len; *at; at += len + (at[len] == '|')) {
                len = strcspn(at, "|");
                snprintf(name, sizeof(name), "%.*s", (int)len, at);
                if (strcmp(name, command->name) == 0 || command_begins_with(command, name))
                        return true;
        }
        return false;
}

const struct option_row *option_find(const struct command_table *table, const char *name) {
        for (size_t i = 0; i < table->n_options; i++)
                if (strcmp(table->options[i].name, name) == 0)
                        return &table->options[i];
        return NULL;
}
