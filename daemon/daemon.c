#include "daemon.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "auth/auth.h"
#include "blackhole-watch.h"
#include "bus/bus.h"
#include "core/net.h"
#include "counters.h"
#include "exporter.h"
#include "hint/hints.h"
#include "identity.h"
#include "host/profiles.h"
#include "host/roles.h"
#include "host/runtime.h"
#include "host/setting.h"
#include "host/state.h"
#include "kern/kern.h"
#include "policies.h"
#include "takeover.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"

#define HINT_PRIORITY (-KERN_FDS - 1) /* before all that the kernel says */
#define LIST_TRIES    20              /* of the network, at the start */
#define LARGE_BYTES   262144          /* of an allocation that goes back to the kernel at once */
#define FOLLOW_BATCH  512             /* connections at a time: some 0.5 ms */

struct daemon {
        const struct daemon_options *options;
        sd_event *event;
        sd_event_source *kern_sources[KERN_FDS];
        sd_event_source *post;
        sd_event_source *timer;
        sd_event_source *lull; /* when there is nothing else to do */
        sd_event_source *follow;
        sd_event_source *hint_source;
        struct kern *kern;
        struct bus *bus;
        struct setting *setting;   /* configuration and its plugin, in use */
        struct roles *roles;       /* of interfaces, that are kept */
        struct profiles *profiles; /* of both */
        struct policies policies;
        struct hints *hints;       /* NULL: there are none */
        struct counters *counters; /* of the kernel; NULL: they can't be read */
        struct state *state;       /* NULL: nothing is kept for the next daemon */
        struct auth *auth;
        struct blackhole_watch *blackholes;
        struct identity *identity;
        struct exporter *exporter; /* of metrics */
        struct engine engine;
        uint32_t routed_serial; /* of the network that rules and routes were made for */
        int lock_fd;
        struct takeover takeover;
};

/* Life */

