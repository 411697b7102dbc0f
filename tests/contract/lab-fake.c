/*
 * The lab, made of the fake kernel. See lab.h.
 */
#include "lab.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include "fake/fake.h"

#define UID            1000u
#define CONNECTIONS    64u
#define LOST           3u
#define PEER_JOIN_PORT 50001u

struct lab {
        struct kern *kern;
        struct lab_connection connections[CONNECTIONS];
        size_t n;
        uint32_t token;
        uint16_t port;
};

static const int32_t indexes[] = { [LAB_WIFI] = 2, [LAB_LTE] = 3 };
static const char *const names[] = { [LAB_WIFI] = "wifi0", [LAB_LTE] = "lte0" };

struct text {
        char text[ADDRESS_TEXT];
};

static struct text text_of(const struct mptcpize_address *address) {
        struct text text = { "" };

        address_format(address, text.text);
        return text;
}

static struct text place_text(enum lab_place place, enum lab_kind kind, uint16_t port) {
        const struct mptcpize_address address = lab_address(place, kind, port);

        return text_of(&address);
}

int lab_enter(const char **ret_reason) {
        (void)ret_reason;
        return 0;
}

struct kern *lab_kern(struct lab *lab) {
        return lab->kern;
}

int32_t lab_ifindex(struct lab *lab, enum lab_place place) {
        (void)lab;
        return indexes[place];
}

uint32_t lab_uid(void) {
        return UID;
}

static void lab_build_side(struct lab *lab, enum lab_place place) {
        fake_link(lab->kern, indexes[place], names[place], true, false);
        for (enum lab_kind kind = LAB_V4; kind <= LAB_V6; kind++)
                lab_address_add(lab, place, kind);
        fake_route(lab->kern, indexes[place], "203.0.113.0", 24);
        fake_route(lab->kern, indexes[place], "2001:db8:3::", 64);
}

struct lab *lab_new(kern_event_fn on_event, void *userdata) {
        struct lab *lab = calloc(1, sizeof(*lab));

        if (!lab || fake_new(on_event, userdata, &lab->kern) < 0)
                abort();
        lab->token = 0x1000;
        lab->port = 50100;
        fake_link(lab->kern, 1, "lo", true, true);
        lab_build_side(lab, LAB_WIFI);
        lab_build_side(lab, LAB_LTE);
        for (enum lab_kind kind = LAB_V4; kind <= LAB_V6; kind++)
                fake_refuse(lab->kern, place_text(LAB_PEER, kind, LAB_PORT_SHUT).text);
        return lab;
}

void lab_free(struct lab *lab) {
        if (!lab)
                return;
        lab->kern->ops->free(lab->kern);
        free(lab);
}

/* Connections */

static void lab_add(struct lab *lab, struct lab_connection *ret, uint32_t flags) {
        ret->token = ++lab->token;
        fake_connect_flags(lab->kern, ret->token, text_of(&ret->local).text,
                           text_of(&ret->remote).text, flags);
        fake_owner(lab->kern, ret->token, UID);
        assert(lab->n < CONNECTIONS);
        lab->connections[lab->n++] = *ret;
}

void lab_connect(struct lab *lab, enum lab_kind kind, uint16_t port, struct lab_connection *ret) {
        *ret = (struct lab_connection){
                .kind = kind,
                .local = lab_address(LAB_WIFI, kind, ++lab->port),
                .remote = lab_address(LAB_PEER, kind, port),
        };
        if (port != LAB_PORT_PLAIN) {
                lab_add(lab, ret, 0);
                return;
        }
        fake_connect_plain(lab->kern, ++lab->token, text_of(&ret->local).text,
                           text_of(&ret->remote).text);
        fake_owner(lab->kern, lab->token, UID);
}

void lab_connect_kernel(struct lab *lab, struct lab_connection *ret) {
        lab_connect(lab, LAB_V4, LAB_PORT_OPEN, ret);
        fake_kernel_pm(lab->kern, ret->token);
}

void lab_accept(struct lab *lab, enum lab_kind kind, struct lab_connection *ret) {
        *ret = (struct lab_connection){
                .kind = kind,
                .server = true,
                .local = lab_address(LAB_WIFI, kind, LAB_PORT_OWN),
                .remote = lab_address(LAB_PEER, kind, ++lab->port),
        };
        lab_add(lab, ret, EVENT_MPTCP_SERVER);
        fake_establish(lab->kern, ret->token);
}

void lab_exchange(struct lab *lab, struct lab_connection *connection) {
        if (!connection->server && connection->token)
                fake_establish(lab->kern, connection->token);
}

uint32_t lab_peer_token(struct lab *lab, const struct lab_connection *connection) {
        (void)lab;
        return fake_peer_token(connection->token);
}

struct ownership lab_peer_owner(struct lab *lab, const struct lab_connection *connection) {
        const uint32_t token = lab_peer_token(lab, connection);

        return (struct ownership){
                .uid = UID,
                .inode = token,
                .cookie = token,
                .idsn_local = fake_idsn(token),
                .idsn_remote = fake_idsn(connection->token),
        };
}

bool lab_peer_shutdown(struct lab *lab, struct lab_connection *connection) {
        (void)lab, (void)connection;
        return false;
}

