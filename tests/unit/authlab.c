/*
 * See authlab.h.
 */
#include "authlab.h"

static const uint8_t lab_secret[KEYS_SECRET] = { 1, 2, 3, 4, 5, 6, 7, 8 };

struct mptcpize_address lab_at(const char *text) {
        struct mptcpize_address address;

        assert_int_equal(address_parse(text, &address), 0);
        return address;
}

static bool is_at(const struct mptcpize_address *address, const char *text) {
        const struct mptcpize_address other = lab_at(text);

        return address_same_host(address, &other);
}

static void on_send(void *userdata, const struct protocol_path *path, const void *bytes, size_t n) {
        struct lab_side *side = userdata;
        struct lab *lab = side->lab;
        struct wire_message message;
        struct lab_packet *packet;

        assert_true(lab->n_packets < LAB_PACKETS);
        assert_true(n <= WIRE_MAX);
        assert_int_equal(wire_decode(bytes, n, &message), 0);
        packet = &lab->packets[lab->n_packets++];
        *packet = (struct lab_packet){ .from = side->index, .n = n, .type = message.type };
        packet->source = path->local.family ? path->local
                                            : lab_at(side->index == LAB_CLIENT ? "192.0.2.1"
                                                                               : "203.0.113.1");
        packet->source.port = LAB_PORT;
        packet->destination = path->remote;
        memcpy(packet->bytes, bytes, n);
        side->n_sent++;
}

static void on_guard(void *userdata, uint32_t token, bool on) {
        struct lab_side *side = userdata;

        assert_int_equal(token, side->token);
        side->guarded = on;
        side->guards += on;
}

static void on_admit(void *userdata, uint32_t token, const struct mptcpize_address *source,
                     uint32_t request) {
        struct lab_side *side = userdata;

        assert_int_equal(token, side->token);
        assert_int_equal(source->port, 0);
        assert_true(side->n_admitted < 16 && side->n_requests < 64);
        for (unsigned int i = 0; i < side->n_admitted; i++)
                if (address_equal(&side->admitted[i], source)) {
                        side->requests[side->n_requests++] = request;
                        return;
                }
        side->admitted[side->n_admitted++] = *source;
        side->requests[side->n_requests++] = request;
}

static void on_dismiss(void *userdata, uint32_t token, const struct mptcpize_address *source) {
        struct lab_side *side = userdata;

        assert_int_equal(token, side->token);
        for (unsigned int i = 0; i < side->n_admitted; i++)
                if (address_equal(&side->admitted[i], source))
                        side->admitted[i] = side->admitted[--side->n_admitted];
}

static void on_permit(void *userdata, uint32_t token, enum joins joins, const char *reason) {
        struct lab_side *side = userdata;

        assert_int_equal(token, side->token);
        side->joins = joins;
        side->n_permits++;
        snprintf(side->reason, sizeof(side->reason), "%s", reason);
}

static void on_answer(void *userdata, uint32_t serial, int error, const char *reason) {
        struct lab_side *side = userdata;

        assert_non_null(reason);
        assert_true(side->n_answers < 64);
        side->answers[side->n_answers++] = (struct lab_answer){ serial, error };
}

static void on_intruder(void *userdata, uint32_t token, const struct mptcpize_address *local,
                        const struct mptcpize_address *remote, const char *reason) {
        struct lab_side *side = userdata;

        assert_int_equal(token, side->token);
        assert_true(local->family != 0 && reason[0] != '\0');
        side->n_intruders++;
        side->intruder = *remote;
}

static void on_addresses(void *userdata, uint32_t token, const struct protocol_address *addresses,
                         size_t n) {
        struct lab_side *side = userdata;

        assert_int_equal(token, side->token);
        memcpy(side->confirmed, addresses, n * sizeof(*addresses));
        side->n_confirmed = n;
        side->n_addresses++;
}

/* Never the same, and the same in each run. */
static void on_random(void *userdata, void *bytes, size_t n) {
        struct lab_side *side = userdata;

        for (size_t i = 0; i < n; i++)
                ((uint8_t *)bytes)[i] = (uint8_t)(++side->lab->random * 37);
}

static const struct protocol_host lab_host = {
        on_send,   on_guard,    on_admit,     on_dismiss, on_permit,
        on_answer, on_intruder, on_addresses, on_random,
};

