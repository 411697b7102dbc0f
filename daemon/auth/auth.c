#include "auth.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "../util/cleanup.h"
#include "../util/clock.h"
#include "../util/log.h"
#include "auth-private.h"

#define PORT_PRIORITY SD_EVENT_PRIORITY_IDLE /* path management comes first: anybody can send */
#define SETTLE_USEC   3000000                /* for the gate, before READY */

/* The port */

static void on_datagram(const struct protocol_path *path, const void *bytes, size_t n,
                        void *userdata) {
        struct auth *auth = userdata;

        protocol_receive(auth->protocol, path, bytes, n, clock_usec());
}

static int on_port_input(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct auth *auth = userdata;

        (void)fd, (void)revents;
        for (size_t i = 0; i < SOCKET_FAMILIES; i++)
                if (auth->sources[i] == source)
                        (void)socket_dispatch(auth->socket, i, on_datagram, auth);
        return 0;
}

static void auth_close_port(struct auth *auth) {
        for (size_t i = 0; i < SOCKET_FAMILIES; i++)
                auth->sources[i] = sd_event_source_unref(auth->sources[i]);
        socket_free(auth->socket);
        auth->socket = NULL;
}

static int auth_watch_port(struct auth *auth) {
        int r = 0;

        for (size_t i = 0; i < SOCKET_FAMILIES && r >= 0; i++) {
                const int fd = socket_fd(auth->socket, i);

                if (fd < 0)
                        continue;
                r = sd_event_add_io(auth->host.event, &auth->sources[i], fd, EPOLLIN, on_port_input,
                                    auth);
                if (r >= 0)
                        r = sd_event_source_set_priority(auth->sources[i], PORT_PRIORITY);
        }
        return r < 0 ? r : 0;
}

/* Tried again with every connection and comparison; what is wrong is told once. */
int auth_open_port(struct auth *auth) {
        char reason[LIMIT_REASON];
        int r = socket_new(auth->port, &auth->socket);

        if (r == 0)
                r = auth_watch_port(auth);
        if (r == 0) {
                auth_complain(auth, "");
                return 0;
        }
        auth_close_port(auth);
        snprintf(reason, sizeof(reason), "UDP port %u can't be opened: %s", auth->port,
                 strerror(-r));
        auth_complain(auth, reason);
        return r;
}

void auth_complain(struct auth *auth, const char *reason) {
        if (strcmp(auth->reason, reason) == 0)
                return;
        if (reason[0])
                log_error("join authentication: %s; peers can't be asked, nor answered", reason);
        else
                log_notice("join authentication: UDP port %u is open", auth->port);
        snprintf(auth->reason, sizeof(auth->reason), "%s", reason);
}

/* The clock */

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct auth *auth = userdata;

        (void)source, (void)usec;
        if (!auth->enabled)
                return 0;
        if (auth->unsure_usec <= clock_usec())
                auth_ask_again(auth);
        protocol_tick(auth->protocol, clock_usec());
        return 0;
}

