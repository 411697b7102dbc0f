#include "wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define WIRE_MAGIC    0x4d504148u /* "MPAH" */
#define WIRE_VERSION  1u
#define WIRE_SERVER   0x1u /* flags: the server sends */
#define WIRE_HEADER   24u
#define WIRE_ADDRESS  20u /* of one element of ADDR */
#define WIRE_FAMILY_4 1u
#define WIRE_FAMILY_6 2u

/* Bytes on their way: lengths are known before, so nothing runs over. */
struct cursor {
        uint8_t *at;
};

struct reader {
        const uint8_t *at;
};

static void put(struct cursor *cursor, uint64_t value, unsigned int n) {
        while (n--)
                *cursor->at++ = (uint8_t)(value >> (8 * n));
}

static void put_bytes(struct cursor *cursor, const void *bytes, size_t n) {
        memcpy(cursor->at, bytes, n);
        cursor->at += n;
}

static uint64_t get(struct reader *reader, unsigned int n) {
        uint64_t value = 0;

        while (n--)
                value = value << 8 | *reader->at++;
        return value;
}

static void get_bytes(struct reader *reader, void *bytes, size_t n) {
        memcpy(bytes, reader->at, n);
        reader->at += n;
}

static void put_hello(struct cursor *to, const struct wire_message *message) {
        put_bytes(to, message->hello.random, WIRE_RANDOM);
        put(to, message->hello.capabilities, 4);
}

static int get_hello(struct reader *from, struct wire_message *message) {
        get_bytes(from, message->hello.random, WIRE_RANDOM);
        message->hello.capabilities = (uint32_t)get(from, 4);
        return 0;
}

static void put_ack(struct cursor *to, const struct wire_message *message) {
        put_bytes(to, message->ack.random, WIRE_RANDOM);
        put(to, message->ack.token, 4);
        put(to, message->ack.max_subflows, 1);
        put(to, message->ack.mode, 1);
        put(to, 0, 2);
}

static int get_ack(struct reader *from, struct wire_message *message) {
        get_bytes(from, message->ack.random, WIRE_RANDOM);
        message->ack.token = (uint32_t)get(from, 4);
        message->ack.max_subflows = (uint8_t)get(from, 1);
        message->ack.mode = (uint8_t)get(from, 1);
        return 0;
}

static void put_request(struct cursor *to, const struct wire_message *message) {
        put(to, message->request.token, 4);
        put(to, message->request.nonce, 4);
        put(to, message->request.local_id, 1);
        put(to, message->request.flags, 1);
        put(to, message->request.port, 2);
}

static int get_request(struct reader *from, struct wire_message *message) {
        message->request.token = (uint32_t)get(from, 4);
        message->request.nonce = (uint32_t)get(from, 4);
        message->request.local_id = (uint8_t)get(from, 1);
        message->request.flags = (uint8_t)get(from, 1);
        message->request.port = (uint16_t)get(from, 2);
        return 0;
}

static void put_answer(struct cursor *to, const struct wire_message *message) {
        put(to, message->answer.nonce, 4);
        put(to, message->answer.code, 1);
        put(to, message->answer.lifetime_sec, 1);
        put(to, 0, 2);
}

static int get_answer(struct reader *from, struct wire_message *message) {
        message->answer.nonce = (uint32_t)get(from, 4);
        message->answer.code = (uint8_t)get(from, 1);
        message->answer.lifetime_sec = (uint8_t)get(from, 1);
        return 0;
}

static void put_addresses(struct cursor *to, const struct wire_message *message) {
        static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

        put(to, message->addresses.n, 1);
        put(to, 0, 3);
        for (size_t i = 0; i < message->addresses.n; i++) {
                const struct mptcpize_address *address = &message->addresses.list[i].address;
                const bool is_4 = address->family == AF_INET;

                put(to, message->addresses.list[i].id, 1);
                put(to, is_4 ? WIRE_FAMILY_4 : WIRE_FAMILY_6, 1);
                put(to, address->port, 2);
                if (is_4)
                        put_bytes(to, mapped, sizeof(mapped));
                put_bytes(to, address->bytes, is_4 ? 4 : 16);
        }
}

static int get_address(struct reader *from, struct protocol_address *ret_address) {
        uint8_t family, bytes[16];
        uint16_t port;

        ret_address->id = (uint8_t)get(from, 1);
        family = (uint8_t)get(from, 1);
        port = (uint16_t)get(from, 2);
        get_bytes(from, bytes, sizeof(bytes));
        (void)address_init(&ret_address->address, bytes, sizeof(bytes), port);
        if (family != (ret_address->address.family == AF_INET ? WIRE_FAMILY_4 : WIRE_FAMILY_6))
                return -EBADMSG;
        return address_is_host(&ret_address->address) ? 0 : -EBADMSG;
}

