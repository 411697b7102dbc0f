/* Without a name. */
#include "fixture.h"

const struct mptcpize_plugin *mptcpize_plugin(void) {
        static struct mptcpize_plugin plugin = FIXTURE("noname");

        plugin.name = NULL;
        return &plugin;
}
