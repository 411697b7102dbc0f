/*
 * Checks of the network: are there at least two interfaces to use, and do packets get out and back
 * by each of them?
 */
#include "doctor.h"
#include "links.h"
#include "look.h"
#include "route.h"
#include "../fields.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* Somebody outside: an address that no network has, so that the default route is the one. */
#define OUTSIDE4 "203.0.113.1"
#define OUTSIDE6 "2001:db8:ffff::1"

/* All interfaces, those of doctor_check_interfaces(). */
static const json_t *links_of(const struct doctor *doctor) {
        return json_object_get(doctor->world, "links");
}

static size_t count_usable(const json_t *links, const json_t **ret_last) {
        const json_t *link;
        size_t i, n = 0;

        json_array_foreach(links, i, link) {
                if (link_is_usable(link)) {
                        n++;
                        *ret_last = link;
                }
        }
        return n;
}

static void unusable_note(struct doctor *doctor, const json_t *link) {
        const char *name = doctor_text(doctor, "%s", fields_text(link, "name"));
        const char *word = doctor_quote(doctor, fields_text(link, "name"));
        const bool off = link_is_off(link);

        doctor_add(doctor,
                   &(struct finding){
                                   .severity = SEVERITY_NOTE,
                                   .subject = name,
                                   .what = doctor_text(doctor,
                                                       "no subflow starts from it: %s%s%s%s",
                                                       fields_text(link, "reason"), off ? " (" : "",
                                                       off ? fields_text(link, "role_reason") : "",
                                                       off ? ")" : ""),
                                   .remedy = off ? doctor_text(doctor,
                                                               "mptcpctl interface %s on --keep",
                                                               word)
                                             : json_is_true(json_object_get(link, "up"))
                                                             ? doctor_text(doctor,
                                                                           "ip address show dev "
                                                                           "%s",
                                                                           word)
                                                             : doctor_text(doctor,
                                                                           "ip link set %s up",
                                                                           word),
                   });
}

/* How many are there? Two are needed for two paths. */
static void count_judge(struct doctor *doctor, const json_t *links) {
        const json_t *only = NULL;
        const size_t n = count_usable(links, &only);

        if (n >= 2)
                return;
        doctor_add(doctor,
                   &(struct finding){
                                   .severity = n ? SEVERITY_WARNING : SEVERITY_BROKEN,
                                   .subject = "uplinks",
                                   .what = n ? doctor_text(doctor,
                                                           "%s is the only usable interface",
                                                           fields_text(only, "name"))
                                             : "there is no usable interface",
                                   .why = n ? "there is no second path: a connection lives as long "
                                              "as this one"
                                            : "no connection leaves this host",
                                   .remedy = "mptcpctl status",
                   });
}

static bool has_network(const json_t *link, const char *network) {
        const json_t *row;
        size_t i;

        json_array_foreach(json_object_get(link, "addresses"), i, row) {
                if (strcmp(fields_text(row, "network"), network) == 0)
                        return true;
        }
        return false;
}

static void twin_judge(struct doctor *doctor, const json_t *a, const json_t *b) {
        const json_t *row;
        size_t i;

        json_array_foreach(json_object_get(a, "addresses"), i, row) {
                const char *network = fields_text(row, "network");

                if (!has_network(b, network))
                        continue;
                doctor_add(doctor,
                           &(struct finding){
                                           .severity = SEVERITY_NOTE,
                                           .subject = doctor_text(doctor, "%s, %s",
                                                                  fields_text(a, "name"),
                                                                  fields_text(b, "name")),
                                           .what = doctor_text(doctor, "both are in %s", network),
                                           .why = "what fails beyond that network fails for both, "
                                                  "and one may answer for the other's address",
                                           .remedy = "sysctl -w net.ipv4.conf.all.arp_ignore=1",
                           });
                return;
        }
}

