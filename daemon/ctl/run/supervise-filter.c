/*
 * One row for each call of each ABI that this kernel runs. A block of instructions for each call
 * ends in a verdict, so that blocks can be put one behind the other. A call of an ABI that has no
 * row makes TCP sockets, as it always did; so does socketcall(2) of i386, whose arguments are in
 * memory, where a filter can't look.
 *
 * Everything but the blocks depends on the number alone, so the kernel knows in advance that all
 * other calls pass (seccomp's action cache, Linux 5.11) and does not run the program for them.
 */
#include "supervise-filter.h"
#include "../../util/cleanup.h"

#include <assert.h>
#include <endian.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#if defined(__x86_64__) && !defined(__ILP32__)
#define ARCH_NATIVE AUDIT_ARCH_X86_64
#elif defined(__i386__)
#define ARCH_NATIVE AUDIT_ARCH_I386
#elif defined(__aarch64__)
#define ARCH_NATIVE AUDIT_ARCH_AARCH64
#elif defined(__arm__)
#define ARCH_NATIVE AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH_NATIVE AUDIT_ARCH_RISCV64
#else
#error "which AUDIT_ARCH_* of linux/audit.h is this?"
#endif

/* Those with whole user ids. */
#ifdef __NR_setuid32
#define NATIVE_NR_setuid    __NR_setuid32
#define NATIVE_NR_setreuid  __NR_setreuid32
#define NATIVE_NR_setresuid __NR_setresuid32
#else
#define NATIVE_NR_setuid    __NR_setuid
#define NATIVE_NR_setreuid  __NR_setreuid
#define NATIVE_NR_setresuid __NR_setresuid
#endif

#define X32 0x40000000 /* __X32_SYSCALL_BIT */

struct row {
        uint32_t arch;
        uint32_t nr;
        enum filter_call call;
};

/* Rows of one architecture are side by side. */
static const struct row rows[] = {
        { ARCH_NATIVE, __NR_socket, FILTER_SOCKET },
        { ARCH_NATIVE, __NR_connect, FILTER_CONNECT },
        { ARCH_NATIVE, __NR_bind, FILTER_BIND },
        { ARCH_NATIVE, __NR_listen, FILTER_LISTEN },
        { ARCH_NATIVE, __NR_execve, FILTER_CHANGE },
        { ARCH_NATIVE, __NR_execveat, FILTER_CHANGE },
        { ARCH_NATIVE, NATIVE_NR_setuid, FILTER_CHANGE },
        { ARCH_NATIVE, NATIVE_NR_setreuid, FILTER_CHANGE },
        { ARCH_NATIVE, NATIVE_NR_setresuid, FILTER_CHANGE },
#if defined(__x86_64__)
        { ARCH_NATIVE, X32 | __NR_socket, FILTER_SOCKET },
        { ARCH_NATIVE, X32 | __NR_connect, FILTER_CONNECT },
        { ARCH_NATIVE, X32 | __NR_bind, FILTER_BIND },
        { ARCH_NATIVE, X32 | __NR_listen, FILTER_LISTEN },
        { ARCH_NATIVE, X32 | 520, FILTER_CHANGE },
        { ARCH_NATIVE, X32 | 545, FILTER_CHANGE },
        { ARCH_NATIVE, X32 | __NR_setuid, FILTER_CHANGE },
        { ARCH_NATIVE, X32 | __NR_setreuid, FILTER_CHANGE },
        { ARCH_NATIVE, X32 | __NR_setresuid, FILTER_CHANGE },
        { AUDIT_ARCH_I386, 359, FILTER_SOCKET },
        { AUDIT_ARCH_I386, 362, FILTER_CONNECT },
        { AUDIT_ARCH_I386, 361, FILTER_BIND },
        { AUDIT_ARCH_I386, 363, FILTER_LISTEN },
        { AUDIT_ARCH_I386, 11, FILTER_CHANGE },
        { AUDIT_ARCH_I386, 358, FILTER_CHANGE },
        { AUDIT_ARCH_I386, 213, FILTER_CHANGE },
        { AUDIT_ARCH_I386, 203, FILTER_CHANGE },
        { AUDIT_ARCH_I386, 208, FILTER_CHANGE },
#elif defined(__aarch64__)
        { AUDIT_ARCH_ARM, 281, FILTER_SOCKET },
        { AUDIT_ARCH_ARM, 283, FILTER_CONNECT },
        { AUDIT_ARCH_ARM, 282, FILTER_BIND },
        { AUDIT_ARCH_ARM, 284, FILTER_LISTEN },
        { AUDIT_ARCH_ARM, 11, FILTER_CHANGE },
        { AUDIT_ARCH_ARM, 387, FILTER_CHANGE },
        { AUDIT_ARCH_ARM, 213, FILTER_CHANGE },
        { AUDIT_ARCH_ARM, 203, FILTER_CHANGE },
        { AUDIT_ARCH_ARM, 208, FILTER_CHANGE },
#endif
};

