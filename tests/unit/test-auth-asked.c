/* Joins that wait for their peers: found by number and connection, and in order once ready. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/asked.h"
#include "util/limits.h"

#define TOKENS 1000u

static struct asked *add(struct askeds *askeds, uint32_t serial) {
        const struct action action = { .type = ACTION_CREATE,
                                       .serial = serial,
                                       .token = serial % TOKENS };
        struct asked *asked = NULL;

        assert_int_equal(askeds_add(askeds, &action, &asked), 0);
        assert_int_equal(asked->action.serial, serial);
        return asked;
}

static unsigned int count_of(const struct askeds *askeds, uint32_t token) {
        unsigned int n = 0;

        for (const struct asked *at = askeds_first(askeds, token); at; at = askeds_next(at)) {
                assert_int_equal(at->action.token, token);
                n++;
        }
        return n;
}

static void test_asked_many_are_found(void **state) {
        struct askeds askeds = ASKEDS_NULL;

        (void)state;
        for (uint32_t i = 0; i < LIMIT_AUTH_ASKS; i++)
                (void)add(&askeds, i);
        assert_int_equal(askeds_count(&askeds), LIMIT_AUTH_ASKS);
        assert_null(askeds_find(&askeds, LIMIT_AUTH_ASKS));
        assert_int_equal(count_of(&askeds, 7), (LIMIT_AUTH_ASKS - 8) / TOKENS + 1);
        for (uint32_t i = 7; i < LIMIT_AUTH_ASKS; i += TOKENS)
                askeds_remove(&askeds, askeds_find(&askeds, i));
        assert_int_equal(count_of(&askeds, 7), 0);
        assert_null(askeds_find(&askeds, 7));
        assert_non_null(askeds_find(&askeds, 8));
        askeds_done(&askeds);
        assert_int_equal(askeds_count(&askeds), 0);
}

/* Whoever is not to be made any more leaves the row, wherever in it. */
static void test_asked_ready_keeps_order(void **state) {
        static const uint32_t order[] = { 3, 1, 4, 0, 2 }, wanted[] = { 1, 0 };
        struct askeds askeds = ASKEDS_NULL;

        (void)state;
        for (uint32_t i = 0; i < 5; i++)
                (void)add(&askeds, i);
        for (uint32_t i = 0; i < 5; i++)
                askeds_set_ready(&askeds, askeds_find(&askeds, order[i]), true);
        askeds_set_ready(&askeds, askeds_find(&askeds, 1), true);
        askeds_remove(&askeds, askeds_find(&askeds, 3)); /* the first, */
        askeds_set_ready(&askeds, askeds_find(&askeds, 4), false);
        askeds_remove(&askeds, askeds_find(&askeds, 2)); /* and the last */
        for (uint32_t i = 0; i < 2; i++) {
                assert_non_null(askeds.first);
                assert_int_equal(askeds.first->action.serial, wanted[i]);
                askeds_remove(&askeds, askeds.first);
        }
        assert_null(askeds.first);
        assert_null(askeds.last);
        assert_int_equal(askeds_count(&askeds), 1);
        askeds_done(&askeds);
}

static void test_asked_limit_is_kept(void **state) {
        const struct action action = { .serial = LIMIT_ACTIONS };
        struct askeds askeds = ASKEDS_NULL;
        struct asked *asked;

        (void)state;
        for (uint32_t i = 0; i < LIMIT_ACTIONS; i++)
                (void)add(&askeds, i);
        assert_int_equal(askeds_add(&askeds, &action, &asked), -ENOBUFS);
        askeds_remove(&askeds, askeds_find(&askeds, 0));
        assert_int_equal(askeds_add(&askeds, &action, &asked), 0);
        askeds_done(&askeds);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_asked_many_are_found),
                cmocka_unit_test(test_asked_ready_keeps_order),
                cmocka_unit_test(test_asked_limit_is_kept),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
