/*
 * make-policy FILE FLAGS [AUTH]: a database for all programs, with POLICY_APP_* flags and an enum
 * policy_auth given as numbers.
 */
#include <stdio.h>
#include <stdlib.h>

#include "builder.h"

int main(int argc, char **argv) {
        static struct builder builder;
        struct policy_app app;

        if (argc != 3 && argc != 4)
                return 2;
        builder_init(&builder, 1);
        app = builder_app(&builder, "*", (uint32_t)strtoul(argv[2], NULL, 0), POLICY_MODE_DEFAULT);
        if (argc == 4)
                app.auth = (uint32_t)strtoul(argv[3], NULL, 0);
        builder_finish(&builder, &app, 1);
        if (builder_write(&builder, argv[1]) < 0) {
                perror(argv[1]);
                return 1;
        }
        return 0;
}
