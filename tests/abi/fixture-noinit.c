/* Never has memory for a state. */
#include "fixture.h"

static int noinit_init(void **ret_state) {
        (void)ret_state;
        return -ENOMEM;
}

const struct mptcpize_plugin *mptcpize_plugin(void) {
        static struct mptcpize_plugin plugin = FIXTURE("noinit");

        plugin.init = noinit_init;
        return &plugin;
}