static int get_addresses(struct reader *from, struct wire_message *message) {
        message->addresses.n = (uint8_t)get(from, 1);
        (void)get(from, 3);
        for (size_t i = 0; i < message->addresses.n; i++)
                if (get_address(from, &message->addresses.list[i]) < 0)
                        return -EBADMSG;
        return 0;
}

static void put_highest(struct cursor *to, const struct wire_message *message) {
        put(to, message->highest, 8);
}

static int get_highest(struct reader *from, struct wire_message *message) {
        message->highest = get(from, 8);
        return 0;
}

static void put_reason(struct cursor *to, const struct wire_message *message) {
        put(to, message->reason, 4);
}

static int get_reason(struct reader *from, struct wire_message *message) {
        message->reason = (uint32_t)get(from, 4);
        return 0;
}

enum sender { BY_CLIENT = 1, BY_SERVER = 2, BY_BOTH = 3 };

static const struct {
        uint8_t body; /* bytes; of ADDR without its elements */
        enum sender sender;
        void (*put)(struct cursor *to, const struct wire_message *message);
        int (*get)(struct reader *from, struct wire_message *message);
} kinds[_WIRE_TYPE_MAX] = {
        [WIRE_HELLO] = { 12, BY_CLIENT, put_hello, get_hello },
        [WIRE_HELLO_ACK] = { 16, BY_SERVER, put_ack, get_ack },
        [WIRE_JOIN_REQ] = { 12, BY_CLIENT, put_request, get_request },
        [WIRE_JOIN_OK] = { 8, BY_SERVER, put_answer, get_answer },
        [WIRE_JOIN_NO] = { 8, BY_SERVER, put_answer, get_answer },
        [WIRE_ADDR] = { 4, BY_SERVER, put_addresses, get_addresses },
        [WIRE_ADDR_OK] = { 8, BY_CLIENT, put_highest, get_highest },
        [WIRE_BYE] = { 4, BY_BOTH, put_reason, get_reason },
};

/* Bytes that a message has whose body begins like this; 0: none has that. */
static size_t wire_length(enum wire_type type, unsigned int n_addresses) {
        const size_t bare = WIRE_HEADER + kinds[type].body + KEYS_MAC;

        if (type != WIRE_ADDR)
                return bare;
        if (n_addresses < 1 || n_addresses > PROTOCOL_ADDRESSES)
                return 0;
        return bare + n_addresses * WIRE_ADDRESS;
}

static bool wire_is_whole(const uint8_t *bytes, size_t n) {
        const enum wire_type type = bytes[5];

        if (type < WIRE_HELLO || type >= _WIRE_TYPE_MAX)
                return false;
        if (n != (size_t)bytes[7] * 4 || n <= WIRE_HEADER + KEYS_MAC)
                return false;
        return n == wire_length(type, bytes[WIRE_HEADER]);
}

int wire_decode(const void *bytes, size_t n, struct wire_message *ret_message) {
        struct wire_message message = { 0 };
        struct reader reader = { bytes };

        if (n < WIRE_HEADER || get(&reader, 4) != WIRE_MAGIC || get(&reader, 1) != WIRE_VERSION)
                return -EBADMSG;
        if (!wire_is_whole(bytes, n))
                return -EBADMSG;
        message.type = (enum wire_type)get(&reader, 1);
        message.server = get(&reader, 1) & WIRE_SERVER;
        if (!(kinds[message.type].sender & (message.server ? BY_SERVER : BY_CLIENT)))
                return -EBADMSG;
        (void)get(&reader, 1);
        get_bytes(&reader, message.id, sizeof(message.id));
        message.sequence = get(&reader, 8);
        if (kinds[message.type].get(&reader, &message) < 0)
                return -EBADMSG;
        *ret_message = message;
        return 0;
}

bool wire_is_genuine(const void *bytes, size_t n, const uint8_t key[static KEYS_KEY]) {
        uint8_t mac[KEYS_MAC];

        keys_mac(key, bytes, n - KEYS_MAC, mac);
        return keys_equal(mac, (const uint8_t *)bytes + n - KEYS_MAC);
}

size_t wire_encode(const struct wire_message *message, const uint8_t key[static KEYS_KEY],
                   uint8_t ret_bytes[static WIRE_MAX]) {
        const size_t n = wire_length(message->type, message->addresses.n);
        struct cursor cursor = { ret_bytes };

        put(&cursor, WIRE_MAGIC, 4);
        put(&cursor, WIRE_VERSION, 1);
        put(&cursor, message->type, 1);
        put(&cursor, message->server ? WIRE_SERVER : 0, 1);
        put(&cursor, n / 4, 1);
        put_bytes(&cursor, message->id, sizeof(message->id));
        put(&cursor, message->sequence, 8);
        kinds[message->type].put(&cursor, message);
        keys_mac(key, ret_bytes, n - KEYS_MAC, cursor.at);
        return n;
}
