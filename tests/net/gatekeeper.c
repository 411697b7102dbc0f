/*
 * The gate (daemon/auth/gate.h) by itself, for tests and benchmarks.
 *
 *         gatekeeper
 *
 * takes commands on standard input and answers each with one line, "ok" or "error NUMBER", when it
 * is done:
 *
 *         guard TOKEN              tokens in hexadecimal
 *         unguard TOKEN
 *         admit TOKEN ADDRESS
 *         dismiss TOKEN ADDRESS
 *         listen [any|ADDRESS/LENGTH FIRST LAST]...
 *         settle
 *         status                   answers with JSON
 *         news                     waits until the status has changed since the last answer
 *         many COUNT FIRST         guards so many tokens, from that number on
 *         flood COUNT TOKEN        admits TOKEN from so many addresses, at once
 *         time COUNT TOKEN         admits one after the other; answers with "ok", and how many
 *                                  microseconds each took until its outcome
 *         keep, remove             the end, as gate_free() has it
 *
 *         gatekeeper restore none|tokens|listeners
 *
 * is gate_restore(), where nothing lives, or all tokens, or all listeners; it prints what that
 * returns, and in a line before what it was asked for.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../daemon/auth/gate.h"
#include "../../daemon/util/clock.h"

enum { WORDS_MAX = 256, LINE = 16384, LISTENERS_MAX = 64, TIMED_MAX = 10000 };

struct driver {
        struct gate *gate;
        uint32_t next_id;
        size_t underway, failed;
        int error; /* of the last outcome that was one */
        bool news;
};

static _Noreturn void die(const char *what) {
        fprintf(stderr, "gatekeeper: %s\n", what);
        exit(2);
}

static void on_outcome(const struct gate_request *request, int error, void *userdata) {
        struct driver *driver = userdata;

        if (!request) {
                driver->news = true;
                return;
        }
        driver->underway--;
        if (error < 0) {
                driver->error = error;
                driver->failed++;
        }
}

static void driver_wait(struct driver *driver) {
        struct pollfd fd = { .fd = gate_fd(driver->gate), .events = POLLIN };

        if (poll(&fd, 1, 20000) != 1)
                die("no outcome within 20 s");
        gate_dispatch(driver->gate, on_outcome, driver);
}

static int driver_ask(struct driver *driver, enum gate_request_type type, uint32_t token,
                      const struct mptcpize_address *source) {
        const struct gate_request request = {
                .type = type, .id = driver->next_id++, .token = token, .source = *source
        };
        int r = gate_request(driver->gate, &request);

        driver->underway += r == 0;
        return r;
}

/* Waits for all outcomes. r: what asking for them has returned. */
static int driver_finish(struct driver *driver, int r) {
        while (driver->underway > 0)
                driver_wait(driver);
        if (r == 0)
                r = driver->error;
        driver->error = 0;
        return r;
}

static uint32_t number(const char *word) {
        return (uint32_t)strtoul(word, NULL, 10);
}

static uint32_t token_parse(const char *word) {
        return (uint32_t)strtoul(word, NULL, 16);
}

static int command_request(struct driver *driver, enum gate_request_type type, char **words,
                           size_t n) {
        struct mptcpize_address source = { .family = 0 };
        int r;

        if (n < 2 || (n > 2 && address_parse(words[2], &source) < 0))
                die("what for?");
        r = driver_ask(driver, type, token_parse(words[1]), &source);
        return driver_finish(driver, r);
}

static void listener_parse(char **words, struct gate_listener *ret) {
        char *slash = strchr(words[0], '/');

        *ret = (struct gate_listener){ .prefix.family = 0 };
        if (slash) {
                *slash = '\0';
                ret->prefix_len = (uint8_t)number(slash + 1);
                if (address_parse(words[0], &ret->prefix) < 0)
                        die("no address");
        }
        ret->first = (uint16_t)number(words[1]);
        ret->last = (uint16_t)number(words[2]);
}

static int command_listen(struct driver *driver, char **words, size_t n) {
        struct gate_listener listeners[LISTENERS_MAX];
        size_t n_listeners = 0;

        for (size_t i = 1; i + 2 < n && n_listeners < LISTENERS_MAX; i += 3)
                listener_parse(words + i, &listeners[n_listeners++]);
        return gate_set_listeners(driver->gate, listeners, n_listeners);
}

static int command_many(struct driver *driver, uint32_t count, uint32_t first) {
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < count; i++)
                r = driver_ask(driver, GATE_GUARD, first + i * 7919, &ADDRESS_NULL);
        return driver_finish(driver, r);
}

/* 10.0.0.0 and on. */
static struct mptcpize_address source_make(uint32_t i) {
        const uint8_t bytes[] = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };
        struct mptcpize_address source = { .family = 0 };

        (void)address_init(&source, bytes, sizeof(bytes), 0);
        return source;
}

