/*
 * Scenes. See scene.h.
 */
#include "scene.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIMIT_USEC 10000000u /* a failure if an event takes so long */
#define RECORDS    100000u

enum lab_kind scene_kinds[3] = { LAB_V4, LAB_V6, LAB_MAPPED };

/* Recording */

#define COPY_ARRAY(to, from)                                                     \
        do {                                                                     \
                for (size_t _i = 0; _i < (from)->n; _i++)                        \
                        if (ARRAY_APPEND((to), (from)->items[_i], SIZE_MAX) < 0) \
                                abort();                                         \
        } while (0)

static void copy_snapshot(struct record *record, const struct snapshot *snapshot) {
        record->snapshot.started_usec = snapshot->started_usec;
        COPY_ARRAY(&record->snapshot.connections, &snapshot->connections);
        COPY_ARRAY(&record->snapshot.subflows, &snapshot->subflows);
        record->event.snapshot = &record->snapshot;
}

static void copy_entries(struct record *record, const struct entries_event *entries) {
        record->entries = calloc(entries->n + 1, sizeof(*record->entries));
        if (!record->entries)
                abort();
        if (entries->n)
                memcpy(record->entries, entries->entries, entries->n * sizeof(*record->entries));
        record->event.entries.entries = record->entries;
}

static void on_event(const struct event *event, void *userdata) {
        struct scene *scene = userdata;
        struct record *record = calloc(1, sizeof(*record));

        if (!record || ARRAY_APPEND(&scene->records, record, RECORDS) < 0)
                abort();
        record->event = *event;
        if (event->type == EVENT_SNAPSHOT)
                copy_snapshot(record, event->snapshot);
        if (event->type == EVENT_ENTRIES)
                copy_entries(record, &event->entries);
}

static void record_free(struct record *record) {
        snapshot_done(&record->snapshot);
        free(record->entries);
        free(record);
}

int scene_teardown(void **state) {
        struct scene *scene = *state;

        lab_free(scene->lab);
        for (size_t i = 0; i < scene->records.n; i++)
                record_free(scene->records.items[i]);
        ARRAY_DONE(&scene->records);
        free(scene);
        return 0;
}

/* Waiting */

static uint32_t token_of(const struct event *event) {
        if (event->type <= EVENT_SUB_PRIORITY)
                return event->mptcp.token;
        if (event->type == EVENT_ENTRIES)
                return event->entries.token;
        if (event->type == EVENT_MEASURED)
                return event->measured.token;
        return event->type == EVENT_OUTCOME ? event->outcome.action.token : 0;
}

static bool record_is(const struct record *record, enum event_type type, uint32_t token) {
        return record->event.type == type && (token == 0 || token_of(&record->event) == token);
}

static struct record *scene_find(const struct scene *scene, enum event_type type, uint32_t token) {
        for (size_t i = 0; i < scene->records.n; i++)
                if (!scene->records.items[i]->taken &&
                    record_is(scene->records.items[i], type, token))
                        return scene->records.items[i];
        return NULL;
}

