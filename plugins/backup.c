/*
 * backup: one path carries the data, the others stand by (modes handover and interactive).
 *
 * For connections that this host opened. Interfaces are in an order: masters, then "on", then
 * backups, and among equals that of the first subflow comes first. Every other interface has a
 * subflow with the backup bit (RFC 8684, 3.3.8), in order, as far as max_subflows goes; with the
 * option energy=save only while it is needed.
 *
 * When the carrying subflow is lost the daemon tells the peer and closes it, and the kernel uses a
 * standby at once; its backup bit is cleared, so that those that are joined later don't share the
 * load. A better interface that is back is joined as backup, too. When it has been up and answering
 * for 5 s its bit is cleared, and then that of the former one is set: make before break. If it is
 * lost again soon it waits for 10, 20 .. 60 s.
 *
 * Mode interactive also leaves a path that has become slow: smoothed round-trip time over twice
 * that of a standby, and retransmission timeout over the standby's and 200 ms, for one second; not
 * again within 10 s (delay.h). An idle subflow measures nothing: if what is known of it is older
 * than 30 s a second one is joined beside it, whose handshake measures the path, and the older one
 * is closed.
 *
 * Options: "mode" (handover, interactive; default handover), "energy" (fast, save; default fast).
 *
 * The order, what carries and what stands by are read from the view; the state has only times.
 */
#include <errno.h>
#include <stdlib.h>

#include "delay.h"
#include "view.h"

#define HOLD_MIN_USEC  (5 * VIEW_SEC) /* up and answering before it carries again */
#define HOLD_MAX_USEC  (60 * VIEW_SEC)
#define AGAIN_USEC     (60 * VIEW_SEC) /* lost within that after the last time: hold doubles */
#define YOUNG_USEC     (3 * VIEW_SEC)  /* of a new connection: the better path has no past */
#define ANSWER_MSEC    500u            /* at most, for an acknowledgement */
#define RELEASE_USEC   (5 * VIEW_SEC)  /* energy=save: a standby after it was needed */
#define VERIFY_USEC    VIEW_SEC        /* whether the kernel has taken a backup bit */
#define SLOW_USEC      VIEW_SEC
#define HOLD_DOWN_USEC (10 * VIEW_SEC)
#define FRESH_USEC     (30 * VIEW_SEC) /* of a round-trip time */
#define PROBE_USEC     (10 * VIEW_SEC) /* for a probe to be there */
#define WATCH_USEC     (200 * VIEW_MSEC)

#define WORST UINT32_MAX

struct backup {
        bool interactive;
        bool save;
        bool left_slow; /* the better interface was left because it was slow */
        bool probing;
        int32_t home;           /* interface of the first subflow; 0: not known yet */
        int32_t carrier;        /* interface that carries; 0: none did yet */
        int32_t primary;        /* the best one that ever carried */
        uint32_t base_rtt_usec; /* of the carrier, when it was best; 0: not measured */
        uint64_t opened_usec;   /* 0: found alive */
        uint64_t switched_usec; /* when the carrier became that; 0: it always was */
        uint64_t lost_usec;     /* when the primary was lost; 0: never */
        uint64_t hold_usec;
        uint64_t slow_usec;   /* since when the carrier is slow; 0: it isn't */
        uint64_t probed_usec; /* 0: never */
        uint64_t set_usec;    /* when backup bits were last asked for */
        uint64_t watch_usec;
        struct delay_meter meter; /* of the carrier */
};

/* One decision. */
struct now {
        struct backup *state;
        const struct mptcpize_view *view;
        struct mptcpize_sink *sink;
        uint64_t due_usec; /* when to look again; 0: when something happens */
};

static int backup_init(void **ret_state) {
        struct backup *state = calloc(1, sizeof(*state));

        if (!state)
                return -ENOMEM;
        *ret_state = state;
        return 0;
}

