#include "explain.h"

#include <errno.h>
#include <stddef.h>

#include "address.h"

static int address_read(const char *text, struct policy_address *ret_address,
                        struct policy_explain_error *error) {
        struct policy_endpoint endpoint;

        if (policy_address_parse(text, ret_address) == 0)
                return 0;
        error->text = text;
        if (policy_endpoint_parse(text, &endpoint, &error->why) < 0)
                return -EINVAL;
        *ret_address = endpoint.address;
        ret_address->port = endpoint.ports.first;
        return 0;
}

int policy_explain_call(enum policy_direction direction, const char *where, const char *from,
                        struct policy_call *ret_call, struct policy_explain_error *error) {
        struct policy_call call = { .direction = direction };
        struct policy_address address;

        *error = (struct policy_explain_error){ where, "is no address", "" };
        if (address_read(where, &address, error) < 0)
                return -EINVAL;
        if (direction == POLICY_LISTEN)
                call.local = address;
        else
                call.remote = address;
        if (direction == POLICY_CONNECT && address.family == 0) {
                error->what = "is no address to connect to";
                return -EINVAL;
        }
        if (from && policy_address_parse(from, &call.local) < 0) {
                *error = (struct policy_explain_error){ from, "is no address", "" };
                return -EINVAL;
        }
        *ret_call = call;
        return 0;
}

void policy_explain_place(const struct policy_app *app, const struct policy_verdict *verdict,
                          uint32_t *ret_line, uint32_t *ret_column) {
        *ret_line = app && verdict->mptcp ? app->line : verdict->line;
        *ret_column = verdict->column;
}
