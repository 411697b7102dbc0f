/*
 * Values of D-Bus messages as JSON values.
 */
#pragma once

#include <jansson.h>
#include <systemd/sd-bus.h>

/*
 * Reads what is left of the message as an array of its values. Variants are taken out of their
 * wrapping, dictionaries with string keys become objects, structures arrays; numbers over
 * INT64_MAX become that.
 * -EBADMSG: a type that no interface of ours uses. -ENOMEM.
 */
int value_read_all(sd_bus_message *message, json_t **ret_values);
