/*
 * host/profiles: what policies say of authentication.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "daemon/host/profiles.h"
#include "policies.h"

struct made {
        struct setting *setting;
        struct profiles *profiles;
        void *image;
        struct policy_read read;
};

static struct made make(const struct policies_file *files, size_t n) {
        struct made made = { .image = policies_new(files, n, NULL) };
        char error[SETTING_ERROR];

        made.read = policies_begin(made.image);
        assert_int_equal(setting_read("/nonexistent", true, getenv("PLUGIN_DIR"), &made.setting,
                                      error),
                         0);
        return made;
}

static const struct conf_profile *find(struct made *made, const char *name) {
        const struct conf_profile *list;
        size_t n;

        if (!made->profiles)
                assert_int_equal(profiles_new(made->setting, getenv("PLUGIN_DIR"), &made->read,
                                              &made->profiles),
                                 0);
        list = profiles_list(made->profiles, &n);
        for (size_t i = 0; i < n; i++)
                if (strcmp(list[i].name, name) == 0)
                        return &list[i];
        return NULL;
}

static void unmake(struct made *made) {
        profiles_free(made->profiles);
        setting_free(made->setting);
        free(made->image);
}

static void test_profiles_take_the_policys_word(void **state) {
        const struct policies_file files[] = {
                { "none.json", "{\"match\":{\"app\":\"a\"}}" },
                { "prefer.json", "{\"match\":{\"app\":\"b\"},\"auth\":{\"mode\":\"prefer\"}}" },
                { "key.json", "{\"match\":{\"app\":\"c\"},\"auth\":{\"mode\":\"require\","
                              "\"psk\":\"/etc/key\"}}" },
                { "off.json", "{\"match\":{\"app\":\"d\"},\"paths\":{\"mode\":\"off\"},"
                              "\"auth\":{\"mode\":\"require\"}}" },
        };
        struct made made = make(files, 4);

        (void)state;
        assert_int_equal(find(&made, "none")->auth, CONF_AUTH_OFF);
        assert_string_equal(find(&made, "none")->psk, "");
        assert_int_equal(find(&made, "prefer")->auth, CONF_AUTH_PREFER);
        assert_int_equal(find(&made, "key")->auth, CONF_AUTH_REQUIRE);
        assert_string_equal(find(&made, "key")->psk, "/etc/key");
        assert_int_equal(find(&made, "off")->auth, CONF_AUTH_REQUIRE);
        unmake(&made);
}

/* What a user chooses has no word on it. */
static void test_profiles_of_modes_have_no_word(void **state) {
        const struct policies_file files[] = {
                { "default.json", "{\"auth\":{\"mode\":\"require\"}}" },
        };
        static const char *const names[] = { "", "mode/off", "mode/aggregate", "plugin/announce" };
        struct made made = make(files, 1);

        (void)state;
        for (size_t i = 0; i < 4; i++)
                assert_int_equal(find(&made, names[i])->auth, CONF_AUTH_OFF);
        assert_int_equal(find(&made, "default")->auth, CONF_AUTH_REQUIRE);
        unmake(&made);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_profiles_take_the_policys_word),
                cmocka_unit_test(test_profiles_of_modes_have_no_word),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
