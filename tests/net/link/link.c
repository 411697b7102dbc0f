/*
 * A link between two network namespaces with a delay, a rate and losses, and with middleboxes on it
 * that are switched at run time: what netem does, for kernels without it.
 *
 *         link NEAR FAR NETNS SEED
 *
 * makes a TUN device NEAR here and a TUN device FAR in /run/netns/NETNS. They are there as long as
 * the program is, which says "ready" once they exist. Then it takes commands, one a line, and
 * answers each with "ok" when it is in force:
 *
 *         delay MS                     one way, for both directions
 *         rate MBIT                    of each direction; 0: no limit
 *         loss PERCENT                 of each direction
 *         blackhole WHICH              swallows all; WHICH: none, up (from NEAR to FAR), down, both
 *         corrupt WHICH                changes every payload, with right TCP checksums
 *         strip none|all|joins|data WHICH   takes MPTCP options out
 *         carrier WHICH                who has one: up is FAR, down is NEAR
 *
 * It ends at the end of its standard input.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "way.h"

#define NSEC_PER_SEC  UINT64_C(1000000000)
#define NSEC_PER_MSEC 1e6
#define BURST         256 /* packets read before time is looked at again */

enum { UP, DOWN, N_WAYS };

/* ways[UP] is read from devices[UP], which is NEAR, and written to the other. */
struct link {
        int devices[N_WAYS];
        struct way ways[N_WAYS];
        char line[128]; /* what has come of a command */
        size_t line_len;
};

static uint64_t now_nsec(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

static _Noreturn void die(const char *what) {
        fprintf(stderr, "link: %s: %s\n", what, strerror(errno));
        exit(1);
}

/* In the namespace that this process is in. */
static int device_open(const char *name) {
        struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
        int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

        if (fd < 0)
                die("/dev/net/tun");
        if (snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name) >= IFNAMSIZ)
                die("the name of a device");
        if (ioctl(fd, TUNSETIFF, &request) < 0)
                die(name);
        return fd;
}

static void netns_enter(const char *path) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
                die(path);
        (void)close(fd);
}

static void link_init(struct link *link, char **argv) {
        const uint64_t seed = strtoull(argv[4], NULL, 10);
        char path[128];

        *link = (struct link){ 0 };
        link->devices[UP] = device_open(argv[1]);
        (void)snprintf(path, sizeof(path), "/run/netns/%s", argv[3]);
        netns_enter(path);
        link->devices[DOWN] = device_open(argv[2]);
        way_init(&link->ways[UP], seed * N_WAYS + UP);
        way_init(&link->ways[DOWN], seed * N_WAYS + DOWN);
}

static void link_read(struct link *link, int direction) {
        uint8_t packet[WAY_PACKET_MAX];
        ssize_t n;

        for (int i = 0; i < BURST; i++) {
                n = read(link->devices[direction], packet, sizeof(packet));
                if (n <= 0)
                        return;
                way_push(&link->ways[direction], now_nsec(), packet, (size_t)n);
        }
}

/* A device that is down, or has a full queue, loses what comes to it. */
static void link_write(struct link *link, int direction) {
        struct way_packet *packet;
        ssize_t n;

        while ((packet = way_pop(&link->ways[direction], now_nsec()))) {
                n = write(link->devices[!direction], packet->bytes, packet->len);
                if (n < 0 && errno != EIO && errno != EAGAIN && errno != ENOBUFS)
                        die("write");
                free(packet);
        }
}

/* Bits of the directions that a word means; -1: none that we know. */
static int which_parse(const char *word) {
        static const char *const words[] = { "none", "up", "down", "both" };

        for (int i = 0; i < 4; i++)
                if (strcmp(word, words[i]) == 0)
                        return i;
        return -1;
}

static int link_set_carrier(struct link *link, int which) {
        for (int i = 0; i < N_WAYS; i++) {
                int on = which >> i & 1;

                if (ioctl(link->devices[!i], TUNSETCARRIER, &on) < 0)
                        return -errno;
        }
        return 0;
}

static int link_set_number(struct link *link, const char *key, double value) {
        for (int i = 0; i < N_WAYS; i++) {
                struct way *way = &link->ways[i];

                if (strcmp(key, "delay") == 0)
                        way->delay_nsec = (uint64_t)(value * NSEC_PER_MSEC);
                else if (strcmp(key, "rate") == 0)
                        way->rate = value / 1000;
                else if (strcmp(key, "loss") == 0)
                        way->loss = value / 100;
                else
                        return -EINVAL;
        }
        return 0;
}

