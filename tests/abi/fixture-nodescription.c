/* Has the function, which gives nothing. */
#include <mptcpize/plugin.h>

const struct mptcpize_plugin *mptcpize_plugin(void) {
        return NULL;
}