static uint64_t now_usec(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* False if nothing came until then. */
static bool scene_dispatch(struct scene *scene, uint64_t until_usec) {
        struct pollfd polls[KERN_FDS];
        const uint64_t now = now_usec();
        int fds[KERN_FDS];

        if (now >= until_usec)
                return false;
        scene->kern->ops->fds(scene->kern, fds);
        for (size_t i = 0; i < KERN_FDS; i++)
                polls[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
        if (poll(polls, KERN_FDS, (int)((until_usec - now) / 1000 + 1)) <= 0)
                return false;
        for (int i = 0; i < KERN_FDS; i++)
                if (polls[i].revents)
                        assert_int_equal(scene->kern->ops->dispatch(scene->kern, i), 0);
        return true;
}

static bool scene_link_is_up(const struct scene *scene, enum lab_place place) {
        for (size_t i = scene->records.n; i-- > 0;) {
                const struct event *event = &scene->records.items[i]->event;

                if (event->type == EVENT_LINK &&
                    event->link.ifindex == lab_ifindex(scene->lab, place))
                        return event->link.up;
        }
        return false;
}

/* New links get their carrier when the kernel finds the time. */
static void scene_await_links(struct scene *scene) {
        const uint64_t until = now_usec() + LIMIT_USEC;

        assert_int_equal(scene->kern->ops->list_net(scene->kern), 0);
        while (!scene_link_is_up(scene, LAB_WIFI) || !scene_link_is_up(scene, LAB_LTE))
                assert_true(scene_dispatch(scene, until));
}

int scene_setup(void **state) {
        struct scene *scene = calloc(1, sizeof(*scene));

        if (!scene)
                return -1;
        scene->kind = *state ? *(const enum lab_kind *)*state : LAB_V4;
        scene->lab = lab_new(on_event, scene);
        scene->kern = lab_kern(scene->lab);
        scene_await_links(scene);
        *state = scene;
        return 0;
}

const struct event *scene_await(struct scene *scene, enum event_type type, uint32_t token) {
        const uint64_t until = now_usec() + LIMIT_USEC;
        struct record *record;

        while (!(record = scene_find(scene, type, token)))
                if (!scene_dispatch(scene, until))
                        fail_msg("no event \"%s\" for token %#x", event_name(type), token);
        record->taken = true;
        return &record->event;
}

size_t scene_count(const struct scene *scene, enum event_type type, uint32_t token) {
        size_t n = 0;

        for (size_t i = 0; i < scene->records.n; i++)
                n += record_is(scene->records.items[i], type, token);
        return n;
}

int scene_place(const struct scene *scene, enum event_type type, uint32_t token) {
        for (size_t i = 0; i < scene->records.n; i++)
                if (record_is(scene->records.items[i], type, token))
                        return (int)i;
        return -1;
}

void scene_settle(struct scene *scene) {
        struct lab_connection last;

        lab_connect(scene->lab, scene->kind, LAB_PORT_OPEN, &last);
        lab_close(scene->lab, &last);
        (void)scene_await(scene, EVENT_CLOSED, last.token);
}

/* Actions */

int scene_submit(struct scene *scene, struct action *action) {
        action->serial = ++scene->serial;
        return scene->kern->ops->submit(scene->kern, action);
}

int scene_do(struct scene *scene, struct action action) {
        const struct event *event;

        assert_int_equal(scene_submit(scene, &action), 0);
        event = scene_await(scene, EVENT_OUTCOME, action.token);
        assert_int_equal(event->outcome.action.serial, action.serial);
        assert_int_equal(event->outcome.action.type, action.type);
        return event->outcome.error;
}

int scene_create(struct scene *scene, const struct lab_connection *connection, enum lab_place place,
                 uint8_t id, uint16_t port) {
        return scene_do(scene,
                        (struct action){
                                        .type = ACTION_CREATE,
                                        .token = connection->token,
                                        .local = lab_address(place, connection->kind, 0),
                                        .remote = lab_address(LAB_PEER, connection->kind, port),
                                        .ifindex = lab_ifindex(scene->lab, place),
                                        .local_id = id,
                        });
}

struct lab_connection scene_client(struct scene *scene) {
        struct lab_connection connection;

        lab_connect(scene->lab, scene->kind, LAB_PORT_OPEN, &connection);
        lab_exchange(scene->lab, &connection);
        (void)scene_await(scene, EVENT_ESTABLISHED, connection.token);
        return connection;
}

struct lab_connection scene_server(struct scene *scene) {
        struct lab_connection connection;

        lab_accept(scene->lab, scene->kind, &connection);
        lab_exchange(scene->lab, &connection);
        (void)scene_await(scene, EVENT_ESTABLISHED, connection.token);
        return connection;
}

struct mptcp_event scene_join(struct scene *scene, const struct lab_connection *connection,
                              uint8_t id) {
        assert_int_equal(scene_create(scene, connection, LAB_LTE, id, LAB_PORT_OPEN), 0);
        return scene_await(scene, EVENT_SUB_ESTABLISHED, connection->token)->mptcp;
}

/* Questions */

const struct snapshot *scene_snapshot(struct scene *scene) {
        struct action action = { .type = ACTION_SNAPSHOT };
        const struct snapshot *snapshot;

        assert_int_equal(scene_submit(scene, &action), 0);
        snapshot = scene_await(scene, EVENT_SNAPSHOT, 0)->snapshot;
        assert_int_equal(scene_await(scene, EVENT_OUTCOME, 0)->outcome.error, 0);
        return snapshot;
}

const struct snapshot_connection *scene_row(const struct snapshot *snapshot, uint32_t token) {
        for (size_t i = 0; i < snapshot->connections.n; i++)
                if (snapshot->connections.items[i].token == token)
                        return &snapshot->connections.items[i];
        return NULL;
}

const struct snapshot_subflow *scene_subflow(const struct snapshot *snapshot,
                                             const struct mptcp_event *event) {
        for (size_t i = 0; i < snapshot->subflows.n; i++) {
                const struct snapshot_subflow *subflow = &snapshot->subflows.items[i];

                if (subflow->token == event->token &&
                    address_equal(&subflow->local, &event->local) &&
                    address_equal(&subflow->remote, &event->remote))
                        return subflow;
        }
        return NULL;
}

size_t scene_count_subflows(const struct snapshot *snapshot, uint32_t token) {
        size_t n = 0;

        for (size_t i = 0; i < snapshot->subflows.n; i++)
                n += snapshot->subflows.items[i].token == token;
        return n;
}

void scene_needs(const struct scene *scene, enum feature feature) {
        const enum feature_state is = scene->kern->features.states[feature];

        if (is == FEATURE_FALLBACK || is == FEATURE_MISSING)
                skip();
}

const struct entries_event *scene_entries(struct scene *scene, uint32_t token) {
        const struct action query = { .type = ACTION_QUERY, .token = token };

        scene_needs(scene, FEATURE_ADDRESS_LISTS);
        assert_int_equal(scene_do(scene, query), 0);
        return &scene_await(scene, EVENT_ENTRIES, token)->entries;
}

const struct entry *scene_entry(const struct entries_event *entries, uint8_t id) {
        for (size_t i = 0; i < entries->n; i++)
                if (entries->entries[i].id == id)
                        return &entries->entries[i];
        return NULL;
}

void scene_assert_address(const struct mptcpize_address *is, const struct mptcpize_address *want) {
        char a[ADDRESS_TEXT], b[ADDRESS_TEXT];

        assert_string_equal(address_format(is, a), address_format(want, b));
}
