/* Of keys that were used nothing stays on the stack: neither ours nor that of who hashes. */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <cmocka.h>
#include <nettle/sha2.h>

#include "auth/keys.h"

#define STACK ((size_t)256 * 1024)
#define PART  8u /* bytes of a secret that are enough to know it again */

static const uint8_t pads[] = { 0, 0x36, 0x5c }; /* of HMAC */

/* Secrets of one try, in memory that is not searched. */
static struct {
        uint8_t psk[KEYS_SECRET], secret[KEYS_SECRET], mac[KEYS_MAC];
        struct auth_keys keys;
} lab;

static bool has(const uint8_t *memory, const uint8_t part[static PART]) {
        return memmem(memory, STACK, part, PART) != NULL;
}

/* As hash functions read it: in words of the other byte order. */
static bool has_swapped(const uint8_t *memory, const uint8_t part[static PART]) {
        uint8_t swapped[PART];

        for (unsigned int i = 0; i < PART; i++)
                swapped[i] = part[i ^ 3];
        return has(memory, swapped);
}

static uint32_t turned(uint32_t word, unsigned int n) {
        return word >> n | word << (32 - n);
}

/* FIPS 180-4, 6.2.2 */
static void schedule(const uint8_t block[static SHA256_BLOCK_SIZE], uint32_t words[static 64]) {
        for (size_t i = 0; i < 64; i++) {
                uint32_t a, b;

                if (i < 16) {
                        memcpy(&words[i], block + 4 * i, sizeof(words[i]));
                        words[i] = be32toh(words[i]);
                        continue;
                }
                a = words[i - 15], b = words[i - 2];
                words[i] = words[i - 16] + (turned(a, 7) ^ turned(a, 18) ^ a >> 3) + words[i - 7] +
                           (turned(b, 17) ^ turned(b, 19) ^ b >> 10);
        }
}

/* What of the padded key is as good as the key: the hash's state, and the end of its schedule. */
static unsigned int count_derived(const uint8_t *memory, const uint8_t secret[static KEYS_SECRET],
                                  uint8_t pad) {
        struct sha256_ctx context;
        uint8_t block[SHA256_BLOCK_SIZE];
        uint32_t words[64];
        unsigned int n = 0;

        for (size_t i = 0; i < sizeof(block); i++)
                block[i] = (i < KEYS_SECRET ? secret[i] : 0) ^ pad;
        sha256_init(&context);
        sha256_update(&context, sizeof(block), block);
        schedule(block, words);
        for (size_t i = 0; i < SHA256_DIGEST_SIZE / 4; i += 2)
                n += has(memory, (const uint8_t *)(context.state + i));
        for (size_t i = 0; i < 64; i += 2)
                n += has(memory, (const uint8_t *)(words + i));
        return n;
}

static unsigned int count(const uint8_t *memory, const uint8_t secret[static KEYS_SECRET]) {
        unsigned int n = count_derived(memory, secret, 0x36) + count_derived(memory, secret, 0x5c);

        for (size_t at = 0; at < KEYS_SECRET; at += PART)
                for (size_t i = 0; i < sizeof(pads); i++) {
                        uint8_t part[PART];

                        for (unsigned int k = 0; k < PART; k++)
                                part[k] = secret[at + k] ^ pads[i];
                        n += has(memory, part) + has_swapped(memory, part);
                }
        return n;
}

/* Runs it on a stack of its own. What is left there; a thread's would be given back first. */
static uint8_t *stack_after(void (*run)(void)) {
        uint8_t *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                              0);
        ucontext_t here, there;

        assert_ptr_not_equal(stack, MAP_FAILED);
        assert_int_equal(getcontext(&there), 0);
        there.uc_stack.ss_sp = stack;
        there.uc_stack.ss_size = STACK;
        there.uc_link = &here;
        makecontext(&there, run, 0);
        assert_int_equal(swapcontext(&here, &there), 0);
        return stack;
}

static void run_share(void) {
        keys_share(lab.psk, sizeof(lab.psk), 1, 2, lab.secret);
}

static void run_derive(void) {
        keys_derive(lab.secret, &lab.keys);
}

static void run_mac(void) {
        keys_mac(lab.keys.c2s, "message", 7, lab.mac);
}

/* Proves that the search finds what is there. */
static void run_careless(void) {
        volatile uint8_t copy[KEYS_SECRET];

        for (size_t i = 0; i < sizeof(copy); i++)
                copy[i] = lab.keys.c2s[i] ^ 0x36;
}

static void check_clean(void (*run)(void)) {
        uint8_t *stack = stack_after(run);

        assert_int_equal(count(stack, lab.psk), 0);
        assert_int_equal(count(stack, lab.secret), 0);
        assert_int_equal(count(stack, lab.keys.c2s), 0);
        assert_int_equal(count(stack, lab.keys.s2c), 0);
        assert_int_equal(munmap(stack, STACK), 0);
}

static void test_stack_search_finds_a_copy(void **state) {
        uint8_t *stack = stack_after(run_careless);

        (void)state;
        assert_int_not_equal(count(stack, lab.keys.c2s), 0);
        assert_int_equal(munmap(stack, STACK), 0);
}

static void test_stack_share_leaves_nothing(void **state) {
        (void)state;
        check_clean(run_share);
}

static void test_stack_derive_leaves_nothing(void **state) {
        (void)state;
        check_clean(run_derive);
}

static void test_stack_mac_leaves_nothing(void **state) {
        (void)state;
        check_clean(run_mac);
}

static int set_up(void **state) {
        (void)state;
        for (size_t i = 0; i < sizeof(lab.psk); i++)
                lab.psk[i] = (uint8_t)(i * 73 + 11);
        keys_share(lab.psk, sizeof(lab.psk), 1, 2, lab.secret);
        keys_derive(lab.secret, &lab.keys);
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_stack_search_finds_a_copy),
                cmocka_unit_test(test_stack_share_leaves_nothing),
                cmocka_unit_test(test_stack_derive_leaves_nothing),
                cmocka_unit_test(test_stack_mac_leaves_nothing),
        };

        return cmocka_run_group_tests(tests, set_up, NULL);
}