int lab_setup(void **state) {
        struct lab *lab = calloc(1, sizeof(*lab));

        assert_non_null(lab);
        lab->now = LAB_START;
        for (unsigned int i = 0; i < 2; i++) {
                lab->sides[i].lab = lab;
                lab->sides[i].index = i;
                lab->sides[i].token = i == LAB_CLIENT ? LAB_TOKEN_C : LAB_TOKEN_S;
                assert_int_equal(protocol_new(&lab_host, &lab->sides[i], LAB_PORT,
                                              &lab->sides[i].protocol),
                                 0);
        }
        *state = lab;
        return 0;
}

int lab_teardown(void **state) {
        struct lab *lab = *state;

        for (unsigned int i = 0; i < 2; i++)
                protocol_free(lab->sides[i].protocol);
        free(lab);
        return 0;
}

void lab_open(struct lab *lab, unsigned int index, enum policy_auth mode) {
        struct lab_side *side = &lab->sides[index];
        const bool server = index == LAB_SERVER;
        const struct protocol_connection connection = {
                .token = side->token,
                .server = server,
                .mode = mode,
                .local = lab_at(server ? "203.0.113.1:443" : "192.0.2.1:50000"),
                .remote = lab_at(server ? "192.0.2.1:50000" : "203.0.113.1:443"),
                .max_subflows = 4,
                .record = &side->record,
        };

        if (mode == POLICY_AUTH_OFF)
                return;
        assert_int_equal(protocol_open(side->protocol, &connection, lab->now), 0);
        protocol_established(side->protocol, side->token, lab->now);
}

void lab_open_both(struct lab *lab, enum policy_auth client, enum policy_auth server) {
        lab_open(lab, LAB_CLIENT, client);
        lab_open(lab, LAB_SERVER, server);
}

void lab_key(struct lab *lab, unsigned int index) {
        struct lab_side *side = &lab->sides[index];

        if (protocol_has(side->protocol, side->token))
                assert_int_equal(protocol_key(side->protocol, side->token, lab_secret, lab->now),
                                 0);
}

void lab_confirm(struct lab *lab, enum policy_auth mode) {
        lab_open_both(lab, mode, mode);
        lab_key(lab, LAB_SERVER);
        lab_key(lab, LAB_CLIENT);
        lab_pump(lab);
        lab_assert(lab, LAB_CLIENT, "confirmed", JOINS_ASK);
        lab_assert(lab, LAB_SERVER, "confirmed", JOINS_BARRED);
}

void lab_restart(struct lab *lab, unsigned int index, enum policy_auth mode) {
        struct lab_side *side = &lab->sides[index];

        protocol_free(side->protocol);
        assert_int_equal(protocol_new(&lab_host, side, LAB_PORT, &side->protocol), 0);
        lab_open(lab, index, mode);
}

/* The side that has this address. */
static struct lab_side *lab_owner(struct lab *lab, const struct mptcpize_address *address) {
        if (is_at(address, "203.0.113.1") || is_at(address, "203.0.113.9"))
                return &lab->sides[LAB_SERVER];
        if (is_at(address, "192.0.2.1") || is_at(address, "198.51.100.1"))
                return &lab->sides[LAB_CLIENT];
        return NULL;
}

static void lab_translate(const struct lab *lab, struct lab_packet *packet) {
        if (!lab->nat)
                return;
        if (packet->from == LAB_CLIENT && is_at(&packet->source, "192.0.2.1"))
                packet->source = lab_at("192.0.2.200:40000");
        if (packet->from == LAB_SERVER && is_at(&packet->destination, "192.0.2.200") &&
            packet->destination.port == 40000)
                packet->destination = lab_at("192.0.2.1:8684");
}

static void lab_deliver(struct lab *lab, struct lab_packet packet) {
        struct protocol_path path;
        struct lab_side *to;

        lab_translate(lab, &packet);
        to = lab_owner(lab, &packet.destination);
        if (!to || to->index == packet.from || packet.destination.port != LAB_PORT)
                return;
        lab->last[packet.type] = packet;
        path = (struct protocol_path){ .local = packet.destination, .remote = packet.source };
        to->n_received++;
        protocol_receive(to->protocol, &path, packet.bytes, packet.n, lab->now);
}

