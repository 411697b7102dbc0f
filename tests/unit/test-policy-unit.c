/*
 * policy/unit: the systemd unit in the text of /proc/<pid>/cgroup.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "policy/unit.h"

static const struct {
        const char *cgroups, *unit; /* unit "": none */
} cases[] = {
        { "0::/system.slice/nginx.service\n", "nginx.service" },
        { "0::/system.slice/nginx.service", "nginx.service" },
        { "0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-7.scope\n",
          "run-7.scope" },
        { "0::/system.slice/docker.service/payload/x\n", "docker.service" },
        { "0::/\n", "" },
        { "0::/.service\n", "" },
        { "12:cpu,cpuacct:/a.service\n1:name=systemd:/b.service\n0::/c.service\n", "b.service" },
        { "1:name=systemd:/\n0::/c.service\n", "c.service" },
        { "12:cpu:/a.service\n", "" },
        { "nonsense\n\n:\n::\n", "" },
        { "", "" },
};

static void test_policy_unit_is_the_last_component_that_is_one(void **state) {
        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct policy_text unit = policy_unit(policy_text_of(cases[i].cgroups));

                if (unit.n != strlen(cases[i].unit) ||
                    (unit.n && memcmp(unit.bytes, cases[i].unit, unit.n) != 0))
                        fail_msg("%s: \"%.*s\"", cases[i].cgroups, (int)unit.n,
                                 unit.n ? unit.bytes : "");
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_policy_unit_is_the_last_component_that_is_one),
        };

        return cmocka_run_group_tests_name("policy-unit", tests, NULL, NULL);
}