int daemon_new(const struct daemon_options *options, struct daemon **ret_daemon) {
        struct daemon *daemon = calloc(1, sizeof(*daemon));
        uint64_t random = 0;
        int r;

        if (!daemon)
                return -ENOMEM;
        /* Snapshots are large and short-lived; glibc would keep room for them from the second on */
        (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
        daemon->options = options;
        daemon->takeover.runtime = options->runtime;
        daemon->lock_fd = -1;
        if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
                random = clock_usec();
        r = engine_init(&daemon->engine, random);
        if (r == 0)
                r = sd_event_default(&daemon->event);
        if (r < 0) {
                daemon_free(daemon);
                return r;
        }
        *ret_daemon = daemon;
        return 0;
}

void daemon_free(struct daemon *daemon) {
        if (!daemon)
                return;
        auth_free(daemon->auth);
        takeover_end(&daemon->takeover);
        bus_free(daemon->bus);
        exporter_free(daemon->exporter);
        for (int i = 0; i < KERN_FDS; i++)
                sd_event_source_unref(daemon->kern_sources[i]);
        sd_event_source_unref(daemon->lull);
        sd_event_source_unref(daemon->follow);
        sd_event_source_unref(daemon->timer);
        sd_event_source_unref(daemon->post);
        sd_event_source_unref(daemon->hint_source);
        hints_free(daemon->hints);
        counters_free(daemon->counters);
        blackhole_watch_free(daemon->blackholes);
        identity_free(daemon->identity);
        kern_free(daemon->kern);
        engine_done(&daemon->engine);
        state_free(daemon->state);
        profiles_free(daemon->profiles);
        setting_free(daemon->setting);
        roles_free(daemon->roles);
        policies_done(&daemon->policies);
        sd_event_unref(daemon->event);
        if (daemon->lock_fd >= 0)
                close(daemon->lock_fd);
        free(daemon);
}

/* Configuration */

/* Puts a configuration in place, with what the policies say of paths. */
static void daemon_put(struct daemon *daemon, struct setting *setting, struct profiles *profiles) {
        struct event event = { .type = EVENT_CONFIGURED, .usec = clock_usec() };

        event.configured.conf = setting_conf(setting);
        event.configured.profiles = profiles_list(profiles, &event.configured.n_profiles);
        engine_feed(&daemon->engine, &event);
        profiles_free(daemon->profiles);
        daemon->profiles = profiles;
        if (daemon->setting != setting)
                setting_free(daemon->setting);
        daemon->setting = setting;
        bus_feed(daemon->bus, &event);
        exporter_follow(daemon->exporter, setting_conf(setting));
}

/* The same with those in force. */
static int daemon_apply(struct daemon *daemon, struct setting *setting) {
        struct profiles *profiles;
        int r = profiles_new(setting, daemon->options->plugins, policies_read(&daemon->policies),
                             &profiles);

        if (r == 0)
                daemon_put(daemon, setting, profiles);
        return r;
}

/* Policies */

static int daemon_setup_policies(struct daemon *daemon) {
        const struct identity_host host = { &daemon->engine, daemon->kern,
                                            &daemon->policies.database, daemon->policies.path };
        int r = policies_init(&daemon->policies, daemon->options);

        if (r == 0)
                r = blackhole_watch_new(daemon->event, daemon->policies.rules, &daemon->blackholes);
        return r < 0 ? r : identity_new(&host, &daemon->identity);
}

static int on_lull(sd_event_source *source, void *userdata) {
        struct daemon *daemon = userdata;

        (void)source;
        engine_lull(&daemon->engine);
        if (policies_are_behind(&daemon->policies, &daemon->engine))
                policies_follow(&daemon->policies, &daemon->engine);
        return 0;
}

/* What was changed for all connections: some of them, and then it is others' turn. */
static int on_follow(sd_event_source *source, void *userdata) {
        struct daemon *daemon = userdata;
        struct event event = { .type = EVENT_TICK, .usec = clock_usec() };

        (void)source;
        engine_feed(&daemon->engine, &event);
        engine_follow(&daemon->engine, FOLLOW_BATCH);
        return 0;
}

/* Reload */

struct renewal {
        const char *plugins;
        struct setting *setting;
        struct profiles *profiles;
};

static int on_policies(const struct policy_read *read, void *userdata) {
        struct renewal *renewal = userdata;

        return profiles_new(renewal->setting, renewal->plugins, read, &renewal->profiles);
}

/* Configuration and policies: both, or with a mistake in either none. */
static int daemon_read_again(struct daemon *daemon, char error[static SETTING_ERROR]) {
        struct renewal renewal = { .plugins = daemon->options->plugins };
        int r = setting_read(daemon->options->config, daemon->options->config_optional,
                             daemon->options->plugins, &renewal.setting, error);

        if (r < 0)
                return r;
        r = policies_reload(&daemon->policies, &daemon->engine, on_policies, &renewal, error);
        if (r == 0) {
                daemon_put(daemon, renewal.setting, renewal.profiles);
                return 0;
        }
        profiles_free(renewal.profiles);
        setting_free(renewal.setting);
        return r;
}

static int daemon_reload(void *userdata, char *error, size_t size) {
        struct daemon *daemon = userdata;
        char text[SETTING_ERROR];
        int r;

        sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_usec());
        r = daemon_read_again(daemon, text);
        if (r < 0) {
                log_error("%s", text);
                log_notice("the old configuration is kept");
                snprintf(error, size, "%s; the old configuration is kept", text);
        } else {
                takeover_follow(&daemon->takeover, setting_conf(daemon->setting));
                (void)auth_follow(daemon->auth, policies_read(&daemon->policies), false);
                runtime_hand_over(daemon->options->runtime);
                log_info("configuration read again: plugin %s",
                         setting_plugin(daemon->setting)->name);
        }
        sd_notify(0, "READY=1");
        return r;
}

/* Loop */

/* Hands over what the kernel can take now; the rest stays until an outcome makes room for it. */
static void daemon_flush(struct daemon *daemon) {
        const struct action *action;
        int r;

        auth_flush(daemon->auth);
        while ((action = engine_next_action(&daemon->engine))) {
                r = auth_submit(daemon->auth, action);
                if (r > 0)
                        r = daemon->kern->ops->submit(daemon->kern, action);
                if (r < 0)
                        return;
                action_queue_pop(&daemon->engine.queue);
        }
}

static void daemon_set_timer(struct daemon *daemon) {
        const struct engine *engine = &daemon->engine;
        uint64_t deadline = policies_deadline(&daemon->policies, engine, engine_deadline(engine));

        if (deadline == UINT64_MAX) {
                (void)sd_event_source_set_enabled(daemon->timer, SD_EVENT_OFF);
                return;
        }
        (void)sd_event_source_set_time(daemon->timer, deadline);
        (void)sd_event_source_set_enabled(daemon->timer, SD_EVENT_ONESHOT);
}

