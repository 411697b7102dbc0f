/*
 * The state file. See state.h.
 */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "../util/cleanup.h"
#include "../util/hash.h"
#include "../util/log.h"
#include "runtime.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 */
#endif

#define STATE_MAGIC   "mptcpize"
#define STATE_VERSION 1u
#define STATE_SLOTS   (LIMIT_CONNECTIONS + LIMIT_LISTENERS)
#define STATE_BOOT_ID "/proc/sys/kernel/random/boot_id"

/* One place of a file: the first is the header, the others are slots. */
#define STATE_BYTES 512u

struct state_header {
        uint64_t sum; /* of what follows, up to STATE_BYTES */
        char magic[8];
        uint32_t version;
        uint32_t bytes; /* STATE_BYTES */
        struct state_place place;
};

struct state_address {
        struct mptcpize_address address;
        uint8_t id;
        uint8_t own;
};

struct state_slot {
        uint64_t sum;
        uint64_t serial; /* later ones have higher numbers: of two of one connection the last counts
                          */
        uint64_t cookie;
        uint32_t token;
        uint32_t flags;
        uint32_t uid;
        int32_t pid;
        uint32_t user_timeout_msec;
        uint8_t kind;
        uint8_t n_addresses;
        uint8_t unused[2];
        struct mptcpize_address local;
        struct mptcpize_address remote;
        char program[LIMIT_PROGRAM];
        char profile[LIMIT_NAME];
        struct state_address addresses[LIMIT_MEMO_ADDRESSES];
        uint64_t guard; /* 0 in files of before */
};

/* A place as it is in the file. */
union state_place_bytes {
        unsigned char bytes[STATE_BYTES];
        uint64_t sum;
        struct state_header header;
        struct state_slot slot;
};

_Static_assert(sizeof(union state_place_bytes) == STATE_BYTES, "all places have one size");

struct state {
        char path[PATH_MAX];
        char new_path[PATH_MAX];
        int fd; /* of the new file */
        uint64_t serial;
        uint32_t n_slots; /* of it, used or free */
        ARRAY_OF(uint32_t) free;
        ARRAY_OF(struct state_slot) old; /* in order of token and serial */
        bool failed;                     /* has been logged */
};

/* Places */

/* Of all behind the sum. */
static uint64_t place_sum(const union state_place_bytes *place) {
        return hash_more(HASH_NULL, place->bytes + sizeof(place->sum),
                         sizeof(place->bytes) - sizeof(place->sum));
}

static int place_write(int fd, uint32_t index, union state_place_bytes *place) {
        ssize_t n;

        place->sum = place_sum(place);
        n = pwrite(fd, place, sizeof(*place), (off_t)index * STATE_BYTES);
        if (n < 0)
                return -errno;
        return n == (ssize_t)sizeof(*place) ? 0 : -ENOSPC;
}

static int header_write(int fd, const struct state_place *place) {
        union state_place_bytes first = { .bytes = { 0 } };

        memcpy(first.header.magic, STATE_MAGIC, sizeof(first.header.magic));
        first.header.version = STATE_VERSION;
        first.header.bytes = STATE_BYTES;
        first.header.place = *place;
        return place_write(fd, 0, &first);
}

/* What is wrong with it, or NULL. */
static const char *header_judge(const union state_place_bytes *first,
                                const struct state_place *place) {
        const struct state_header *header = &first->header;

        if (memcmp(header->magic, STATE_MAGIC, sizeof(header->magic)) != 0)
                return "it is no state of mptcpized";
        if (header->version != STATE_VERSION || header->bytes != STATE_BYTES)
                return "it is of another version";
        if (place_sum(first) != header->sum)
                return "its header is damaged";
        if (memcmp(&header->place, place, sizeof(*place)) != 0)
                return "it is of another boot or network namespace";
        return NULL;
}

static bool address_is_sane(const struct mptcpize_address *address) {
        return address->family == AF_INET || address->family == AF_INET6;
}

static bool slot_is_sane(const struct state_slot *slot) {
        if (slot->kind == 0 || slot->kind >= _MEMO_MAX || slot->flags & ~_MEMO_FLAGS ||
            slot->n_addresses > LIMIT_MEMO_ADDRESSES ||
            !memchr(slot->program, '\0', sizeof(slot->program)) ||
            !memchr(slot->profile, '\0', sizeof(slot->profile)) || !address_is_sane(&slot->local) ||
            (slot->kind == MEMO_CONNECTION && !address_is_sane(&slot->remote)))
                return false;
        for (size_t i = 0; i < slot->n_addresses; i++)
                if (!address_is_sane(&slot->addresses[i].address))
                        return false;
        return true;
}