/* True: it has been said. */
static bool family_judge(struct doctor *doctor, const json_t *a, const json_t *b) {
        const bool odd = link_has_family(a, AF_INET6) && !link_has_family(b, AF_INET6);

        if (odd)
                doctor_add(doctor,
                           &(struct finding){
                                           .severity = SEVERITY_NOTE,
                                           .subject = doctor_text(doctor, "%s",
                                                                  fields_text(b, "name")),
                                           .what = doctor_text(doctor,
                                                               "it has no IPv6 address, %s has one",
                                                               fields_text(a, "name")),
                                           .why = "connections over IPv6 use this path only if the "
                                                  "peer has IPv4, too",
                                           .remedy = doctor_text(
                                                           doctor, "ip -6 address show dev %s",
                                                           doctor_word(doctor,
                                                                       fields_text(b, "name"))),
                           });
        return odd;
}

static void pairs_judge(struct doctor *doctor, const json_t *links) {
        const json_t *a, *b;
        size_t i, k;

        json_array_foreach(links, i, b) {
                bool told = !link_is_usable(b);

                json_array_foreach(links, k, a) {
                        if (i == k || !link_is_usable(a) || !link_is_usable(b))
                                continue;
                        if (i < k)
                                twin_judge(doctor, b, a);
                        told = told || family_judge(doctor, a, b);
                }
        }
}

void doctor_check_interfaces(struct doctor *doctor) {
        json_t *links = NULL;
        const json_t *link;
        size_t i;
        int r = links_list(json_object_get(doctor->manager, "Interfaces"), &links);

        if (r < 0) {
                doctor_add_unseen(doctor, "interfaces",
                                  doctor_text(doctor, "the kernel does not list them: %s",
                                              strerror(-r)),
                                  "ip address show");
                return;
        }
        json_object_set_new(doctor->world, "links", links);
        count_judge(doctor, links);
        json_array_foreach(links, i, link) {
                /* the ports of a bridge or a bond have no address, as it should be */
                if (!link_is_usable(link) && json_is_true(json_object_get(link, "plain")) &&
                    !json_is_true(json_object_get(link, "port")))
                        unusable_note(doctor, link);
        }
        pairs_judge(doctor, links);
}

/* Routing */

/* What is inside of this host, or a tunnel, may lead nowhere else and be right. */
static void add_inner(struct doctor *doctor, const json_t *link, const json_t *address) {
        const char *name = doctor_text(doctor, "%s", fields_text(link, "name"));

        doctor_add(doctor,
                   &(struct finding){
                                   .severity = SEVERITY_NOTE,
                                   .subject = name,
                                   .what = doctor_text(doctor, "no route leads out by it from %s",
                                                       fields_text(address, "address")),
                                   .why = "subflows from there are tried in vain, unless a peer is "
                                          "in its own network",
                                   .remedy = doctor_text(
                                                   doctor, "mptcpctl interface %s off --keep",
                                                   doctor_quote(doctor, fields_text(link, "name"))),
                   });
}

/* A gateway is needed for that, which only the user knows. */
static void add_no_route(struct doctor *doctor, const json_t *link, const json_t *address) {
        const bool is4 = json_integer_value(json_object_get(address, "family")) == AF_INET;
        const char *name = doctor_text(doctor, "%s", fields_text(link, "name"));

        doctor_add(doctor,
                   &(struct finding){
                                   .severity = SEVERITY_WARNING,
                                   .subject = name,
                                   .what = doctor_text(doctor, "no route leads out by it from %s",
                                                       fields_text(address, "address")),
                                   .why = "subflows from there reach nobody but its own network",
                                   .remedy = doctor_text(
                                                   doctor,
                                                   "ip -%d route add default via GATEWAY dev "
                                                   "%s metric 1000",
                                                   is4 ? 4 : 6,
                                                   doctor_word(doctor, fields_text(link, "name"))),
                   });
}