static void daemon_route(struct daemon *daemon) {
        if (daemon->routed_serial == daemon->engine.net_serial)
                return;
        daemon->routed_serial = daemon->engine.net_serial;
        takeover_route(&daemon->takeover, daemon->kern, &daemon->engine.routing);
}

/* A network that changes too much to be listed has a quieter moment now and then. */
static int daemon_list_net(struct daemon *daemon) {
        int r = -EAGAIN;

        for (int i = 0; i < LIST_TRIES && r == -EAGAIN; i++)
                r = daemon->kern->ops->list_net(daemon->kern);
        if (r < 0)
                log_error("links, addresses and routes can't be listed: %s", strerror(-r));
        return r;
}

static int on_post(sd_event_source *source, void *userdata) {
        struct daemon *daemon = userdata;

        (void)source;
        if (engine_take_relist(&daemon->engine))
                (void)daemon_list_net(daemon);
        engine_settle(&daemon->engine);
        daemon_route(daemon); /* before the joins that need it */
        daemon_flush(daemon);
        daemon_set_timer(daemon);
        counters_follow(daemon->counters);
        if (engine_is_overdue(&daemon->engine))
                engine_lull(&daemon->engine);
        if (policies_are_behind(&daemon->policies, &daemon->engine) ||
            engine_is_changed(&daemon->engine))
                (void)sd_event_source_set_enabled(daemon->lull, SD_EVENT_ONESHOT);
        if (engine_is_following(&daemon->engine))
                (void)sd_event_source_set_enabled(daemon->follow, SD_EVENT_ONESHOT);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct daemon *daemon = userdata;
        struct event event = { .type = EVENT_TICK, .usec = clock_usec() };

        (void)source, (void)usec;
        engine_feed(&daemon->engine, &event);
        return 0;
}

static void on_event(const struct event *event, void *userdata) {
        struct daemon *daemon = userdata;

        blackhole_watch_feed(daemon->blackholes, event);
        engine_feed(&daemon->engine, event);
        identity_feed(daemon->identity, event);
        auth_feed(daemon->auth, event);
        bus_feed(daemon->bus, event);
}

/*
 * What the kernel said is followed by actions at once: another turn of the loop would make a join
 * come later by a third.
 */
static int on_kern_input(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct daemon *daemon = userdata;
        int r = 0;

        (void)fd, (void)revents;
        for (int i = 0; i < KERN_FDS; i++)
                if (daemon->kern_sources[i] == source)
                        r = daemon->kern->ops->dispatch(daemon->kern, i);
        /* -EAGAIN: the network changed all the time while it was listed, which is done again. */
        if (r < 0 && r != -EAGAIN)
                log_error("netlink: %s", strerror(-r));
        return on_post(daemon->post, daemon);
}

/*
 * What a program says counts most before its connection is there; but when there are many hints,
 * everything else comes first, so that nobody can keep the loop from its work.
 */
static int on_hint_input(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct daemon *daemon = userdata;
        bool many = hints_dispatch(daemon->hints) == HINTS_BATCH;

        (void)fd, (void)revents;
        counters_hurry(daemon->counters);
        return sd_event_source_set_priority(source, many ? BUS_PRIORITY : HINT_PRIORITY);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        struct daemon *daemon = userdata;
        char error[SETTING_ERROR];

        (void)source;
        if (info->ssi_signo == SIGHUP)
                (void)daemon_reload(daemon, error, sizeof(error));
        else
                sd_event_exit(daemon->event, 0);
        return 0;
}

/* Setup */

