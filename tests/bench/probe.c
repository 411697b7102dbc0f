/*
 * Watches a daemon get its table right, with the kernel as the judge.
 *
 *         probe start COUNT
 *         probe exact SUBFLOWS SECONDS
 *
 * start: asks for the daemon's counts over and over, from before it is there, and says when it
 * first answered, had COUNT connections, and had decided on all of them.
 *
 * exact: lists the connections of the daemon and of the kernel in turns, until they are the same,
 * and says when (CLOCK_MONOTONIC), and what was wrong before: a line for each round. Neither list
 * is made in an instant and connections come and go, so a row counts as
 *
 *     missing  if the kernel had it before and after, and the daemon has not
 *     stale    if the daemon has it before and after, and the kernel had not
 *     differs  if the kernel had the same number of subflows before and after, the daemon another
 *
 * With SUBFLOWS, each connection must have so many as well; 0: whatever it has.
 */
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

enum {
        MPTCP = 262,
        LIST_ROWS = 256,
        NAP_USEC = 2000, /* the daemon needs the processors, too */
        TOKEN_AT = 12,   /* struct mptcp_info, whose end differs between kernels */
        FLAGS_AT = 8,
        FALLBACK = 1,
        ULP_TOKEN_LOC = 2,
        STATE_ESTABLISHED = 1,
        STATE_SYN_SENT = 2,
        STATE_CLOSE_WAIT = 8
};

struct row {
        uint32_t token;
        uint32_t subflows;
        bool may; /* it need not be in the daemon's table, but it may */
};

struct rows {
        struct row *items;
        size_t n, cap;
};

static void fail(const char *what, int error) {
        fprintf(stderr, "probe: %s: %s\n", what, strerror(error < 0 ? -error : error));
        exit(1);
}

