/*
 * The lab on the real kernel: network namespaces, veth pairs, ip(8). See lab.h.
 *
 * The test program is the programs of both sides: it moves between the two namespaces. A socket
 * stays in the one in which it was made. Every world is new, and gone when the next one is made
 * and its sockets are closed.
 */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "socket.h"
#include "util/cleanup.h"

#define CONNECTIONS   16u
#define SHRUNK_BYTES  4608 /* of receive buffer: a few events */
#define SHRUNK_EVENTS 40u

enum { NS_HERE, NS_PEER, _NS_MAX };

enum {
        LISTENER_PEER_V4,
        LISTENER_PEER_V6,
        LISTENER_PEER_PLAIN,
        LISTENER_OWN,
        LISTENER_PROGRAM,
        _LISTENER_MAX
};

struct lab {
        struct kern *kern;
        int ns[_NS_MAX];
        int listeners[_LISTENER_MAX];
        int fds[CONNECTIONS * 2]; /* of connections, so that they end with the world */
        size_t n_fds;
        int32_t ifindex[2];
        int stranger; /* who has knocked, at the peer; -1: nobody */
};

static const char *const names[] = { [LAB_WIFI] = "wifi0", [LAB_LTE] = "lte0" };

struct text {
        char text[ADDRESS_TEXT];
};

static struct text place_text(enum lab_place place, enum lab_kind kind) {
        const struct mptcpize_address address = lab_address(place, kind, 0);
        struct text text = { "" };

        address_format(&address, text.text);
        return text;
}

struct kern *lab_kern(struct lab *lab) {
        return lab->kern;
}

int32_t lab_ifindex(struct lab *lab, enum lab_place place) {
        return lab->ifindex[place];
}

uint32_t lab_uid(void) {
        return getuid();
}

/* Namespaces and what is set in them */

static int write_file(const char *path, const char *text) {
        _cleanup_(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, text, strlen(text)) < 0)
                return -errno;
        return 0;
}

static void sysctl(const char *path, const char *value) {
        char name[128];

        snprintf(name, sizeof(name), "/proc/sys/net/%s", path);
        errno = -write_file(name, value);
        CHECK(-errno);
}

static void lab_move(struct lab *lab, int ns) {
        CHECK(setns(lab->ns[ns], CLONE_NEWNET));
}