/* Memos */

static void slot_from_memo(struct state_slot *slot, const struct memo *memo) {
        slot->cookie = memo->cookie;
        slot->token = memo->token;
        slot->flags = memo->flags;
        slot->uid = memo->program.uid;
        slot->pid = memo->program.pid;
        slot->user_timeout_msec = memo->user_timeout_msec;
        slot->guard = memo->guard;
        slot->kind = (uint8_t)memo->kind;
        slot->n_addresses = (uint8_t)memo->n_addresses;
        slot->local = memo->local;
        slot->remote = memo->remote;
        memcpy(slot->program, memo->program.name, sizeof(slot->program));
        memcpy(slot->profile, memo->profile, sizeof(slot->profile));
        for (size_t i = 0; i < memo->n_addresses; i++) {
                slot->addresses[i].address = memo->addresses[i].address;
                slot->addresses[i].id = memo->addresses[i].id;
                slot->addresses[i].own = memo->addresses[i].own;
        }
}

static void memo_from_slot(struct memo *memo, const struct state_slot *slot) {
        *memo = (struct memo){
                .kind = slot->kind,
                .flags = slot->flags,
                .token = slot->token,
                .local = slot->local,
                .remote = slot->remote,
                .cookie = slot->cookie,
                .program = { .uid = slot->uid, .pid = slot->pid },
                .user_timeout_msec = slot->user_timeout_msec,
                .guard = slot->guard,
                .n_addresses = slot->n_addresses,
        };
        memcpy(memo->program.name, slot->program, sizeof(memo->program.name));
        memcpy(memo->profile, slot->profile, sizeof(memo->profile));
        for (size_t i = 0; i < slot->n_addresses; i++)
                memo->addresses[i] = (struct memo_address){
                        .address = slot->addresses[i].address,
                        .id = slot->addresses[i].id,
                        .own = slot->addresses[i].own != 0,
                };
}

/* Reading the old file */

static int slot_compare(const void *pa, const void *pb) {
        const struct state_slot *a = pa, *b = pb;

        if (a->token != b->token)
                return a->token < b->token ? -1 : 1;
        return a->serial < b->serial ? -1 : a->serial > b->serial;
}

static int state_read_slots(struct state *state, FILE *file) {
        union state_place_bytes place;
        unsigned int damaged = 0;
        int r = 0;

        for (uint32_t i = 0; i < STATE_SLOTS && fread(&place, sizeof(place), 1, file) == 1; i++) {
                if (place.sum == 0 && place.slot.kind == 0)
                        continue;
                if (place_sum(&place) != place.sum || !slot_is_sane(&place.slot)) {
                        damaged++;
                        continue;
                }
                r = ARRAY_APPEND(&state->old, place.slot, STATE_SLOTS);
                if (r < 0)
                        break;
        }
        if (damaged)
                log_warning("%s: %u entries are damaged, and ignored", state->path, damaged);
        if (state->old.n > 1)
                qsort(state->old.items, state->old.n, sizeof(*state->old.items), slot_compare);
        return r;
}

static void state_read(struct state *state, const char *runtime, const struct state_place *here) {
        _cleanup_(fclosep) FILE *file = NULL;
        union state_place_bytes first = { .bytes = { 0 } };
        const char *wrong = runtime_read(runtime, state->path, &file);

        if (!wrong && !file)
                return;
        if (!wrong)
                wrong = fread(&first, sizeof(first), 1, file) == 1 ? header_judge(&first, here)
                                                                   : "it is cut short";
        if (wrong)
                log_notice("%s is ignored: %s", state->path, wrong);
        else if (state_read_slots(state, file) < 0)
                log_warning("%s is too large for the memory that there is", state->path);
}

/* Memory */

static int state_take_slot(struct state *state, uint32_t *slot) {
        if (*slot)
                return 0;
        if (state->free.n > 0)
                *slot = state->free.items[--state->free.n];
        else if (state->n_slots < STATE_SLOTS)
                *slot = ++state->n_slots;
        return *slot ? 0 : -ENOBUFS;
}

static void state_drop(void *userdata, uint32_t slot) {
        struct state *state = userdata;

        /* What is in the file stays until the slot is used again: nothing else has its key. */
        (void)ARRAY_APPEND(&state->free, slot, STATE_SLOTS);
}