static uint64_t now_usec(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void nap(long usec) {
        (void)nanosleep(&(struct timespec){ .tv_nsec = usec * 1000 }, NULL);
}

/* Rows */

static void rows_add(struct rows *rows, struct row row) {
        if (rows->n == rows->cap) {
                rows->cap = rows->cap ? rows->cap * 2 : 4096;
                rows->items = realloc(rows->items, rows->cap * sizeof(*rows->items));
                if (!rows->items)
                        fail("rows", ENOMEM);
        }
        rows->items[rows->n++] = row;
}

static int row_compare(const void *a, const void *b) {
        const uint32_t x = ((const struct row *)a)->token, y = ((const struct row *)b)->token;

        return (x > y) - (x < y);
}

static void rows_sort(struct rows *rows) {
        if (rows->n)
                qsort(rows->items, rows->n, sizeof(*rows->items), row_compare);
}

static struct row *rows_find(const struct rows *rows, uint32_t token) {
        const struct row key = { .token = token };

        return rows->n ? bsearch(&key, rows->items, rows->n, sizeof(key), row_compare) : NULL;
}

static void rows_done(struct rows *rows) {
        free(rows->items);
        *rows = (struct rows){ 0 };
}

/* The kernel's */

static struct rtattr *find_attribute(struct rtattr *at, int length, int type) {
        for (; RTA_OK(at, length); at = RTA_NEXT(at, length))
                if ((at->rta_type & NLA_TYPE_MASK) == type)
                        return at;
        return NULL;
}

static uint32_t load32(struct rtattr *from, size_t at) {
        uint32_t value = 0;

        if (from && RTA_PAYLOAD(from) >= at + sizeof(value))
                memcpy(&value, (char *)RTA_DATA(from) + at, sizeof(value));
        return value;
}

static struct rtattr *row_attribute(struct nlmsghdr *message, int type) {
        struct inet_diag_msg *diag = NLMSG_DATA(message);

        return find_attribute((void *)(diag + 1),
                              (int)(message->nlmsg_len - NLMSG_LENGTH(sizeof(*diag))), type);
}

static void on_connection(struct nlmsghdr *message, struct rows *rows) {
        struct inet_diag_msg *diag = NLMSG_DATA(message);
        struct rtattr *info = row_attribute(message, INET_DIAG_INFO);
        const bool fallback = load32(info, FLAGS_AT) & FALLBACK;
        struct row row = { .token = load32(info, TOKEN_AT) };

        if (diag->idiag_state == STATE_ESTABLISHED || diag->idiag_state == STATE_CLOSE_WAIT) {
                row.may = diag->idiag_state != STATE_ESTABLISHED || fallback;
                rows_add(rows, row);
        }
}

static void on_subflow(struct nlmsghdr *message, struct rows *rows) {
        struct inet_diag_msg *diag = NLMSG_DATA(message);
        struct rtattr *ulp = row_attribute(message, INET_DIAG_ULP_INFO);
        struct row *row;

        if (!ulp || (diag->idiag_state != STATE_ESTABLISHED && diag->idiag_state != STATE_SYN_SENT))
                return;
        ulp = find_attribute(RTA_DATA(ulp), (int)RTA_PAYLOAD(ulp), INET_ULP_INFO_MPTCP);
        if (ulp)
                ulp = find_attribute(RTA_DATA(ulp), (int)RTA_PAYLOAD(ulp), ULP_TOKEN_LOC);
        row = rows_find(rows, load32(ulp, 0));
        if (row)
                row->subflows++;
}

static void ask(int fd, uint8_t family, bool subflows) {
        struct {
                struct nlmsghdr header;
                struct inet_diag_req_v2 diag;
                struct rtattr attribute;
                uint32_t protocol;
        } request = {
                .header = { .nlmsg_len = sizeof(request),
                            .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
                .diag = { .sdiag_family = family,
                          .sdiag_protocol = IPPROTO_TCP,
                          .idiag_ext = 1 << (INET_DIAG_INFO - 1),
                          .idiag_states = ~0u },
                .attribute = { .rta_len = RTA_LENGTH(sizeof(uint32_t)),
                               .rta_type = INET_DIAG_REQ_PROTOCOL },
                .protocol = subflows ? IPPROTO_TCP : MPTCP,
        };

        if (send(fd, &request, sizeof(request), 0) < 0)
                fail("sock_diag", errno);
}

/* True at the end of the dump. */
static bool take(char *buffer, ssize_t n, bool subflows, struct rows *rows) {
        struct nlmsghdr *message = (void *)buffer;
        size_t left = (size_t)n;

        for (; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
                if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR)
                        return true;
                if (subflows)
                        on_subflow(message, rows);
                else
                        on_connection(message, rows);
        }
        return false;
}

static void dump(int fd, bool subflows, struct rows *rows) {
        static const uint8_t families[] = { AF_INET, AF_INET6 };
        static char buffer[1 << 17] __attribute__((aligned(8)));
        bool end;

        for (size_t i = 0; i < sizeof(families); i++) {
                ask(fd, families[i], subflows);
                do {
                        const ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

                        if (n <= 0)
                                fail("sock_diag", n < 0 ? errno : EPIPE);
                        end = take(buffer, n, subflows, rows);
                } while (!end);
        }
}

static struct rows list_kernel(int fd) {
        struct rows rows = { 0 };

        dump(fd, false, &rows);
        rows_sort(&rows);
        dump(fd, true, &rows);
        return rows;
}

/* The daemon's */

static sd_bus *open_bus(void) {
        sd_bus *bus = NULL;
        int r = sd_bus_open_system(&bus);

        if (r < 0)
                fail("bus", r);
        return bus;
}

static int read_row(sd_bus_message *message, struct row *row) {
        int r;

        while ((r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
                const char *key;
                uint32_t *number = NULL;

                r = sd_bus_message_read(message, "s", &key);
                if (r < 0)
                        return r;
                if (strcmp(key, "Token") == 0)
                        number = &row->token;
                else if (strcmp(key, "Subflows") == 0)
                        number = &row->subflows;
                r = number ? sd_bus_message_read(message, "v", "u", number)
                           : sd_bus_message_skip(message, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(message);
                if (r < 0)
                        return r;
        }
        return r;
}

static int read_rows(sd_bus_message *message, struct rows *rows) {
        int r = sd_bus_message_enter_container(message, 'a', "a{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(message, 'a', "{sv}")) > 0) {
                struct row row = { 0 };

                r = read_row(message, &row);
                if (r >= 0)
                        r = sd_bus_message_exit_container(message);
                rows_add(rows, row);
        }
        return r < 0 ? r : sd_bus_message_exit_container(message);
}

static struct rows list_daemon(sd_bus *bus) {
        struct rows rows = { 0 };
        uint32_t cursor = 0;

        do {
                sd_bus_message *reply = NULL;
                int r = sd_bus_call_method(bus, "org.mptcpize1", "/org/mptcpize1",
                                           "org.mptcpize1.Manager", "List", NULL, &reply, "uu",
                                           cursor, LIST_ROWS);

                if (r >= 0)
                        r = read_rows(reply, &rows);
                if (r >= 0)
                        r = sd_bus_message_read(reply, "u", &cursor);
                if (r < 0)
                        fail("List", r);
                sd_bus_message_unref(reply);
        } while (cursor);
        rows_sort(&rows);
        return rows;
}

static int get_number(sd_bus *bus, const char *name, uint32_t *ret_number) {
        return sd_bus_get_property_trivial(bus, "org.mptcpize1", "/org/mptcpize1",
                                           "org.mptcpize1.Manager", name, NULL, 'u', ret_number);
}

/* Exact? */

struct faults {
        size_t missing, stale, differs, few;
};

static size_t count_stale(const struct rows *before, const struct rows *kernel,
                          const struct rows *after) {
        size_t n = 0;

        for (size_t i = 0; i < after->n; i++)
                n += rows_find(before, after->items[i].token) &&
                     !rows_find(kernel, after->items[i].token);
        return n;
}

static void check_row(const struct row *before, const struct row *after, const struct row *daemon,
                      uint32_t subflows, struct faults *faults) {
        if (!after || before->may || after->may)
                return;
        if (!daemon) {
                faults->missing++;
                return;
        }
        if (before->subflows == after->subflows && daemon->subflows != before->subflows)
                faults->differs++;
        faults->few += subflows && after->subflows != subflows;
}

static void check_rows(const struct rows *before, const struct rows *daemon,
                       const struct rows *after, uint32_t subflows, struct faults *faults) {
        for (size_t i = 0; i < before->n; i++) {
                const struct row *row = &before->items[i];

                check_row(row, rows_find(after, row->token), rows_find(daemon, row->token),
                          subflows, faults);
        }
}

static int watch_exact(uint32_t subflows, uint32_t seconds) {
        const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
        const uint64_t end = now_usec() + seconds * UINT64_C(1000000);
        sd_bus *bus = open_bus();
        struct rows before = { 0 }, kernel = list_kernel(fd);
        bool exact = false, second = false;

        for (; !exact && now_usec() < end; second = true) {
                struct faults faults = { 0 };
                struct rows daemon = list_daemon(bus);
                const uint64_t listed = now_usec();
                struct rows after = list_kernel(fd);

                faults.stale = count_stale(&before, &kernel, &daemon);
                check_rows(&kernel, &daemon, &after, subflows, &faults);
                exact = second && !faults.missing && !faults.stale && !faults.differs &&
                        !faults.few;
                printf("%llu kernel %zu daemon %zu missing %zu stale %zu differs %zu few %zu\n",
                       (unsigned long long)listed, after.n, daemon.n, faults.missing, faults.stale,
                       faults.differs, faults.few);
                (void)fflush(stdout);
                rows_done(&before);
                rows_done(&kernel);
                before = daemon;
                kernel = after;
                nap(NAP_USEC);
        }
        rows_done(&before);
        rows_done(&kernel);
        sd_bus_flush_close_unref(bus);
        (void)close(fd);
        return exact ? 0 : 1;
}

/* Start */

static int watch_start(uint32_t count) {
        static const char *const names[] = { "answers", "found", "decided" };
        sd_bus *bus = open_bus();

        for (int state = 0; state < 3;) {
                uint32_t number = 0;
                int r = get_number(bus, state < 2 ? "ConnectionCount" : "Undecided", &number);

                if (r >= 0 && (state == 0 || (state == 1 ? number >= count : number == 0))) {
                        printf("%s %llu\n", names[state++], (unsigned long long)now_usec());
                        (void)fflush(stdout);
                        continue;
                }
                nap(NAP_USEC);
        }
        sd_bus_flush_close_unref(bus);
        return 0;
}

int main(int argc, char **argv) {
        if (argc == 3 && strcmp(argv[1], "start") == 0)
                return watch_start((uint32_t)strtoul(argv[2], NULL, 10));
        if (argc == 4 && strcmp(argv[1], "exact") == 0)
                return watch_exact((uint32_t)strtoul(argv[2], NULL, 10),
                                   (uint32_t)strtoul(argv[3], NULL, 10));
        return 2;
}
