/*
 * What the protocol decides: kept while it decides, carried out by auth_flush(). What goes to the
 * network or the gate goes at once, since neither calls back.
 */
#include "auth-private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "../util/clock.h"
#include "../util/log.h"

#define DECISIONS_KEPT 1024u /* room of which is not given back */

void auth_decide(struct auth *auth, const struct decision *decision) {
        if (ARRAY_APPEND(&auth->decisions, *decision, LIMIT_AUTH_DECISIONS) < 0)
                log_error("join authentication: a decision is lost for want of memory");
        (void)sd_event_source_set_enabled(auth->turn, SD_EVENT_ONESHOT);
}

static void decision_set_reason(struct decision *decision, const char *reason) {
        snprintf(decision->reason, sizeof(decision->reason), "%s", reason ? reason : "");
}

/* What the protocol calls */

static void on_send(void *userdata, const struct protocol_path *path, const void *bytes, size_t n) {
        const struct auth *auth = userdata;

        if (auth->socket)
                socket_send(auth->socket, path, bytes, n);
}

/* 0, or why the gate did not take it. */
static int auth_request(const struct auth *auth, const struct gate_request *request) {
        return auth->gate ? gate_request(auth->gate, request) : -EOPNOTSUPP;
}

static void on_guard(void *userdata, uint32_t token, bool on) {
        struct auth *auth = userdata;
        const struct gate_request request = { .type = on ? GATE_GUARD : GATE_UNGUARD,
                                              .token = token };
        struct decision decision = { .type = DECISION_UNGUARDED, .token = token };

        decision.error = auth_request(auth, &request);
        if (decision.error < 0 && on)
                auth_decide(auth, &decision);
}

static void on_admit(void *userdata, uint32_t token, const struct mptcpize_address *source,
                     uint32_t number) {
        struct auth *auth = userdata;
        const struct gate_request request = { .type = GATE_ADMIT,
                                              .id = number,
                                              .token = token,
                                              .source = address_without_port(source) };
        struct decision decision = { .type = DECISION_UNADMITTED, .number = number };

        decision.error = auth_request(auth, &request);
        if (decision.error < 0)
                auth_decide(auth, &decision);
}

static void on_dismiss(void *userdata, uint32_t token, const struct mptcpize_address *source) {
        const struct gate_request request = { .type = GATE_DISMISS,
                                              .token = token,
                                              .source = address_without_port(source) };

        (void)auth_request(userdata, &request); /* it ends by itself, too */
}

static void on_permit(void *userdata, uint32_t token, enum joins joins, const char *reason) {
        struct decision decision = { .type = DECISION_PERMIT, .token = token, .joins = joins };

        decision_set_reason(&decision, reason);
        auth_decide(userdata, &decision);
}

static void on_answer(void *userdata, uint32_t serial, int error, const char *reason) {
        struct decision decision = { .type = DECISION_ANSWER, .number = serial, .error = error };

        decision_set_reason(&decision, reason);
        auth_decide(userdata, &decision);
}

static void on_intruder(void *userdata, uint32_t token, const struct mptcpize_address *local,
                        const struct mptcpize_address *remote, const char *reason) {
        struct decision decision = {
                .type = DECISION_INTRUDER, .token = token, .local = *local, .remote = *remote
        };

        decision_set_reason(&decision, reason);
        auth_decide(userdata, &decision);
}

static void on_addresses(void *userdata, uint32_t token, const struct protocol_address *addresses,
                         size_t n) {
        for (size_t i = 0; i < n; i++) {
                const struct decision decision = { .type = DECISION_ADDRESS,
                                                   .token = token,
                                                   .id = addresses[i].id,
                                                   .remote = addresses[i].address };

                auth_decide(userdata, &decision);
        }
}

static void on_random(void *userdata, void *bytes, size_t n) {
        (void)userdata;
        /* So few are never cut short, and after the boot there is nothing to wait for. */
        while (getrandom(bytes, n, 0) < 0)
                ;
}

const struct protocol_host auth_protocol_host = {
        .send = on_send,
        .guard = on_guard,
        .admit = on_admit,
        .dismiss = on_dismiss,
        .permit = on_permit,
        .answer = on_answer,
        .intruder = on_intruder,
        .addresses = on_addresses,
        .random = on_random,
};

/* Carrying out */

static void auth_permit(const struct auth *auth, const struct decision *decision) {
        struct event event = { .type = EVENT_JOINS, .usec = clock_usec() };

        event.joins.token = decision->token;
        event.joins.joins = decision->joins;
        event.joins.reason = decision->reason;
        auth->host.feed(&event, auth->host.userdata);
}

static void auth_expel(const struct auth *auth, const struct decision *decision) {
        struct event event = { .type = EVENT_INTRUDER, .usec = clock_usec() };

        event.intruder.token = decision->token;
        event.intruder.local = decision->local;
        event.intruder.remote = decision->remote;
        event.intruder.reason = decision->reason;
        auth->host.feed(&event, auth->host.userdata);
}

/* As the kernel announces addresses: with a port, that of the connection if there is no other. */
static void auth_announce(const struct auth *auth, const struct decision *decision) {
        const struct connection *connection =
                        model_find(&auth->host.engine->model, decision->token);
        struct event event = { .type = EVENT_ANNOUNCED, .usec = clock_usec() };

        if (!connection || connection->remotes.n == 0)
                return;
        event.mptcp.token = decision->token;
        event.mptcp.remote = decision->remote;
        event.mptcp.remote_id = decision->id;
        if (!event.mptcp.remote.port)
                event.mptcp.remote.port = connection->remotes.items[0].address.port;
        auth->host.feed(&event, auth->host.userdata);
}

static void auth_carry_out(struct auth *auth, const struct decision *decision) {
        switch (decision->type) {
        case DECISION_PERMIT:
                auth_permit(auth, decision);
                break;
        case DECISION_ANSWER:
                auth_answer(auth, decision->number, decision->error, decision->reason);
                break;
        case DECISION_INTRUDER:
                auth_expel(auth, decision);
                break;
        case DECISION_ADDRESS:
                auth_announce(auth, decision);
                break;
        case DECISION_UNGUARDED:
                protocol_guarded(auth->protocol, decision->token, decision->error, clock_usec());
                break;
        case DECISION_UNADMITTED:
                protocol_admitted(auth->protocol, decision->number, decision->error, clock_usec());
                break;
        }
}

/* More may be decided while they are carried out. */
static void auth_carry_out_all(struct auth *auth) {
        auth->feeding = true;
        for (size_t i = 0; i < auth->decisions.n; i++) {
                const struct decision decision = auth->decisions.items[i];

                auth_carry_out(auth, &decision);
        }
        auth->feeding = false;
        auth->decisions.n = 0;
        if (auth->decisions.cap > DECISIONS_KEPT)
                ARRAY_DONE(&auth->decisions);
}

void auth_flush(struct auth *auth) {
        if (!auth || !auth->enabled)
                return;
        if (auth->decisions.n)
                auth_carry_out_all(auth);
        auth_hand_over_ready(auth);
        auth->n_asked = 0;
        if (auth->listeners_changed)
                auth_guard_listeners(auth);
        (void)sd_event_source_set_enabled(auth->turn, SD_EVENT_OFF);
        auth_set_timer(auth);
}
