/*
 * core/watch on a path that loses packets and is alive: 5 % in each direction, 100 ms. A small
 * sender, with the kernel's timers, makes the numbers; dice with a fixed seed, and time is a
 * number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "watched.h"

#define RTT_USEC  (100 * MSEC)
#define RTO_USEC  (300 * MSEC)
#define STEP_USEC (5 * MSEC)
#define MINUTES   10u
#define FLIGHT    64u

/* A segment under way: when its answer comes; 0: it, or the answer, is lost. */
struct segment {
        uint64_t answer_usec;
        uint64_t sent_usec;
        bool sacked;
};

struct sender {
        struct watched *watched;
        struct watched_path *path;
        uint32_t window;     /* segments */
        uint64_t think_usec; /* between an answer and the next question */
        uint64_t next_usec;
        uint64_t timer_usec; /* of the retransmission; 0: nothing is under way */
        bool probed;         /* the next time-out is no tail loss probe any more */
        uint64_t random;
        struct segment flight[FLIGHT];
        uint32_t n;
};

static bool is_lost(struct sender *sender) {
        sender->random = sender->random * 6364136223846793005u + 1442695040888963407u;
        return (sender->random >> 33) % 1000 < 98; /* there or back */
}

static void transmit(struct sender *sender, struct segment *segment) {
        uint64_t now = sender->watched->world->now;

        segment->answer_usec = is_lost(sender) ? 0 : now + RTT_USEC;
        segment->sent_usec = now;
        sender->path->sent_usec = now;
        sender->path->measure.bytes_sent += 1000;
}

static void arm(struct sender *sender) {
        uint64_t wait = RTO_USEC << sender->path->measure.backoff;

        if (!sender->probed && sender->n > 1)
                wait = 2 * RTT_USEC;
        sender->timer_usec = sender->n ? sender->watched->world->now + wait : 0;
}

static void retransmit(struct sender *sender) {
        struct measure *measure = &sender->path->measure;

        if (sender->probed)
                measure->backoff++;
        sender->probed = true;
        measure->rto_usec = (uint32_t)(RTO_USEC << measure->backoff);
        measure->retransmits++;
        transmit(sender, &sender->flight[0]);
        arm(sender);
}

/* The first ones are acknowledged. */
static void advance(struct sender *sender) {
        struct measure *measure = &sender->path->measure;
        uint32_t n = 0;

        while (n < sender->n && sender->flight[n].sacked)
                n++;
        if (!n)
                return;
        memmove(sender->flight, sender->flight + n, (sender->n - n) * sizeof(*sender->flight));
        sender->n -= n;
        measure->bytes_acked += n * 1000;
        measure->backoff = 0;
        measure->rto_usec = RTO_USEC;
        sender->probed = false;
        sender->next_usec = sender->watched->world->now + sender->think_usec;
        arm(sender);
}

/* What was sent before something that was answered, and was not, is lost (RFC 8985). */
static void repair(struct sender *sender, uint64_t sent_usec) {
        for (uint32_t i = 0; i < sender->n; i++) {
                struct segment *segment = &sender->flight[i];

                if (segment->sacked || segment->answer_usec || segment->sent_usec > sent_usec)
                        continue;
                sender->path->measure.retransmits++;
                transmit(sender, segment);
                arm(sender);
        }
}

static void receive(struct sender *sender) {
        uint64_t now = sender->watched->world->now, latest = 0;

        for (uint32_t i = 0; i < sender->n; i++) {
                struct segment *segment = &sender->flight[i];

                if (!segment->answer_usec || segment->answer_usec > now || segment->sacked)
                        continue;
                segment->sacked = true;
                sender->path->acked_usec = now;
                latest = segment->sent_usec > latest ? segment->sent_usec : latest;
        }
        repair(sender, latest);
        advance(sender);
}