/* For sysctl(8), which takes a slash for the dot of "eth0.100": names of VLANs have one. */
static const char *sysctl_name(struct doctor *doctor, const char *name) {
        char key[LOOK_TEXT];

        snprintf(key, sizeof(key), "net.ipv4.conf.%s", name);
        for (char *dot = key + strlen("net.ipv4.conf."); (dot = strchr(dot, '.'));)
                *dot = '/';
        return doctor_word(doctor, key);
}

static void add_filtered(struct doctor *doctor, const json_t *link, const json_t *address) {
        const char *name = doctor_text(doctor, "%s", fields_text(link, "name"));

        doctor_add(doctor,
                   &(struct finding){
                                   .severity = SEVERITY_BROKEN,
                                   .subject = name,
                                   .what = doctor_text(doctor, "rp_filter drops what is sent to %s",
                                                       fields_text(address, "address")),
                                   .why = "it is strict, and the best route back leads over "
                                          "another "
                                          "interface: no subflow from there gets an answer",
                                   .remedy = doctor_text(doctor, "sysctl -w %s.rp_filter=2",
                                                         sysctl_name(doctor, name)),
                   });
}

/* The greater one of two sysctls counts; 1 is strict. */
static bool link_is_strict(const json_t *link) {
        char name[LOOK_TEXT];
        long all, own;

        snprintf(name, sizeof(name), "net/ipv4/conf/%s/rp_filter", fields_text(link, "name"));
        if (look_sysctl("net/ipv4/conf/all/rp_filter", &all) < 0 || look_sysctl(name, &own) < 0)
                return false;
        return (own > all ? own : all) == 1;
}

/* fc00::/7 (RFC 4193), which is not for going out; a network needs no other IPv6. */
static bool is_site_local(const json_t *address) {
        unsigned char bytes[16];

        return inet_pton(AF_INET6, fields_text(address, "address"), bytes) == 1 &&
               (bytes[0] & 0xfe) == 0xfc;
}

/* True: both ways are there. */
static bool address_judge(struct doctor *doctor, const json_t *link, const json_t *address) {
        const int family = (int)json_integer_value(json_object_get(address, "family"));
        const int ifindex = (int)json_integer_value(json_object_get(link, "index"));
        const char *local = fields_text(address, "address");
        const char *remote = family == AF_INET ? OUTSIDE4 : OUTSIDE6;
        int r = route_out(family, local, remote, ifindex);

        if (r < 0) {
                if (json_is_true(json_object_get(link, "inner")))
                        add_inner(doctor, link, address);
                else if (!is_site_local(address))
                        add_no_route(doctor, link, address);
                return false;
        }
        if (family != AF_INET || !link_is_strict(link))
                return true;
        r = route_back(family, local, remote, ifindex);
        if (r != -EXDEV && r != -EINVAL) /* those are rp_filter's, of older and of newer kernels */
                return true;
        add_filtered(doctor, link, address);
        return false;
}

static void link_judge(struct doctor *doctor, const json_t *link) {
        const char *told = fields_text(link, "routing");
        const json_t *address;
        bool fine = true;
        size_t i;

        json_array_foreach(json_object_get(link, "addresses"), i, address) {
                fine = address_judge(doctor, link, address) && fine;
        }
        if (fine && *told)
                doctor_add(doctor,
                           &(struct finding){
                                           .severity = SEVERITY_NOTE,
                                           .subject = doctor_text(doctor, "%s",
                                                                  fields_text(link, "name")),
                                           .what = doctor_text(doctor, "mptcpized helps: %s", told),
                           });
}

void doctor_check_routing(struct doctor *doctor) {
        const json_t *link;
        size_t i;

        if (!links_of(doctor)) {
                doctor_add_unseen(doctor, "routes", "the interfaces are not known",
                                  "ip route show");
                return;
        }
        json_array_foreach(links_of(doctor), i, link) {
                if (link_is_usable(link))
                        link_judge(doctor, link);
        }
}
