/*
 * host/state: the file that survives the daemon, and what is wrong with files that don't.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../daemon/host/state.h"
#include "../../daemon/util/cleanup.h"
#include "../../daemon/util/log.h"

#define PLACE 512 /* bytes of one in the file */

static char dir[] = "/tmp/test-state-XXXXXX";
static char path[64], new_path[64];
static const struct state_place here = { .boot = "c0ffee", .netns = 1 };

static struct mptcpize_address at(const char *text) {
        struct mptcpize_address address;

        assert_int_equal(address_parse(text, &address), 0);
        return address;
}

static struct memo memo_of(uint32_t token) {
        return (struct memo){
                .kind = MEMO_CONNECTION,
                .flags = MEMO_OURS | MEMO_HEARD | MEMO_DENY_JOIN_INITIAL,
                .token = token,
                .local = at("192.0.2.1:40000"),
                .remote = at("203.0.113.1:80"),
                .cookie = 7,
                .profile = "web",
                .program = { "nginx", 42, 33 },
                .user_timeout_msec = 2000,
                .guard = memo_name("nginx"),
                .addresses = { { at("203.0.113.9:80"), 5, false },
                               { at("[2001:db8::1]:81"), 6, true } },
                .n_addresses = 2,
        };
}

static struct state *open_state(const struct state_place *place) {
        struct state *state;

        assert_int_equal(state_new(dir, place, &state), 0);
        return state;
}

static uint32_t keep(struct state *state, const struct memo *memo, uint32_t slot) {
        struct memory memory = state_memory(state);

        assert_int_equal(memory.ops->keep(memory.userdata, memo, &slot), 0);
        return slot;
}

static int recall(struct state *state, uint32_t token, struct memo *ret_memo) {
        struct memory memory = state_memory(state);
        const struct mptcpize_address local = at("192.0.2.1:40000"), remote = at("203.0.113.1:80");

        return memory.ops->recall(memory.userdata, token, &local, &remote, ret_memo);
}

static void settle(struct state *state) {
        struct memory memory = state_memory(state);

        memory.ops->settled(memory.userdata);
}

/* A file with connections 1 .. n, as a daemon leaves it. */
static void leave(uint32_t n) {
        struct state *state = open_state(&here);

        for (uint32_t token = 1; token <= n; token++) {
                struct memo memo = memo_of(token);

                assert_int_equal(keep(state, &memo, 0), token);
        }
        settle(state);
        state_free(state);
}

static void poke(off_t offset, unsigned char flip) {
        _cleanup_(closep) int fd = open(path, O_RDWR | O_CLOEXEC);
        unsigned char byte;

        assert_int_equal(pread(fd, &byte, 1, offset), 1);
        byte ^= flip;
        assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
}

static unsigned int known(const struct state_place *place, uint32_t n) {
        struct state *state = open_state(place);
        unsigned int found = 0;
        struct memo memo;

        for (uint32_t token = 1; token <= n; token++)
                found += recall(state, token, &memo) == 0;
        state_free(state);
        return found;
}

static void test_recall_gives_back_what_was_kept(void **unused) {
        struct memo memo, was = memo_of(2);
        struct state *state;

        (void)unused;
        leave(3);
        state = open_state(&here);
        assert_int_equal(recall(state, 2, &memo), 0);
        assert_int_equal(memo.flags, was.flags);
        assert_int_equal(memo.cookie, 7);
        assert_string_equal(memo.profile, "web");
        assert_string_equal(memo.program.name, "nginx");
        assert_int_equal(memo.program.pid, 42);
        assert_int_equal(memo.program.uid, 33);
        assert_int_equal(memo.user_timeout_msec, 2000);
        assert_true(memo.guard == memo_name("nginx") && memo.guard != memo_name("web"));
        assert_int_equal(memo.n_addresses, 2);
        assert_memory_equal(memo.addresses, was.addresses, 2 * sizeof(was.addresses[0]));
        assert_int_equal(recall(state, 4, &memo), -ENOENT);
        settle(state);
        assert_int_equal(recall(state, 2, &memo), -ENOENT); /* given back */
        state_free(state);
}

