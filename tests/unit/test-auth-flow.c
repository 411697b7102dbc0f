/*
 * Join authentication between two daemons: what happens if all goes well, and on bad networks.
 */
#include "authlab.h"

#define SECOND_PATH "198.51.100.1"

static void test_hello_both_keys_confirmed(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        assert_int_equal(protocol_peer_token(lab->sides[LAB_CLIENT].protocol, LAB_TOKEN_C),
                         LAB_TOKEN_S);
        assert_int_equal(lab->sides[LAB_CLIENT].record.peer_max, 4);
        assert_int_equal(lab->sides[LAB_CLIENT].record.peer_mode, POLICY_AUTH_REQUIRE);
        assert_true(lab->sides[LAB_SERVER].guarded);
        assert_int_equal(lab->sides[LAB_CLIENT].n_sent, 1);
        assert_int_equal(lab->sides[LAB_SERVER].n_sent, 1);
        assert_int_equal(protocol_deadline(lab->sides[LAB_CLIENT].protocol), UINT64_MAX);
        assert_int_equal(protocol_deadline(lab->sides[LAB_SERVER].protocol), UINT64_MAX);
}

static void test_ask_confirmed_admitted_and_used(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        assert_int_equal(lab_ask(lab, 7, SECOND_PATH, "203.0.113.1:443"), 0);
        assert_int_equal(lab_answer(lab, 7), LAB_NOTHING);
        lab_pump(lab);
        assert_int_equal(lab_answer(lab, 7), 0);
        assert_true(lab_is_admitted(lab, SECOND_PATH));
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "198.51.100.1:40000");
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 0);
        assert_false(lab_is_admitted(lab, SECOND_PATH));
        /* One admission is for one subflow. */
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "198.51.100.1:40001");
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 1);
        /* What was admitted stays so. */
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "198.51.100.1:40000");
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 1);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
        const struct CMUnitTest tests[] = {
                T(test_hello_both_keys_confirmed),
                T(test_ask_confirmed_admitted_and_used),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
