/*
 * What top-load.c calls.
 */
#include "top-main.h"

int top_module_run(const struct ctl *ctl) {
        return top_main(ctl);
}