static void test_recall_other_ports_are_another_connection(void **unused) {
        const struct mptcpize_address local = at("192.0.2.1:40001"), remote = at("203.0.113.1:80");
        struct memory memory;
        struct state *state;
        struct memo memo;

        (void)unused;
        leave(1);
        state = open_state(&here);
        memory = state_memory(state);
        assert_int_equal(memory.ops->recall(memory.userdata, 1, &local, &remote, &memo), -ENOENT);
        assert_int_equal(memory.ops->recall(memory.userdata, 1, &remote, &remote, &memo), -ENOENT);
        state_free(state);
}

/* kill -9 at any moment before: the old file is still there. */
static void test_old_file_stays_until_settled(void **unused) {
        struct state *state;
        struct memo memo = memo_of(9);

        (void)unused;
        leave(3);
        state = open_state(&here);
        (void)keep(state, &memo, 0);
        state_free(state);
        assert_int_equal(known(&here, 3), 3);
        assert_int_equal(known(&here, 9), 3);
}

static void test_keep_in_place_last_one_counts(void **unused) {
        struct state *state = open_state(&here);
        struct memo memo = memo_of(1);
        struct memory memory = state_memory(state);
        uint32_t slot = keep(state, &memo, 0), other;

        (void)unused;
        memo.user_timeout_msec = 1;
        assert_int_equal(keep(state, &memo, slot), slot);
        memory.ops->drop(memory.userdata, slot);
        /* What a dropped slot still holds is older than what came after it. */
        memo.token = 2;
        other = keep(state, &memo, 0);
        assert_int_equal(other, slot);
        memo.token = 3;
        slot = keep(state, &memo, 0);
        memory.ops->drop(memory.userdata, slot);
        (void)keep(state, &memo, 0);
        memo.user_timeout_msec = 5;
        (void)keep(state, &memo, 0);
        settle(state);
        state_free(state);
        state = open_state(&here);
        assert_int_equal(recall(state, 1, &memo), -ENOENT);
        assert_int_equal(recall(state, 2, &memo), 0);
        assert_int_equal(memo.user_timeout_msec, 1);
        assert_int_equal(recall(state, 3, &memo), 0);
        assert_int_equal(memo.user_timeout_msec, 5);
        state_free(state);
}

static void test_drop_slots_are_used_again(void **unused) {
        struct state *state = open_state(&here);
        struct memory memory = state_memory(state);
        struct memo memo = memo_of(1);
        struct stat is;

        (void)unused;
        for (unsigned int i = 0; i < 1000; i++)
                memory.ops->drop(memory.userdata, keep(state, &memo, 0));
        assert_int_equal(stat(new_path, &is), 0);
        assert_int_equal(is.st_size, 2 * PLACE);
        assert_int_equal(is.st_mode & 0777, 0600);
        state_free(state);
}

static void count_listener(const struct memo *memo, void *userdata) {
        unsigned int *n = userdata;

        assert_int_equal(memo->cookie, 99);
        assert_int_equal(memo->flags, MEMO_IPV6_ONLY);
        ++*n;
}

static void test_listeners_gives_those(void **unused) {
        struct memo listener = { .kind = MEMO_LISTENER,
                                 .flags = MEMO_IPV6_ONLY,
                                 .local = at("[2001:db8::1]:443"),
                                 .cookie = 99 };
        struct memo connection = memo_of(1);
        struct state *state = open_state(&here);
        struct memory memory;
        unsigned int n = 0;

        (void)unused;
        (void)keep(state, &listener, 0);
        (void)keep(state, &connection, 0);
        settle(state);
        state_free(state);
        state = open_state(&here);
        memory = state_memory(state);
        memory.ops->listeners(memory.userdata, count_listener, &n);
        assert_int_equal(n, 1);
        state_free(state);
}

static void test_open_of_another_boot_or_namespace_is_ignored(void **unused) {
        struct state_place boot = { .boot = "decaf", .netns = 1 };
        struct state_place netns = { .boot = "c0ffee", .netns = 2 };

        (void)unused;
        leave(1);
        assert_int_equal(known(&boot, 1), 0);
        assert_int_equal(known(&netns, 1), 0);
        assert_int_equal(known(&here, 1), 1);
}

/* A damaged header spoils all, a damaged slot only itself. */
static void test_open_damaged_at_every_byte(void **unused) {
        static const unsigned char flips[] = { 0x01, 0x80, 0xff };

        (void)unused;
        leave(2);
        for (off_t i = 0; i < 3 * PLACE; i++)
                for (size_t k = 0; k < ARRAY_SIZE(flips); k++) {
                        poke(i, flips[k]);
                        assert_int_equal(known(&here, 2), i < PLACE ? 0 : 1);
                        poke(i, flips[k]);
                }
        assert_int_equal(known(&here, 2), 2);
}

