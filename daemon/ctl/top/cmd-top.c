/*
 * mptcpctl top: the connections and their subflows, live.
 */
#include "../client.h"
#include "../ctl.h"
#include "top-data.h"
#include "top-feed.h"
#include "top-main.h"
#include "top-report.h"
#include "top-screen.h"
#include "top-view.h"
#include "../../util/clock.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

#define FIRST_USEC     500000u /* so long are rates unknown at the start */
#define INTERVAL_LEAST 0.1     /* seconds */
#define INTERVAL_MOST  3600.0

DEFINE_CLEANUP(struct top_screen *, top_screen_free)

struct top {
        const struct ctl *ctl;
        sd_event *event;
        sd_event_source *timer;
        struct top_data data;
        struct top_view view;
        struct top_feed *feed;
        struct top_screen *screen; /* NULL: --once */
        unsigned int rounds;
        int status;
};

static void top_arm(struct top *top, uint64_t usec) {
        (void)sd_event_source_set_time_relative(top->timer, usec);
        (void)sd_event_source_set_enabled(top->timer,
                                          top->view.paused ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct top *top = userdata;

        (void)source, (void)usec;
        top_arm(top, top->rounds++ == 0 ? FIRST_USEC : top->view.interval_usec);
        top_feed_round(top->feed, top->view.shown, top->view.n_shown);
        return 0;
}

/* The screen */

static void top_draw(struct top *top) {
        size_t rows, columns;

        top_screen_size(top->screen, &rows, &columns);
        top_view_resize(&top->view, rows, columns);
        top->view.waiting = top_feed_is_waiting(top->feed);
        if (top_view_settle(&top->view, &top->data) < 0)
                return;
        top_screen_draw(top->screen, &top->view, &top->data);
}

static void on_fed(void *userdata) {
        struct top *top = userdata;
        int error = top_feed_error(top->feed);

        top->view.notice = error < 0 ? "the kernel does not tell its numbers" : NULL;
        top_draw(top);
        top_feed_more(top->feed, top->view.shown, top->view.n_shown);
}

static int on_input(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        enum top_effect effect = TOP_EFFECT_NONE;
        struct top *top = userdata;
        uint32_t key;

        (void)source, (void)fd;
        while ((key = top_screen_key(top->screen)) != 0 && effect != TOP_EFFECT_QUIT) {
                effect = top_view_key(&top->view, &top->data, key);
                if (effect == TOP_EFFECT_INTERVAL)
                        top_arm(top, top->view.interval_usec);
                (void)top_view_settle(&top->view, &top->data);
        }
        if (effect == TOP_EFFECT_QUIT || (revents & (EPOLLHUP | EPOLLERR)))
                return sd_event_exit(top->event, 0);
        top_draw(top);
        top_feed_more(top->feed, top->view.shown, top->view.n_shown);
        return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        struct top *top = userdata;

        (void)source;
        if (info->ssi_signo != SIGWINCH)
                return sd_event_exit(top->event, 0);
        top_draw(top);
        return 0;
}

static int top_watch(struct top *top) {
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH };
        sigset_t mask;
        size_t i;
        int r;

        sigemptyset(&mask);
        for (i = 0; i < ARRAY_SIZE(signals); i++)
                sigaddset(&mask, signals[i]);
        r = -pthread_sigmask(SIG_BLOCK, &mask, NULL);
        for (i = 0; i < ARRAY_SIZE(signals) && r >= 0; i++)
                r = sd_event_add_signal(top->event, NULL, signals[i], on_signal, top);
        if (r >= 0)
                r = sd_event_add_io(top->event, NULL, top_screen_fd(top->screen), EPOLLIN, on_input,
                                    top);
        return r < 0 ? r : 0;
}

static int top_fail_screen(const struct ctl *ctl, int r) {
        if (r == -ENOSYS)
                return ctl_fail(ctl, CTL_FAILED,
                                "this mptcpctl was built without ncurses: use 'mptcpctl top "
                                "--once'");
        if (r == -ENOTTY)
                return ctl_fail(ctl, CTL_FAILED,
                                "standard input and output are no terminal: use 'mptcpctl top "
                                "--once'");
        if (r == -ENOTSUP)
                return ctl_fail(ctl, CTL_FAILED,
                                "the terminal is not known or can't place the cursor (TERM is "
                                "\"%s\"): use 'mptcpctl top --once'",
                                getenv("TERM") ? getenv("TERM") : "");
        return ctl_fail(ctl, CTL_FAILED, "the terminal can't be used: %s", strerror(-r));
}