static int state_keep(void *userdata, const struct memo *memo, uint32_t *slot) {
        struct state *state = userdata;
        union state_place_bytes place = { .bytes = { 0 } };
        int r;

        slot_from_memo(&place.slot, memo);
        place.slot.serial = ++state->serial;
        r = state_take_slot(state, slot);
        if (r == 0)
                r = place_write(state->fd, *slot, &place);
        if (r < 0 && !state->failed) {
                state->failed = true;
                log_error("%s can't be written: %s; a restart will not know everything",
                          state->new_path, strerror(-r));
        }
        return r;
}

/* The first one of that token, or where it would be. */
static size_t state_find(const struct state *state, uint32_t token) {
        return ARRAY_LOWER_BOUND(&state->old, token, token);
}

static int state_recall(void *userdata, uint32_t token, const struct mptcpize_address *local,
                        const struct mptcpize_address *remote, struct memo *ret_memo) {
        const struct state *state = userdata;
        const struct state_slot *found = NULL;

        for (size_t i = state_find(state, token);
             i < state->old.n && state->old.items[i].token == token; i++) {
                const struct state_slot *slot = &state->old.items[i];

                if (slot->kind == MEMO_CONNECTION && address_equal(&slot->local, local) &&
                    address_equal(&slot->remote, remote))
                        found = slot;
        }
        if (!found)
                return -ENOENT;
        memo_from_slot(ret_memo, found);
        return 0;
}

static void state_listeners(void *userdata, void (*fn)(const struct memo *memo, void *fn_userdata),
                            void *fn_userdata) {
        const struct state *state = userdata;

        for (size_t i = 0; i < state->old.n; i++) {
                struct memo memo;

                if (state->old.items[i].kind != MEMO_LISTENER)
                        continue;
                memo_from_slot(&memo, &state->old.items[i]);
                fn(&memo, fn_userdata);
        }
}

static void state_settled(void *userdata) {
        struct state *state = userdata;

        /* The start is over, which needed much more memory than what follows. */
        ARRAY_DONE(&state->old);
        (void)malloc_trim(0);
        /* Where there was no room for everything, the old file has more of it. */
        if (!state->failed && rename(state->new_path, state->path) < 0)
                log_error("%s can't be put in place: %s", state->new_path, strerror(errno));
}

static const struct memory_ops state_ops = {
        .keep = state_keep,
        .drop = state_drop,
        .recall = state_recall,
        .listeners = state_listeners,
        .settled = state_settled,
};

struct memory state_memory(struct state *state) {
        return (struct memory){ .ops = &state_ops, .userdata = state };
}

/* Life */

int state_here(struct state_place *ret_place) {
        _cleanup_(fclosep) FILE *file = fopen(STATE_BOOT_ID, "re");
        _cleanup_(closep) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct state_place place = { .netns = 0 };
        socklen_t len = sizeof(place.netns);

        if (!file || fscanf(file, "%39s", place.boot) != 1)
                return -ENOENT;
        if (fd < 0)
                return -errno;
        if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &place.netns, &len) < 0)
                place.netns = 0;
        *ret_place = place;
        return 0;
}

void state_free(struct state *state) {
        if (!state)
                return;
        if (state->fd >= 0)
                close(state->fd);
        ARRAY_DONE(&state->free);
        ARRAY_DONE(&state->old);
        free(state);
}

DEFINE_CLEANUP(struct state *, state_free)

/* It may be there, of a daemon that ended before its file was whole. */
static int state_open_new(struct state *state, const struct state_place *place) {
        if (unlink(state->new_path) < 0 && errno != ENOENT)
                return -errno;
        state->fd = open(state->new_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        return state->fd < 0 ? -errno : header_write(state->fd, place);
}

int state_new(const char *runtime, const struct state_place *place, struct state **ret_state) {
        _cleanup_(state_freep) struct state *state = calloc(1, sizeof(*state));
        int r;

        if (!state)
                return -ENOMEM;
        state->fd = -1;
        snprintf(state->path, sizeof(state->path), "%s/state", runtime);
        snprintf(state->new_path, sizeof(state->new_path), "%s/state.new", runtime);
        state_read(state, runtime, place);
        r = state_open_new(state, place);
        if (r < 0) {
                log_error("%s can't be made: %s; a restart will not know everything",
                          state->new_path, strerror(-r));
                return r;
        }
        *ret_state = TAKE_PTR(state);
        return 0;
}

int state_start(const char *runtime, struct engine *engine, struct state **ret_state) {
        struct state_place here;
        struct memory memory;
        int r = state_here(&here);

        if (r < 0)
                log_error("neither boot nor namespace is known: %s; a restart will not know "
                          "everything",
                          strerror(-r));
        else
                r = state_new(runtime, &here, ret_state);
        if (r < 0)
                return r;
        memory = state_memory(*ret_state);
        engine_set_memory(engine, &memory);
        return 0;
}