static void test_open_cut_at_every_byte(void **unused) {
        (void)unused;
        leave(2);
        for (off_t i = 3 * PLACE - 1; i >= 0; i--) {
                assert_int_equal(truncate(path, i), 0);
                assert_int_equal(known(&here, 2), i < 2 * PLACE ? 0 : 1);
        }
}

static void test_open_writable_by_others_is_ignored(void **unused) {
        (void)unused;
        leave(1);
        assert_int_equal(chmod(path, 0622), 0);
        assert_int_equal(known(&here, 1), 0);
}

static void test_open_no_file_is_ignored(void **unused) {
        (void)unused;
        assert_int_equal(symlink("/dev/zero", path), 0);
        assert_int_equal(known(&here, 1), 0);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkfifo(path, 0600), 0);
        assert_int_equal(known(&here, 1), 0);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkdir(path, 0700), 0);
        assert_int_equal(known(&here, 1), 0);
        assert_int_equal(rmdir(path), 0);
}

/* A sum that is right says nothing of who made it. */
static void test_keep_insane_is_not_recalled(void **unused) {
        struct memo memos[4] = { memo_of(1), memo_of(2), memo_of(3), memo_of(4) };
        struct state *state = open_state(&here);

        (void)unused;
        memset(memos[0].profile, 'x', sizeof(memos[0].profile));
        memset(memos[1].program.name, 'x', sizeof(memos[1].program.name));
        memos[2].local.family = 99;
        memos[3].flags = 0x80000000;
        for (size_t i = 0; i < ARRAY_SIZE(memos); i++)
                (void)keep(state, &memos[i], 0);
        settle(state);
        state_free(state);
        assert_int_equal(known(&here, 4), 0);
}

static void test_keep_more_than_there_is_room_for_is_an_error(void **unused) {
        struct state *state = open_state(&here);
        struct memory memory = state_memory(state);
        struct memo memo = memo_of(1);
        uint32_t slot = 0;

        (void)unused;
        for (uint32_t i = 0; i < LIMIT_CONNECTIONS + LIMIT_LISTENERS; i++) {
                slot = 0;
                assert_int_equal(memory.ops->keep(memory.userdata, &memo, &slot), 0);
        }
        slot = 0;
        assert_int_equal(memory.ops->keep(memory.userdata, &memo, &slot), -ENOBUFS);
        assert_int_equal(slot, 0);
        state_free(state);
}

static void test_here_is_the_same_twice(void **unused) {
        struct state_place a, b;

        (void)unused;
        assert_int_equal(state_here(&a), 0);
        assert_int_equal(state_here(&b), 0);
        assert_memory_equal(&a, &b, sizeof(a));
        assert_int_equal(strlen(a.boot), 36);
}

static int setup(void **unused) {
        (void)unused;
        (void)unlink(path);
        (void)unlink(new_path);
        return 0;
}

static int group_setup(void **unused) {
        (void)unused;
        log_set_level(-1);
        if (!mkdtemp(dir))
                return -1;
        snprintf(path, sizeof(path), "%s/state", dir);
        snprintf(new_path, sizeof(new_path), "%s/state.new", dir);
        return 0;
}

static int group_teardown(void **unused) {
        (void)setup(unused);
        return rmdir(dir);
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_recall_gives_back_what_was_kept),
                T(test_recall_other_ports_are_another_connection),
                T(test_old_file_stays_until_settled),
                T(test_keep_in_place_last_one_counts),
                T(test_drop_slots_are_used_again),
                T(test_listeners_gives_those),
                T(test_open_of_another_boot_or_namespace_is_ignored),
                T(test_open_damaged_at_every_byte),
                T(test_open_cut_at_every_byte),
                T(test_open_writable_by_others_is_ignored),
                T(test_open_no_file_is_ignored),
                T(test_keep_insane_is_not_recalled),
                T(test_keep_more_than_there_is_room_for_is_an_error),
                T(test_here_is_the_same_twice),
        };

        return cmocka_run_group_tests_name("state", tests, group_setup, group_teardown);
}
