#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "../util/array.h"
#include "../util/cleanup.h"
#include "../util/hash.h"
#include "../util/limits.h"
#include "../util/log.h"
#include "secret.h"

#define STORE_MAGIC   "mptcpath" /* no NUL */
#define STORE_VERSION 1u
#define STORE_BYTES   256u /* of a slot; the first one is the header */
#define STORE_CHUNK   256u /* slots that it grows by */
#define STORE_SLOTS   (LIMIT_CONNECTIONS + STORE_CHUNK)

struct store_header {
        uint64_t sum; /* of what follows */
        char magic[8];
        uint32_t version;
        uint32_t bytes; /* of struct auth_record */
        uint8_t place[STORE_PLACE];
};

union store_slot {
        uint8_t bytes[STORE_BYTES];
        struct store_header header;
        struct auth_record record;
};

_Static_assert(sizeof(union store_slot) == STORE_BYTES, "all slots have one size");

/* A record of the last daemon's. */
struct left {
        uint32_t token;
        uint32_t slot; /* 0: it was taken */
};

struct store {
        int fd;
        union store_slot *slots; /* room for STORE_SLOTS, of which n_slots are there */
        uint32_t n_slots;
        ARRAY_OF(uint32_t) unused;  /* slots */
        ARRAY_OF(struct left) left; /* in order of token */
        char path[PATH_MAX];
};

/* Sums */

static uint64_t header_sum(const union store_slot *slot) {
        return hash_more(HASH_NULL, slot->bytes + sizeof(uint64_t), STORE_BYTES - sizeof(uint64_t));
}

/* What else is in a record changes a word at a time, and is right at any moment. */
static uint64_t record_sum(const struct auth_record *record) {
        uint64_t sum = hash_more(HASH_NULL, &record->cookie, sizeof(record->cookie));

        sum = hash_more(sum, &record->token, sizeof(record->token));
        sum = hash_more(sum, &record->keyed, sizeof(record->keyed));
        return record_has_keys(record) ? hash_more(sum, &record->keys, sizeof(record->keys)) : sum;
}

void store_seal(struct auth_record *record) {
        record->sum = record_sum(record);
}

/* The file */

static void header_fill(union store_slot *first, const void *place, size_t n) {
        *first = (union store_slot){ .bytes = { 0 } };
        memcpy(first->header.magic, STORE_MAGIC, sizeof(first->header.magic));
        first->header.version = STORE_VERSION;
        first->header.bytes = sizeof(struct auth_record);
        memcpy(first->header.place, place, n < STORE_PLACE ? n : STORE_PLACE);
        first->header.sum = header_sum(first);
}

/* What is wrong with it, or NULL. */
static const char *header_judge(const union store_slot *first, const union store_slot *wanted) {
        const struct store_header *header = &first->header;

        if (memcmp(header->magic, STORE_MAGIC, sizeof(header->magic)) != 0)
                return "it is no store of mptcpized";
        if (header->version != STORE_VERSION || header->bytes != sizeof(struct auth_record))
                return "it is of another version";
        if (header_sum(first) != header->sum)
                return "its header is damaged";
        if (memcmp(header->place, wanted->header.place, STORE_PLACE) != 0)
                return "it is of another boot or network namespace";
        return NULL;
}

/* Whoever else may write to it could tell us anything, and who may read it has the keys. */
static const char *file_judge(int fd, const char *runtime, off_t *ret_size) {
        struct stat is, directory;

        if (fstat(fd, &is) < 0 || stat(runtime, &directory) < 0)
                return strerror(errno);
        if (!S_ISREG(is.st_mode) || is.st_nlink != 1)
                return "it is no regular file";
        if (is.st_uid != 0 && is.st_uid != geteuid() && is.st_uid != directory.st_uid)
                return "it belongs to another user";
        if (is.st_mode & (S_IRWXG | S_IRWXO))
                return "others may read or write it";
        *ret_size = is.st_size;
        return NULL;
}

/* Room for slots up to n: 0 or a negative errno. */
static int store_grow(struct store *store, uint32_t n) {
        const off_t from = (off_t)store->n_slots * STORE_BYTES;
        int r;

        if (n > STORE_SLOTS)
                return -ENOBUFS;
        do
                r = -posix_fallocate(store->fd, from, (off_t)n * STORE_BYTES - from);
        while (r == -EINTR);
        if (r < 0)
                return r;
        secret_shield(store->slots + store->n_slots, (size_t)(n - store->n_slots) * STORE_BYTES);
        store->n_slots = n;
        return 0;
}

static int store_map(struct store *store) {
        void *map = mmap(NULL, (size_t)STORE_SLOTS * STORE_BYTES, PROT_READ | PROT_WRITE,
                         MAP_SHARED, store->fd, 0);

        if (map == MAP_FAILED)
                return -errno;
        store->slots = map;
        (void)madvise(map, (size_t)STORE_SLOTS * STORE_BYTES, MADV_DONTDUMP);
        return 0;
}

/* What the last daemon has left */

static int left_compare(const void *pa, const void *pb) {
        const struct left *a = pa, *b = pb;

        return a->token < b->token ? -1 : a->token > b->token;
}

/* What its sum doesn't cover may be anything after an accident. */
static bool record_is_sound(const struct auth_record *record) {
        return record->cookie && record->sum == record_sum(record) &&
               record->n_admitted <= RECORD_ADMITTED;
}

