#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../daemon/util/cleanup.h"
#include "../../policy/address.h"
#include "../../policy/describe.h"
#include "../../policy/listeners.h"
#include "policies.h"

int policies_compile(const struct policies_file *files, size_t n,
                     const struct policy_networks *networks, void **ret_half, size_t *ret_size,
                     struct policy_errors *errors) {
        struct policy_networks none = { 0 };
        struct policy_sources sources = { 0 };
        int r;

        for (size_t i = 0; i < n; i++)
                assert_int_equal(policy_sources_add(&sources, files[i].path, files[i].text,
                                                    strlen(files[i].text), POLICY_SYSTEM, errors),
                                 0);
        r = policy_compile(&sources, networks ? networks : &none, ret_half, ret_size, errors);
        policy_sources_done(&sources);
        return r;
}

struct policy_half *policies_half(void *image) {
        const struct policy_header *header = image;

        return (void *)((char *)image + POLICY_HEADER_BYTES +
                        (header->generation & 1u) * POLICY_HALF_BYTES);
}

void policies_stamp(void *image) {
        struct policy_half *half = policies_half(image);

        half->generation = ((struct policy_header *)image)->generation;
        half->sum = policy_sum((const char *)half + sizeof(half->sum),
                               half->bytes - sizeof(half->sum));
}

void *policies_image(const void *half, size_t size) {
        const struct policy_header header = { .magic = POLICY_MAGIC,
                                              .version = POLICY_VERSION,
                                              .half_bytes = POLICY_HALF_BYTES,
                                              .generation = 1,
                                              .whole = { [1] = 1 } };
        void *image = calloc(1, POLICY_FILE_BYTES);

        assert_non_null(image);
        memcpy(image, &header, sizeof(header));
        memcpy(policies_half(image), half, size);
        policies_stamp(image);
        return image;
}

void *policies_new(const struct policies_file *files, size_t n,
                   const struct policy_networks *networks) {
        struct policy_errors errors = { 0 };
        char text[POLICY_ERROR_TEXT];
        void *half, *image;
        size_t size;
        int r = policies_compile(files, n, networks, &half, &size, &errors);

        if (errors.list.n > 0) {
                policy_error_print(&errors.list.items[0], text);
                fail_msg("%s", text);
        }
        assert_int_equal(r, 0);
        policy_errors_done(&errors);
        image = policies_image(half, size);
        free(half);
        return image;
}

struct policy_address policies_address(const char *text) {
        struct policy_endpoint endpoint = { 0 };
        const char *why;

        if (text)
                assert_int_equal(policy_endpoint_parse(text, &endpoint, &why), 0);
        endpoint.address.port = endpoint.ports.first;
        return endpoint.address;
}

struct policy_read policies_begin(const void *image) {
        struct policy_read read;

        assert_true(policy_begin(image, POLICY_FILE_BYTES, &read));
        return read;
}

struct policy_networks policies_networks(void) {
        static struct policy_network networks[] = {
                { "eth0", { 4, 24, { 0 }, { 192, 0, 2 } }, { 4, 0, { 192, 0, 2, 7 } } },
                { "wwan0",
                  { 6, 64, { 0 }, { 0x20, 0x01, 0x0d, 0xb8, 0, 7 } },
                  { 6, 0, { 0x20, 0x01, 0x0d, 0xb8, 0, 7, [15] = 7 } } },
        };

        return (struct policy_networks){ .list = { networks, 2, 2 } };
}

void policies_ask(const struct policy_read *read) {
        const struct policy_identity who = { policy_text_of("a1"), policy_text_of("/usr/bin/a"),
                                             policy_text_of("a.service"), 1000 };
        const struct policy_call calls[] = {
                { POLICY_SOCKET, { 0 }, { 0 }, { NULL, 0 } },
                { POLICY_CONNECT, { 0 }, policies_address("203.0.113.9:99"), { NULL, 0 } },
                { POLICY_CONNECT, policies_address("192.0.2.7:1"),
                  policies_address("[2001:db8::1]:80"), policy_text_of("eth0") },
                { POLICY_LISTEN, policies_address("192.0.2.7:443"), { 0 }, { NULL, 0 } },
        };
        const struct policy_app *app = policy_find(read, &who);
        struct policy_listener listeners[4];
        struct policy_verdict verdict;

        for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
                policy_judge(read, app, &calls[i], &verdict);
                policy_judge_host(read, app, &calls[i], &verdict);
                assert_non_null(policy_reason_name(verdict.reason));
        }
        (void)policy_required_listeners(read, listeners, ARRAY_SIZE(listeners));
}

void policies_describe(const struct policy_read *read) {
        const struct policy_app *app;

        for (uint32_t i = 0; i < 3; i++)
                if ((app = policy_at(read, &read->half->apps, i, sizeof(*app))))
                        json_decref(policy_describe(read, app));
}
