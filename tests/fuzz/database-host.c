#include "database-host.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../policy/eval.h"
#include "../../shim/database.h"

static struct {
        int fd;
        char *bytes;  /* the whole file */
        char *beside; /* where it is mapped for the library, with nothing on either side */
        struct database_input input;
        size_t changes; /* that were made */
} host;

static void host_open(void) {
        host.fd = memfd_create("database", MFD_CLOEXEC);
        assert(host.fd >= 0 && fchmod(host.fd, 0600) == 0);
        assert(ftruncate(host.fd, POLICY_FILE_BYTES) == 0);
        host.bytes = mmap(NULL, POLICY_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, host.fd, 0);
        host.beside = mmap(NULL, POLICY_FILE_BYTES + 2 * POLICY_HEADER_BYTES, PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert(host.bytes != MAP_FAILED && host.beside != MAP_FAILED);
}

static void host_fill(uint8_t byte) {
        if (!host.bytes)
                host_open();
        /* Pages that nobody touches cost nothing. */
        assert(fallocate(host.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                         POLICY_FILE_BYTES) == 0);
        if (byte)
                memset(host.bytes, byte, POLICY_FILE_BYTES);
}

/* What would be beyond the end is left out. */
static void host_write(size_t offset, const void *bytes, size_t n) {
        if (offset < POLICY_FILE_BYTES && n <= POLICY_FILE_BYTES - offset)
                memcpy(host.bytes + offset, bytes, n);
}

static size_t half_offset(uint32_t generation) {
        return POLICY_HEADER_BYTES + (generation & 1) * (size_t)POLICY_HALF_BYTES;
}

static void host_stamp(uint32_t generation, uint32_t size) {
        const struct policy_header header = { .magic = POLICY_MAGIC,
                                              .version = POLICY_VERSION,
                                              .half_bytes = POLICY_HALF_BYTES,
                                              .generation = generation,
                                              .whole = { generation, generation } };
        struct policy_half *half = (void *)(host.bytes + half_offset(generation));

        memcpy(host.bytes, &header, sizeof(header));
        half->generation = generation;
        half->bytes = (size / 8 % (POLICY_HALF_BYTES / 8) + 1) * 8;
        half->sum = policy_sum(&half->bytes, half->bytes - sizeof(half->sum));
}

static const void *host_map(size_t size, bool own) {
        const void *map;
        char path[32];

        snprintf(path, sizeof(path), "/proc/self/fd/%d", host.fd);
        assert(ftruncate(host.fd, (off_t)size) == 0);
        map = database_map(path, own);
        assert(ftruncate(host.fd, POLICY_FILE_BYTES) == 0);
        assert(!map == (size != POLICY_FILE_BYTES));
        if (!map)
                return NULL;
        return mremap((void *)(uintptr_t)map, POLICY_FILE_BYTES, POLICY_FILE_BYTES,
                      MREMAP_MAYMOVE | MREMAP_FIXED, host.beside + POLICY_HEADER_BYTES);
}

const void *database_host_map(const uint8_t *data, size_t n) {
        const size_t head = n < sizeof(host.input) ? n : sizeof(host.input);
        const struct database_input *input = &host.input;
        const void *map;

        host.input = (struct database_input){ 0 };
        host.changes = 0;
        memcpy(&host.input, data, head);
        host_fill(input->fill);
        host_write(half_offset(input->generation) + input->at % POLICY_HALF_BYTES, data + head,
                   n - head);
        if (input->stamped & 1)
                host_stamp(input->generation, input->size);
        else
                host_write(0, data + head, n - head);
        map = host_map(POLICY_FILE_BYTES - (input->other_size == 1), input->own & 1);
        assert(map != MAP_FAILED);
        return map;
}

void database_host_unmap(void) {
        void *at = host.beside + POLICY_HEADER_BYTES;

        at = mmap(at, POLICY_FILE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        assert(at != MAP_FAILED);
}

bool database_host_change(void) {
        const uint32_t *change = host.input.changes[host.changes % 4];

        if (host.changes == 4 || !change[0])
                return false;
        host.changes++;
        host_write(change[0], &change[1], sizeof(change[1]));
        return true;
}
