/*
 * See metrics.h.
 */
#include "metrics-private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "config.h"
#include "util/cleanup.h"
#include "util/limits.h"
#include "util/utf8.h"

#define STATES (CONNECTION_ENDING + 1)
#define LABEL  (4 * LIMIT_NAME)

/* Families and samples */

static const char *metric_suffix(const struct metric *metric) {
        return metric->type == METRIC_COUNTER ? "_total"
               : metric->type == METRIC_INFO  ? "_info"
                                              : "";
}

void metric_begin(const struct metrics *metrics, const struct metric *metric) {
        static const char *const types[] = { "gauge", "counter", "info" };
        const bool open = metrics->format == METRICS_OPEN;
        const char *suffix = open ? "" : metric_suffix(metric);
        const char *type = types[metric->type];

        if (!open && metric->type == METRIC_INFO)
                type = "gauge";
        fprintf(metrics->file, "# TYPE mptcpize_%s%s %s\n", metric->name, suffix, type);
        if (open && metric->unit)
                fprintf(metrics->file, "# UNIT mptcpize_%s %s\n", metric->name, metric->unit);
        fprintf(metrics->file, "# HELP mptcpize_%s%s %s.\n", metric->name, suffix, metric->help);
}

void metric_sample(const struct metrics *metrics, const struct metric *metric, const char *labels,
                   uint64_t value) {
        fprintf(metrics->file, "mptcpize_%s%s%s%s%s %" PRIu64 "\n", metric->name,
                metric_suffix(metric), *labels ? "{" : "", labels, *labels ? "}" : "", value);
}

void metric_number(const struct metrics *metrics, const struct metric *metric, uint64_t value) {
        metric_begin(metrics, metric);
        metric_sample(metrics, metric, "", value);
}

/*
 * A value as it stands between the quotation marks. What is no character of UTF-8 becomes "?" and
 * a control character \xNN: somebody may look at it on a terminal.
 */
static void label_escape(const char *from, char to[static LABEL]) {
        char clean[LIMIT_NAME];
        size_t used = 0, i;

        utf8_copy(from, clean, sizeof(clean));
        for (i = 0; clean[i] && used + 6 < LABEL; i++) {
                const unsigned char c = (unsigned char)clean[i];
                const bool c1 = c == 0xc2 && (unsigned char)clean[i + 1] < 0xa0;

                if (c < 0x20 || c == 0x7f || c1)
                        used += (size_t)snprintf(to + used, LABEL - used, "\\\\x%02x",
                                                 c1 ? (unsigned char)clean[++i] : c);
                else if (c == '"' || c == '\\')
                        used += (size_t)snprintf(to + used, LABEL - used, "\\%c", c);
                else
                        to[used++] = (char)c;
        }
        to[used] = '\0';
}

/* What the daemon is */

static void write_build(const struct metrics *metrics) {
        static const struct metric build = { "build", "Version of mptcpized, and of the kernel",
                                             METRIC_INFO, NULL };
        static const struct metric started = { "start_time_seconds",
                                               "When mptcpized was started, since 1970",
                                               METRIC_GAUGE, "seconds" };
        char release[LABEL] = "", labels[2 * LABEL];
        struct utsname kernel;

        if (uname(&kernel) == 0)
                label_escape(kernel.release, release);
        snprintf(labels, sizeof(labels), "version=\"" MPTCPIZE_VERSION "\",kernel=\"%s\"", release);
        metric_begin(metrics, &build);
        metric_sample(metrics, &build, labels, 1);
        metric_number(metrics, &started, metrics->host->started_usec / 1000000);
}

