/*
 * Join authentication while memory runs out, at either end: a stranger never gets in, what was
 * asked is answered once, and with memory again both ends confirm each other.
 */
#include <errno.h>
#include "unit/authlab.h"
#include "starve.h"

#define SECOND_PATH "198.51.100.1"
#define STRANGER    "192.0.2.66:1"
#define HERE        "203.0.113.1:443"

static void join(struct lab *lab, uint32_t serial, int *ret_asked) {
        *ret_asked = lab_ask(lab, serial, SECOND_PATH, HERE);
        lab_run(lab, LAB_SECOND);
}

/* There may be no memory for it; then it comes again later. */
static void key(struct lab *lab, unsigned int index) {
        const struct lab_side *side = &lab->sides[index];
        const uint8_t secret[32] = { 1, 2, 3 };
        int r = protocol_key(side->protocol, side->token, secret, lab->now);

        assert_true(r == 0 || r == -ENOMEM || r == -EEXIST);
}

static void story(struct lab *lab, int ret_asked[static 2]) {
        const struct protocol_address offered = { .address = lab_at("203.0.113.9"), .id = 3 };

        key(lab, LAB_SERVER);
        key(lab, LAB_CLIENT);
        lab_pump(lab);
        join(lab, 1, &ret_asked[0]);
        if (lab_is_admitted(lab, SECOND_PATH))
                lab_joined(lab, LAB_SERVER, HERE, SECOND_PATH ":1");
        lab_joined(lab, LAB_SERVER, HERE, STRANGER);
        protocol_offer(lab->sides[LAB_SERVER].protocol, LAB_TOKEN_S, &offered, 1, lab->now);
        lab_run(lab, LAB_SECOND);
        join(lab, 2, &ret_asked[1]);
}

static void check_stranger(struct lab *lab) {
        const unsigned int before = lab->sides[LAB_SERVER].n_intruders;

        assert_true(before >= 1);
        assert_false(lab_is_admitted(lab, STRANGER));
        lab_joined(lab, LAB_SERVER, HERE, "192.0.2.66:2");
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, before + 1);
}

static void check(struct lab *lab, const int asked[static 2]) {
        int late;

        for (uint32_t i = 0; i < 2; i++)
                if (asked[i] == 0)
                        assert_int_not_equal(lab_answer(lab, i + 1), LAB_NOTHING);
        check_stranger(lab);
        lab_assert(lab, LAB_CLIENT, "confirmed", JOINS_ASK);
        lab_assert(lab, LAB_SERVER, "confirmed", JOINS_BARRED);
        join(lab, 3, &late);
        assert_int_equal(late == 0 ? lab_answer(lab, 3) : late, 0);
        assert_true(lab_is_admitted(lab, SECOND_PATH));
}

/* False: there are not so many allocations. */
static bool tell(unsigned long n, bool lasting) {
        int asked[2];
        struct lab *lab;
        bool failed;

        assert_int_equal(lab_setup((void **)&lab), 0);
        lab_open_both(lab, POLICY_AUTH_REQUIRE, POLICY_AUTH_REQUIRE);
        starve_begin(n, lasting);
        story(lab, asked);
        failed = starve_end();
        if (failed)
                print_message("allocation %lu%s\n", n, lasting ? " and all later ones" : "");
        key(lab, LAB_SERVER);
        key(lab, LAB_CLIENT);
        lab_run(lab, 60 * LAB_SECOND);
        check(lab, asked);
        lab_teardown((void *[]){ lab });
        return failed;
}

static void test_auth_allocations_fail_nobody_gets_in(void **state) {
        unsigned long n;

        (void)state;
        for (unsigned int lasting = 0; lasting < 2; lasting++) {
                for (n = 1; tell(n, lasting); n++)
                        ;
                assert_true(n > 3);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_auth_allocations_fail_nobody_gets_in),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
