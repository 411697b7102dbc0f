/*
 * The system bus, within a time: sd-bus itself waits for a minute and more for a bus that takes a
 * connection and then says nothing, and who calls mptcpctl may be waited for.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-bus.h>

/*
 * Connects to the system bus, $DBUS_SYSTEM_BUS_ADDRESS if that is set, and lets it say hello.
 * -ETIMEDOUT: it did not in that time; or another negative errno.
 */
int bus_open(sd_bus **ret_bus, uint64_t usec);