static int open_namespace(void) {
        CHECK(unshare(CLONE_NEWNET));
        return CHECK(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
}

/* popen() that can't fail. */
static FILE *open_pipe(const char *command, const char *mode) {
        FILE *pipe = popen(command, mode);

        if (!pipe)
                lab_die(__FILE__, __LINE__, command);
        return pipe;
}

/* Lines for "ip -batch", in the namespace of the caller. */
static void run_ip(const char *lines) {
        FILE *ip = open_pipe("ip -batch -", "w");

        fputs(lines, ip);
        if (pclose(ip) != 0) {
                fprintf(stderr, "ip refused:\n%s", lines);
                abort();
        }
}

__attribute__((format(printf, 3, 4))) static void lab_ip(struct lab *lab, int ns,
                                                         const char *format, ...) {
        char lines[4096];
        va_list ap;

        va_start(ap, format);
        vsnprintf(lines, sizeof(lines), format, ap);
        va_end(ap);
        lab_move(lab, ns);
        run_ip(lines);
        lab_move(lab, NS_HERE);
}

/* A user namespace of our own lets anybody have network namespaces. */
static int enter_user(void) {
        char map[64];
        const unsigned int uid = geteuid(), gid = getegid();

        if (unshare(CLONE_NEWUSER) < 0)
                return -errno;
        snprintf(map, sizeof(map), "0 %u 1", uid);
        (void)write_file("/proc/self/setgroups", "deny");
        if (write_file("/proc/self/uid_map", map) < 0)
                return -EPERM;
        snprintf(map, sizeof(map), "0 %u 1", gid);
        return write_file("/proc/self/gid_map", map);
}

static int try_socket(void) {
        _cleanup_(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);

        return fd < 0 ? -errno : 0;
}

static const char *why_not(void) {
        if (geteuid() != 0 && enter_user() < 0)
                return "neither root nor user namespaces";
        if (unshare(CLONE_NEWNET) < 0)
                return "no network namespaces";
        if (system("command -v ip >/dev/null") != 0)
                return "no program ip (iproute2)";
        if (try_socket() < 0)
                return "no MPTCP sockets";
        if (write_file("/proc/sys/net/mptcp/path_manager", "userspace") < 0 &&
            write_file("/proc/sys/net/mptcp/pm_type", "1") < 0)
                return "no user-space path manager, or /proc/sys is read-only";
        return NULL;
}

int lab_enter(const char **ret_reason) {
        const char *reason = why_not();

        if (!reason)
                return 0;
        *ret_reason = reason;
        return 1;
}

static void set_path_manager(bool userspace) {
        if (write_file("/proc/sys/net/mptcp/path_manager", userspace ? "userspace" : "kernel") < 0)
                sysctl("mptcp/pm_type", userspace ? "1" : "0");
}

/*
 * Replies come back on the interface that they went out from, which strict filters dislike; nobody
 * answers for the addresses of another interface; and IPv6 addresses work at once.
 */
static void set_network(void) {
        sysctl("ipv4/conf/all/rp_filter", "0");
        sysctl("ipv4/conf/default/rp_filter", "0");
        sysctl("ipv4/conf/all/arp_ignore", "1");
        sysctl("ipv6/conf/all/accept_dad", "0");
        sysctl("ipv6/conf/default/accept_dad", "0");
}

/* The first neighbour solicitations of a new IPv6 link get lost, which takes seconds. */
#define NEIGHBOURS(here_wifi, here_lte, number)                                                  \
        "neigh add 192.0.2." number " lladdr 02:00:00:00:01:0" number " dev " here_wifi "\n"     \
        "neigh add 2001:db8:1::" number " lladdr 02:00:00:00:01:0" number " dev " here_wifi "\n" \
        "neigh add 198.51.100." number " lladdr 02:00:00:00:02:0" number " dev " here_lte "\n"   \
        "neigh add 2001:db8:2::" number " lladdr 02:00:00:00:02:0" number " dev " here_lte "\n"

static void build_links(struct lab *lab) {
        lab_ip(lab, NS_HERE,
               "link add wifi0 address 02:00:00:00:01:01 type veth peer name towifi"
               " address 02:00:00:00:01:02 netns /proc/%d/fd/%d\n"
               "link add lte0 address 02:00:00:00:02:01 type veth peer name tolte"
               " address 02:00:00:00:02:02 netns /proc/%d/fd/%d\n"
               "addr add 192.0.2.1/24 dev wifi0\n"
               "addr add 2001:db8:1::1/64 dev wifi0 nodad\n"
               "addr add 198.51.100.1/24 dev lte0\n"
               "addr add 2001:db8:2::1/64 dev lte0 nodad\n"
               "link set lo up\n"
               "link set wifi0 up\n"
               "link set lte0 up\n",
               getpid(), lab->ns[NS_PEER], getpid(), lab->ns[NS_PEER]);
        lab_ip(lab, NS_PEER, "%s",
               "addr add 192.0.2.2/24 dev towifi\n"
               "addr add 2001:db8:1::2/64 dev towifi nodad\n"
               "addr add 198.51.100.2/24 dev tolte\n"
               "addr add 2001:db8:2::2/64 dev tolte nodad\n"
               "link set lo up\n"
               "link set towifi up\n"
               "link set tolte up\n"
               "addr add 203.0.113.1/32 dev lo\n"
               "addr add 203.0.113.2/32 dev lo\n"
               "addr add 2001:db8:3::1/128 dev lo nodad\n"
               "addr add 2001:db8:3::2/128 dev lo nodad\n" NEIGHBOURS(
                               "towifi", "tolte",
                               "1") "mptcp limits set subflows 8 add_addr_accepted 8\n");
        lab_ip(lab, NS_HERE, "%s",
               NEIGHBOURS("wifi0", "lte0",
                          "2") "route add 203.0.113.0/24 via 192.0.2.2 dev wifi0 metric 10\n"
                               "route add 203.0.113.0/24 via 198.51.100.2 dev lte0 metric 20\n"
                               "route add 2001:db8:3::/64 via 2001:db8:1::2 dev wifi0 metric 10\n"
                               "route add 2001:db8:3::/64 via 2001:db8:2::2 dev lte0 metric 20\n");
}

/* Sockets */

static int peer_listener(enum lab_kind kind, uint16_t port, int protocol) {
        struct mptcpize_address any = lab_address(LAB_PEER, kind, port);

        memset(any.bytes, 0, sizeof(any.bytes));
        return socket_listen(&any, kind == LAB_V6, protocol);
}

static void build_listeners(struct lab *lab) {
        lab_move(lab, NS_PEER);
        lab->listeners[LISTENER_PEER_V4] = peer_listener(LAB_V4, LAB_PORT_OPEN, IPPROTO_MPTCP);
        lab->listeners[LISTENER_PEER_PLAIN] = peer_listener(LAB_V4, LAB_PORT_PLAIN, IPPROTO_TCP);
        lab->listeners[LISTENER_PEER_V6] = -1;
        lab_move(lab, NS_HERE);
}

struct lab *lab_new(kern_event_fn on_event, void *userdata) {
        struct lab *lab = calloc(1, sizeof(*lab));

        if (!lab)
                abort();
        lab->stranger = -1;
        for (size_t i = 0; i < _LISTENER_MAX; i++)
                lab->listeners[i] = -1;
        lab->ns[NS_PEER] = open_namespace();
        set_network();
        lab->ns[NS_HERE] = open_namespace();
        set_network();
        set_path_manager(true);
        build_links(lab);
        build_listeners(lab);
        for (enum lab_place place = LAB_WIFI; place <= LAB_LTE; place++)
                lab->ifindex[place] = (int32_t)if_nametoindex(names[place]);
        errno = -kern_linux_new(on_event, userdata, &lab->kern);
        CHECK(-errno);
        return lab;
}

void lab_free(struct lab *lab) {
        if (!lab)
                return;
        lab->kern->ops->free(lab->kern);
        for (size_t i = 0; i < lab->n_fds; i++)
                close(lab->fds[i]);
        closep(&lab->stranger);
        for (size_t i = 0; i < _LISTENER_MAX; i++)
                closep(&lab->listeners[i]);
        for (size_t i = 0; i < _NS_MAX; i++)
                close(lab->ns[i]);
        free(lab);
}

/* Connections */

static void lab_keep(struct lab *lab, int fd) {
        if (lab->n_fds >= ARRAY_SIZE(lab->fds))
                abort();
        lab->fds[lab->n_fds++] = fd;
}

static void lab_close_fd(struct lab *lab, int fd) {
        size_t i = 0;

        while (i < lab->n_fds && lab->fds[i] != fd)
                i++;
        if (i == lab->n_fds)
                abort();
        lab->fds[i] = lab->fds[--lab->n_fds];
        CHECK(close(fd));
}

/* What this end of a connection looks like. */
static void describe(struct lab *lab, int fd, int peer_fd, struct lab_connection *connection) {
        connection->local = socket_local(fd);
        connection->remote = socket_remote(fd);
        connection->token = socket_token(fd);
        connection->fd = fd;
        connection->peer_fd = peer_fd;
        lab_keep(lab, fd);
        lab_keep(lab, peer_fd);
}

static int peer_listener_of(struct lab *lab, enum lab_kind kind, uint16_t port) {
        if (port == LAB_PORT_PLAIN)
                return lab->listeners[LISTENER_PEER_PLAIN];
        if (kind != LAB_V6)
                return lab->listeners[LISTENER_PEER_V4];
        /* Only when it is wanted, since the port is one of both families then. */
        if (lab->listeners[LISTENER_PEER_V6] < 0) {
                lab_move(lab, NS_PEER);
                closep(&lab->listeners[LISTENER_PEER_V4]);
                lab->listeners[LISTENER_PEER_V4] = -1;
                lab->listeners[LISTENER_PEER_V6] =
                                peer_listener(LAB_V6, LAB_PORT_OPEN, IPPROTO_MPTCP);
                lab_move(lab, NS_HERE);
        }
        return lab->listeners[LISTENER_PEER_V6];
}

void lab_connect(struct lab *lab, enum lab_kind kind, uint16_t port, struct lab_connection *ret) {
        const struct mptcpize_address to = lab_address(LAB_PEER, kind, port);
        const int listener = peer_listener_of(lab, kind, port);
        const struct mptcpize_address from = lab_address(LAB_WIFI, kind, 0);
        int fd = socket_connect(&from, &to, kind != LAB_V4);

        *ret = (struct lab_connection){ .kind = kind };
        describe(lab, fd, CHECK(accept4(listener, NULL, NULL, SOCK_CLOEXEC)), ret);
}

void lab_connect_kernel(struct lab *lab, struct lab_connection *ret) {
        set_path_manager(false);
        lab_connect(lab, LAB_V4, LAB_PORT_OPEN, ret);
        set_path_manager(true);
}

void lab_accept(struct lab *lab, enum lab_kind kind, struct lab_connection *ret) {
        const struct mptcpize_address to = lab_address(LAB_WIFI, kind, LAB_PORT_OWN);
        const struct mptcpize_address from = lab_address(LAB_PEER, kind, 0);
        struct mptcpize_address any = to;
        int peer_fd;

        memset(any.bytes, 0, sizeof(any.bytes));
        any.family = kind == LAB_V4 ? AF_INET : AF_INET6;
        if (lab->listeners[LISTENER_OWN] < 0)
                lab->listeners[LISTENER_OWN] = socket_listen(&any, kind != LAB_V4, IPPROTO_MPTCP);
        lab_move(lab, NS_PEER);
        peer_fd = socket_connect(&from, &to, kind == LAB_V6);
        lab_move(lab, NS_HERE);
        *ret = (struct lab_connection){ .kind = kind, .server = true };
        describe(lab, CHECK(accept4(lab->listeners[LISTENER_OWN], NULL, NULL, SOCK_CLOEXEC)),
                 peer_fd, ret);
}

static void pass_byte(int from, int to) {
        char byte = 'x';

        if (CHECK(send(from, &byte, 1, MSG_NOSIGNAL)) != 1 || CHECK(recv(to, &byte, 1, 0)) != 1)
                lab_die(__FILE__, __LINE__, "no byte");
}

void lab_exchange(struct lab *lab, struct lab_connection *connection) {
        (void)lab;
        pass_byte(connection->fd, connection->peer_fd);
        pass_byte(connection->peer_fd, connection->fd);
}

uint32_t lab_peer_token(struct lab *lab, const struct lab_connection *connection) {
        (void)lab;
        return socket_token(connection->peer_fd);
}

/* No connection has an event for it: nobody dispatches. */
static void on_nothing(const struct event *event, void *userdata) {
        (void)event, (void)userdata;
}

struct ownership lab_peer_owner(struct lab *lab, const struct lab_connection *connection) {
        struct ownership owner;
        struct kern *kern;

        lab_move(lab, NS_PEER);
        errno = -kern_linux_new(on_nothing, NULL, &kern);
        CHECK(-errno);
        errno = -kern->ops->owner(kern, lab_peer_token(lab, connection), &owner);
        CHECK(-errno);
        kern->ops->free(kern);
        lab_move(lab, NS_HERE);
        return owner;
}

bool lab_peer_shutdown(struct lab *lab, struct lab_connection *connection) {
        char byte;

        (void)lab;
        CHECK(shutdown(connection->peer_fd, SHUT_WR));
        if (CHECK(recv(connection->fd, &byte, 1, 0)) != 0)
                lab_die(__FILE__, __LINE__, "no end");
        return true;
}

void lab_close(struct lab *lab, struct lab_connection *connection) {
        lab_close_fd(lab, connection->fd);
        lab_close_fd(lab, connection->peer_fd);
}

void lab_fastclose(struct lab *lab, struct lab_connection *connection) {
        const struct linger abort_it = { .l_onoff = 1 };
        char byte;

        CHECK(setsockopt(connection->peer_fd, SOL_SOCKET, SO_LINGER, &abort_it, sizeof(abort_it)));
        lab_close_fd(lab, connection->peer_fd);
        /* Until it has arrived: an error, not the end of the stream. */
        if (recv(connection->fd, &byte, 1, 0) >= 0 || errno != ECONNRESET)
                lab_die(__FILE__, __LINE__, "no reset");
}

void lab_listen(struct lab *lab) {
        const struct mptcpize_address own = lab_address(LAB_WIFI, LAB_V4, LAB_PORT_OWN);

        lab->listeners[LISTENER_PROGRAM] = socket_listen(&own, false, IPPROTO_MPTCP);
}

void lab_stop_listen(struct lab *lab) {
        closep(&lab->listeners[LISTENER_PROGRAM]);
        lab->listeners[LISTENER_PROGRAM] = -1;
}

/* The peer */

void lab_peer_announce(struct lab *lab, enum lab_kind kind) {
        lab_ip(lab, NS_PEER, "mptcp endpoint add %s id %u signal\n",
               place_text(LAB_PEER_SECOND, kind).text, LAB_PEER_ID);
}

void lab_peer_remove(struct lab *lab, enum lab_kind kind) {
        (void)kind;
        lab_ip(lab, NS_PEER, "mptcp endpoint delete id %u\n", LAB_PEER_ID);
}

void lab_peer_join(struct lab *lab, enum lab_kind kind) {
        lab_ip(lab, NS_PEER, "mptcp endpoint add %s id %u subflow\n",
               place_text(LAB_PEER_SECOND, kind).text, LAB_PEER_ID);
}

void lab_peer_backup(struct lab *lab, enum lab_kind kind) {
        lab_ip(lab, NS_PEER, "mptcp endpoint change %s backup\n",
               place_text(LAB_PEER_SECOND, kind).text);
}

/* Its path manager does so by itself. */
void lab_peer_join_announced(struct lab *lab, const struct mptcpize_address *announced) {
        (void)lab, (void)announced;
}

bool lab_peer_knock(struct lab *lab, const struct mptcpize_address *to) {
        lab_move(lab, NS_PEER);
        closep(&lab->stranger);
        lab->stranger = socket_try(to);
        lab_move(lab, NS_HERE);
        return lab->stranger >= 0;
}

bool lab_peer_sent_away(struct lab *lab) {
        char byte;
        ssize_t n = recv(lab->stranger, &byte, 1, MSG_DONTWAIT);

        return n == 0 || (n < 0 && errno == ECONNRESET);
}

bool lab_peer_reset(struct lab *lab, const struct mptcp_event *subflow) {
        char from[ADDRESS_TEXT], to[ADDRESS_TEXT], line[256];
        bool done;
        FILE *ss;

        snprintf(line, sizeof(line), "ss -KtnH src '%s' dst '%s'",
                 address_format(&subflow->remote, from), address_format(&subflow->local, to));
        lab_move(lab, NS_PEER);
        ss = open_pipe(line, "r");
        lab_move(lab, NS_HERE);
        done = fgets(line, sizeof(line), ss);
        pclose(ss);
        return done;
}

void lab_peer_deny(struct lab *lab) {
        lab_move(lab, NS_PEER);
        sysctl("mptcp/allow_join_initial_addr_port", "0");
        lab_move(lab, NS_HERE);
}

void lab_peer_limit(struct lab *lab) {
        lab_ip(lab, NS_PEER, "%s", "mptcp limits set subflows 0 add_addr_accepted 0\n");
}

void lab_peer_silent(struct lab *lab) {
        lab_ip(lab, NS_PEER, "route add blackhole %s/32\n", place_text(LAB_LTE, LAB_V4).text);
}

/* The network */

void lab_link(struct lab *lab, enum lab_place place, bool up) {
        lab_ip(lab, NS_HERE, "link set %s %s\n", names[place], up ? "up" : "down");
}

void lab_carrier(struct lab *lab, enum lab_place place, bool up) {
        lab_ip(lab, NS_PEER, "link set %s %s\n", place == LAB_WIFI ? "towifi" : "tolte",
               up ? "up" : "down");
}

void lab_link_delete(struct lab *lab, enum lab_place place) {
        lab_ip(lab, NS_HERE, "link delete %s\n", names[place]);
}

void lab_address_delete(struct lab *lab, enum lab_place place, enum lab_kind kind) {
        lab_ip(lab, NS_HERE, "addr delete %s/%d dev %s\n", place_text(place, kind).text,
               kind == LAB_V6 ? 64 : 24, names[place]);
}

void lab_address_add(struct lab *lab, enum lab_place place, enum lab_kind kind) {
        lab_ip(lab, NS_HERE, "addr add %s/%d dev %s %s\n", place_text(place, kind).text,
               kind == LAB_V6 ? 64 : 24, names[place], kind == LAB_V6 ? "nodad" : "");
}

void lab_unroute(struct lab *lab, enum lab_place place, enum lab_kind kind) {
        lab_ip(lab, NS_HERE, "route delete %s dev %s\n",
               kind == LAB_V6 ? "2001:db8:3::/64" : "203.0.113.0/24", names[place]);
}

void lab_route_add(struct lab *lab) {
        lab_ip(lab, NS_HERE, "%s",
               "route add 203.0.113.128/25 via 198.51.100.2 dev lte0 metric 7\n");
}

void lab_route_delete(struct lab *lab) {
        lab_ip(lab, NS_HERE, "%s",
               "route delete 203.0.113.128/25 via 198.51.100.2 dev lte0 metric 7\n");
}

unsigned int lab_shrink(struct lab *lab) {
        const int bytes = SHRUNK_BYTES;
        int fds[KERN_FDS];

        lab->kern->ops->fds(lab->kern, fds);
        CHECK(setsockopt(fds[0], SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)));
        return SHRUNK_EVENTS;
}
