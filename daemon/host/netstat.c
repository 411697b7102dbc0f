/*
 * Counters of the kernel. See netstat.h.
 *
 * The file is opened once: each read from its start makes the kernel print it anew.
 */
#include "netstat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../util/cleanup.h"

#define NETSTAT_FILE "/proc/self/net/netstat"

struct netstat {
        int fd;
        char text[LIMIT_NETSTAT];
};

/* A row of names or of values: what is left of it. */
struct row {
        const char *at;
        size_t n;
};

struct name {
        const char *group;
        const char *name;
        size_t member; /* of struct counters_event, that it is added to */
};

static const struct name names[] = {
        { "TcpExt:", "TCPTimeouts", offsetof(struct counters_event, timeouts) },
        { "TcpExt:", "TCPRenoRecoveryFail", offsetof(struct counters_event, timeouts) },
        { "TcpExt:", "TCPSackRecoveryFail", offsetof(struct counters_event, timeouts) },
        { "TcpExt:", "TCPRenoFailures", offsetof(struct counters_event, timeouts) },
        { "TcpExt:", "TCPSackFailures", offsetof(struct counters_event, timeouts) },
        { "TcpExt:", "TCPLossFailures", offsetof(struct counters_event, timeouts) },
        { "MPTcpExt:", "Blackhole", offsetof(struct counters_event, blackholes) },
};

/* Parsing */

static struct row text_line(const char **text) {
        struct row row = { *text, strcspn(*text, "\n") };

        *text += row.n;
        if (**text)
                (*text)++;
        return row;
}

/* The next word; its length is 0 at the end of the row. */
static struct row row_word(struct row *row) {
        struct row word;

        while (row->n && *row->at == ' ')
                row->at++, row->n--;
        word = (struct row){ row->at, 0 };
        while (word.n < row->n && word.at[word.n] != ' ')
                word.n++;
        row->at += word.n;
        row->n -= word.n;
        return word;
}

static bool word_is(const struct row *word, const char *text) {
        return word->n == strlen(text) && memcmp(word->at, text, word->n) == 0;
}

static void counters_add(struct counters_event *counters, const struct row *group,
                         const struct row *name, const struct row *value) {
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (word_is(name, names[i].name) && word_is(group, names[i].group)) {
                        uint64_t *member = (void *)((char *)counters + names[i].member);

                        *member += strtoull(value->at, NULL, 10);
                }
}

/* A line of names, and one of their values; both begin with the name of the group. */
static void counters_add_pair(struct counters_event *counters, struct row of_names,
                              struct row of_values) {
        struct row group = row_word(&of_names), same = row_word(&of_values);
        struct row name, value;

        if (group.n != same.n || memcmp(group.at, same.at, group.n) != 0)
                return;
        while ((name = row_word(&of_names)).n && (value = row_word(&of_values)).n)
                counters_add(counters, &group, &name, &value);
}

void netstat_parse(const char *text, struct counters_event *ret_counters) {
        *ret_counters = (struct counters_event){ 0 };
        while (*text) {
                struct row of_names = text_line(&text), of_values = text_line(&text);

                counters_add_pair(ret_counters, of_names, of_values);
        }
}

/* Reading */

void netstat_free(struct netstat *netstat) {
        if (!netstat)
                return;
        closep(&netstat->fd);
        free(netstat);
}

int netstat_new(struct netstat **ret_netstat) {
        struct netstat *netstat = calloc(1, sizeof(*netstat));
        int r = 0;

        if (!netstat)
                return -ENOMEM;
        netstat->fd = open(NETSTAT_FILE, O_RDONLY | O_CLOEXEC);
        if (netstat->fd < 0) {
                r = -errno;
                netstat_free(netstat);
                return r;
        }
        *ret_netstat = netstat;
        return 0;
}

int netstat_read(struct netstat *netstat, struct counters_event *ret_counters) {
        size_t n = 0;
        ssize_t k;

        while ((k = pread(netstat->fd, netstat->text + n, sizeof(netstat->text) - 1 - n,
                          (off_t)n)) > 0)
                n += (size_t)k;
        if (k < 0)
                return -errno;
        netstat->text[n] = '\0';
        netstat_parse(netstat->text, ret_counters);
        return 0;
}