static int command_flood(struct driver *driver, uint32_t count, uint32_t token) {
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < count; i++) {
                const struct mptcpize_address source = source_make(i);

                r = driver_ask(driver, GATE_ADMIT, token, &source);
        }
        return driver_finish(driver, r);
}

static void command_time(struct driver *driver, uint32_t count, uint32_t token) {
        uint64_t taken[TIMED_MAX];
        uint32_t n;

        for (n = 0; n < count && n < TIMED_MAX; n++) {
                const struct mptcpize_address source = source_make(n);
                const uint64_t start = clock_usec();

                if (driver_finish(driver, driver_ask(driver, GATE_ADMIT, token, &source)) < 0)
                        die("not admitted");
                taken[n] = clock_usec() - start;
        }
        printf("ok");
        for (uint32_t i = 0; i < n; i++)
                printf(" %" PRIu64, taken[i]);
        printf("\n");
}

static void command_status(struct driver *driver) {
        struct gate_status status;

        gate_status(driver->gate, &status);
        printf("{\"works\": %s, \"wanted\": %s, \"dropped\": %" PRIu64 ", \"rewritten\": %" PRIu64
               ", \"guarded\": %zu, \"listeners\": %zu, \"reason\": \"%s\"}\n",
               status.works ? "true" : "false", status.wanted ? "true" : "false", status.dropped,
               status.rewritten, status.guarded, status.listeners, status.reason);
}

static int command_news(struct driver *driver) {
        while (!driver->news)
                driver_wait(driver);
        driver->news = false;
        return 0;
}

static int command_run(struct driver *driver, char **words, size_t n) {
        static const char *const types[] = {
                [GATE_GUARD] = "guard",
                [GATE_UNGUARD] = "unguard",
                [GATE_ADMIT] = "admit",
                [GATE_DISMISS] = "dismiss",
        };

        for (size_t i = 0; i < _GATE_REQUEST_MAX; i++)
                if (strcmp(words[0], types[i]) == 0)
                        return command_request(driver, (enum gate_request_type)i, words, n);
        if (strcmp(words[0], "listen") == 0)
                return command_listen(driver, words, n);
        if (strcmp(words[0], "settle") == 0)
                return gate_settle(driver->gate, 20000000);
        if (strcmp(words[0], "news") == 0)
                return command_news(driver);
        if (n < 3)
                die("no such command");
        if (strcmp(words[0], "many") == 0)
                return command_many(driver, number(words[1]), token_parse(words[2]));
        if (strcmp(words[0], "flood") == 0)
                return command_flood(driver, number(words[1]), token_parse(words[2]));
        die("no such command");
}

/* False: that was the last one. */
static bool driver_command(struct driver *driver, char **words, size_t n) {
        int r;

        if (strcmp(words[0], "keep") == 0 || strcmp(words[0], "remove") == 0) {
                gate_free(driver->gate, words[0][0] == 'k');
                puts("ok");
                return false;
        }
        if (strcmp(words[0], "status") == 0) {
                command_status(driver);
        } else if (strcmp(words[0], "time") == 0 && n > 2) {
                command_time(driver, number(words[1]), token_parse(words[2]));
        } else {
                r = command_run(driver, words, n);
                if (r < 0)
                        printf("error %d\n", -r);
                else
                        puts("ok");
        }
        return true;
}

static size_t split(char *line, char **words) {
        char *rest = NULL, *word = strtok_r(line, " \n", &rest);
        size_t n = 0;

        for (; word && n < WORDS_MAX; word = strtok_r(NULL, " \n", &rest))
                words[n++] = word;
        return n;
}

static int serve(void) {
        struct driver driver = { .next_id = 1 };
        char line[LINE], *words[WORDS_MAX];
        bool more = true;

        if (gate_new(&driver.gate) < 0)
                die("no gate");
        while (more && fgets(line, sizeof(line), stdin)) {
                const size_t n = split(line, words);

                if (n > 0)
                        more = driver_command(&driver, words, n);
                (void)fflush(stdout);
        }
        return 0;
}

static bool on_token(uint32_t token, void *userdata) {
        printf("%08" PRIx32 " ", token);
        return strcmp(userdata, "tokens") == 0;
}

static bool on_listener(const struct gate_listener *listener, void *userdata) {
        char buffer[ADDRESS_TEXT];

        printf("%s/%u:%u-%u ", address_format(&listener->prefix, buffer), listener->prefix_len,
               listener->first, listener->last);
        return strcmp(userdata, "listeners") == 0;
}

int main(int argc, char **argv) {
        if (argc == 1)
                return serve();
        if (argc == 3 && strcmp(argv[1], "restore") == 0) {
                const struct gate_lives lives = { NULL, on_token, on_listener, argv[2] };
                const int r = gate_restore(&lives);

                printf("\n%d\n", r);
                return 0;
        }
        die("see the head of gatekeeper.c");
}