static int backup_config(void *pstate, const char *key, const char *value) {
        struct backup *state = pstate;
        bool *option = strcmp(key, "mode") == 0     ? &state->interactive
                       : strcmp(key, "energy") == 0 ? &state->save
                                                    : NULL;
        const char *off = option == &state->interactive ? "handover" : "fast";
        const char *on = option == &state->interactive ? "interactive" : "save";

        if (!option)
                return -ENOENT;
        if (strcmp(value, off) != 0 && strcmp(value, on) != 0)
                return -EINVAL;
        *option = strcmp(value, on) == 0;
        return 0;
}

static void look_at(struct now *now, uint64_t usec) {
        if (!now->due_usec || usec < now->due_usec)
                now->due_usec = usec;
}

/* The order of interfaces */

/*
 * Less is better. An interface of which nothing is usable is the worst; an address that is none of
 * this host's (a transparent proxy's) is not for us to leave.
 */
static uint32_t score(const struct now *now, int32_t ifindex) {
        static const uint32_t ranks[] = { [MPTCPIZE_ROLE_ON] = 1, [MPTCPIZE_ROLE_BACKUP] = 2 };

        if (!ifindex)
                return 0;
        for (size_t i = 0; i < now->view->n_locals; i++)
                if (now->view->locals[i]->ifindex == ifindex)
                        return (uint32_t)i + 1 +
                               (ranks[now->view->locals[i]->role] * 2 +
                                (ifindex != now->state->home)) *
                                               1000;
        return WORST;
}

/* The best interface that is worse than that score; 0: there is none. */
static int32_t next_interface(const struct now *now, uint32_t after) {
        uint32_t best = WORST;
        int32_t found = 0;

        for (size_t i = 0; i < now->view->n_locals; i++) {
                const int32_t ifindex = now->view->locals[i]->ifindex;
                const uint32_t at = score(now, ifindex);

                if (at > after && at < best) {
                        best = at;
                        found = ifindex;
                }
        }
        return found;
}

/* Of the established subflows of an interface the one that carries, or else the youngest. */
static const struct mptcpize_subflow *established_on(const struct now *now, int32_t ifindex) {
        const struct mptcpize_subflow *found = NULL;

        for (size_t i = 0; i < now->view->n_subflows; i++) {
                const struct mptcpize_subflow *subflow = now->view->subflows[i];

                if (subflow->state != MPTCPIZE_SUBFLOW_ESTABLISHED || subflow->ifindex != ifindex)
                        continue;
                if (!(subflow->flags & MPTCPIZE_SUBFLOW_BACKUP))
                        return subflow;
                if (!found || subflow->changed_usec >= found->changed_usec)
                        found = subflow;
        }
        return found;
}

/*
 * The established subflow on the best interface, leaving out one interface (-1: none) and, with
 * carrying, those that only stand by.
 */
static const struct mptcpize_subflow *best_established(const struct now *now, int32_t without,
                                                       bool carrying) {
        const struct mptcpize_subflow *found = NULL;

        for (size_t i = 0; i < now->view->n_subflows; i++) {
                const struct mptcpize_subflow *subflow = now->view->subflows[i];

                if (subflow->state == MPTCPIZE_SUBFLOW_ESTABLISHED && subflow->ifindex != without &&
                    !(carrying && subflow->flags & MPTCPIZE_SUBFLOW_BACKUP) &&
                    (!found || score(now, subflow->ifindex) < score(now, found->ifindex)))
                        found = subflow;
        }
        return found ? established_on(now, found->ifindex) : NULL;
}

/* Actions */

static int act_on(const struct now *now, uint32_t type, const struct mptcpize_subflow *subflow,
                  bool backup, const char *reason) {
        const struct mptcpize_action action = {
                .size = sizeof(action),
                .type = type,
                .local = subflow->local,
                .remote = subflow->remote,
                .backup = backup,
                .reason = reason,
        };

        return now->sink->emit(now->sink, &action);
}

