/*
 * ctl/doctor: what it makes of rules that nft and iptables-save print, and of netlink messages;
 * also of such that are damaged, or too many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

#include "../../daemon/ctl/doctor/doctor-firewall.h"
#include "../../daemon/ctl/doctor/dump.h"
#include "../../daemon/ctl/doctor/tls.h"
#include "../../daemon/util/cleanup.h"
#include "../../daemon/util/limits.h"

static void doctor_start(struct doctor *doctor) {
        *doctor = (struct doctor){ .check = "firewall", .root = true };
        doctor->findings = json_array();
        doctor->texts = json_array();
        doctor->world = json_pack("{s:[{s:s,s:b,s:[{s:s}]}]}", "links", "name", "lte0", "usable", 1,
                                  "addresses", "address", "198.51.100.7");
}

static void doctor_end(struct doctor *doctor) {
        json_decref(doctor->findings);
        json_decref(doctor->texts);
        json_decref(doctor->world);
}

static const char *finding_text(const struct doctor *doctor, const char *key) {
        const json_t *row = json_array_get(doctor->findings, 0);

        return row ? json_string_value(json_object_get(row, key)) : "none";
}

/* nftables */

#define CHAIN(hook)                                                                                \
        "{\"nftables\":[{\"chain\":{\"family\":\"inet\",\"table\":\"t\",\"name\":\"c\"" hook "}}," \
        "{\"rule\":{\"family\":\"inet\",\"table\":\"t\",\"chain\":\"c\",\"handle\":7,\"expr\":["
#define OUTPUT CHAIN(",\"hook\":\"output\"")
#define END    "]}}]}"
#define MPTCP                                        \
        "{\"match\":{\"op\":\"==\",\"left\":{\"tcp " \
        "option\":{\"name\":\"mptcp\"}},\"right\":true}}"
#define RESET(option) "{\"reset\":{\"tcp option\":{\"name\":\"" option "\"}}}"
#define OIF(name) \
        "{\"match\":{\"op\":\"==\",\"left\":{\"meta\":{\"key\":\"oifname\"}},\"right\":" name "}}"

struct rule_case {
        const char *text;
        const char *severity; /* "none": no finding */
};