static void store_read(struct store *store) {
        unsigned int damaged = 0;

        for (uint32_t i = 1; i < store->n_slots; i++) {
                struct auth_record *record = &store->slots[i].record;
                const struct left left = { .token = record->token, .slot = i };

                if (record_is_sound(record) && ARRAY_APPEND(&store->left, left, STORE_SLOTS) == 0)
                        continue;
                damaged += record->cookie != 0;
                secret_cleanse(&store->slots[i], STORE_BYTES);
                (void)ARRAY_APPEND(&store->unused, i, STORE_SLOTS);
        }
        if (damaged)
                log_warning("%s: %u entries are damaged, and ignored", store->path, damaged);
        if (store->left.n > 1)
                qsort(store->left.items, store->left.n, sizeof(*store->left.items), left_compare);
}

/* The record of that connection, with its place among what is left; or NULL. */
static struct auth_record *store_find(struct store *store, uint64_t cookie, uint32_t token) {
        for (size_t i = ARRAY_LOWER_BOUND(&store->left, token, token);
             i < store->left.n && store->left.items[i].token == token; i++) {
                struct left *left = &store->left.items[i];
                struct auth_record *record = &store->slots[left->slot].record;

                if (!left->slot || record->cookie != cookie)
                        continue;
                left->slot = 0;
                return record;
        }
        return NULL;
}

void store_each_left(const struct store *store,
                     void (*fn)(const struct auth_record *record, void *userdata), void *userdata) {
        for (size_t i = 0; i < store->left.n; i++)
                if (store->left.items[i].slot)
                        fn(&store->slots[store->left.items[i].slot].record, userdata);
}

size_t store_sweep(struct store *store) {
        size_t n = 0;

        for (size_t i = 0; i < store->left.n; i++) {
                if (!store->left.items[i].slot)
                        continue;
                store_give(store, &store->slots[store->left.items[i].slot].record);
                n++;
        }
        ARRAY_DONE(&store->left);
        return n;
}

/* Records */

static uint32_t store_slot_of(const struct store *store, const struct auth_record *record) {
        return (uint32_t)((const union store_slot *)record - store->slots);
}

struct auth_record *store_take(struct store *store, uint64_t cookie, uint32_t token) {
        struct auth_record *record = store_find(store, cookie, token);
        uint32_t first = store->n_slots;

        if (record)
                return record;
        if (store->unused.n == 0) {
                if (store_grow(store, first + STORE_CHUNK) < 0)
                        return NULL;
                for (uint32_t i = store->n_slots; i > first; i--)
                        (void)ARRAY_APPEND(&store->unused, i - 1, STORE_SLOTS);
        }
        if (store->unused.n == 0)
                return NULL;
        record = &store->slots[store->unused.items[--store->unused.n]].record;
        record->token = token;
        record->cookie = cookie;
        store_seal(record);
        return record;
}

void store_give(struct store *store, struct auth_record *record) {
        secret_cleanse(record, STORE_BYTES);
        (void)ARRAY_APPEND(&store->unused, store_slot_of(store, record), STORE_SLOTS);
}

/* Life */

void store_free(struct store *store) {
        if (!store)
                return;
        if (store->slots)
                (void)munmap(store->slots, (size_t)STORE_SLOTS * STORE_BYTES);
        if (store->fd >= 0)
                close(store->fd);
        ARRAY_DONE(&store->unused);
        ARRAY_DONE(&store->left);
        free(store);
}

DEFINE_CLEANUP(struct store *, store_free)

/* Anew, for us alone; whoever has the old one open keeps only that. */
static int store_create(struct store *store) {
        if (store->fd >= 0)
                close(store->fd);
        store->fd = -1;
        if (unlink(store->path) < 0 && errno != ENOENT)
                return -errno;
        store->fd = open(store->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        return store->fd < 0 ? -errno : 0;
}

/* Maps the old file if it can be used: 0; else 1, or a negative errno. */
static int store_reuse(struct store *store, const char *runtime, const union store_slot *wanted) {
        const char *wrong = NULL;
        off_t size = 0;
        int r;

        store->fd = open(store->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (store->fd < 0 && errno == ENOENT)
                return 1;
        wrong = store->fd < 0 ? strerror(errno) : file_judge(store->fd, runtime, &size);
        if (!wrong && (size < (off_t)STORE_BYTES || size % STORE_BYTES != 0 ||
                       size / STORE_BYTES > STORE_SLOTS))
                wrong = "it has not the size of one";
        if (!wrong) {
                r = store_map(store);
                if (r == 0)
                        r = store_grow(store, (uint32_t)(size / STORE_BYTES));
                if (r < 0)
                        return r;
                wrong = header_judge(store->slots, wanted);
        }
        if (wrong)
                log_notice("%s is ignored: %s", store->path, wrong);
        return wrong ? 1 : 0;
}

static int store_begin(struct store *store, const union store_slot *header) {
        int r;

        if (store->slots)
                (void)munmap(store->slots, (size_t)STORE_SLOTS * STORE_BYTES);
        store->slots = NULL;
        store->n_slots = 0;
        r = store_create(store);
        if (r == 0)
                r = store_map(store);
        if (r == 0)
                r = store_grow(store, 1);
        if (r == 0 && store->slots)
                store->slots[0] = *header;
        return r;
}

int store_new(const char *runtime, const void *place, size_t n, struct store **ret_store) {
        _cleanup_(store_freep) struct store *store = calloc(1, sizeof(*store));
        union store_slot header;
        int r;

        if (!store)
                return -ENOMEM;
        store->fd = -1;
        snprintf(store->path, sizeof(store->path), "%s/auth", runtime);
        header_fill(&header, place, n);
        r = store_reuse(store, runtime, &header);
        if (r == 0)
                store_read(store);
        else if (r > 0)
                r = store_begin(store, &header);
        if (r < 0) {
                log_error("%s can't be used: %s; no connection can be protected", store->path,
                          strerror(-r));
                return r;
        }
        *ret_store = TAKE_PTR(store);
        return 0;
}
