/*
 * Metrics of join authentication.
 */
#include "metrics-private.h"

#include "auth/auth.h"

static const char *const helps[_PROTOCOL_COUNTER_MAX] = {
        [PROTOCOL_RECEIVED] = "Datagrams that came to the port of the daemons",
        [PROTOCOL_MALFORMED] = "Datagrams that were no message of the protocol",
        [PROTOCOL_UNKNOWN] = "Messages of a key that is not known here",
        [PROTOCOL_HELD] = "HELLOs that waited for their key",
        [PROTOCOL_FORGED] = "Messages with a wrong MAC",
        [PROTOCOL_REPLAYED] = "Messages with an old or repeated sequence number",
        [PROTOCOL_THROTTLED] = "Messages over the rate of their source",
        [PROTOCOL_CONFIRMED] = "Connections whose peer has proved that it holds the key",
        [PROTOCOL_ADMITTED] = "Joins of peers that were admitted",
        [PROTOCOL_REFUSED] = "Requests of peers to join that were refused",
        [PROTOCOL_ASKED] = "Joins that peers were asked for",
        [PROTOCOL_GRANTED] = "Joins that peers have admitted",
        [PROTOCOL_UNANSWERED] = "Requests to join that peers did not answer",
        [PROTOCOL_SILENT] = "Peers that never answered HELLO",
        [PROTOCOL_INTRUDERS] = "Subflows that nobody had admitted",
};

static void write_auth_counters(const struct metrics *metrics, const struct auth_status *status) {
        char name[LIMIT_NAME];

        for (enum protocol_counter i = 0; i < _PROTOCOL_COUNTER_MAX; i++) {
                const struct metric metric = { name,
                                               helps[i] ? helps[i]
                                                        : "A counter of join authentication",
                                               METRIC_COUNTER, NULL };

                snprintf(name, sizeof(name), "auth_%s", protocol_counter_name(i));
                metric_number(metrics, &metric, status->counters[i]);
        }
}

static void write_auth_sessions(const struct metrics *metrics, const struct auth_status *status) {
        static const struct metric port = { "auth_port",
                                            "UDP port at which other daemons are heard, 0 is none",
                                            METRIC_GAUGE, NULL };
        static const struct metric sessions = { "auth_connections",
                                                "Connections whose joins are authenticated",
                                                METRIC_GAUGE, NULL };

        metric_number(metrics, &port, status->port);
        metric_begin(metrics, &sessions);
        metric_sample(metrics, &sessions, "confirmed=\"yes\"", status->confirmed);
        metric_sample(metrics, &sessions, "confirmed=\"no\"", status->sessions - status->confirmed);
}

static void write_gate(const struct metrics *metrics, const struct gate_status *gate) {
        static const struct metric missing = {
                "auth_gate_missing", "Is something to be guarded, and the gate can not be made",
                METRIC_GAUGE, NULL
        };
        static const struct metric guarded = { "auth_gate_guarded",
                                               "Connections that the gate guards", METRIC_GAUGE,
                                               NULL };
        static const struct metric listeners = { "auth_gate_listeners",
                                                 "Listeners that the gate guards", METRIC_GAUGE,
                                                 NULL };
        static const struct metric dropped = { "auth_gate_dropped_syns",
                                               "SYNs of joins that the gate has dropped",
                                               METRIC_COUNTER, NULL };
        static const struct metric rewritten = { "auth_gate_rewrites",
                                                 "How often somebody else had changed the gate",
                                                 METRIC_COUNTER, NULL };

        metric_number(metrics, &missing, gate->wanted && !gate->works);
        metric_number(metrics, &guarded, gate->guarded);
        metric_number(metrics, &listeners, gate->listeners);
        metric_number(metrics, &dropped, gate->dropped);
        metric_number(metrics, &rewritten, gate->rewritten);
}

void metrics_write_auth(const struct metrics *metrics) {
        struct auth_status status;

        if (!metrics->host->auth)
                return;
        auth_status(metrics->host->auth, &status);
        write_auth_counters(metrics, &status);
        write_auth_sessions(metrics, &status);
        write_gate(metrics, &status.gate);
}
