/* Made for the next major ABI: nothing of it can be relied on. */
#include "fixture.h"

const struct mptcpize_plugin *mptcpize_plugin(void) {
        static struct mptcpize_plugin plugin = FIXTURE("newermajor");

        plugin.abi = (MPTCPIZE_ABI_MAJOR + 1) << 16;
        return &plugin;
}
