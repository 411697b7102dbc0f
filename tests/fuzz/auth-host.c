/*
 * See auth-host.h.
 */
#include "auth-host.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_CLIENT 1u
#define FUZZ_SERVER 2u
#define FUZZ_MSEC   UINT64_C(1000)

static const uint8_t fuzz_secret[KEYS_SECRET] = "the secret of a fuzzer, no more";

static struct mptcpize_address at(uint8_t host, uint16_t port) {
        return (struct mptcpize_address){
                .family = 2, /* AF_INET */
                .port = port,
                .bytes = { 192, 0, 2, host },
        };
}

static void on_send(void *userdata, const struct protocol_path *path, const void *bytes, size_t n) {
        const struct fuzz *fuzz = userdata;
        const enum wire_type type = ((const uint8_t *)bytes)[5];
        struct wire_message message;

        assert(!fuzz->forged && path->remote.family != 0);
        assert(wire_decode(bytes, n, &message) == 0);
        assert(fuzz->received == 0 || n <= fuzz->received || type == WIRE_ADDR ||
               (type == WIRE_HELLO_ACK && n == fuzz->received + 4));
}

static void on_guard(void *userdata, uint32_t token, bool on) {
        (void)on;
        assert(!((struct fuzz *)userdata)->forged &&
               (token == FUZZ_SERVER || token == FUZZ_CLIENT));
}

static void on_admit(void *userdata, uint32_t token, const struct mptcpize_address *source,
                     uint32_t request) {
        struct fuzz *fuzz = userdata;

        assert(!fuzz->forged && token == FUZZ_SERVER && source->port == 0);
        fuzz->request = request;
}

static void on_dismiss(void *userdata, uint32_t token, const struct mptcpize_address *source) {
        assert(!((struct fuzz *)userdata)->forged && token == FUZZ_SERVER && source->port == 0);
}

static void on_permit(void *userdata, uint32_t token, enum joins joins, const char *reason) {
        const struct fuzz *fuzz = userdata;

        assert(!fuzz->forged && reason && (token == FUZZ_CLIENT || token == FUZZ_SERVER));
        /* Who asks has an answer of the peer's; and who is confirmed is never free. */
        if (token == FUZZ_CLIENT && joins == JOINS_ASK)
                assert(fuzz->records[0].confirmed);
        if (token == FUZZ_SERVER && joins == JOINS_FREE)
                assert(!fuzz->records[1].confirmed);
}

static void on_answer(void *userdata, uint32_t serial, int error, const char *reason) {
        (void)serial;
        assert(!((struct fuzz *)userdata)->forged && reason && error <= 0);
}

static void on_intruder(void *userdata, uint32_t token, const struct mptcpize_address *local,
                        const struct mptcpize_address *remote, const char *reason) {
        (void)token;
        assert(!((struct fuzz *)userdata)->forged && local->family && remote->family && reason);
}

static void on_addresses(void *userdata, uint32_t token, const struct protocol_address *addresses,
                         size_t n) {
        assert(!((struct fuzz *)userdata)->forged && token == FUZZ_CLIENT);
        for (size_t i = 0; i < n; i++)
                assert(address_is_host(&addresses[i].address));
}

static void on_random(void *userdata, void *bytes, size_t n) {
        for (size_t i = 0; i < n; i++)
                ((uint8_t *)bytes)[i] = ((struct fuzz *)userdata)->random++;
}

void fuzz_open(struct fuzz *fuzz, uint32_t token, enum policy_auth mode) {
        const bool server = token == FUZZ_SERVER;
        const struct protocol_connection connection = {
                .token = token,
                .server = server,
                .mode = mode,
                .local = server ? at(2, 443) : at(1, 50000),
                .remote = server ? at(1, 50000) : at(2, 443),
                .max_subflows = 4,
                .record = &fuzz->records[server],
        };

        (void)protocol_open(fuzz->protocol, &connection, fuzz->now);
}

void fuzz_begin(struct fuzz *fuzz) {
        static const struct protocol_host host = {
                on_send,   on_guard,    on_admit,     on_dismiss, on_permit,
                on_answer, on_intruder, on_addresses, on_random,
        };

        *fuzz = (struct fuzz){ .now = 1000 * FUZZ_MSEC };
        if (protocol_new(&host, fuzz, PROTOCOL_PORT, &fuzz->protocol) < 0)
                abort();
        fuzz_open(fuzz, FUZZ_CLIENT, POLICY_AUTH_PREFER);
        fuzz_open(fuzz, FUZZ_SERVER, POLICY_AUTH_PREFER);
}

void fuzz_end(struct fuzz *fuzz) {
        size_t all, confirmed;

        protocol_count(fuzz->protocol, &all, &confirmed);
        assert(all <= 2 && confirmed <= all);
        protocol_free(fuzz->protocol);
}

static void fuzz_hand_over(struct fuzz *fuzz, uint8_t from, const uint8_t *bytes, size_t n) {
        const struct protocol_path path = { .local = at(2, PROTOCOL_PORT),
                                            .remote = at(from, PROTOCOL_PORT) };

        fuzz->received = n;
        protocol_receive(fuzz->protocol, &path, bytes, n, fuzz->now);
        fuzz->received = 0;
}

