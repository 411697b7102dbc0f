/*
 * The contract of struct kern. This source runs on the fake kernel and on the real one
 * (lab-fake.c, lab-linux.c): what the fake promises to other tests is so.
 */
#include "scene.h"

#include <stdio.h>

#define EXIT_SKIPPED 77

int main(void) {
        const char *reason;

        if (lab_enter(&reason) > 0) {
                fprintf(stderr, "skipped: %s\n", reason);
                return EXIT_SKIPPED;
        }
        return (contract_connection() + contract_create() + contract_action() +
                contract_question() + contract_listen() + contract_net()) != 0;
}