/* The low word of an argument: all that we look at are ints. */
#define ARGUMENT(i)                                                                \
        ((uint32_t)(offsetof(struct seccomp_data, args) + (i) * sizeof(uint64_t) + \
                    (BYTE_ORDER == BIG_ENDIAN ? sizeof(uint32_t) : 0)))

#define LOAD(at)                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (at))
#define IF_EQUAL(k, yes, no)    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), (yes), (no))
#define IF_AT_LEAST(k, yes, no) BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (k), (yes), (no))
#define ALLOW                   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define NOTIFY                  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)

/* A TCP socket, as inet_create() makes one, with no type flag that the kernel refuses. */
static const struct sock_filter block_socket[] = {
        LOAD(ARGUMENT(0)),
        IF_EQUAL(AF_INET, 1, 0),
        IF_EQUAL(AF_INET6, 0, 6),
        LOAD(ARGUMENT(1)),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~(uint32_t)(SOCK_NONBLOCK | SOCK_CLOEXEC)),
        IF_EQUAL(SOCK_STREAM, 0, 3),
        LOAD(ARGUMENT(2)),
        IF_EQUAL(0, 2, 0),
        IF_EQUAL(IPPROTO_TCP, 1, 0),
        ALLOW,
        NOTIFY,
};

/*
 * An address that can be one of the Internet, which may be as long as it likes: but it is not
 * shorter than a sockaddr_in, and nobody makes it as long as a sockaddr_un by chance.
 */
static const struct sock_filter block_address[] = {
        LOAD(ARGUMENT(2)),
        IF_AT_LEAST(sizeof(struct sockaddr_in), 0, 1),
        IF_EQUAL(sizeof(struct sockaddr_un), 0, 1),
        ALLOW,
        NOTIFY,
};

static const struct sock_filter block_any[] = { NOTIFY };

struct block {
        const struct sock_filter *instructions;
        size_t n;
};

static const struct block blocks[_FILTER_CALL_MAX] = {
        [FILTER_SOCKET] = { block_socket, ARRAY_SIZE(block_socket) },
        [FILTER_CONNECT] = { block_address, ARRAY_SIZE(block_address) },
        [FILTER_BIND] = { block_address, ARRAY_SIZE(block_address) },
        [FILTER_LISTEN] = { block_any, ARRAY_SIZE(block_any) },
        [FILTER_CHANGE] = { block_any, ARRAY_SIZE(block_any) },
};

struct emitter {
        struct sock_filter *to;
        size_t n;
};

static void emit(struct emitter *emitter, const struct sock_filter *instructions, size_t n) {
        assert(emitter->n + n <= FILTER_INSTRUCTIONS);
        memcpy(emitter->to + emitter->n, instructions, n * sizeof(*instructions));
        emitter->n += n;
}

static void emit_one(struct emitter *emitter, struct sock_filter instruction) {
        emit(emitter, &instruction, 1);
}

/* Rows from first on that have its architecture; returns the first one behind them. */
static size_t emit_arch(struct emitter *emitter, size_t first) {
        size_t skip, i;

        emit_one(emitter, (struct sock_filter)LOAD(offsetof(struct seccomp_data, arch)));
        emit_one(emitter, (struct sock_filter)IF_EQUAL(rows[first].arch, 1, 0));
        skip = emitter->n; /* an unconditional jump reaches further */
        emit_one(emitter, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
        emit_one(emitter, (struct sock_filter)LOAD(offsetof(struct seccomp_data, nr)));
        for (i = first; i < ARRAY_SIZE(rows) && rows[i].arch == rows[first].arch; i++) {
                const struct block *block = &blocks[rows[i].call];

                emit_one(emitter, (struct sock_filter)IF_EQUAL(rows[i].nr, 0, (uint8_t)block->n));
                emit(emitter, block->instructions, block->n);
        }
        emit_one(emitter, (struct sock_filter)ALLOW);
        emitter->to[skip].k = (uint32_t)(emitter->n - skip - 1);
        return i;
}

size_t filter_build(struct sock_filter program[static FILTER_INSTRUCTIONS]) {
        struct emitter emitter = { program, 0 };
        size_t i = 0;

        while (i < ARRAY_SIZE(rows))
                i = emit_arch(&emitter, i);
        emit_one(&emitter, (struct sock_filter)ALLOW);
        return emitter.n;
}

enum filter_call filter_call(uint32_t arch, int nr) {
        size_t i;

        for (i = 0; i < ARRAY_SIZE(rows); i++)
                if (rows[i].arch == arch && rows[i].nr == (uint32_t)nr)
                        return rows[i].call;
        return FILTER_NONE;
}
