#include "environment.h"

#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static char **environment;

void environment_init(char **third_argument) {
        environment = environ ? environ : third_argument;
        if (getauxval(AT_SECURE))
                environment = NULL;
}

const char *environment_get(const char *name) {
        size_t n = strlen(name);

        for (char **variable = environment; variable && *variable; variable++)
                if (strncmp(*variable, name, n) == 0 && (*variable)[n] == '=')
                        return *variable + n + 1;
        return NULL;
}
