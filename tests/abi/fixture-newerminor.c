/*
 * Made for a later minor ABI, whose description has one function more. The daemon takes what it
 * knows and never looks at the rest.
 */
#include "fixture.h"

struct later_plugin {
        struct mptcpize_plugin plugin;
        void (*later)(void);
};

const struct mptcpize_plugin *mptcpize_plugin(void) {
        static struct later_plugin later = { .plugin = FIXTURE("newerminor"), .later = abort };

        later.plugin.size = sizeof(later);
        later.plugin.abi = MPTCPIZE_ABI + 1;
        return &later.plugin;
}