void lab_gate(struct lab *lab) {
        for (unsigned int i = 0; i < 2; i++) {
                struct lab_side *side = &lab->sides[i];

                for (; side->guards > 0; side->guards--)
                        protocol_guarded(side->protocol, side->token, lab->gate_error, lab->now);
                while (side->n_requests > 0)
                        protocol_admitted(side->protocol, side->requests[--side->n_requests],
                                          lab->gate_error, lab->now);
        }
}

static void lab_deliver_one(struct lab *lab) {
        const unsigned int i = lab->backwards ? lab->n_packets - 1 : 0;
        const struct lab_packet packet = lab->packets[i];
        const enum lab_fate fate = lab->on_packet ? lab->on_packet(lab, &packet) : LAB_PASS;

        memmove(&lab->packets[i], &lab->packets[i + 1],
                (--lab->n_packets - i) * sizeof(lab->packets[0]));
        if (fate != LAB_LOSE)
                lab_deliver(lab, packet);
        if (fate == LAB_TWICE)
                lab_deliver(lab, packet);
}

void lab_pump(struct lab *lab) {
        for (;;) {
                if (!lab->gate_waits)
                        lab_gate(lab);
                if (lab->n_packets == 0)
                        return;
                lab_deliver_one(lab);
        }
}

void lab_run(struct lab *lab, uint64_t usec) {
        const uint64_t until = lab->now + usec;

        for (;;) {
                uint64_t next = UINT64_MAX;

                lab_pump(lab);
                for (unsigned int i = 0; i < 2; i++) {
                        const uint64_t due = protocol_deadline(lab->sides[i].protocol);

                        next = due < next ? due : next;
                }
                if (next > until)
                        break;
                lab->now = next > lab->now ? next : lab->now;
                for (unsigned int i = 0; i < 2; i++)
                        protocol_tick(lab->sides[i].protocol, lab->now);
        }
        lab->now = until;
}

void lab_inject(struct lab *lab, unsigned int index, const char *from, const char *to,
                const void *bytes, size_t n) {
        const struct protocol_path path = { .local = lab_at(to), .remote = lab_at(from) };
        void *block = malloc(n ? n : 1); /* a sanitizer sees reads beyond it */

        assert_non_null(block);
        memcpy(block, bytes, n);
        protocol_receive(lab->sides[index].protocol, &path, block, n, lab->now);
        free(block);
}

int lab_ask(struct lab *lab, uint32_t serial, const char *from, const char *to) {
        const struct protocol_join join = {
                .token = LAB_TOKEN_C,
                .serial = serial,
                .local = lab_at(from),
                .remote = lab_at(to),
                .local_id = 1,
        };

        return protocol_ask(lab->sides[LAB_CLIENT].protocol, &join, lab->now);
}

int lab_answer(const struct lab *lab, uint32_t serial) {
        const struct lab_side *side = &lab->sides[LAB_CLIENT];
        int error = LAB_NOTHING;

        for (unsigned int i = 0; i < side->n_answers; i++)
                if (side->answers[i].serial == serial) {
                        assert_int_equal(error, LAB_NOTHING); /* each join has one answer */
                        error = side->answers[i].error;
                }
        return error;
}

void lab_joined(struct lab *lab, unsigned int index, const char *local, const char *remote) {
        const struct mptcpize_address at = lab_at(local), from = lab_at(remote);

        protocol_joined(lab->sides[index].protocol, lab->sides[index].token, &at, &from, lab->now);
}

bool lab_is_admitted(const struct lab *lab, const char *source) {
        const struct lab_side *side = &lab->sides[LAB_SERVER];

        for (unsigned int i = 0; i < side->n_admitted; i++)
                if (is_at(&side->admitted[i], source))
                        return true;
        return false;
}

void lab_assert(const struct lab *lab, unsigned int index, const char *state, enum joins joins) {
        const struct lab_side *side = &lab->sides[index];
        struct protocol_view view;

        assert_true(protocol_view(side->protocol, side->token, &view));
        assert_string_equal(view.state, state);
        assert_int_equal(side->joins, joins);
}

uint64_t lab_count(const struct lab *lab, unsigned int index, enum protocol_counter counter) {
        return protocol_counter(lab->sides[index].protocol, counter);
}