static int join(const struct now *now, const struct mptcpize_address *local, int32_t ifindex,
                const struct mptcpize_address *remote, bool backup, uint32_t flags,
                const char *reason) {
        struct mptcpize_action action = {
                .size = sizeof(action),
                .type = MPTCPIZE_ACTION_CREATE,
                .local = *local,
                .remote = *remote,
                .ifindex = ifindex,
                .backup = backup,
                .flags = flags,
                .reason = reason,
        };

        action.local.port = 0;
        return now->sink->emit(now->sink, &action);
}

/* What may carry */

/* What was lost before its time has come waits longer the next time. */
static void note_loss(const struct now *now) {
        struct backup *state = now->state;
        const uint64_t last = state->switched_usec > state->lost_usec ? state->switched_usec
                                                                      : state->lost_usec;

        if (!state->lost_usec || now->view->now_usec - last > AGAIN_USEC)
                state->hold_usec = HOLD_MIN_USEC;
        else
                state->hold_usec = state->hold_usec * 2 < HOLD_MAX_USEC ? state->hold_usec * 2
                                                                        : HOLD_MAX_USEC;
        state->lost_usec = now->view->now_usec;
}

/* An end that the daemon or the plugin wanted comes as one of a closing or dead subflow. */
static void note_event(const struct now *now, const struct mptcpize_event *event) {
        const bool closed = event->type == MPTCPIZE_EVENT_SUBFLOW_CLOSED &&
                            event->subflow->state == MPTCPIZE_SUBFLOW_ESTABLISHED;

        if (event->type == MPTCPIZE_EVENT_ESTABLISHED)
                now->state->opened_usec = now->view->now_usec;
        if ((closed || event->type == MPTCPIZE_EVENT_SUBFLOW_DEAD) &&
            event->subflow->ifindex == now->state->primary)
                note_loss(now);
}

static bool answers(const struct mptcpize_subflow *subflow) {
        return !subflow->unacked || subflow->last_ack_recv_msec <= ANSWER_MSEC;
}

/* When it has been up for long enough. */
static uint64_t ready_usec(const struct now *now, const struct mptcpize_subflow *better) {
        const struct backup *state = now->state;
        const uint64_t since = better->changed_usec > state->lost_usec ? better->changed_usec
                                                                       : state->lost_usec;

        if (state->opened_usec && !state->lost_usec &&
            better->changed_usec <= state->opened_usec + YOUNG_USEC)
                return better->changed_usec;
        return since + (state->hold_usec ? state->hold_usec : HOLD_MIN_USEC);
}

/* Delay */

/* The one that carries is judged by what it receives, too. */
static bool is_slower(const struct now *now, const struct mptcpize_subflow *carrier,
                      const struct mptcpize_subflow *standby) {
        return delay_is_over(delay_of(carrier, &now->state->meter), delay_of(standby, NULL));
}

/* A second subflow beside it; where there is no room for one, another one in its place. */
static void probe(const struct now *now, const struct mptcpize_subflow *standby) {
        struct backup *state = now->state;
        int r;

        if (state->probed_usec && now->view->now_usec - state->probed_usec < FRESH_USEC)
                return;
        r = join(now, &standby->local, standby->ifindex, &standby->remote, true,
                 MPTCPIZE_CREATE_ANOTHER, "backup: measures the path of an idle subflow");
        if (r == -E2BIG)
                (void)act_on(now, MPTCPIZE_ACTION_DESTROY, standby, true,
                             "backup: its delay is unknown; a new one measures it");
        if (r == 0 || r == -E2BIG)
                state->probed_usec = now->view->now_usec;
        state->probing |= r == 0;
}

/* The older ones of an interface go when the probe is there and measured. */
static void end_probe(const struct now *now) {
        const struct mptcpize_view *view = now->view;

        if (!now->state->probing)
                return;
        if (view->now_usec - now->state->probed_usec > PROBE_USEC)
                now->state->probing = false;
        for (size_t i = 0; i < view->n_subflows; i++) {
                const struct mptcpize_subflow *old = view->subflows[i];
                const struct mptcpize_subflow *young = established_on(now, old->ifindex);

                if (old->state != MPTCPIZE_SUBFLOW_ESTABLISHED || young == old ||
                    !(young->flags & MPTCPIZE_SUBFLOW_BACKUP) || !young->sample_usec ||
                    young->changed_usec < now->state->probed_usec)
                        continue;
                (void)act_on(now, MPTCPIZE_ACTION_DESTROY, old, true,
                             "backup: the path has been measured by a new subflow");
                now->state->probing = false;
        }
}

