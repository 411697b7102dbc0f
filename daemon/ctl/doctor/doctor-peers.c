/*
 * Check of peers: what fell back to plain TCP, and why, by the kernel's counters since the boot
 * and by the connections that are there now.
 */
#include "doctor.h"
#include "look.h"
#include "sockets.h"
#include "../../util/cleanup.h"
#include "../../util/limits.h"

#include <stdlib.h>
#include <string.h>

#define NETSTAT_FILE "/proc/self/net/netstat"
#define GROUP        "MPTcpExt:"

struct counter_row {
        const char *name;
        enum severity severity;
        const char *what; /* behind "12 times: " */
        const char *why;
        const char *remedy;
};

static const struct counter_row counters[] = {
        { "MPCapableFallbackSYNACK", SEVERITY_NOTE, "a server answered without Multipath TCP",
          "it does not speak it, or something on the way took the option out",
          "mptcpctl connections" },
        { "MPCapableFallbackACK", SEVERITY_NOTE,
          "a client asked for Multipath TCP and went on without it",
          "something on the way took the option out of its third packet", "mptcpctl connections" },
        { "MPCapableDataFallback", SEVERITY_NOTE, "the first data came without the option",
          "something on the way takes it out of packets with data", "mptcpctl connections" },
        { "DssFallback", SEVERITY_NOTE, "data came without its mapping",
          "something on the way takes the option out once a connection is there",
          "mptcpctl connections" },
        { "MPFallbackTokenInit", SEVERITY_WARNING, "no token was free for a connection",
          "too many connections at a time", "mptcpctl status" },
        { "MPCapableSYNTXDrop", SEVERITY_WARNING,
          "a SYN with Multipath TCP was lost, and the one without it was answered",
          "something on the way drops the option", "mptcpctl status" },
        { "MPCapableSYNTXDisabled", SEVERITY_NOTE,
          "a connection began as plain TCP, since Multipath TCP was off after lost SYNs",
          "the kernel had switched it off for net.mptcp.blackhole_timeout",
          "sysctl -w net.mptcp.blackhole_timeout=3600" },
        { "MPCapableEndpAttempt", SEVERITY_NOTE,
          "a client asked for Multipath TCP at an address for joins only",
          "endpoints with a port take no new connections", "ip mptcp endpoint show" },
        { "DataCsumErr", SEVERITY_WARNING, "a checksum was wrong",
          "something on the way changes payload: the subflow is closed, or the connection becomes "
          "plain TCP",
          "mptcpctl connections" },
        { "InfiniteMapRx", SEVERITY_NOTE, "a peer went back to plain TCP within a connection",
          "it had found a wrong checksum, or no mapping", "mptcpctl connections" },
        { "DSSNoMatchTCP", SEVERITY_WARNING, "a mapping did not fit the data",
          "something on the way joins or splits packets", "mptcpctl connections" },
        { "DSSNotMatching", SEVERITY_WARNING, "a mapping contradicted the one before",
          "something on the way joins or splits packets", "mptcpctl connections" },
        { "DSSCorruptionFallback", SEVERITY_WARNING, "a broken mapping made a connection plain TCP",
          "something on the way changes the option", "mptcpctl connections" },
        { "DSSCorruptionReset", SEVERITY_WARNING, "a broken mapping closed a subflow",
          "something on the way changes the option", "mptcpctl connections" },
        { "MPJoinRejected", SEVERITY_NOTE, "a join of a peer was rejected",
          "over the limit, or nobody managed paths at that time", "mptcpctl status" },
        { "MPJoinNoTokenFound", SEVERITY_NOTE, "a join was for a connection that is not here",
          "it had ended, or a load balancer leads joins to the wrong host",
          "sysctl -w net.mptcp.allow_join_initial_addr_port=0" },
        { "MPJoinSynAckHMacFailure", SEVERITY_WARNING, "a join was answered with a wrong proof",
          "another host answers there: a load balancer, or an attack", "mptcpctl connections" },
        { "MPJoinAckHMacFailure", SEVERITY_WARNING, "a join had a wrong proof",
          "it comes from somebody else: a load balancer, or an attack", "mptcpctl connections" },
        { "MPJoinSynTxCreatSkErr", SEVERITY_WARNING, "no socket could be made for a join",
          "out of memory", "free -m" },
        { "MPJoinSynTxBindErr", SEVERITY_WARNING, "a join could not be bound to its local address",
          "the address is gone, or no port is free", "ip address show" },
        { "MPJoinSynTxConnectErr", SEVERITY_NOTE, "a join found no route", "see routing above",
          "ip route show table all" },
        { "MD5SigFallback", SEVERITY_NOTE, "TCP MD5 signatures made a connection plain TCP",
          "both together have no room in a packet", "mptcpctl connections" },
        { "SimultConnectFallback", SEVERITY_NOTE, "two ends connected to each other at once",
          "Multipath TCP has no such thing", "mptcpctl connections" },
        { "FallbackFailed", SEVERITY_WARNING,
          "a connection could not become plain TCP and was closed",
          "it had several subflows, and the option was lost on one", "mptcpctl connections" },
        { "Blackhole", SEVERITY_WARNING,
          "Multipath TCP was switched off, since SYNs with it got no answer",
          "something on the way drops the option", "mptcpctl status" },
};