static void lab_forget(struct lab *lab, const struct lab_connection *connection) {
        size_t i = 0;

        while (i < lab->n && lab->connections[i].token != connection->token)
                i++;
        assert(i < lab->n);
        lab->connections[i] = lab->connections[--lab->n];
}

void lab_close(struct lab *lab, struct lab_connection *connection) {
        lab_forget(lab, connection);
        fake_close(lab->kern, connection->token);
}

void lab_fastclose(struct lab *lab, struct lab_connection *connection) {
        lab_forget(lab, connection);
        fake_fastclose(lab->kern, connection->token);
}

void lab_listen(struct lab *lab) {
        fake_listen(lab->kern, place_text(LAB_WIFI, LAB_V4, LAB_PORT_OWN).text, true);
}

void lab_stop_listen(struct lab *lab) {
        fake_listen(lab->kern, place_text(LAB_WIFI, LAB_V4, LAB_PORT_OWN).text, false);
}

/* The peer */

void lab_peer_announce(struct lab *lab, enum lab_kind kind) {
        for (size_t i = 0; i < lab->n; i++)
                fake_peer_announce(lab->kern, lab->connections[i].token, LAB_PEER_ID,
                                   place_text(LAB_PEER_SECOND, kind, 0).text);
}

void lab_peer_remove(struct lab *lab, enum lab_kind kind) {
        (void)kind;
        for (size_t i = 0; i < lab->n; i++)
                fake_peer_remove(lab->kern, lab->connections[i].token, LAB_PEER_ID);
}

void lab_peer_join(struct lab *lab, enum lab_kind kind) {
        for (size_t i = 0; i < lab->n; i++)
                fake_peer_join_id(lab->kern, lab->connections[i].token,
                                  text_of(&lab->connections[i].local).text,
                                  place_text(LAB_PEER_SECOND, kind, PEER_JOIN_PORT).text,
                                  LAB_PEER_ID);
}

void lab_peer_backup(struct lab *lab, enum lab_kind kind) {
        for (size_t i = 0; i < lab->n; i++)
                fake_peer_backup(lab->kern, lab->connections[i].token,
                                 text_of(&lab->connections[i].local).text,
                                 place_text(LAB_PEER_SECOND, kind, PEER_JOIN_PORT).text, true);
}

void lab_peer_join_announced(struct lab *lab, const struct mptcpize_address *announced) {
        const enum lab_kind kind = announced->family == AF_INET6 ? LAB_V6 : LAB_V4;

        for (size_t i = 0; i < lab->n && fake_listens(lab->kern, text_of(announced).text); i++)
                fake_peer_join(lab->kern, lab->connections[i].token, text_of(announced).text,
                               place_text(LAB_PEER, kind, PEER_JOIN_PORT).text);
}

bool lab_peer_knock(struct lab *lab, const struct mptcpize_address *to) {
        return fake_listens(lab->kern, text_of(to).text);
}

/* The fake has no strangers. */
bool lab_peer_sent_away(struct lab *lab) {
        (void)lab;
        return true;
}

bool lab_peer_reset(struct lab *lab, const struct mptcp_event *subflow) {
        fake_peer_reset(lab->kern, subflow->token, text_of(&subflow->local).text,
                        text_of(&subflow->remote).text, ECONNRESET);
        return true;
}

void lab_peer_deny(struct lab *lab) {
        fake_peer_deny(lab->kern);
}

void lab_peer_limit(struct lab *lab) {
        fake_manner(lab->kern, place_text(LAB_PEER, LAB_V4, 0).text, FAKE_LIMIT);
}

void lab_peer_silent(struct lab *lab) {
        fake_silent(lab->kern, place_text(LAB_PEER, LAB_V4, 0).text);
}

/* The network */

void lab_link(struct lab *lab, enum lab_place place, bool up) {
        fake_link(lab->kern, indexes[place], names[place], up, false);
}

void lab_carrier(struct lab *lab, enum lab_place place, bool up) {
        fake_carrier(lab->kern, indexes[place], up);
}

void lab_link_delete(struct lab *lab, enum lab_place place) {
        fake_link_gone(lab->kern, indexes[place]);
}

void lab_address_delete(struct lab *lab, enum lab_place place, enum lab_kind kind) {
        fake_address_gone(lab->kern, indexes[place], place_text(place, kind, 0).text);
}

void lab_address_add(struct lab *lab, enum lab_place place, enum lab_kind kind) {
        fake_address(lab->kern, indexes[place], place_text(place, kind, 0).text, true);
}

void lab_unroute(struct lab *lab, enum lab_place place, enum lab_kind kind) {
        if (kind == LAB_V6)
                fake_route_gone(lab->kern, indexes[place], "2001:db8:3::", 64);
        else
                fake_route_gone(lab->kern, indexes[place], "203.0.113.0", 24);
}

void lab_route_add(struct lab *lab) {
        fake_route(lab->kern, indexes[LAB_LTE], "203.0.113.128", 25);
}

void lab_route_delete(struct lab *lab) {
        fake_route_gone(lab->kern, indexes[LAB_LTE], "203.0.113.128", 25);
}

unsigned int lab_shrink(struct lab *lab) {
        fake_lose_events(lab->kern, LOST);
        return LOST;
}
