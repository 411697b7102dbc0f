/*
 * Prints the matrix, see matrix.h: matrix NETNS tcp|shim|bare
 *
 * NETNS is the other end of the link. tcp: plain TCP everywhere. shim: peers speak MPTCP, and so
 * has the socket under test to, though socket() was asked for TCP. bare: it is asked for MPTCP.
 *
 * A line is "<family> <state> <option>: <what was done and came back>...". A state "a>b" means that
 * the option was set at a and read at b.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "matrix.h"
#include "support.h"

static bool matrix_must_be_mptcp;

/* The socket under test is what it should be; else the matrix would compare TCP with itself. */
static void check_socket(int fd, enum matrix_state state) {
        const int protocol = support_protocol(fd);

        if (!matrix_must_be_mptcp || state == MATRIX_ACCEPTED_TCP)
                return;
        if (protocol != SUPPORT_MPTCP) {
                (void)fprintf(stderr, "FAIL: protocol %d in state %s\n", protocol,
                              matrix_state_names[state]);
                exit(EXIT_FAILURE);
        }
}

static void print_value(enum matrix_show show, const unsigned char *value, socklen_t len) {
        if (show == MATRIX_LEN) {
                (void)printf("%u bytes", (unsigned int)len);
        } else if (show == MATRIX_TEXT) {
                (void)printf("\"%.*s\"", (int)len, (const char *)value);
        } else if (len == 0 || len % sizeof(int) != 0) {
                (void)printf("%u bytes", (unsigned int)len);
                for (socklen_t i = 0; i < len && i < sizeof(int); i++)
                        (void)printf("%c%02x", i ? ' ' : ':', value[i]);
        } else {
                for (socklen_t i = 0; i < len; i += (socklen_t)sizeof(int)) {
                        int number;

                        memcpy(&number, value + i, sizeof(number));
                        (void)printf("%s%d", i ? "," : "", number);
                }
        }
}

static void print_get(int fd, const struct matrix_option *option, socklen_t len) {
        unsigned char value[512] = { 0 };

        (void)printf(" get ");
        if (getsockopt(fd, option->level, option->name, value, &len) < 0)
                (void)printf("%s", matrix_error(-1));
        else
                print_value(option->show, value, len);
}

static socklen_t get_len(const struct matrix_option *option) {
        if (option->show != MATRIX_INT)
                return 256;
        return option->value ? option->len : sizeof(int);
}

static void print_set(int fd, const struct matrix_option *option, const void *value,
                      socklen_t len) {
        const int result = setsockopt(fd, option->level, option->name, value, len);

        (void)printf(" set %s", matrix_error(result));
}

static void begin_row(int domain, const struct matrix_option *option, const char *state) {
        (void)printf("%s %s %s:", domain == AF_INET ? "v4" : "v6", state, option->text);
}

static void run_state(int domain, const struct matrix_option *option, enum matrix_state state) {
        struct matrix_socket s;

        matrix_open(&s, domain, state);
        matrix_advance(&s, state);
        check_socket(s.fd, state);
        begin_row(domain, option, matrix_state_names[state]);
        print_get(s.fd, option, get_len(option));
        if (option->value) {
                print_set(s.fd, option, option->value, option->len);
                print_get(s.fd, option, get_len(option));
        }
        (void)putchar('\n');
        matrix_close(&s);
}

/* Set at first (MATRIX_FRESH or MATRIX_LISTENING), read at last. */
static void run_carried(int domain, const struct matrix_option *option, enum matrix_state first,
                        enum matrix_state last) {
        struct matrix_socket s;
        char name[64];

        (void)snprintf(name, sizeof(name), "%s>%s", matrix_state_names[first],
                       matrix_state_names[last]);
        matrix_open(&s, domain, last);
        matrix_advance(&s, first);
        if (first == MATRIX_LISTENING)
                s.listener = s.fd;
        begin_row(domain, option, name);
        print_set(s.fd, option, option->value, option->len);
        /* Else the connection could not be made. */
        if (option->level == SOL_SOCKET &&
            (option->name == SO_BINDTODEVICE || option->name == SO_BINDTOIFINDEX))
                (void)setsockopt(s.fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0);
        matrix_advance(&s, last);
        print_get(s.fd, option, get_len(option));
        (void)putchar('\n');
        matrix_close(&s);
}

/* Lengths and values that are none, on a new socket. */
static void run_edges(int domain, const struct matrix_option *option) {
        static const int values[] = { -2, -1, 0, 2, 3, 6, 50, 128, 256, 300, 70000, INT32_MAX };
        struct matrix_socket s;

        for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
                matrix_open(&s, domain, MATRIX_FRESH);
                begin_row(domain, option, "fresh");
                (void)printf(" value %d", values[i]);
                print_set(s.fd, option, &values[i], sizeof(values[i]));
                print_get(s.fd, option, sizeof(int));
                (void)putchar('\n');
                matrix_close(&s);
        }
        for (socklen_t len = 0; len < 9; len++) {
                matrix_open(&s, domain, MATRIX_FRESH);
                begin_row(domain, option, "fresh");
                (void)printf(" length %u", (unsigned int)len);
                print_set(s.fd, option, (const int[]){ 1, 0, 0 }, len);
                print_get(s.fd, option, len);
                (void)putchar('\n');
                matrix_close(&s);
        }
}

static bool has_edges(const struct matrix_option *option) {
        return option->value && option->show == MATRIX_INT && option->len == sizeof(int);
}

static void run_option(int domain, const struct matrix_option *option) {
        static const struct {
                enum matrix_state first, last;
        } carried[] = {
                { MATRIX_FRESH, MATRIX_LISTENING },    { MATRIX_FRESH, MATRIX_CONNECTED },
                { MATRIX_FRESH, MATRIX_FALLBACK },     { MATRIX_FRESH, MATRIX_DISCONNECTED },
                { MATRIX_LISTENING, MATRIX_ACCEPTED }, { MATRIX_LISTENING, MATRIX_ACCEPTED_TCP },
        };

        for (int state = 0; state < _MATRIX_STATE_MAX; state++)
                run_state(domain, option, (enum matrix_state)state);
        if (!option->value)
                return;
        for (size_t i = 0; i < sizeof(carried) / sizeof(*carried) && !option->alone; i++)
                run_carried(domain, option, carried[i].first, carried[i].last);
        if (has_edges(option))
                run_edges(domain, option);
}

static void run_all(void) {
        for (int i = 0; i < 2; i++) {
                const int domain = i ? AF_INET6 : AF_INET;

                for (size_t o = 0; o < matrix_n_options; o++)
                        run_option(domain, &matrix_options[o]);
                matrix_run_data(domain);
        }
}

int main(int argc, char **argv) {
        const char *mode = argc == 3 ? argv[2] : "";
        const bool tcp = strcmp(mode, "tcp") == 0, bare = strcmp(mode, "bare") == 0;

        if (!tcp && !bare && strcmp(mode, "shim") != 0) {
                (void)fputs("usage: matrix NETNS tcp|shim|bare\n", stderr);
                return 2;
        }
        if (!tcp && !bare)
                support_require_shim();
        matrix_must_be_mptcp = !tcp;
        matrix_init(argv[1], bare ? SUPPORT_MPTCP : 0, tcp ? IPPROTO_TCP : SUPPORT_MPTCP);
        run_all();
        return 0;
}
