/* Its file was renamed. */
#include "fixture.h"

const struct mptcpize_plugin *mptcpize_plugin(void) {
        static struct mptcpize_plugin plugin = FIXTURE("othername");

        return &plugin;
}