void fuzz_receive(struct fuzz *fuzz, const uint8_t *bytes, size_t n) {
        fuzz->forged = true;
        fuzz_hand_over(fuzz, n ? bytes[n - 1] | 1 : 1, bytes, n);
        fuzz->forged = false;
}

void fuzz_receive_signed(struct fuzz *fuzz, bool server, const uint8_t *bytes, size_t n) {
        uint8_t datagram[256] = { 'M', 'P', 'A', 'H', 1 };
        struct auth_keys keys;

        keys_derive(fuzz_secret, &keys);
        n = n / 4 * 4;
        if (n < 8 || n > WIRE_MAX - 32)
                return;
        /* type, then sequence (a byte, so that it is often new), then the body */
        datagram[5] = bytes[0];
        datagram[6] = server;
        datagram[7] = (uint8_t)((24 + n - 4 + KEYS_MAC) / 4);
        memcpy(datagram + 8, keys.id, KEYS_ID);
        datagram[23] = bytes[1];
        memcpy(datagram + 24, bytes + 4, n - 4);
        n = 24 + n - 4;
        keys_mac(server ? keys.s2c : keys.c2s, datagram, n, datagram + n);
        fuzz_hand_over(fuzz, bytes[2], datagram, n + KEYS_MAC);
}

static void fuzz_ask(struct fuzz *fuzz, uint8_t with) {
        const struct protocol_join join = {
                .token = with & 1 ? FUZZ_SERVER : FUZZ_CLIENT,
                .serial = with,
                .local = at(1, 0),
                .remote = at(2 + (with & 6), 443),
        };

        /* One serial is one action. */
        (void)protocol_cancel(fuzz->protocol, join.serial);
        (void)protocol_ask(fuzz->protocol, &join, fuzz->now);
}

static void fuzz_subflow(struct fuzz *fuzz, uint8_t with) {
        const uint32_t token = with & 1 ? FUZZ_SERVER : FUZZ_CLIENT;
        const struct mptcpize_address local = at(2, 443), remote = at(with & 6, with);

        if (with & 8)
                protocol_joined(fuzz->protocol, token, &local, &remote, fuzz->now);
        else if (with & 16)
                protocol_left(fuzz->protocol, token, &local, &remote);
        else
                protocol_announced(fuzz->protocol, token, &remote, fuzz->now);
}

static void fuzz_offer(struct fuzz *fuzz, uint8_t with) {
        struct protocol_address list[PROTOCOL_ADDRESSES] = { 0 };

        for (uint8_t i = 0; i < PROTOCOL_ADDRESSES; i++)
                list[i].address = at((uint8_t)(with + i) % 64 + 1, i);
        protocol_offer(fuzz->protocol, FUZZ_SERVER, list, with % (PROTOCOL_ADDRESSES + 1),
                       fuzz->now);
}

static void fuzz_life(struct fuzz *fuzz, uint8_t with) {
        const uint32_t token = with & 1 ? FUZZ_SERVER : FUZZ_CLIENT;

        protocol_close(fuzz->protocol, token, with & 2, fuzz->now);
        if (!(with & 4)) /* else a restart */
                memset(&fuzz->records[token == FUZZ_SERVER], 0, sizeof(struct auth_record));
        if (!(with & 8))
                fuzz_open(fuzz, token, with & 16 ? POLICY_AUTH_PREFER : POLICY_AUTH_REQUIRE);
}

void fuzz_happen(struct fuzz *fuzz, uint8_t what, uint8_t with) {
        const uint32_t token = with & 1 ? FUZZ_SERVER : FUZZ_CLIENT;

        switch (what % 12) {
        case 0:
        case 1:
                (void)protocol_key(fuzz->protocol, token, fuzz_secret, fuzz->now);
                break;
        case 2:
                protocol_keyless(fuzz->protocol, token, "no key", fuzz->now);
                break;
        case 3:
                protocol_established(fuzz->protocol, token, fuzz->now);
                break;
        case 4:
                fuzz_ask(fuzz, with);
                break;
        case 5:
                (void)protocol_cancel(fuzz->protocol, with);
                break;
        case 6:
                protocol_guarded(fuzz->protocol, token, with & 2 ? -5 : 0, fuzz->now);
                break;
        case 7:
                protocol_admitted(fuzz->protocol, fuzz->request - (with >> 6), with & 2 ? -5 : 0,
                                  fuzz->now);
                break;
        case 8:
                fuzz_subflow(fuzz, with);
                break;
        case 9:
                fuzz_offer(fuzz, with);
                break;
        case 10:
                if (with & 2)
                        fuzz_life(fuzz, with >> 2);
                else
                        protocol_set_gate(fuzz->protocol, with & 1, "gone", fuzz->now);
                break;
        default:
                fuzz_open(fuzz, token, with & 2 ? POLICY_AUTH_PREFER : POLICY_AUTH_REQUIRE);
        }
}