static void write_limits(const struct metrics *metrics) {
        static const struct metric limit = { "limit", "Limits that are in force", METRIC_GAUGE,
                                             NULL };
        static const struct metric dead_after = { "dead_after_seconds",
                                                  "How long a connection without a path lives",
                                                  METRIC_GAUGE, "seconds" };
        const struct limits *limits = &metrics->host->engine->limits;

        metric_begin(metrics, &limit);
        metric_sample(metrics, &limit, "limit=\"max_subflows\"", limits->max_subflows);
        metric_sample(metrics, &limit, "limit=\"max_accepted\"", limits->max_accepted);
        metric_sample(metrics, &limit, "limit=\"max_joins\"", limits->max_joins);
        metric_sample(metrics, &limit, "limit=\"max_retries\"", limits->max_retries);
        metric_sample(metrics, &limit, "limit=\"max_connections\"", limits->max_connections);
        metric_number(metrics, &dead_after, *metrics->host->dead_after);
}

static void write_policies(const struct metrics *metrics) {
        static const struct metric policies = { "policies", "Policies that are in force",
                                                METRIC_GAUGE, NULL };
        static const struct metric errors = { "policy_errors", "Mistakes in the files of policies",
                                              METRIC_GAUGE, NULL };
        static const struct metric written = { "policy_generations",
                                               "How often the database of policies was written",
                                               METRIC_COUNTER, NULL };
        struct rules_status status;

        if (!metrics->host->rules)
                return;
        rules_status(metrics->host->rules, &status);
        metric_number(metrics, &policies, status.policies);
        metric_number(metrics, &errors, status.n_errors);
        metric_number(metrics, &written, status.generation);
}

static void write_blackholes(const struct metrics *metrics) {
        static const struct metric lost = { "blackhole_destinations",
                                            "Destinations that are TCP since SYNs with MPTCP got "
                                            "lost on the way to them",
                                            METRIC_GAUGE, NULL };

        if (metrics->host->blackholes)
                metric_number(metrics, &lost, metrics->host->blackholes->n);
}

/* What has happened */

struct counter_words {
        const char *name, *help;
};

static const struct counter_words counters[_COUNTER_MAX] = {
        [COUNTER_EVENTS] = { "events", "Events of the kernel and of others" },
        [COUNTER_OVERRUNS] = { "overruns", "How often the kernel has dropped events" },
        [COUNTER_CONNECTIONS] = { "connections_seen", "Connections that there were" },
        [COUNTER_CONNECTIONS_ADOPTED] = { "connections_adopted",
                                          "Connections that were found without an event" },
        [COUNTER_CONNECTIONS_LOST] = { "connections_lost",
                                       "Connections that ended without an event" },
        [COUNTER_CONNECTIONS_REFUSED] = { "connections_refused",
                                          "Connections that are more than are managed" },
        [COUNTER_SUBFLOWS_CREATED] = { "subflows_created", "Subflows that were asked for" },
        [COUNTER_SUBFLOWS_FAILED] = { "subflows_failed",
                                      "Subflows that the kernel or the peer has refused" },
        [COUNTER_SUBFLOWS_DEAD] = { "subflows_dead", "Subflows whose path was lost" },
        [COUNTER_SUBFLOWS_SURPLUS] = { "subflows_surplus",
                                       "Subflows of peers, closed as more than may be" },
        [COUNTER_INTRUDERS] = { "intruders", "Subflows closed that nobody had admitted" },
        [COUNTER_RETRIES_HELD] = { "retries_held", "Retries that were put off" },
        [COUNTER_ACTIONS_FAILED] = { "actions_failed", "Commands that the kernel has refused" },
        [COUNTER_ACTIONS_DROPPED] = { "actions_dropped", "Commands for which there was no room" },
        [COUNTER_PLUGIN_ERRORS] = { "plugin_errors", "Wrong answers of plugins" },
        [COUNTER_HINTS] = { "hints", "Messages of programs about their sockets" },
        [COUNTER_HINTS_REFUSED] = { "hints_refused", "Malformed ones of them" },
        [COUNTER_HINTS_DROPPED] = { "hints_dropped", "Such as were forgotten for want of room" },
        [COUNTER_SOCKETS_DEMOTED] = { "sockets_demoted", "Sockets made TCP for an option" },
        [COUNTER_SOCKETS_FELL_BACK] = { "sockets_fell_back",
                                        "Sockets with MPTCP here and TCP on the wire" },
        [COUNTER_BLACKHOLES] = { "blackholes", "SYNs with MPTCP that got no answer" },
        [COUNTER_PROBES] = { "probes", "Questions to paths that had gone quiet" },
};