static void step(struct sender *sender) {
        uint64_t now = sender->watched->world->now;
        struct measure *measure = &sender->path->measure;

        receive(sender);
        while (sender->n < sender->window && now >= sender->next_usec) {
                sender->flight[sender->n] = (struct segment){ 0 };
                transmit(sender, &sender->flight[sender->n++]);
                if (sender->n == 1)
                        arm(sender);
        }
        if (sender->timer_usec && now >= sender->timer_usec)
                retransmit(sender);
        measure->unacked = sender->n;
        measure->sacked = 0;
        /* After a time-out TCP takes all for lost but what it has just sent again. */
        measure->lost = 0;
        measure->resent = measure->backoff > 0;
        for (uint32_t i = 0; i < sender->n; i++)
                measure->sacked += sender->flight[i].sacked;
        if (measure->backoff)
                measure->lost = sender->n - measure->sacked;
}

static void sender_init(struct sender *sender, struct watched *watched, uint32_t window,
                        uint64_t think_usec) {
        *sender = (struct sender){ .watched = watched,
                                   .path = &watched->paths[WIFI],
                                   .window = window,
                                   .think_usec = think_usec,
                                   .random = 42 };
        watched->paths[WIFI].measure.rtt_usec = RTT_USEC;
        watched->paths[WIFI].measure.rto_usec = RTO_USEC;
}

static void keep_alive(struct world *world, uint32_t window, uint64_t think_usec) {
        struct watched watched;
        struct sender sender;
        uint64_t end;

        watched_init(&watched, world);
        sender_init(&sender, &watched, window, think_usec);
        for (end = world->now + MINUTES * 60000 * MSEC; world->now < end;) {
                step(&sender);
                if (watched_pass(&watched, STEP_USEC))
                        fail_msg("given up after %llu s",
                                 (unsigned long long)(MINUTES * 60 - (end - world->now) / 1000000));
        }
        /* It did lose packets, and it was looked at. */
        assert_true(watched.paths[WIFI].measure.retransmits > 50);
        assert_true(watched.samples > 1000);
        assert_int_equal(world->engine.counters[COUNTER_SUBFLOWS_DEAD], 0);
}

static void test_lossy_bulk_is_kept(void **state) {
        keep_alive(*state, 32, 0);
}

/* As many as congestion control leaves at such a loss. */
static void test_lossy_narrow_is_kept(void **state) {
        keep_alive(*state, 5, 0);
}

static void test_lossy_questions_are_kept(void **state) {
        keep_alive(*state, 1, 0);
}

static void test_lossy_questions_with_pauses_are_kept(void **state) {
        keep_alive(*state, 1, 400 * MSEC);
}

/* The same sender on a path that then dies. */
static void give_up(struct world *world, uint32_t window, uint64_t within_usec) {
        struct watched watched;
        struct sender sender;
        uint64_t died;

        watched_init(&watched, world);
        sender_init(&sender, &watched, window, 0);
        for (unsigned int i = 0; i < 2000; i++) {
                step(&sender);
                assert_false(watched_pass(&watched, STEP_USEC));
        }
        died = world->now;
        do {
                step(&sender);
                for (uint32_t i = 0; i < sender.n; i++)
                        sender.flight[i].answer_usec = 0;
                assert_true(world->now < died + within_usec);
        } while (!watched_pass(&watched, STEP_USEC));
        (void)world_expect(world, ACTION_WITHDRAW);
        (void)world_expect(world, ACTION_ABORT);
}

static void test_lossy_bulk_dead_is_given_up_soon(void **state) {
        give_up(*state, 32, 600 * MSEC);
}

static void test_lossy_question_dead_is_given_up_in_time(void **state) {
        give_up(*state, 1, 6000 * MSEC);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_lossy_bulk_is_kept),
                TEST(test_lossy_narrow_is_kept),
                TEST(test_lossy_questions_are_kept),
                TEST(test_lossy_questions_with_pauses_are_kept),
                TEST(test_lossy_bulk_dead_is_given_up_soon),
                TEST(test_lossy_question_dead_is_given_up_in_time),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