void auth_set_timer(struct auth *auth) {
        uint64_t deadline = protocol_deadline(auth->protocol);

        if (auth->unsure_usec < deadline)
                deadline = auth->unsure_usec;
        (void)sd_event_source_set_time(auth->timer, deadline);
        (void)sd_event_source_set_enabled(auth->timer,
                                          deadline == UINT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

/* What decided something has woken the loop up: its post source flushes. */
static int on_turn(sd_event_source *source, void *userdata) {
        (void)source, (void)userdata;
        return 0;
}

/* Life */

/* Secrets stay in the store: they are for the next daemon. */
static void auth_disable(struct auth *auth) {
        auth_close_port(auth);
        auth_close_gate(auth);
        wards_done(&auth->wards);
        protocol_free(auth->protocol);
        auth->protocol = NULL;
        store_free(auth->store);
        auth->store = NULL;
        secret_free(auth->vault, sizeof(*auth->vault));
        auth->vault = NULL;
        ARRAY_DONE(&auth->decisions);
        askeds_done(&auth->asked);
        ARRAY_DONE(&auth->unsure);
        auth->unsure_usec = UINT64_MAX;
        auth->reason[0] = '\0';
        auth->enabled = false;
}

void auth_free(struct auth *auth) {
        if (!auth)
                return;
        auth_disable(auth);
        sd_event_source_unref(auth->timer);
        sd_event_source_unref(auth->turn);
        ARRAY_DONE(&auth->spent);
        free(auth);
}

DEFINE_CLEANUP(struct auth *, auth_free)

int auth_new(const struct auth_host *host, struct auth **ret_auth) {
        _cleanup_(auth_freep) struct auth *auth = calloc(1, sizeof(*auth));
        int r;

        if (!auth)
                return -ENOMEM;
        assert(host->n_place <= sizeof(auth->place));
        auth->host = *host;
        memcpy(auth->place, host->place, host->n_place);
        auth->host.place = auth->place;
        auth->unsure_usec = UINT64_MAX;
        r = sd_event_add_time(host->event, &auth->timer, CLOCK_MONOTONIC, UINT64_MAX, 1000,
                              on_timer, auth);
        if (r >= 0)
                r = sd_event_source_set_enabled(auth->timer, SD_EVENT_OFF);
        /* what is due comes in turns, between which peers are heard */
        if (r >= 0)
                r = sd_event_source_set_priority(auth->timer, PORT_PRIORITY);
        if (r >= 0)
                r = sd_event_add_defer(host->event, &auth->turn, on_turn, auth);
        if (r >= 0)
                r = sd_event_source_set_priority(auth->turn, PORT_PRIORITY);
        if (r >= 0)
                r = sd_event_source_set_enabled(auth->turn, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret_auth = TAKE_PTR(auth);
        return 0;
}

/* What is wrong with it is logged. */
static void auth_open_store(struct auth *auth) {
        auth->swept = false;
        (void)store_new(auth->host.runtime, auth->host.place, auth->host.n_place, &auth->store);
}

static int auth_enable(struct auth *auth) {
        int r;

        auth->port = auth->host.engine->conf->auth_port;
        auth->vault = secret_new(sizeof(*auth->vault));
        r = auth->vault ? protocol_new(&auth_protocol_host, auth, auth->port, &auth->protocol)
                        : -ENOMEM;
        if (r < 0)
                return r;
        auth->enabled = true;
        /* whatever is missing of these: what needs it is refused, and says why */
        auth_open_store(auth);
        (void)auth_open_port(auth);
        (void)auth_open_gate(auth);
        return 0;
}

static bool auth_is_wanted(const struct auth *auth) {
        const struct engine *engine = auth->host.engine;

        for (size_t i = 0; i < engine->n_profiles; i++)
                if (engine->profiles[i].conf->auth != POLICY_AUTH_OFF)
                        return true;
        return false;
}

/* The rules of a daemon that is no more are of no use to one that protects nothing. */
static bool on_dead_token(uint32_t token, void *userdata) {
        (void)token, (void)userdata;
        return false;
}

static bool on_dead_listener(const struct gate_listener *listener, void *userdata) {
        (void)listener, (void)userdata;
        return false;
}

static void auth_go_without(struct auth *auth, bool start) {
        const struct gate_lives lives = { .token = on_dead_token, .listener = on_dead_listener };

        if (auth->enabled) {
                auth_look_at_all(auth); /* peers are told while there is a port */
                auth_flush(auth);
                ARRAY_DONE(&auth->guarded);
                auth_disable(auth);
        } else if (start) {
                (void)gate_restore(&lives);
        }
}

/* Connections that had no key may have one now. */
static void on_try_again(struct ward *ward, void *userdata) {
        (void)userdata;
        ward->keyless = false;
        ward->tries = 0;
}

int auth_follow(struct auth *auth, const struct policy_read *policies, bool wait) {
        int r;

        if (!auth)
                return 0;
        if (!auth_is_wanted(auth)) {
                auth_go_without(auth, wait);
                return 0;
        }
        r = auth->enabled ? 0 : auth_enable(auth);
        if (r < 0) {
                log_error("join authentication: %s", strerror(-r));
                auth_disable(auth);
                return r;
        }
        if (auth->port != auth->host.engine->conf->auth_port)
                log_notice("join authentication: UDP port %u is used until mptcpized is started "
                           "again",
                           auth->port);
        if (!auth->socket) /* who had the port may have left it */
                (void)auth_open_port(auth);
        if (!auth->store) /* there may be room by now */
                auth_open_store(auth);
        auth_check_psks(auth, policies);
        auth_read_listeners(auth, policies);
        auth_guard_listeners(auth);
        wards_each(&auth->wards, on_try_again, NULL);
        if (!wait) {
                auth_look_at_all(auth);
                return 0;
        }
        auth_guard_left(auth);
        if (auth->gate)
                (void)gate_settle(auth->gate, SETTLE_USEC);
        auth_tell_gate(auth);
        return 0;
}

/* Looking */

/* There was no room for what has to be known of it; or it has yet to be looked at. */
static void auth_view_without(const struct auth *auth, uint32_t token, struct auth_view *view) {
        const struct connection *connection = model_find(&auth->host.engine->model, token);
        const enum policy_auth mode = connection ? auth_mode(auth, connection) : POLICY_AUTH_OFF;

        if (mode == POLICY_AUTH_OFF)
                return;
        view->mode = mode;
        view->state = connection->joins == JOINS_FREE     ? "free"
                      : connection->joins == JOINS_BARRED ? "barred"
                                                          : "key";
        snprintf(view->reason, sizeof(view->reason), "%s", connection_joins_reason(connection));
}

void auth_view(const struct auth *auth, uint32_t token, struct auth_view *ret_view) {
        const struct ward *ward = auth && auth->enabled ? wards_find(&auth->wards, token) : NULL;
        struct protocol_view view;

        *ret_view = (struct auth_view){ .mode = POLICY_AUTH_OFF, .state = "off" };
        if (!ward && auth && auth->enabled)
                auth_view_without(auth, token, ret_view);
        if (!ward || !protocol_view(auth->protocol, token, &view))
                return;
        ret_view->mode = ward->mode;
        ret_view->state = view.state;
        snprintf(ret_view->reason, sizeof(ret_view->reason), "%s", view.reason);
}

void auth_status(const struct auth *auth, struct auth_status *ret_status) {
        *ret_status = (struct auth_status){ .port = 0 };
        if (!auth || !auth->enabled)
                return;
        if (auth->gate)
                gate_status(auth->gate, &ret_status->gate);
        ret_status->port = auth->socket ? auth->port : 0;
        protocol_count(auth->protocol, &ret_status->sessions, &ret_status->confirmed);
        snprintf(ret_status->reason, sizeof(ret_status->reason), "%s", auth->reason);
        for (unsigned int i = 0; i < _PROTOCOL_COUNTER_MAX; i++)
                ret_status->counters[i] = protocol_counter(auth->protocol, i);
}
