/*
 * The gate: what is behind it, and how the protocol comes to know of it.
 */
#include "auth-private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "../util/clock.h"
#include "../util/log.h"
#include "policy/listeners.h"

/* Listeners */

static struct mptcpize_address address_of_prefix(const struct policy_prefix *prefix) {
        struct mptcpize_address address = ADDRESS_NULL;

        if (prefix->family)
                address.family = prefix->family == 4 ? AF_INET : AF_INET6;
        memcpy(address.bytes, prefix->bytes, prefix->family == 4 ? 4 : 16);
        return address;
}

void auth_read_listeners(struct auth *auth, const struct policy_read *policies) {
        struct policy_listener listeners[LIMIT_AUTH_LISTENERS];
        const size_t n = policy_required_listeners(policies, listeners, LIMIT_AUTH_LISTENERS);

        auth->listeners.n = 0;
        for (size_t i = 0; i < n && i < LIMIT_AUTH_LISTENERS; i++) {
                const struct gate_listener listener = {
                        .prefix = address_of_prefix(&listeners[i].at),
                        .prefix_len = listeners[i].at.len,
                        .first = listeners[i].ports.first,
                        .last = listeners[i].ports.last,
                };

                (void)ARRAY_APPEND(&auth->listeners, listener, LIMIT_AUTH_LISTENERS);
        }
        if (n > LIMIT_AUTH_LISTENERS)
                log_error("policies name %zu listeners to protect: of these, the first %u are", n,
                          LIMIT_AUTH_LISTENERS);
        auth->listeners_changed = true;
}

/* A listener of which a program told: "::" may take IPv4, too. */
static struct gate_listener listener_of(const struct listener *listener) {
        const bool any = address_is_any(&listener->local), v4 = listener->local.family == AF_INET;
        struct gate_listener wanted = { .prefix = address_without_port(&listener->local),
                                        .first = listener->local.port,
                                        .last = listener->local.port };

        if (any && !v4 && !listener->ipv6_only)
                wanted.prefix = ADDRESS_NULL;
        if (!any)
                wanted.prefix_len = v4 ? 32 : 128;
        return wanted;
}

static bool auth_is_required(const struct auth *auth, const struct listener *listener) {
        const struct engine *engine = auth->host.engine;
        const uint16_t profile = listener->advice.guard;

        return profile < engine->n_profiles &&
               engine->profiles[profile].conf->auth == POLICY_AUTH_REQUIRE;
}

static bool listener_equal(const struct gate_listener *a, const struct gate_listener *b) {
        return address_equal(&a->prefix, &b->prefix) && a->prefix_len == b->prefix_len &&
               a->first == b->first && a->last == b->last;
}

static int auth_guard_listener(struct auth *auth, const struct gate_listener *listener) {
        for (size_t i = 0; i < auth->guarded.n; i++)
                if (listener_equal(&auth->guarded.items[i], listener))
                        return 0;
        return ARRAY_APPEND(&auth->guarded, *listener, LIMIT_AUTH_LISTENERS);
}

/* A program may listen at more places than there is room for: then those of policies come first. */
void auth_guard_listeners(struct auth *auth) {
        const struct engine *engine = auth->host.engine;
        int r = 0, k;

        auth->listeners_changed = false;
        auth->guarded.n = 0;
        for (size_t i = 0; i < auth->listeners.n && r == 0; i++)
                r = auth_guard_listener(auth, &auth->listeners.items[i]);
        for (size_t i = 0; i < engine->listeners.n && r == 0; i++) {
                const struct gate_listener listener = listener_of(&engine->listeners.items[i]);

                if (auth_is_required(auth, &engine->listeners.items[i]))
                        r = auth_guard_listener(auth, &listener);
        }
        k = auth->gate ? gate_set_listeners(auth->gate, auth->guarded.items, auth->guarded.n) : 0;
        if (r == 0)
                r = k;
        if (r < 0 && !auth->listeners_failed)
                log_error("join authentication: not all listeners can be protected: %s",
                          strerror(-r));
        auth->listeners_failed = r < 0;
}

/* Connections of the last daemon's, of which the engine does not know yet */

static void auth_guard_record(const struct auth_record *record, struct gate *gate,
                              enum gate_request_type type) {
        const struct gate_request request = { .type = type, .token = record->token };

        if (gate && (record->confirmed || record->mode == POLICY_AUTH_REQUIRE))
                (void)gate_request(gate, &request);
}

static void on_left_guard(const struct auth_record *record, void *userdata) {
        const struct auth *auth = userdata;

        auth_guard_record(record, auth->gate, GATE_GUARD);
}

static void on_left_unguard(const struct auth_record *record, void *userdata) {
        const struct auth *auth = userdata;

        auth_guard_record(record, auth->gate, GATE_UNGUARD);
}

void auth_guard_left(struct auth *auth) {
        if (auth->store)
                store_each_left(auth->store, on_left_guard, auth);
}

void auth_unguard_left(struct auth *auth) {
        store_each_left(auth->store, on_left_unguard, auth);
}

/* The gate itself */

void auth_tell_gate(struct auth *auth) {
        struct gate_status status = { .reason = "there is none" };
        bool works;

        if (auth->gate)
                gate_status(auth->gate, &status);
        /* nothing is written before something is to be guarded */
        works = auth->gate && (status.works || !status.wanted);
        if (works == auth->gate_works)
                return;
        auth->gate_works = works;
        if (works)
                log_notice("the gate for joins is closed again to whom nobody admitted");
        else
                log_error("the gate for joins is missing: %s; \"require\" admits no joins, "
                          "\"prefer\" destroys them when they are there",
                          status.reason);
        protocol_set_gate(auth->protocol, works, status.reason, clock_usec());
}

static void on_outcome(const struct gate_request *request, int error, void *userdata) {
        struct auth *auth = userdata;

        if (!request)
                auth_tell_gate(auth);
        else if (request->type == GATE_GUARD)
                protocol_guarded(auth->protocol, request->token, error, clock_usec());
        else if (request->type == GATE_ADMIT)
                protocol_admitted(auth->protocol, request->id, error, clock_usec());
}

static int on_gate_input(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct auth *auth = userdata;

        (void)source, (void)fd, (void)revents;
        gate_dispatch(auth->gate, on_outcome, auth);
        return 0;
}

int auth_open_gate(struct auth *auth) {
        int r = gate_new(&auth->gate);

        auth->gate_works = true; /* as the protocol believes, until it is told */
        if (r == 0)
                r = sd_event_add_io(auth->host.event, &auth->gate_source, gate_fd(auth->gate),
                                    EPOLLIN, on_gate_input, auth);
        if (r < 0) {
                gate_free(auth->gate, false);
                auth->gate = NULL;
                log_error("the gate for joins can't be made: %s", strerror(-r));
        }
        auth_tell_gate(auth);
        return r < 0 ? r : 0;
}

/* Is there something that must not stand open while no daemon runs? */
static void on_ward(struct ward *ward, void *userdata) {
        bool *keep = userdata;

        *keep |= ward->mode == POLICY_AUTH_REQUIRE;
}

void auth_close_gate(struct auth *auth) {
        bool keep = auth->enabled && auth->guarded.n > 0;

        if (auth->enabled)
                wards_each(&auth->wards, on_ward, &keep);
        auth->gate_source = sd_event_source_unref(auth->gate_source);
        gate_free(auth->gate, keep);
        auth->gate = NULL;
        ARRAY_DONE(&auth->listeners);
        ARRAY_DONE(&auth->guarded);
}
