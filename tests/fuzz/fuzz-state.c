/*
 * The state file. An input is its slots, which get the right sums; after an odd byte, all of it.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include "directory.h"
#include "fuzz.h"
#include "host/state.h"
#include "util/hash.h"

#define PLACE  512u /* bytes of a slot, and of the header; a sum comes first */
#define PLACES 8u
#define TOKEN  24u /* where it is in a slot, and both addresses */
#define LOCAL  48u

static const struct state_place here = { .boot = "of a fuzzer" };

static void check(const struct memo *memo, void *userdata) {
        (void)userdata;
        assert(memo->kind > 0 && memo->kind < _MEMO_MAX && !(memo->flags & ~_MEMO_FLAGS));
        assert(memo->local.family == AF_INET || memo->local.family == AF_INET6);
        assert(memchr(memo->profile, '\0', sizeof(memo->profile)));
        assert(memchr(memo->program.name, '\0', sizeof(memo->program.name)));
        assert(memo->n_addresses <= LIMIT_MEMO_ADDRESSES);
}

/* What is found can be kept again, as it was. */
static void recall(const struct memory *memory, const uint8_t *slot) {
        struct mptcpize_address ends[2];
        struct memo memo = { .token = 0 };
        uint32_t token, kept = 0;

        memcpy(&token, slot + TOKEN, sizeof(token));
        memcpy(ends, slot + LOCAL, sizeof(ends));
        if (memory->ops->recall(memory->userdata, token, &ends[0], &ends[1], &memo) < 0)
                return;
        check(&memo, NULL);
        assert(memo.kind == MEMO_CONNECTION && memo.token == token);
        assert(memory->ops->keep(memory->userdata, &memo, &kept) == 0 && kept > 0);
}

static void load(const uint8_t *slots, size_t n) {
        struct state *state = NULL;
        struct memory memory;

        assert(state_new(directory_path(), &here, &state) == 0);
        memory = state_memory(state);
        memory.ops->listeners(memory.userdata, check, NULL);
        for (size_t at = 0; at + PLACE <= n; at += PLACE)
                recall(&memory, slots + at);
        state_free(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        static uint8_t file[(PLACES + 1) * PLACE];
        uint8_t *slots = file + PLACE;
        uint64_t sum;

        if (n == 0)
                return 0;
        load(NULL, 0); /* makes a header */
        assert(directory_read("state.new", file, PLACE) == PLACE);
        if (data[0] & 1) {
                directory_write("state", data + 1, n - 1);
                load(NULL, 0);
                return 0;
        }
        n = n - 1 < PLACES * PLACE ? n - 1 : PLACES * PLACE;
        memcpy(slots, data + 1, n);
        for (size_t at = 0; at + PLACE <= n; at += PLACE) {
                sum = hash_more(HASH_NULL, slots + at + sizeof(sum), PLACE - sizeof(sum));
                memcpy(slots + at, &sum, sizeof(sum));
        }
        directory_write("state", file, PLACE + n);
        load(slots, n);
        return 0;
}
