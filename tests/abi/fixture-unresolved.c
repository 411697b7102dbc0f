/* Needs a function that nobody has; found when it is loaded, not when it is first called. */
#include <mptcpize/plugin.h>

const struct mptcpize_plugin *fixture_that_nobody_has(void);

const struct mptcpize_plugin *mptcpize_plugin(void) {
        return fixture_that_nobody_has();
}