static void test_take_nftables_rules_are_judged(void **state) {
        static const struct rule_case cases[] = {
                { OUTPUT MPTCP ",{\"drop\":null}" END, "broken" },
                { OUTPUT RESET("mptcp") END, "broken" },
                { OUTPUT RESET("mptcp") "," RESET("sack-perm") END, "broken" },
                { OUTPUT RESET("sack-perm") END, "none" },
                { OUTPUT OIF("\"lte0\"") ",{\"drop\":null}" END, "broken" },
                { OUTPUT OIF("\"lte*\"") ",{\"drop\":null}" END, "broken" },
                { OUTPUT OIF("{\"set\":[\"a\",\"lte0\"]}") ",{\"drop\":null}" END, "broken" },
                { OUTPUT OIF("\"ppp0\"") ",{\"drop\":null}" END, "none" },
                { OUTPUT "{\"unheard\":{\"of\":[]}},{\"drop\":null}" END, "none" },
                { CHAIN(",\"hook\":\"forward\"") RESET("mptcp") END, "note" },
                { CHAIN("") RESET("mptcp") END, "warning" }, /* other rules lead there, or none */
                { CHAIN("") OIF("\"lte0\"") ",{\"drop\":null}" END, "none" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct doctor doctor;
                bool xt;

                doctor_start(&doctor);
                assert_int_equal(firewall_take_nftables(&doctor, cases[i].text, &xt), 0);
                assert_string_equal(finding_text(&doctor, "severity"), cases[i].severity);
                doctor_end(&doctor);
        }
}

/* What is of another shape than nft prints it: an error, or no finding. */
static void test_take_nftables_damaged_text_is_no_finding(void **state) {
        static const struct rule_case cases[] = {
                { "", NULL },
                { "{", NULL },
                { "[]", NULL },
                { "{\"nftables\":{}}", NULL },
                { "\xff", NULL },
                { "{\"nftables\":[1,null,[],{\"rule\":[]},{\"rule\":{\"expr\":{}}},{\"chain\":1}]}",
                  "none" },
                { OUTPUT "1,null,{},{\"match\":[]},{\"match\":{\"op\":1,\"left\":{\"&\":[]}}}" END,
                  "none" },
                { OUTPUT OIF("{\"set\":{\"a\":1}}") ",{\"drop\":null}" END, "none" },
                { OUTPUT "{\"match\":{\"op\":\"==\",\"left\":{\"payload\":{\"field\":\"saddr\"}},"
                         "\"right\":{\"prefix\":{\"addr\":\"x\",\"len\":-1}}}},{\"drop\":null}" END,
                  "none" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct doctor doctor;
                bool xt = false;
                int r;

                doctor_start(&doctor);
                r = firewall_take_nftables(&doctor, cases[i].text, &xt);
                assert_int_equal(r, cases[i].severity ? 0 : -EBADMSG);
                assert_string_equal(finding_text(&doctor, "severity"), "none");
                doctor_end(&doctor);
        }
}

static void test_take_nftables_cut_anywhere_is_an_error(void **state) {
        static const char whole[] = OUTPUT MPTCP ",{\"drop\":null}" END;
        char text[sizeof(whole)];

        (void)state;
        for (size_t n = 0; n + 1 < sizeof(whole); n++) {
                struct doctor doctor;
                bool xt;

                snprintf(text, sizeof(text), "%.*s", (int)n, whole);
                doctor_start(&doctor);
                assert_int_equal(firewall_take_nftables(&doctor, text, &xt), -EBADMSG);
                doctor_end(&doctor);
        }
}

static void test_take_nftables_names_are_quoted(void **state) {
        static const char text[] =
                        "{\"nftables\":[{\"rule\":{\"family\":\"ip\",\"table\":\"$(id)\",\"chain\":"
                        "\"it's\",\"handle\":1,\"expr\":[" RESET("mptcp") END;
        struct doctor doctor;
        bool xt;

        (void)state;
        doctor_start(&doctor);
        assert_int_equal(firewall_take_nftables(&doctor, text, &xt), 0);
        assert_string_equal(finding_text(&doctor, "remedy"),
                            "nft delete rule ip '$(id)' 'it'\\''s' handle 1");
        doctor_end(&doctor);
}

/* A join is dropped there, which is what the gate is for. */
static void test_take_nftables_our_own_table_is_no_finding(void **state) {
        static const char text[] =
                        "{\"nftables\":[{\"rule\":{\"family\":\"inet\",\"table\":\"mptcpize\","
                        "\"chain\":\"joins\",\"handle\":1,\"expr\":[" MPTCP ",{\"drop\":null}" END;
        struct doctor doctor;
        bool xt;

        (void)state;
        doctor_start(&doctor);
        assert_int_equal(firewall_take_nftables(&doctor, text, &xt), 0);
        assert_string_equal(finding_text(&doctor, "severity"), "none");
        doctor_end(&doctor);
}

/* The port of join authentication */

#define INPUT(policy) CHAIN(",\"hook\":\"input\",\"type\":\"filter\",\"policy\":\"" policy "\"")
#define DPORT(protocol, value)                                                            \
        "{\"match\":{\"op\":\"==\",\"left\":{\"payload\":{\"protocol\":\"" protocol "\"," \
        "\"field\":\"dport\"}},\"right\":" value "}},{\"accept\":null}"

static void test_check_port_of_nftables(void **state) {
        static const struct rule_case cases[] = {
                { INPUT("accept") END, "none" },
                { INPUT("drop") END, "warning" },
                { INPUT("drop") DPORT("udp", "8684") END, "none" },
                { INPUT("drop") DPORT("udp", "53") END, "warning" },
                { INPUT("drop") DPORT("tcp", "8684") END, "warning" },
                { INPUT("drop") DPORT("th", "{\"set\":[53,{\"range\":[8000,9000]}]}") END, "none" },
                { INPUT("drop") DPORT("udp", "{\"range\":[1,99]}") END, "warning" },
                { INPUT("drop") DPORT("udp", "\"@services\"") END, "none" },
                { INPUT("accept") "{\"counter\":null},{\"reject\":null}" END, "warning" },
                { INPUT("accept") MPTCP ",{\"counter\":null}" END, "none" },
                { INPUT("drop") "{\"xt\":null}" END, "none" }, /* iptables tells more */
                { CHAIN(",\"hook\":\"forward\",\"type\":\"filter\",\"policy\":\"drop\"") END,
                  "none" },
        };
        bool xt;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_(json_decrefp) json_t *manager = json_pack("{s:i}", "AuthPort", 8684);
                struct doctor doctor;

                doctor_start(&doctor);
                assert_int_equal(firewall_take_nftables(&doctor, cases[i].text, &xt), 0);
                assert_string_equal(finding_text(&doctor, "severity"), "none");
                doctor.manager = manager;
                assert_int_equal(firewall_take_nftables(&doctor, cases[i].text, &xt), 0);
                assert_string_equal(finding_text(&doctor, "severity"), cases[i].severity);
                doctor_end(&doctor);
        }
}

static void test_check_port_of_nftables_remedies(void **state) {
        _cleanup_(json_decrefp) json_t *manager = json_pack("{s:i}", "AuthPort", 8684);
        struct doctor doctor;
        bool xt;

        (void)state;
        doctor_start(&doctor);
        doctor.manager = manager;
        assert_int_equal(firewall_take_nftables(&doctor, INPUT("drop") END, &xt), 0);
        assert_string_equal(finding_text(&doctor, "subject"), "inet t c");
        assert_string_equal(finding_text(&doctor, "remedy"),
                            "nft insert rule inet t c udp dport 8684 accept");
        doctor_end(&doctor);
}

static void test_check_port_of_iptables(void **state) {
        static const struct rule_case cases[] = {
                { ":INPUT ACCEPT [0:0]\n", "none" },
                { ":INPUT DROP [0:0]\n-A INPUT -p tcp --dport 8684 -j ACCEPT\n", "warning" },
                { ":INPUT DROP [0:0]\n-A INPUT -p udp -m udp --dport 8684 -j ACCEPT\n", "none" },
                { ":INPUT DROP [0:0]\n-A x -p udp -m multiport --dports 53,8000:9000 -j ACCEPT\n",
                  "none" },
                { ":INPUT DROP [0:0]\n-A x -p udp -m multiport --dports 53,8000 -j ACCEPT\n",
                  "warning" },
                { ":INPUT ACCEPT [0:0]\n-A INPUT -j REJECT --reject-with icmp-port-unreachable\n",
                  "warning" },
                { ":INPUT DROP [0:0]\n-A INPUT -p udp --dports ", "warning" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_(json_decrefp) json_t *manager = json_pack("{s:i}", "AuthPort", 8684);
                struct doctor doctor;

                doctor_start(&doctor);
                doctor.manager = manager;
                firewall_check_port_iptables(&doctor, "iptables", cases[i].text);
                assert_string_equal(finding_text(&doctor, "severity"), cases[i].severity);
                doctor_end(&doctor);
        }
}

/* TLS of programs */

static void test_tls_of_maps_by_library(void **state) {
        static const struct {
                const char *maps;
                enum tls_kind kind;
        } cases[] = {
                { "7f00-7f01 r-xp 0 08:01 1 /usr/lib/x86_64-linux-gnu/libssl.so.3\n", TLS_KNOWN },
                { "7f00-7f01 r-xp 0 08:01 1 /usr/lib/libgnutls.so.30.34.3\n", TLS_KNOWN },
                { "7f00-7f01 r-xp 0 08:01 1 /usr/lib/libssl.so.1.1\n", TLS_OLD },
                { "7f00-7f01 r-xp 0 08:01 1 /usr/lib/firefox/libssl3.so\n", TLS_OTHER },
                { "/usr/lib/libssl.so.3\n/usr/lib/jvm/lib/server/libjvm.so\n", TLS_JAVA },
                { "7f00-7f01 r-xp 0 08:01 1 /usr/lib/libc.so.6\n", TLS_NONE },
                { "", TLS_NONE },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                assert_int_equal(tls_of_maps(cases[i].maps), cases[i].kind);
}

static void test_tls_of_image_by_words(void **state) {
        static const char go[] = "\0\0crypto/tls.(*Conn).Read\0", rust[] = "\0rustls-0.21\0";
        static const char builtin[] = "\0OpenSSL 3.0.11 19 Sep 2023\0", none[] = "\0OpenSSH\0";

        (void)state;
        assert_int_equal(tls_of_image(go, sizeof(go)), TLS_GO);
        assert_int_equal(tls_of_image(rust, sizeof(rust)), TLS_RUST);
        assert_int_equal(tls_of_image(builtin, sizeof(builtin)), TLS_BUILTIN);
        assert_int_equal(tls_of_image(none, sizeof(none)), TLS_NONE);
        assert_int_equal(tls_of_image(builtin, 5), TLS_NONE);
}

/* iptables */

static void take_iptables(struct doctor *doctor, const char *text) {
        char *copy = strdup(text);

        assert_non_null(copy);
        doctor_start(doctor);
        firewall_take_iptables(doctor, "iptables", copy);
        free(copy);
}

static void test_take_iptables_rules_are_judged(void **state) {
        static const struct rule_case cases[] = {
                { "*mangle\n-A OUTPUT -p tcp -j TCPOPTSTRIP --strip-options 2,30\nCOMMIT\n",
                  "broken" },
                { "-A OUTPUT -p tcp -j TCPOPTSTRIP --strip-options 3,130,300\n", "none" },
                { "-A OUTPUT -p tcp -m tcp --tcp-option 30 -j DROP\n", "broken" },
                { "-A OUTPUT -p tcp -m tcp ! --tcp-option 30 -j DROP\n", "none" },
                { "-A FORWARD -p tcp -m tcp --tcp-option 30 -j DROP\n", "note" },
                { "-A OUTPUT -d 192.0.2.1/32 -p tcp -m tcp --tcp-option 30 -j DROP\n", "warning" },
                { "-A INPUT -m conntrack --ctstate INVALID -j DROP\n", "note" },
                { "-A INPUT -j ACCEPT\n", "none" },
                { "-A", "none" },
                { "-A \n-A -j\n*\n\n", "none" },
                { "-A OUTPUT --strip-options ", "none" },
                { "-A OUTPUT --strip-options ,,,", "none" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct doctor doctor;

                take_iptables(&doctor, cases[i].text);
                assert_string_equal(finding_text(&doctor, "severity"), cases[i].severity);
                doctor_end(&doctor);
        }
}

/* iptables-save puts comments in double quotes, in which a shell evaluates what is in them. */
static void test_take_iptables_words_are_quoted(void **state) {
        struct doctor doctor;

        (void)state;
        take_iptables(&doctor, "*raw\n-A OUTPUT -p tcp -m comment --comment \"a \\\"b\\\" `id` "
                               "$(id)\" -j TCPOPTSTRIP --strip-options 30\n");
        assert_string_equal(finding_text(&doctor, "remedy"),
                            "iptables -t raw -D OUTPUT -p tcp -m comment --comment 'a \"b\" `id` "
                            "$(id)' -j TCPOPTSTRIP --strip-options 30");
        doctor_end(&doctor);
        take_iptables(&doctor, "-A OUTPUT --comment \"never ends --strip-options 30");
        assert_string_equal(
                        finding_text(&doctor, "remedy"),
                        "iptables -t filter -D OUTPUT --comment 'never ends --strip-options 30'");
        doctor_end(&doctor);
}

/* More than the report has room for still counts. */
static void test_take_iptables_many_rules_are_bounded(void **state) {
        static const char line[] = "-A OUTPUT -p tcp -j TCPOPTSTRIP --strip-options 30\n";
        const size_t n = 2 * LIMIT_DOCTOR_FINDINGS;
        char *text = malloc(n * strlen(line) + 1);
        struct doctor doctor;

        (void)state;
        assert_non_null(text);
        for (size_t i = 0; i < n; i++)
                memcpy(text + i * strlen(line), line, sizeof(line));
        take_iptables(&doctor, text);
        assert_int_equal(json_array_size(doctor.findings), LIMIT_DOCTOR_FINDINGS);
        assert_int_equal(doctor.n, n);
        assert_int_equal(doctor.worst, SEVERITY_BROKEN);
        doctor_end(&doctor);
        free(text);
}

/* netlink */

struct answer {
        struct nlmsghdr head;
        int payload;
};

static int on_message(const struct nlmsghdr *message, void *userdata) {
        (void)message;
        ++*(size_t *)userdata;
        return 0;
}

static int take(struct answer *answers, size_t n_bytes, size_t *ret_n) {
        *ret_n = 0;
        return dump_take((const char *)answers, n_bytes, on_message, ret_n);
}

static struct answer answer(uint16_t type, uint16_t flags, int payload) {
        return (struct answer){ { sizeof(struct answer), type, flags, DUMP_SEQUENCE, 0 }, payload };
}

static void test_dump_take_ends_are_told_apart(void **state) {
        struct answer answers[2] = { answer(100, NLM_F_MULTI, 0), answer(NLMSG_DONE, 0, 0) };
        size_t n;

        (void)state;
        assert_int_equal(take(answers, sizeof(answers), &n), 0);
        assert_int_equal(n, 1);
        assert_true(take(answers, sizeof(answers[0]), &n) > 0);
        answers[1].payload = -ENOMEM; /* it could not go on */
        assert_int_equal(take(answers, sizeof(answers), &n), -ENOMEM);
        answers[1] = answer(NLMSG_DONE, NLM_F_DUMP_INTR, 0);
        assert_int_equal(take(answers, sizeof(answers), &n), -EINTR);
        answers[1] = answer(100, NLM_F_MULTI | NLM_F_DUMP_INTR, 0);
        assert_int_equal(take(answers, sizeof(answers), &n), -EINTR);
        answers[1] = answer(NLMSG_ERROR, 0, 0);
        assert_int_equal(take(answers, sizeof(answers), &n), -EBADMSG); /* too short for one */
        answers[0].head.nlmsg_seq++;                                    /* of another question */
        assert_true(take(answers, sizeof(answers[0]), &n) > 0);
        assert_int_equal(n, 0);
}

static void test_dump_take_damaged_lengths_are_refused(void **state) {
        static const uint32_t lengths[] = {
                0, 1, NLMSG_HDRLEN - 1, sizeof(struct answer) + 1, UINT32_MAX, UINT32_MAX - 2
        };
        struct answer answers[1];
        size_t n;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
                answers[0] = answer(100, NLM_F_MULTI, 0);
                answers[0].head.nlmsg_len = lengths[i];
                assert_int_equal(take(answers, sizeof(answers), &n), -EBADMSG);
                assert_int_equal(n, 0);
        }
        answers[0] = answer(100, NLM_F_MULTI, 0);
        for (size_t len = 0; len < sizeof(answers); len++) /* cut */
                assert_true(take(answers, len, &n) != 0 && n == 0);
}

struct attributes {
        struct nlmsghdr head;
        struct nlattr first;
        char text[4];
        struct nlattr second;
};

static void test_dump_attributes_damaged_ones_are_left_out(void **state) {
        struct attributes message = { .head.nlmsg_len = sizeof(message),
                                      .first = { NLA_HDRLEN + 4, 1 },
                                      .text = "abc",
                                      .second = { NLA_HDRLEN, 2 } };
        const struct nlattr *table[3];

        (void)state;
        dump_attributes(&message.head, 0, table, ARRAY_SIZE(table));
        assert_string_equal(dump_string(table[1]), "abc");
        assert_non_null(table[2]);
        assert_null(dump_data(table[2], 1));
        assert_int_equal(dump_number(table[2]), 0);
        message.text[3] = 'd'; /* no NUL */
        assert_string_equal(dump_string(table[1]), "");
        message.second.nla_len = NLA_HDRLEN + 1;
        dump_attributes(&message.head, 0, table, ARRAY_SIZE(table));
        assert_null(table[2]);
        message.first.nla_len = 1;
        dump_attributes(&message.head, 0, table, ARRAY_SIZE(table));
        assert_null(table[1]);
        message.first = (struct nlattr){ NLA_HDRLEN + 4, 77 }; /* not asked for */
        dump_attributes(&message.head, 0, table, ARRAY_SIZE(table));
        assert_null(table[1]);
        dump_attributes(&message.head, 1000, table,
                        ARRAY_SIZE(table)); /* a header that is not there */
        assert_null(table[1]);
        dump_nest(NULL, table, ARRAY_SIZE(table));
        assert_null(table[2]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_take_nftables_rules_are_judged),
                cmocka_unit_test(test_take_nftables_damaged_text_is_no_finding),
                cmocka_unit_test(test_take_nftables_cut_anywhere_is_an_error),
                cmocka_unit_test(test_take_nftables_names_are_quoted),
                cmocka_unit_test(test_take_nftables_our_own_table_is_no_finding),
                cmocka_unit_test(test_check_port_of_nftables),
                cmocka_unit_test(test_check_port_of_nftables_remedies),
                cmocka_unit_test(test_check_port_of_iptables),
                cmocka_unit_test(test_tls_of_maps_by_library),
                cmocka_unit_test(test_tls_of_image_by_words),
                cmocka_unit_test(test_take_iptables_rules_are_judged),
                cmocka_unit_test(test_take_iptables_words_are_quoted),
                cmocka_unit_test(test_take_iptables_many_rules_are_bounded),
                cmocka_unit_test(test_dump_take_ends_are_told_apart),
                cmocka_unit_test(test_dump_take_damaged_lengths_are_refused),
                cmocka_unit_test(test_dump_attributes_damaged_ones_are_left_out),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