static void counter_judge(struct doctor *doctor, const char *name, const char *value) {
        const unsigned long long n = strtoull(value, NULL, 10);

        for (size_t i = 0; n && i < ARRAY_SIZE(counters); i++)
                if (strcmp(counters[i].name, name) == 0)
                        doctor_add(doctor,
                                   &(struct finding){
                                                   .severity = counters[i].severity,
                                                   .subject = counters[i].name,
                                                   .what = doctor_text(doctor,
                                                                       "%llu since boot: %s", n,
                                                                       counters[i].what),
                                                   .why = counters[i].why,
                                                   .remedy = counters[i].remedy,
                                   });
}

/* A line of names and one of values, both of the group. */
static void counters_read(struct doctor *doctor, char *names, char *values) {
        char *rest_of_names = NULL, *rest_of_values = NULL;
        const char *name, *value;

        (void)strtok_r(names, " \n", &rest_of_names); /* the group */
        (void)strtok_r(values, " \n", &rest_of_values);
        while ((name = strtok_r(NULL, " \n", &rest_of_names)) &&
               (value = strtok_r(NULL, " \n", &rest_of_values)))
                counter_judge(doctor, name, value);
}

static void counters_check(struct doctor *doctor) {
        _cleanup_(freep) char *text = NULL;
        char *names = NULL, *values;

        if (look_file(NETSTAT_FILE, LIMIT_NETSTAT, &text, NULL) >= 0)
                names = strstr(text, GROUP);
        values = names ? strstr(names + 1, GROUP) : NULL;
        if (!values) {
                doctor_add_unseen(doctor, "counters", "the kernel's counters can't be read",
                                  "cat " NETSTAT_FILE);
                return;
        }
        values[-1] = '\0';
        values[strcspn(values, "\n")] = '\0';
        counters_read(doctor, names, values);
}

/* Hosts, and how many connections with them fell back. */
static void on_fallback(const char *peer, void *userdata) {
        json_t *hosts = userdata;
        const json_int_t n = json_integer_value(json_object_get(hosts, peer));

        if (n || json_object_size(hosts) < LIMIT_DOCTOR_FINDINGS)
                json_object_set_new(hosts, peer, json_integer(n + 1));
}

static void fallbacks_check(struct doctor *doctor) {
        _cleanup_(json_decrefp) json_t *hosts = json_object();
        const char *host;
        json_t *n;
        int r = sockets_each_fallback(on_fallback, hosts);

        if (r < 0)
                doctor_add_unseen(doctor, "connections",
                                  doctor_text(doctor, "the kernel does not list them: %s",
                                              strerror(-r)),
                                  "ss --mptcp --info");

        json_object_foreach(hosts, host, n) {
                doctor_add(doctor,
                           &(struct finding){
                                           .severity = SEVERITY_NOTE,
                                           .subject = doctor_text(doctor, "peer %s", host),
                                           .what = doctor_text(doctor,
                                                               "%" JSON_INTEGER_FORMAT
                                                               " connection%s with it fell back to "
                                                               "plain TCP",
                                                               json_integer_value(n),
                                                               json_integer_value(n) == 1 ? ""
                                                                                          : "s"),
                                           .why = "its program does not use Multipath TCP, or "
                                                  "something on the way takes the option out",
                                           .remedy = doctor_text(doctor,
                                                                 "ssh %s sysctl net.mptcp.enabled",
                                                                 host),
                           });
        }
}

static void blackholes_check(struct doctor *doctor) {
        const json_t *row;
        size_t i;

        json_array_foreach(json_object_get(doctor->manager, "Blackholes"), i, row) {
                const char *to = json_string_value(json_object_get(row, "Destination"));

                doctor_add(doctor,
                           &(struct finding){
                                           .severity = SEVERITY_WARNING,
                                           .subject = doctor_text(doctor, "peer %s", to ? to : ""),
                                           .what = doctor_text(
                                                           doctor,
                                                           "SYNs with Multipath TCP get no "
                                                           "answer: it is plain TCP for another "
                                                           "%" JSON_INTEGER_FORMAT " s",
                                                           json_integer_value(json_object_get(
                                                                           row, "Left"))),
                                           .why = "something on the way drops the option (30 of "
                                                  "TCP)",
                                           .remedy = "mptcpctl status",
                           });
        }
}

void doctor_check_peers(struct doctor *doctor) {
        counters_check(doctor);
        fallbacks_check(doctor);
        blackholes_check(doctor);
}
