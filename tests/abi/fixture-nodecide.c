/* Without decide(). */
#include "fixture.h"

const struct mptcpize_plugin *mptcpize_plugin(void) {
        static struct mptcpize_plugin plugin = FIXTURE("nodecide");

        plugin.decide = NULL;
        return &plugin;
}