/* Has the carrier been slow for long enough? Slow is also what was twice as fast before. */
static bool is_slow(const struct now *now, const struct mptcpize_subflow *carrier,
                    const struct mptcpize_subflow *standby) {
        struct backup *state = now->state;
        const struct delay delay = delay_of(carrier, &state->meter);
        struct delay base = { .rto_usec = DELAY_RTO_USEC };

        if (!state->base_rtt_usec || delay.rtt_usec < state->base_rtt_usec)
                state->base_rtt_usec = delay.rtt_usec;
        base.rtt_usec = state->base_rtt_usec;
        if (!delay_is_over(delay, base) &&
            !(standby && delay_age(now->view, standby) != UINT64_MAX &&
              is_slower(now, carrier, standby)))
                state->slow_usec = 0;
        else if (!state->slow_usec)
                state->slow_usec = now->view->now_usec;
        return state->slow_usec && now->view->now_usec - state->slow_usec >= SLOW_USEC;
}

/* The subflow to go to because the carrier is slow, or NULL. */
static const struct mptcpize_subflow *faster(const struct now *now,
                                             const struct mptcpize_subflow *carrier) {
        const struct mptcpize_subflow *standby = best_established(now, carrier->ifindex, false);
        const uint64_t switched = now->state->switched_usec;

        delay_meter_take(&now->state->meter, carrier);
        if (!now->state->interactive || delay_age(now->view, carrier) == UINT64_MAX)
                return NULL;
        if (!is_slow(now, carrier, standby) || !standby || now->state->probing ||
            (switched && now->view->now_usec - switched < HOLD_DOWN_USEC))
                return NULL;
        if (delay_age(now->view, standby) <= FRESH_USEC)
                return is_slower(now, carrier, standby) ? standby : NULL;
        probe(now, standby);
        return NULL;
}

/* Is the better path that was left for its delay no longer slow? */
static bool has_recovered(const struct now *now, const struct mptcpize_subflow *better,
                          const struct mptcpize_subflow *carrier) {
        const uint64_t since = now->view->now_usec - now->state->switched_usec;

        if (since < HOLD_DOWN_USEC || now->state->probing ||
            delay_age(now->view, carrier) == UINT64_MAX)
                return false;
        if (delay_age(now->view, better) < since - VIEW_SEC &&
            delay_age(now->view, better) <= FRESH_USEC)
                return !delay_is_over(delay_of(better, NULL), delay_of(carrier, NULL));
        probe(now, better);
        return false;
}

/* Which one carries */

static bool may_return(struct now *now, const struct mptcpize_subflow *better,
                       const struct mptcpize_subflow *carrier) {
        const uint64_t ready = ready_usec(now, better);

        if (now->view->now_usec < ready) {
                look_at(now, ready);
                return false;
        }
        if (now->state->left_slow)
                return has_recovered(now, better, carrier);
        if (answers(better))
                return true;
        look_at(now, now->view->now_usec + VIEW_SEC);
        return false;
}

/* NULL: none is established. */
static const struct mptcpize_subflow *choose(struct now *now) {
        const struct mptcpize_subflow *best = best_established(now, -1, false), *carrier, *other;

        if (!best)
                return NULL;
        carrier = now->state->carrier ? established_on(now, now->state->carrier) : NULL;
        if (!carrier)
                carrier = best_established(now, -1, true);
        if (!carrier)
                return best;
        if (score(now, best->ifindex) < score(now, carrier->ifindex) &&
            may_return(now, best, carrier))
                return best;
        other = faster(now, carrier);
        if (!other)
                return carrier;
        now->state->left_slow = carrier->ifindex == now->state->primary;
        if (now->state->left_slow)
                note_loss(now);
        return other;
}