static void write_counters(const struct metrics *metrics) {
        const struct blackholes *blackholes = metrics->host->blackholes;

        for (enum counter i = 0; i < _COUNTER_MAX; i++) {
                struct metric metric = { counters[i].name, counters[i].help, METRIC_COUNTER, NULL };

                if (i == COUNTER_BLACKHOLES && blackholes && blackholes->unknown)
                        continue;
                if (!metric.name) { /* a new one, that is not in the table yet */
                        metric.name = counter_name(i);
                        metric.help = "A counter of mptcpized";
                }
                metric_number(metrics, &metric, metrics->host->engine->counters[i]);
        }
}

/* What there is */

#define SUBFLOW_STATES (MPTCPIZE_SUBFLOW_DEAD + 1)

struct link_count {
        int32_t ifindex; /* 0: all others */
        char label[LABEL];
        uint32_t subflows[SUBFLOW_STATES][2]; /* of each state, without and with backup */
};

struct census {
        const struct engine *engine;
        uint32_t connections[STATES][2]; /* of each state, clients and servers */
        uint32_t plugins[LIMIT_PLUGINS];
        const struct mptcpize_plugin *plugin[LIMIT_PLUGINS];
        size_t n_plugins;
        struct link_count links[LIMIT_METRICS_LINKS + 1];
        size_t n_links;
};

/* The place of a plugin; NULL: there are too many. */
static uint32_t *census_plugin(struct census *census, const struct mptcpize_plugin *plugin) {
        size_t i;

        for (i = 0; i < census->n_plugins; i++)
                if (census->plugin[i] == plugin)
                        return &census->plugins[i];
        if (i == LIMIT_PLUGINS)
                return NULL;
        census->plugin[census->n_plugins++] = plugin;
        return &census->plugins[i];
}

static struct link_count *census_link(struct census *census, int32_t ifindex) {
        for (size_t i = 1; i < census->n_links; i++)
                if (census->links[i].ifindex == ifindex)
                        return &census->links[i];
        return &census->links[0];
}

static void census_visit(struct connection *connection, void *userdata) {
        struct census *census = userdata;
        uint32_t *plugin = connection->plugin ? census_plugin(census, connection->plugin) : NULL;

        census->connections[connection->state][(connection->flags & MPTCPIZE_VIEW_SERVER) != 0]++;
        if (plugin)
                ++*plugin;
        for (size_t i = 0; i < connection->subflows.n; i++) {
                const struct mptcpize_subflow *subflow = &connection->subflows.items[i].is;
                const uint32_t backup = MPTCPIZE_SUBFLOW_BACKUP | MPTCPIZE_SUBFLOW_BACKUP_REMOTE;

                if (subflow->state < SUBFLOW_STATES)
                        census_link(census, subflow->ifindex)
                                        ->subflows[subflow->state]
                                                  [(subflow->flags & backup) != 0]++;
        }
}

/* Two names may have the same label: then both count for the first. */
static void census_add_link(struct census *census, const struct link *link) {
        struct link_count *count = &census->links[census->n_links];

        if (link->is.loopback || census->n_links > LIMIT_METRICS_LINKS)
                return;
        label_escape(link->is.name, count->label);
        for (size_t i = 0; i < census->n_links; i++)
                if (strcmp(census->links[i].label, count->label) == 0)
                        return;
        count->ifindex = link->is.ifindex;
        census->n_links++;
}

static void census_take(struct census *census, struct engine *engine) {
        census->engine = engine;
        census->n_links = 1;
        for (size_t i = 0; i < engine->model.links.n; i++)
                census_add_link(census, &engine->model.links.items[i]);
        for (size_t i = 0; i < engine->n_profiles; i++)
                if (engine->profiles[i].conf->plugin)
                        (void)census_plugin(census, engine->profiles[i].conf->plugin);
        model_each(&engine->model, census_visit, census);
}