static int daemon_setup_loop(struct daemon *daemon) {
        static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
        sigset_t mask;
        int r;

        sigemptyset(&mask);
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
                sigaddset(&mask, signals[i]);
        r = -pthread_sigmask(SIG_BLOCK, &mask, NULL);
        for (size_t i = 0; i < ARRAY_SIZE(signals) && r >= 0; i++)
                r = sd_event_add_signal(daemon->event, NULL, signals[i], on_signal, daemon);
        if (r >= 0)
                r = sd_event_set_watchdog(daemon->event, true);
        if (r >= 0)
                r = sd_event_add_post(daemon->event, &daemon->post, on_post, daemon);
        /* After every event, not when there are no more: actions must not wait for a lull. */
        if (r >= 0)
                r = sd_event_source_set_priority(daemon->post, HINT_PRIORITY - 1);
        if (r >= 0)
                r = sd_event_add_time(daemon->event, &daemon->timer, CLOCK_MONOTONIC, UINT64_MAX,
                                      1000, on_timer, daemon);
        if (r >= 0)
                r = sd_event_add_defer(daemon->event, &daemon->lull, on_lull, daemon);
        if (r >= 0)
                r = sd_event_source_set_priority(daemon->lull, SD_EVENT_PRIORITY_IDLE);
        if (r >= 0)
                r = sd_event_source_set_enabled(daemon->lull, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(daemon->event, &daemon->follow, on_follow, daemon);
        if (r >= 0)
                r = sd_event_source_set_priority(daemon->follow, BUS_PRIORITY);
        if (r >= 0)
                r = sd_event_source_set_enabled(daemon->follow, SD_EVENT_OFF);
        if (r < 0)
                log_error("event loop: %s", strerror(-r));
        return r < 0 ? r : 0;
}

static int daemon_setup_kern(struct daemon *daemon) {
        int fds[KERN_FDS];
        int r = kern_linux_new(on_event, daemon, &daemon->kern);

        if (r == -EPERM)
                log_error("CAP_NET_ADMIN is missing: run mptcpized as root or as its service");
        else if (r == -EOPNOTSUPP)
                log_error("this kernel has no user-space path manager for MPTCP: "
                          "Linux 5.19 or newer with CONFIG_MPTCP is needed");
        else if (r < 0)
                log_error("netlink can't be opened: %s", strerror(-r));
        if (r < 0)
                return r;
        daemon->kern->ops->fds(daemon->kern, fds);
        for (int i = 0; i < KERN_FDS && r >= 0; i++) {
                if (fds[i] < 0)
                        continue;
                r = sd_event_add_io(daemon->event, &daemon->kern_sources[i], fds[i], EPOLLIN,
                                    on_kern_input, daemon);
                if (r >= 0)
                        r = sd_event_source_set_priority(daemon->kern_sources[i], i - KERN_FDS);
        }
        return r < 0 ? r : 0;
}

/* Without hints every connection has the profile of the configuration, which is no failure. */
static int daemon_setup_hints(struct daemon *daemon) {
        int r = hints_new(daemon->options->runtime, daemon->policies.path, on_event, daemon,
                          &daemon->hints);

        features_set(&daemon->kern->features, FEATURE_HINTS, r != -EOPNOTSUPP);
        if (r < 0 && r != -EOPNOTSUPP)
                log_error("hints of programs can't be received: %s", strerror(-r));
        if (r < 0)
                return 0;
        r = sd_event_add_io(daemon->event, &daemon->hint_source, hints_fd(daemon->hints), EPOLLIN,
                            on_hint_input, daemon);
        if (r >= 0)
                r = sd_event_source_set_priority(daemon->hint_source, HINT_PRIORITY);
        return r < 0 ? r : 0;
}

static const struct policy_read *daemon_policies(void *userdata) {
        struct daemon *daemon = userdata;

        return policies_read(&daemon->policies);
}

static int daemon_set_role(void *userdata, const char *ifname, int role_or_unset, bool keep) {
        struct daemon *daemon = userdata;

        return roles_set(daemon->roles, ifname, role_or_unset, keep);
}

static int daemon_setup_exporter(struct daemon *daemon) {
        const struct metrics_host host = {
                .engine = &daemon->engine,
                .rules = daemon->policies.rules,
                .blackholes = blackhole_watch_state(daemon->blackholes),
                .auth = daemon->auth,
                .dead_after = &daemon->takeover.dead_after,
        };

        return exporter_new(daemon->event, &host, &daemon->exporter);
}

static int daemon_setup_bus(struct daemon *daemon) {
        struct bus_host host = {
                .engine = &daemon->engine,
                .kern = daemon->kern,
                .auth = daemon->auth,
                .path_manager = daemon->takeover.path_manager,
                .previous_path_manager = daemon->takeover.previous_path_manager,
                .dead_after = &daemon->takeover.dead_after,
                .rules = daemon->policies.rules,
                .blackholes = blackhole_watch_state(daemon->blackholes),
                .plugins = daemon->options->plugins,
                .policies = daemon_policies,
                .set_role = daemon_set_role,
                .reload = daemon_reload,
                .userdata = daemon,
                .metrics = exporter_text,
                .exporter = daemon->exporter,
        };
        int r = bus_new(daemon->event, &host, &daemon->bus);

        if (r == -EEXIST)
                log_error("another daemon owns the name " BUS_NAME " on the bus: stop it first");
        else if (r == -EACCES || r == -EPERM)
                log_error("the bus does not let us own the name " BUS_NAME
                          ": install its policy file, org.mptcpize1.conf");
        else if (r < 0)
                log_error("no system bus: %s", strerror(-r));
        return r;
}

static int daemon_setup_auth(struct daemon *daemon) {
        struct state_place place = { .netns = 0 };
        const struct auth_host host = { daemon->event, &daemon->engine,
                                        daemon->kern,  daemon->options->runtime,
                                        &place,        sizeof(place),
                                        on_event,      daemon };

        (void)state_here(&place);
        return auth_new(&host, &daemon->auth);
}

static int daemon_setup_setting(struct daemon *daemon) {
        struct setting *setting;
        char error[SETTING_ERROR];
        int r = setting_read(daemon->options->config, daemon->options->config_optional,
                             daemon->options->plugins, &setting, error);

        if (r < 0) {
                log_error("%s", error);
                return r;
        }
        return daemon_apply(daemon, setting);
}

int daemon_setup(struct daemon *daemon) {
        struct event started = { .type = EVENT_STARTED };
        int r = daemon_setup_setting(daemon);

        if (r == 0)
                r = daemon_setup_loop(daemon);
        if (r == 0)
                r = daemon_setup_kern(daemon);
        if (r < 0)
                return r;
        daemon->lock_fd = runtime_lock(daemon->options->runtime);
        if (daemon->lock_fd < 0)
                return daemon->lock_fd;
        r = takeover_restore_last(daemon->options->runtime);
        if (r == 0)
                r = roles_new(daemon->options->runtime, &daemon->engine, &daemon->roles);
        if (r == 0)
                r = daemon_setup_policies(daemon);
        if (r == 0)
                r = daemon_setup_auth(daemon);
        if (r == 0)
                r = daemon_setup_hints(daemon);
        /* also if the start fails later: the service has to be able to open what is there */
        runtime_hand_over(daemon->options->runtime);
        takeover_look(&daemon->kern->features);
        if (r == 0)
                r = daemon_setup_exporter(daemon);
        if (r == 0)
                r = daemon_setup_bus(daemon);
        if (r == 0)
                r = takeover_path_manager(&daemon->takeover);
        if (r == 0)
                r = daemon_list_net(daemon);
        if (r < 0)
                return r;
        daemon->counters = counters_start(daemon->event, &daemon->engine.model.n_connections,
                                          on_event, daemon);
        takeover_follow(&daemon->takeover, setting_conf(daemon->setting));
        started.usec = clock_usec();
        engine_feed(&daemon->engine, &started);
        on_post(NULL, daemon);
        r = policies_start(&daemon->policies, &daemon->engine);
        if (r == 0)
                r = daemon_apply(daemon, daemon->setting);
        if (r < 0)
                return r;
        (void)state_start(daemon->options->runtime, &daemon->engine, &daemon->state);
        r = auth_follow(daemon->auth, policies_read(&daemon->policies), true);
        if (r < 0)
                return r;
        runtime_hand_over(daemon->options->runtime);
        log_info("ready: plugin %s, at most %u subflows a connection",
                 setting_plugin(daemon->setting)->name,
                 setting_conf(daemon->setting)->max_subflows);
        sd_notify(0, "READY=1\nSTATUS=managing MPTCP paths");
        return 0;
}

int daemon_run(struct daemon *daemon) {
        int r = sd_event_loop(daemon->event);

        while (engine_is_changed(&daemon->engine))
                engine_lull(&daemon->engine);
        sd_notify(0, "STOPPING=1");
        if (r < 0)
                log_error("event loop: %s", strerror(-r));
        return r;
}