static void note_choice(const struct now *now, const struct mptcpize_subflow *chosen) {
        struct backup *state = now->state;

        if (state->carrier && state->carrier != chosen->ifindex) {
                state->switched_usec = now->view->now_usec;
                state->set_usec = 0;
                state->slow_usec = 0;
                state->base_rtt_usec = 0;
                state->meter = (struct delay_meter){ 0 };
        }
        state->carrier = chosen->ifindex;
        if (score(now, chosen->ifindex) <= score(now, next_interface(now, 0))) {
                state->primary = chosen->ifindex;
                state->left_slow = false;
        }
}

/*
 * First the one that is to carry, then the others. The view has a bit when the kernel has it, so it
 * is given some time before it is asked again.
 */
static void set_bits(struct now *now, const struct mptcpize_subflow *chosen) {
        struct backup *state = now->state;
        bool set = false;

        if (state->set_usec && now->view->now_usec - state->set_usec < VERIFY_USEC) {
                look_at(now, state->set_usec + VERIFY_USEC);
                return;
        }
        state->set_usec = 0;
        if (chosen->flags & MPTCPIZE_SUBFLOW_BACKUP)
                set = act_on(now, MPTCPIZE_ACTION_BACKUP, chosen, false,
                             "backup: this path is to carry the data") == 0;
        for (size_t i = 0; i < now->view->n_subflows; i++) {
                const struct mptcpize_subflow *subflow = now->view->subflows[i];

                if (subflow != chosen && subflow->state == MPTCPIZE_SUBFLOW_ESTABLISHED &&
                    !(subflow->flags & MPTCPIZE_SUBFLOW_BACKUP))
                        set |= act_on(now, MPTCPIZE_ACTION_BACKUP, subflow, true,
                                      "backup: a better path carries the data") == 0;
        }
        if (!set)
                return;
        state->set_usec = now->view->now_usec;
        look_at(now, state->set_usec + VERIFY_USEC);
}

/* Joining */

/* From an interface to the first address that can be had, best those that its routes lead to. */
static int join_interface(const struct now *now, int32_t ifindex, bool backup) {
        const char *reason = backup ? "backup: a path in reserve"
                                    : "backup: no path is left that carries";
        const struct mptcpize_view *view = now->view;
        int r = -ENETUNREACH;

        for (int crossed = 0; crossed < 2; crossed++)
                for (size_t i = 0; i < view->n_locals; i++)
                        for (size_t j = 0; j < view->n_remotes; j++) {
                                const struct mptcpize_local *local = view->locals[i];
                                const struct mptcpize_remote *remote = view->remotes[j];

                                if (local->ifindex != ifindex || !view_may_join(view, remote) ||
                                    local->address.family != remote->address.family ||
                                    (remote->ifindex != ifindex) != crossed)
                                        continue;
                                r = join(now, &local->address, ifindex, &remote->address, backup, 0,
                                         reason);
                                if (r == 0 || r == -E2BIG || r == -EBUSY)
                                        return r;
                        }
        return r;
}

/* Gives up the standby on the worst interface, if it is worse than that score. */
static void make_room(const struct now *now, uint32_t wanted) {
        const struct mptcpize_subflow *worst = NULL;

        for (size_t i = 0; i < now->view->n_subflows; i++) {
                const struct mptcpize_subflow *subflow = now->view->subflows[i];

                if (subflow->state == MPTCPIZE_SUBFLOW_ESTABLISHED &&
                    subflow->flags & MPTCPIZE_SUBFLOW_BACKUP &&
                    subflow->ifindex != now->state->carrier &&
                    score(now, subflow->ifindex) > wanted &&
                    (!worst || score(now, subflow->ifindex) > score(now, worst->ifindex)))
                        worst = subflow;
        }
        if (worst)
                (void)act_on(now, MPTCPIZE_ACTION_DESTROY, worst, true,
                             "backup: a better interface needs its place");
}