static void write_connections(const struct metrics *metrics, const struct census *census) {
        static const struct metric connections = { "connections", "Connections that there are",
                                                   METRIC_GAUGE, NULL };
        static const struct metric plugins = { "plugin_connections",
                                               "Connections that a plugin manages", METRIC_GAUGE,
                                               NULL };
        char labels[2 * LABEL], name[LABEL];

        metric_begin(metrics, &connections);
        for (size_t i = 0; i < 2 * (size_t)STATES; i++) {
                snprintf(labels, sizeof(labels), "state=\"%s\",role=\"%s\"",
                         connection_state_name((enum connection_state)(i / 2)),
                         i % 2 ? "server" : "client");
                metric_sample(metrics, &connections, labels, census->connections[i / 2][i % 2]);
        }
        metric_begin(metrics, &plugins);
        for (size_t i = 0; i < census->n_plugins; i++) {
                label_escape(census->plugin[i]->name, name);
                snprintf(labels, sizeof(labels), "plugin=\"%s\"", name);
                metric_sample(metrics, &plugins, labels, census->plugins[i]);
        }
}

/* Zeros only where subflows are wont to be. */
static void write_subflows(const struct metrics *metrics, const struct census *census) {
        static const struct metric subflows = { "subflows", "Subflows that there are", METRIC_GAUGE,
                                                NULL };
        char labels[2 * LABEL];

        metric_begin(metrics, &subflows);
        for (size_t i = 0; i < census->n_links; i++)
                for (uint32_t k = 0; k < 2 * SUBFLOW_STATES; k++) {
                        const uint32_t n = census->links[i].subflows[k / 2][k % 2];

                        if (n == 0 && (k != 2 * MPTCPIZE_SUBFLOW_ESTABLISHED || i == 0))
                                continue;
                        snprintf(labels, sizeof(labels),
                                 "interface=\"%s\",state=\"%s\",backup=\"%s\"",
                                 census->links[i].label, subflow_state_name(k / 2),
                                 k % 2 ? "yes" : "no");
                        metric_sample(metrics, &subflows, labels, n);
                }
}

static void write_interfaces(const struct metrics *metrics, const struct census *census) {
        static const struct metric usable = { "interface_usable",
                                              "Can subflows start from that interface",
                                              METRIC_GAUGE, NULL };
        const struct locals *locals = &metrics->host->engine->profiles[0].locals;
        char labels[2 * LABEL];

        metric_begin(metrics, &usable);
        for (size_t i = 1; i < census->n_links; i++) {
                bool found = false;

                for (size_t k = 0; k < locals->n; k++)
                        found |= locals->items[k].is.ifindex == census->links[i].ifindex;
                snprintf(labels, sizeof(labels), "interface=\"%s\"", census->links[i].label);
                metric_sample(metrics, &usable, labels, found);
        }
}

static int write_census(const struct metrics *metrics) {
        _cleanup_(freep) struct census *census = calloc(1, sizeof(*census));

        if (!census)
                return -ENOMEM;
        census_take(census, metrics->host->engine);
        write_connections(metrics, census);
        write_subflows(metrics, census);
        write_interfaces(metrics, census);
        return 0;
}

int metrics_write(const struct metrics_host *host, enum metrics_format format, char **ret_text) {
        struct metrics metrics = { .host = host, .format = format };
        _cleanup_(freep) char *text = NULL;
        size_t size;
        int r;

        metrics.file = open_memstream(&text, &size);
        if (!metrics.file)
                return -ENOMEM;
        write_build(&metrics);
        write_limits(&metrics);
        write_policies(&metrics);
        write_blackholes(&metrics);
        write_counters(&metrics);
        metrics_write_auth(&metrics);
        r = write_census(&metrics);
        if (format == METRICS_OPEN)
                fputs("# EOF\n", metrics.file);
        if (fclose(metrics.file) != 0)
                r = -ENOMEM;
        if (r == 0)
                *ret_text = TAKE_PTR(text);
        return r;
}
