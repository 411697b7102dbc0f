/*
 * core/feature: states, and that each has its words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../../daemon/core/feature.h"

static void test_set_without_is_fallback_or_missing(void **state) {
        struct features features = { { FEATURE_UNKNOWN } };

        (void)state;
        for (enum feature i = 0; i < _FEATURE_MAX; i++) {
                assert_int_equal(features.states[i], FEATURE_UNKNOWN);
                features_set(&features, i, false);
                assert_true(features.states[i] == FEATURE_FALLBACK ||
                            features.states[i] == FEATURE_MISSING);
                features_set(&features, i, true);
                assert_int_equal(features.states[i], FEATURE_WORKS);
        }
}

static void test_learn_known_stays(void **state) {
        struct features features = { { FEATURE_UNKNOWN } };

        (void)state;
        assert_true(features_learn(&features, FEATURE_LISTENER_EVENTS, true));
        assert_false(features_learn(&features, FEATURE_LISTENER_EVENTS, false));
        assert_int_equal(features.states[FEATURE_LISTENER_EVENTS], FEATURE_WORKS);
}

static void test_reason_is_there_unless_it_works(void **state) {
        struct features features = { { FEATURE_UNKNOWN } };

        (void)state;
        for (enum feature i = 0; i < _FEATURE_MAX; i++) {
                const char *unknown = feature_reason(&features, i);

                assert_true(unknown[0]);
                features_set(&features, i, false);
                assert_string_not_equal(feature_reason(&features, i), unknown);
                features_set(&features, i, true);
                assert_string_equal(feature_reason(&features, i), "");
        }
}

static void test_names_differ(void **state) {
        (void)state;
        for (enum feature i = 0; i < _FEATURE_MAX; i++)
                for (enum feature k = 0; k < i; k++)
                        assert_string_not_equal(feature_name(i), feature_name(k));
        for (enum feature_state i = 0; i < _FEATURE_STATE_MAX; i++)
                for (enum feature_state k = 0; k < i; k++)
                        assert_string_not_equal(feature_state_name(i), feature_state_name(k));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_set_without_is_fallback_or_missing),
                cmocka_unit_test(test_learn_known_stays),
                cmocka_unit_test(test_reason_is_there_unless_it_works),
                cmocka_unit_test(test_names_differ),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
