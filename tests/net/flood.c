/*
 * Datagrams that nobody wants, as many as told.
 *
 *         flood NETWORK TARGET PORT RATE LENGTH [HEAD]
 *
 * sends RATE datagrams a second to TARGET, from port PORT to port PORT, from addresses of
 * NETWORK/16 (such as 10.66.0.0) that nobody has to own. They begin with the bytes HEAD, in
 * hexadecimal digits; the rest is random, up to LENGTH bytes; 0: up to any length. It says "ready",
 * goes on until the end of its standard input, and then says how many it has sent, and in how many
 * milliseconds. IPv4.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, BYTES_MAX = 256, HEAD_MAX = 64, PERIOD_MSEC = 1 };

struct packet {
        struct iphdr ip;
        struct udphdr udp;
        uint8_t bytes[BYTES_MAX];
};

struct flood {
        struct sockaddr_in target;
        uint32_t network; /* host byte order */
        uint16_t port;
        unsigned long rate, length;
        uint8_t head[HEAD_MAX];
        size_t head_len;
        int fd;
        uint64_t random, sent;
        struct packet packets[BATCH];
};

static _Noreturn void die(const char *what) {
        fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
        exit(1);
}

static uint64_t now_msec(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* xorshift64: junk needs no more. */
static uint64_t flood_random(struct flood *flood) {
        flood->random ^= flood->random << 13;
        flood->random ^= flood->random >> 7;
        flood->random ^= flood->random << 17;
        return flood->random;
}

static size_t packet_fill(struct flood *flood, struct packet *packet) {
        const uint64_t random = flood_random(flood);
        const size_t length = flood->length ? flood->length : random >> 32 & (BYTES_MAX - 1);

        for (size_t i = 0; i < length; i += sizeof(uint64_t)) {
                const uint64_t more = flood_random(flood);

                memcpy(packet->bytes + i, &more, sizeof(more));
        }
        memcpy(packet->bytes, flood->head, flood->head_len);
        packet->ip = (struct iphdr){ .version = 4,
                                     .ihl = 5,
                                     .ttl = 64,
                                     .protocol = IPPROTO_UDP,
                                     .saddr = htonl(flood->network | (random & 0xffff)),
                                     .daddr = flood->target.sin_addr.s_addr };
        packet->udp = (struct udphdr){ .source = htons(flood->port),
                                       .dest = htons(flood->port),
                                       .len = htons((uint16_t)(sizeof(packet->udp) + length)) };
        return sizeof(packet->ip) + sizeof(packet->udp) + length;
}

static void flood_send(struct flood *flood, unsigned int n) {
        struct mmsghdr messages[BATCH];
        struct iovec parts[BATCH];

        for (unsigned int i = 0; i < n; i++) {
                parts[i] = (struct iovec){ &flood->packets[i],
                                           packet_fill(flood, &flood->packets[i]) };
                messages[i] = (struct mmsghdr){ .msg_hdr = { .msg_name = &flood->target,
                                                             .msg_namelen = sizeof(flood->target),
                                                             .msg_iov = &parts[i],
                                                             .msg_iovlen = 1 } };
        }
        const int r = sendmmsg(flood->fd, messages, n, 0);

        if (r > 0)
                flood->sent += (uint64_t)r;
        else if (errno != ENOBUFS && errno != EAGAIN)
                die("sendmmsg");
}

static bool asked_to_stop(int timeout_msec) {
        struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

        return poll(&input, 1, timeout_msec) != 0;
}

/* What was not sent in time is sent later, but never more than a second's worth at once. */
static void flood_run(struct flood *flood) {
        const uint64_t begun = now_msec();
        uint64_t due = 0, last = begun;

        puts("ready");
        (void)fflush(stdout);
        while (!asked_to_stop(due >= BATCH ? 0 : PERIOD_MSEC)) {
                const uint64_t now = now_msec();

                due += (now - last) * flood->rate / 1000;
                due = due < flood->rate ? due : flood->rate;
                last = now;
                const unsigned int n = due < BATCH ? (unsigned int)due : BATCH;

                if (n > 0)
                        flood_send(flood, n);
                due -= n;
        }
        printf("%llu %llu\n", (unsigned long long)flood->sent,
               (unsigned long long)(now_msec() - begun));
}

static void flood_read_head(struct flood *flood, const char *digits) {
        for (; flood->head_len < HEAD_MAX && digits[0] && digits[1]; digits += 2) {
                const char byte[] = { digits[0], digits[1], '\0' };

                flood->head[flood->head_len++] = (uint8_t)strtoul(byte, NULL, 16);
        }
}

int main(int argc, char **argv) {
        static struct flood flood;
        struct in_addr network;

        if (argc < 6 || inet_pton(AF_INET, argv[1], &network) != 1 ||
            inet_pton(AF_INET, argv[2], &flood.target.sin_addr) != 1)
                return 2;
        flood.target.sin_family = AF_INET;
        flood.network = ntohl(network.s_addr);
        flood.port = (uint16_t)strtoul(argv[3], NULL, 10);
        flood.rate = strtoul(argv[4], NULL, 10);
        flood.length = strtoul(argv[5], NULL, 10);
        if (flood.length > BYTES_MAX)
                return 2;
        if (argc > 6)
                flood_read_head(&flood, argv[6]);
        flood.random = now_msec() | 1;
        flood.fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
        if (flood.fd < 0)
                die("socket");
        flood_run(&flood);
        return 0;
}