/* With energy=save: for what is better than the carrier, and when the carrier is in trouble. */
static bool is_needed(const struct now *now, int32_t ifindex,
                      const struct mptcpize_subflow *chosen) {
        struct backup *state = now->state;

        if (!state->save || !chosen || score(now, ifindex) < score(now, chosen->ifindex))
                return true;
        if (delay_is_endless(&state->meter, now->view->now_usec))
                return true;
        if (!state->slow_usec ||
            (state->probed_usec && now->view->now_usec - state->probed_usec < FRESH_USEC))
                return false;
        state->probed_usec = now->view->now_usec;
        return true;
}

static void join_missing(const struct now *now, const struct mptcpize_subflow *chosen) {
        bool carried = chosen;
        int32_t ifindex;
        int r;

        for (uint32_t at = 0; (ifindex = next_interface(now, at)); at = score(now, ifindex)) {
                if (view_has_live(now->view, ifindex, NULL) || !is_needed(now, ifindex, chosen))
                        continue;
                r = join_interface(now, ifindex, carried);
                if (r == 0)
                        carried = true;
                if (r == -E2BIG)
                        make_room(now, score(now, ifindex));
                if (r == -E2BIG || r == -EBUSY)
                        break;
        }
}

/* With energy=save: closes what is no longer needed. */
static void release(struct now *now, const struct mptcpize_subflow *chosen) {
        const struct backup *state = now->state;

        if (!state->save || state->slow_usec ||
            delay_is_endless(&state->meter, now->view->now_usec) ||
            chosen->ifindex != state->primary)
                return;
        for (size_t i = 0; i < now->view->n_subflows; i++) {
                const struct mptcpize_subflow *subflow = now->view->subflows[i];
                uint64_t due = state->switched_usec;

                if (subflow == chosen || subflow->state != MPTCPIZE_SUBFLOW_ESTABLISHED ||
                    !(subflow->flags & MPTCPIZE_SUBFLOW_OURS))
                        continue;
                due = (subflow->changed_usec > due ? subflow->changed_usec : due) + RELEASE_USEC;
                if (now->view->now_usec < due)
                        look_at(now, due);
                else
                        (void)act_on(now, MPTCPIZE_ACTION_DESTROY, subflow, true,
                                     "backup: no longer needed, and it costs energy");
        }
}

/* A standby that waits for its time must answer; delay is looked at all the time. */
static void wait_for_more(const struct now *now, const struct mptcpize_subflow *chosen) {
        const struct mptcpize_subflow *best = best_established(now, -1, false);
        const bool watch = chosen && (now->state->interactive || now->state->save ||
                                      best->ifindex != chosen->ifindex);
        const uint64_t usec = watch ? WATCH_USEC : 0;

        if (usec != now->state->watch_usec &&
            view_wait(now->sink, MPTCPIZE_ACTION_WATCH, usec) == 0)
                now->state->watch_usec = usec;
        (void)view_wait(now->sink, MPTCPIZE_ACTION_TIMER,
                        now->due_usec ? now->due_usec - now->view->now_usec : 0);
}

static int backup_decide(void *pstate, const struct mptcpize_view *view,
                         const struct mptcpize_event *event, struct mptcpize_sink *sink) {
        struct backup *state = pstate;
        struct now now = { .state = state, .view = view, .sink = sink };
        const struct mptcpize_subflow *chosen;

        if (!view_is_client(view))
                return 0;
        if (!state->home)
                state->home = view_home(view);
        note_event(&now, event);
        end_probe(&now);
        chosen = choose(&now);
        if (chosen) {
                note_choice(&now, chosen);
                set_bits(&now, chosen);
        }
        join_missing(&now, chosen);
        if (chosen)
                release(&now, chosen);
        wait_for_more(&now, chosen);
        return 0;
}

const struct mptcpize_plugin *mptcpize_plugin(void) {
        static const struct mptcpize_plugin plugin = {
                .size = sizeof(plugin),
                .abi = MPTCPIZE_ABI,
                .name = "backup",
                .init = backup_init,
                .config = backup_config,
                .decide = backup_decide,
                .done = free,
        };

        return &plugin;
}
