/* Made for the major ABI before the first. */
#include "fixture.h"

const struct mptcpize_plugin *mptcpize_plugin(void) {
        static struct mptcpize_plugin plugin = FIXTURE("oldermajor");

        plugin.abi = (MPTCPIZE_ABI_MAJOR - 1) << 16 | 7;
        return &plugin;
}
