/* A plugin with nothing wrong. */
#include "fixture.h"

const struct mptcpize_plugin *mptcpize_plugin(void) {
        static const struct mptcpize_plugin plugin = FIXTURE("good");

        return &plugin;
}
