#include "policy-view.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../util/cleanup.h"
#include "../util/limits.h"
#include "config.h"

#define SYSTEM_DATABASE MPTCPIZE_RUNTIME "/policy.db"

/* Networks */

static unsigned int mask_bits(const struct sockaddr *mask, sa_family_t family) {
        const struct sockaddr_in6 *in6 = (const void *)mask;
        const struct sockaddr_in *in4 = (const void *)mask;
        const uint8_t *bytes = family == AF_INET ? (const uint8_t *)&in4->sin_addr
                                                 : (const uint8_t *)&in6->sin6_addr;
        unsigned int n = family == AF_INET ? 32 : 128, bits = 0;

        while (bits < n && bytes[bits / 8] & (0x80u >> bits % 8))
                bits++;
        return bits;
}

/* False: it has no address of the Internet. */
static bool network_read(const struct ifaddrs *from, struct policy_network *ret_network) {
        sa_family_t family = from->ifa_addr ? from->ifa_addr->sa_family : AF_UNSPEC;
        struct policy_network network = { .ifname = "" };
        unsigned int bits;

        if ((family != AF_INET && family != AF_INET6) || !from->ifa_netmask)
                return false;
        network.address = policy_address(from->ifa_addr,
                                         family == AF_INET ? sizeof(struct sockaddr_in)
                                                           : sizeof(struct sockaddr_in6));
        bits = mask_bits(from->ifa_netmask, family);
        network.network.family = network.address.family;
        network.network.len = (uint8_t)bits;
        for (unsigned int i = 0; i < bits; i++)
                network.network.bytes[i / 8] |= network.address.bytes[i / 8] & (0x80u >> i % 8);
        snprintf(network.ifname, sizeof(network.ifname), "%s", from->ifa_name);
        *ret_network = network;
        return true;
}

int view_networks(struct policy_networks *ret_networks) {
        struct policy_networks networks = { 0 };
        struct ifaddrs *list, *at;
        int r = 0;

        if (getifaddrs(&list) < 0)
                return -errno;
        for (at = list; at && r == 0; at = at->ifa_next) {
                struct policy_network network;

                if (network_read(at, &network))
                        r = ARRAY_APPEND(&networks.list, network, LIMIT_POLICY_NETWORKS);
        }
        freeifaddrs(list);
        if (r < 0)
                ARRAY_DONE(&networks.list);
        else
                *ret_networks = networks;
        return r;
}

/* Places */

/* $name/mptcpize/rest or, if it is not set, $HOME/fallback/mptcpize/rest. */
static char *place_of(const char *name, const char *fallback, const char *rest) {
        const char *base = getenv(name), *between = "";
        char *path = NULL;

        if ((!base || base[0] != '/') && fallback) {
                base = getenv("HOME");
                between = fallback;
        }
        if (!base || base[0] != '/' || asprintf(&path, "%s%s/mptcpize/%s", base, between, rest) < 0)
                return NULL;
        return path;
}

char *view_own_dir(void) {
        return place_of("XDG_CONFIG_HOME", "/.config", "apps.d");
}

char *view_own_database(void) {
        return place_of("XDG_RUNTIME_DIR", NULL, "policy.db");
}

/* Databases */

static int view_fail(struct view_error *error, int r, const char *path) {
        if (r == -ENODATA)
                snprintf(error->text, sizeof(error->text),
                         "\"%s\" is no policy database of this version, or it is damaged", path);
        else
                snprintf(error->text, sizeof(error->text), "\"%s\" can't be read: %s", path,
                         strerror(-r));
        return r;
}

static int view_add_database(struct view *view, const char *path) {
        struct view_base *base = &view->bases[view->n];
        int r = policy_store_copy(path, &base->memory);

        if (r < 0)
                return r;
        policy_begin(base->memory, POLICY_FILE_BYTES, &base->read);
        base->database = strdup(path);
        view->n++;
        return base->database ? 0 : -ENOMEM;
}

/* What these directories come to. Nothing if there are no files in them. */
static int view_add_dirs(struct view *view, const char *const *dirs, size_t n, uint32_t owner) {
        struct view_base *base = &view->bases[view->n];
        struct policy_networks networks = { 0 };
        struct policy_sources sources = { 0 };
        size_t size;
        int r = policy_load_dirs(&sources, dirs, n, owner, &view->errors);

        if (r != -ENOMEM)
                r = view_networks(&networks);
        if (r == 0 && sources.list.n > 0)
                r = policy_compile(&sources, &networks, &base->memory, &size, &view->errors);
        if (r >= 0 && base->memory) {
                base->read = (struct policy_read){ .half = base->memory };
                view->n++;
        }
        ARRAY_DONE(&networks.list);
        policy_sources_done(&sources);
        return r < 0 ? r : 0;
}

static int view_add_own(struct view *view, struct view_error *error) {
        _cleanup_(freep) char *database = view_own_database();
        _cleanup_(freep) char *dir = view_own_dir();
        int r = database ? view_add_database(view, database) : -ENOENT;

        if (r == -ENOENT)
                r = dir ? view_add_dirs(view, (const char *const *)&dir, 1, geteuid()) : 0;
        return r < 0 ? view_fail(error, r, database ? database : "the user's own policies") : 0;
}

int view_open(struct view *view, const char *db, struct view_error *error) {
        static const char *const dirs[] = { MPTCPIZE_APPS, MPTCPIZE_APPS_CONF };
        const char *named = db ? db : getenv("MPTCPIZE_POLICY");
        int r = 0;

        *view = (struct view){ .n = 0 };
        if (named && *named) {
                r = view_add_database(view, named);
                return r < 0 ? view_fail(error, r, named) : 0;
        }
        /* root's own policies are the system's */
        if (geteuid() != 0)
                r = view_add_own(view, error);
        if (r < 0)
                return r;
        r = view_add_database(view, SYSTEM_DATABASE);
        if (r == -ENOENT)
                r = view_add_dirs(view, dirs, ARRAY_SIZE(dirs), POLICY_SYSTEM);
        return r < 0 ? view_fail(error, r, SYSTEM_DATABASE) : 0;
}

void view_done(struct view *view) {
        for (size_t i = 0; i < ARRAY_SIZE(view->bases); i++) {
                free(view->bases[i].database);
                free(view->bases[i].memory);
        }
        policy_errors_done(&view->errors);
}

json_t *view_databases(const struct view *view) {
        json_t *list = json_array();

        for (size_t i = 0; i < view->n; i++)
                json_array_append_new(list, view->bases[i].database
                                                            ? json_string(view->bases[i].database)
                                                            : json_null());
        return list;
}