static int top_run_screen(struct top *top) {
        _cleanup_(top_screen_freep) struct top_screen *screen = NULL;
        int r = top_screen_new(&screen);

        if (r < 0)
                return top_fail_screen(top->ctl, r);
        top->screen = screen;
        r = top_feed_new(top->event, &top->data, false, on_fed, top, &top->feed);
        if (r >= 0)
                r = top_watch(top);
        if (r >= 0) {
                top_draw(top);
                r = sd_event_loop(top->event);
        }
        if (r >= 0)
                return CTL_DONE;
        top_screen_freep(&screen);
        screen = NULL;
        return ctl_fail(top->ctl, CTL_FAILED, "event loop: %s", strerror(-r));
}

/* One interval */

static void on_fed_once(void *userdata) {
        struct top *top = userdata;

        if (top_feed_is_waiting(top->feed))
                top->status = ctl_fail(top->ctl, CTL_FAILED,
                                       "mptcpized has stopped answering: see 'systemctl status "
                                       "mptcpized'");
        else if (top_feed_error(top->feed) < 0)
                top->status = ctl_fail(top->ctl, CTL_FAILED,
                                       "the kernel does not tell its numbers: %s",
                                       strerror(-top_feed_error(top->feed)));
        else
                top->status = top_report_print(top->ctl, &top->data);
        (void)sd_event_exit(top->event, 0);
}

/* The first reading of the kernel's numbers now, all the rest after the interval. */
static int top_run_once(struct top *top) {
        struct traffic traffic;
        int r = traffic_read(&traffic);

        if (r < 0)
                return ctl_fail(top->ctl, CTL_FAILED, "the kernel does not tell its numbers: %s",
                                strerror(-r));
        top_data_traffic(&top->data, &traffic);
        top_arm(top, top->view.interval_usec);
        r = top_feed_new(top->event, &top->data, true, on_fed_once, top, &top->feed);
        if (r >= 0)
                r = sd_event_loop(top->event);
        if (r < 0)
                return ctl_fail(top->ctl, CTL_FAILED, "event loop: %s", strerror(-r));
        return top->status;
}

/* The daemon's own words if it does not answer; this starts it, if the bus can do that. */
static int top_ask(const struct ctl *ctl) {
        _cleanup_(client_freep) struct client *client = NULL;
        _cleanup_(json_decrefp) json_t *reply = NULL;
        struct client_error error;

        if (client_new(&client, &error) < 0 ||
            client_call(client, &error, &reply, "List", "uu", 0u, 1u) < 0)
                return ctl_fail(ctl, CTL_FAILED, "%s", error.text);
        return CTL_DONE;
}

static int interval_parse(const char *text, uint64_t *ret_usec) {
        char *end;
        double seconds = strtod(text, &end);

        if (end == text || *end || !(seconds >= INTERVAL_LEAST && seconds <= INTERVAL_MOST))
                return -EINVAL;
        *ret_usec = (uint64_t)(seconds * 1e6);
        return 0;
}

static int top_run(struct top *top) {
        const bool once = top->ctl->once || top->ctl->json;
        int r = sd_event_new(&top->event);

        if (r >= 0)
                r = sd_event_add_time_relative(top->event, &top->timer, CLOCK_MONOTONIC, 0, 1000,
                                               on_timer, top);
        if (r < 0)
                return ctl_fail(top->ctl, CTL_FAILED, "event loop: %s", strerror(-r));
        return once ? top_run_once(top) : top_run_screen(top);
}

int top_main(const struct ctl *ctl) {
        struct top top = { .ctl = ctl };
        int status;

        (void)setlocale(LC_CTYPE, "");
        top_view_init(&top.view);
        if (ctl->interval && interval_parse(ctl->interval, &top.view.interval_usec) < 0)
                return ctl_fail(ctl, CTL_USAGE,
                                "\"%s\" is no interval: expected seconds, from 0.1 to 3600",
                                ctl->interval);
        status = top_ask(ctl);
        if (status == CTL_DONE)
                status = top_run(&top);
        top_feed_free(top.feed);
        sd_event_source_unref(top.timer);
        sd_event_unref(top.event);
        top_view_done(&top.view);
        top_data_done(&top.data);
        return status;
}