static int link_set_switch(struct link *link, const char *key, int which) {
        if (strcmp(key, "carrier") == 0)
                return link_set_carrier(link, which);
        for (int i = 0; i < N_WAYS; i++) {
                bool on = which >> i & 1;

                if (strcmp(key, "blackhole") == 0)
                        link->ways[i].blackhole = on;
                else if (strcmp(key, "corrupt") == 0)
                        link->ways[i].corrupt = on;
                else
                        return -EINVAL;
        }
        return 0;
}

static int link_set_strip(struct link *link, const char *what, int which) {
        static const char *const names[] = {
                [MANGLE_STRIP_NONE] = "none",
                [MANGLE_STRIP_ALL] = "all",
                [MANGLE_STRIP_JOINS] = "joins",
                [MANGLE_STRIP_DATA] = "data",
        };
        int strip = 0;

        while (strip < _MANGLE_STRIP_MAX && strcmp(names[strip], what) != 0)
                strip++;
        if (strip == _MANGLE_STRIP_MAX)
                return -EINVAL;
        for (int i = 0; i < N_WAYS; i++)
                if (which >> i & 1)
                        link->ways[i].strip = (enum mangle_strip)strip;
        return 0;
}

static int link_command(struct link *link, const char *line) {
        char key[16], value[16], more[16];
        int n = sscanf(line, "%15s %15s %15s", key, value, more);
        double number;
        char *end;

        if (n == 3 && strcmp(key, "strip") == 0 && which_parse(more) >= 0)
                return link_set_strip(link, value, which_parse(more));
        if (n != 2)
                return -EINVAL;
        if (which_parse(value) >= 0)
                return link_set_switch(link, key, which_parse(value));
        number = strtod(value, &end);
        if (*end || !(number >= 0))
                return -EINVAL;
        return link_set_number(link, key, number);
}

/* Answers the commands that have come. Says whether there may be more. */
static bool link_listen(struct link *link) {
        ssize_t n = read(STDIN_FILENO, link->line + link->line_len,
                         sizeof(link->line) - 1 - link->line_len);
        char *end;

        if (n <= 0)
                return n < 0 && errno == EINTR;
        link->line_len += (size_t)n;
        link->line[link->line_len] = '\0';
        while ((end = strchr(link->line, '\n'))) {
                *end = '\0';
                int r = link_command(link, link->line);
                printf("%s\n", r < 0 ? strerror(-r) : "ok");
                link->line_len -= (size_t)(end + 1 - link->line);
                memmove(link->line, end + 1, link->line_len + 1);
        }
        return fflush(stdout) == 0;
}

static struct timespec link_timeout(const struct link *link) {
        const uint64_t now = now_nsec();
        uint64_t due = UINT64_MAX;

        for (int i = 0; i < N_WAYS; i++)
                if (way_due_nsec(&link->ways[i]) < due)
                        due = way_due_nsec(&link->ways[i]);
        if (due <= now)
                return (struct timespec){ 0 };
        due = due - now < NSEC_PER_SEC ? due - now : NSEC_PER_SEC - 1;
        return (struct timespec){ .tv_nsec = (long)due };
}

/* Until standard input ends. */
static void link_run(struct link *link) {
        struct pollfd fds[] = {
                { .fd = STDIN_FILENO, .events = POLLIN },
                { .fd = link->devices[UP], .events = POLLIN },
                { .fd = link->devices[DOWN], .events = POLLIN },
        };

        for (;;) {
                const struct timespec timeout = link_timeout(link);

                if (ppoll(fds, sizeof(fds) / sizeof(fds[0]), &timeout, NULL) < 0 && errno != EINTR)
                        die("ppoll");
                if (fds[0].revents && !link_listen(link))
                        return;
                for (int i = 0; i < N_WAYS; i++) {
                        link_read(link, i);
                        link_write(link, i);
                }
        }
}

int main(int argc, char **argv) {
        struct link link;

        if (argc != 5) {
                fprintf(stderr, "usage: link NEAR FAR NETNS SEED\n");
                return 2;
        }
        link_init(&link, argv);
        puts("ready");
        (void)fflush(stdout);
        link_run(&link);
        way_done(&link.ways[UP]);
        way_done(&link.ways[DOWN]);
        return 0;
}
