/*
 * When subflows are measured, and what the numbers say of those that send.
 *
 * The kernel tells of no path that has gone silent, so it is asked: a connection that moves data
 * is measured every 100 ms, or just when the next sample can show a dead path. One that doesn't is
 * measured half as often each time, and after a few seconds not at all. So 10,000 idle connections
 * cost nothing; and of busy ones no more than LIMIT_SAMPLES a second are measured, because they
 * take turns: from 200 with two subflows on the turns get longer than 100 ms, and with 10,000 a
 * dead path is noticed after five seconds. Only those are watched that have something to win:
 * another subflow to go on with, or a plugin that wants to see the numbers. What wakes an idle
 * connection is a new subflow or a comparison; and if there is a retransmission time-out on this
 * host, which the kernel counts, a comparison is made at once (counters.c).
 *
 * The path of a subflow is dead if data is under way, nothing has arrived for so long that an
 * answer to its retransmission (RTO) would have come back (RTT), something was in fact sent in that
 * time long enough ago, and so many transmissions have stayed without an answer that chance is no
 * explanation. The last of these is what makes the difference on a link that loses packets: with
 * dozens of segments under way it's fulfilled at once, but a single question that got lost waits
 * for retransmissions, each of which may be answered. The kernel backs off between them, so the
 * RTO that counts is the one before that. And there has to be another subflow that isn't under the
 * same suspicion: a pause of this host or of what all paths share is none of theirs.
 */
#include "engine.h"

#include <stdio.h>

#include "../util/cleanup.h"

#define SECOND_USEC 1000000u

/* Tempo */

/* Is there one that is dead until something arrives on it? */
static bool watch_awaits(const struct connection *connection) {
        for (size_t i = 0; i < connection->subflows.n; i++)
                if (connection->subflows.items[i].lost &&
                    connection->subflows.items[i].is.state == MPTCPIZE_SUBFLOW_DEAD)
                        return true;
        return false;
}

static bool watch_has_choice(const struct connection *connection) {
        size_t established = connection_count(connection, SUBFLOWS_CARRYING, NULL);

        return established > 1 || watch_awaits(connection) ||
               (established && connection_count(connection, SUBFLOWS_LOST, NULL) > 0);
}

static bool watch_is_worth(const struct connection *connection) {
        return connection->state == CONNECTION_ESTABLISHED &&
               (connection->watch_usec || watch_has_choice(connection));
}

/* The pace of a connection that moves. */
static uint32_t watch_pace(const struct connection *connection) {
        if (watch_has_choice(connection))
                return WATCH_FASTEST_USEC;
        return connection->watch_usec < WATCH_SLOWEST_USEC ? (uint32_t)connection->watch_usec
                                                           : WATCH_SLOWEST_USEC;
}

/*
 * The time wanted, or, when there are too many samples, the next that is free. Those of what is
 * idle are too few to count, and too far off to make others wait for them.
 */
static uint64_t engine_sample_slot(struct engine *engine, const struct connection *connection,
                                   uint64_t wanted) {
        uint64_t free_usec = engine->samples_usec > wanted ? engine->samples_usec : wanted;

        if (wanted > engine->now_usec + WATCH_FASTEST_USEC)
                return wanted;
        engine->samples_usec = free_usec + connection->subflows.n * SECOND_USEC / LIMIT_SAMPLES;
        return free_usec > wanted + WATCH_BURST_USEC ? free_usec - WATCH_BURST_USEC : wanted;
}

/* When a path that has gone quiet, and was probed not long before, may be probed again. */
static uint64_t watch_question(const struct engine *engine, const struct connection *connection,
                               uint64_t due) {
        for (size_t i = 0; i < connection->subflows.n; i++) {
                const struct subflow *subflow = &connection->subflows.items[i];

                if (engine_was_delivering(subflow) && subflow->hold_usec > engine->now_usec &&
                    subflow->hold_usec < due)
                        due = subflow->hold_usec;
        }
        return due;
}

void engine_schedule_measurement(struct engine *engine, struct connection *connection) {
        uint64_t due = UINT64_MAX;

        if (!watch_is_worth(connection))
                connection->pace_usec = 0;
        if (connection->state == CONNECTION_ESTABLISHED && connection->advice.user_timeout_msec)
                due = engine->now_usec + engine_silence_period(connection);
        if (connection->pace_usec) {
                uint64_t slot = engine_sample_slot(engine, connection,
                                                   engine->now_usec + connection->pace_usec);

                due = slot < due ? slot : due;
        } else if (watch_is_worth(connection)) {
                due = watch_question(engine, connection, due);
        }
        if (due == UINT64_MAX)
                heap_remove(&engine->model.measurements, &connection->measurement);
        else
                heap_set(&engine->model.measurements, &connection->measurement, due);
}

void engine_wake(struct engine *engine, struct connection *connection, uint64_t usec) {
        uint64_t due;

        connection->moved = true;
        if (!watch_is_worth(connection) || connection->pace_usec == watch_pace(connection))
                return;
        connection->pace_usec = watch_pace(connection);
        due = engine_sample_slot(engine, connection, engine->now_usec + usec);
        if (connection->measurement.index == HEAP_NONE || connection->measurement.key > due)
                heap_set(&engine->model.measurements, &connection->measurement, due);
}

void engine_watch(struct engine *engine, struct connection *connection, uint64_t usec) {
        usec = usec && usec < WATCH_FASTEST_USEC ? WATCH_FASTEST_USEC : usec;
        /* A naive plugin asks for the same with each decision. */
        if (usec == connection->watch_usec)
                return;
        connection->watch_usec = usec;
        connection->pace_usec = 0;
        if (watch_is_worth(connection))
                engine_wake(engine, connection, WATCH_FASTEST_USEC);
        else
                engine_schedule_measurement(engine, connection);
}

static bool watch_is_asked(const struct connection *connection) {
        for (size_t i = 0; i < connection->subflows.n; i++)
                if (connection->subflows.items[i].measuring)
                        return true;
        return false;
}

static void watch_slow_down(struct connection *connection) {
        if (!connection->pace_usec)
                return;
        if (connection->moved || watch_is_asked(connection))
                connection->pace_usec = watch_pace(connection);
        else if (connection->pace_usec * 2 <= WATCH_SLOWEST_USEC)
                connection->pace_usec *= 2;
        else
                connection->pace_usec = watch_awaits(connection) ? WATCH_SLOWEST_USEC : 0;
        connection->moved = false;
}

static void engine_measure(struct engine *engine, struct connection *connection) {
        for (size_t i = 0; i < connection->subflows.n; i++) {
                struct subflow *subflow = &connection->subflows.items[i];
                struct action action = {
                        .type = ACTION_MEASURE,
                        .token = connection->token,
                        .local = subflow->is.local,
                        .remote = subflow->is.remote,
                        .ifindex = subflow->is.ifindex,
                };

                if (subflow->measuring || !(SUBFLOWS_KEPT & 1u << subflow->is.state))
                        continue;
                subflow->measuring = engine_push(engine, &action) == 0;
        }
}

static struct connection *watch_of_node(struct heap_node *node) {
        return CONTAINER_OF(node, struct connection, measurement);
}

void engine_measure_due(struct engine *engine) {
        struct heap_node *node;

        while ((node = heap_first(&engine->model.measurements)) && node->key <= engine->now_usec) {
                struct connection *connection = watch_of_node(node);

                watch_slow_down(connection);
                engine_check_probe(engine, connection, NULL);
                connection->round_usec = engine->now_usec;
                connection->aim_usec = UINT64_MAX;
                engine_measure(engine, connection);
                engine_schedule_measurement(engine, connection);
        }
}

/* Moves the next measurement to usec, if that is not sooner or much later than it would be. */
static void engine_aim(struct engine *engine, struct connection *connection, uint64_t usec) {
        uint64_t soonest = connection->round_usec + WATCH_FASTEST_USEC;

        /* The next sample may find the last answer to be a tick younger. */
        usec = usec < UINT64_MAX ? usec + WATCH_TICK_USEC : usec;
        if (usec < soonest)
                usec = soonest;
        if (!connection->pace_usec || usec > soonest + WATCH_FASTEST_USEC ||
            usec >= connection->aim_usec ||
            connection->measurement.key > soonest + WATCH_FASTEST_USEC)
                return;
        connection->aim_usec = usec;
        heap_set(&engine->model.measurements, &connection->measurement, usec);
}

/* Samples */

static uint64_t sample_ago(const struct subflow *subflow, uint32_t msec) {
        uint64_t usec = (uint64_t)msec * WATCH_MSEC;

        return subflow->is.sample_usec > usec ? subflow->is.sample_usec - usec : 0;
}

uint64_t engine_heard_usec(const struct subflow *subflow) {
        uint32_t ack = subflow->is.last_ack_recv_msec, data = subflow->is.last_data_recv_msec;

        return sample_ago(subflow, ack < data ? ack : data);
}

static void sample_copy(struct subflow *subflow, const struct measure *measure, uint64_t usec) {
        struct mptcpize_subflow *is = &subflow->is;

        is->sample_usec = usec;
        is->bytes_sent = measure->bytes_sent;
        is->bytes_received = measure->bytes_received;
        is->bytes_acked = measure->bytes_acked;
        is->rtt_usec = measure->rtt_usec;
        is->rto_usec = measure->rto_usec;
        is->rcv_rtt_usec = measure->rcv_rtt_usec;
        is->unacked = measure->unacked;
        is->retransmits = measure->retransmits;
        is->last_data_sent_msec = measure->last_data_sent_msec;
        is->last_data_recv_msec = measure->last_data_recv_msec;
        is->last_ack_recv_msec = measure->last_ack_recv_msec;
        subflow->backoff = measure->backoff;
}

/* The RTO that there was before the kernel began to back off. */
static uint64_t upload_rto(const struct subflow *subflow) {
        return subflow->is.rto_usec >> (subflow->backoff < 31 ? subflow->backoff : 31);
}

/* How long data is under way at least: each time-out took its time, also if nobody looked. */
static uint64_t upload_backed_usec(const struct subflow *subflow) {
        unsigned int backoff = subflow->backoff < 16 ? subflow->backoff : 16;
        uint64_t usec = upload_rto(subflow) * ((1u << backoff) - 1);

        return usec < subflow->is.sample_usec ? usec : subflow->is.sample_usec;
}

/*
 * Since when data is under way. If it was at the last sample, too, and that is not long ago, it
 * was at the last answer; otherwise it may have been sent a moment ago.
 */
static void sample_date_data(struct subflow *subflow, const struct mptcpize_subflow *before) {
        const struct mptcpize_subflow *is = &subflow->is;
        uint64_t heard = engine_heard_usec(subflow);
        bool close = is->sample_usec <= before->sample_usec + WATCH_CLOSE_USEC;

        if (!is->unacked)
                subflow->since_usec = 0;
        else if (!subflow->since_usec)
                subflow->since_usec = is->sample_usec - upload_backed_usec(subflow);
        else if (is->bytes_acked != before->bytes_acked && close && heard >= before->sample_usec)
                subflow->since_usec = heard;
        else if (is->bytes_acked != before->bytes_acked)
                subflow->since_usec = is->sample_usec;
}

/* Segments whose answer is still to come; those that are lost have none. */
static uint32_t measure_flight(const struct measure *measure) {
        uint32_t done = measure->sacked + measure->lost, all = measure->unacked + measure->resent;

        return all > done ? all - done : 0;
}

/* Has nothing arrived since the sample before, when nothing was under way? */
static bool sample_is_first_try(const struct subflow *subflow,
                                const struct mptcpize_subflow *before) {
        return before->sample_usec && !before->unacked &&
               engine_heard_usec(subflow) <= before->sample_usec;
}

/* What was sent since the last answer. */
static void sample_date_resent(struct subflow *subflow, const struct measure *measure,
                               const struct mptcpize_subflow *before, bool heard) {
        uint64_t sent = sample_ago(subflow, measure->last_data_sent_msec);
        uint32_t flight = measure_flight(measure);

        /* Then all of it was sent since, also what TCP has taken for lost. */
        if (sample_is_first_try(subflow, before))
                flight = measure->unacked;
        if (heard || !measure->unacked) {
                subflow->retransmits = measure->retransmits;
                subflow->resent_usec = 0;
                subflow->flight = 0;
        }
        if (flight > subflow->flight)
                subflow->flight = flight;
        if (measure->unacked && !subflow->resent_usec &&
            sent > engine_heard_usec(subflow) + measure->rtt_usec)
                subflow->resent_usec = sent;
}

static void sample_count_delivery(struct subflow *subflow, uint64_t bytes) {
        uint64_t deliveries = subflow->deliveries + (bytes > 0) + bytes / DOWNLOAD_BULK_BYTES;

        subflow->deliveries = deliveries < UINT8_MAX ? (uint8_t)deliveries : UINT8_MAX;
}

/*
 * What only receives is not measured by what it sends; the receiver's estimate is the path's while
 * more than a first window arrives in that time, and else the pauses of the peer's application.
 */
static void sample_note_pipe(struct subflow *subflow, const struct mptcpize_subflow *before) {
        const struct mptcpize_subflow *is = &subflow->is;
        uint64_t bytes = is->bytes_received - before->bytes_received;

        if (before->sample_usec && is->bytes_received > before->bytes_received &&
            bytes * is->rcv_rtt_usec >=
                            DOWNLOAD_PIPE_BYTES * (is->sample_usec - before->sample_usec))
                subflow->pipe_usec = is->rcv_rtt_usec;
}

/* True if data moves or is to be moved. */
static bool sample_take(struct subflow *subflow, const struct measure *measure, uint64_t usec) {
        const struct mptcpize_subflow before = subflow->is;
        const uint64_t heard_before = engine_heard_usec(subflow);
        bool first = !before.sample_usec, heard;

        sample_copy(subflow, measure, usec);
        heard = first || before.bytes_acked != measure->bytes_acked ||
                before.bytes_received != measure->bytes_received ||
                engine_heard_usec(subflow) > heard_before + 2 * (uint64_t)WATCH_TICK_USEC;
        sample_note_pipe(subflow, &before);
        sample_date_data(subflow, &before);
        sample_date_resent(subflow, measure, &before, heard);
        if (!first || measure->last_data_recv_msec < WATCH_RECENT_MSEC)
                sample_count_delivery(subflow, measure->bytes_received - before.bytes_received);
        if (measure->unacked || measure->notsent)
                return true;
        if (first)
                return measure->last_data_sent_msec < WATCH_RECENT_MSEC ||
                       measure->last_data_recv_msec < WATCH_RECENT_MSEC;
        return before.bytes_sent != measure->bytes_sent || heard;
}

void engine_take_row(struct engine *engine, struct connection *connection, struct subflow *subflow,
                     const struct measure *measure, uint64_t usec) {
        if (usec <= subflow->is.sample_usec)
                return;
        engine_note_silence(engine, subflow, measure);
        if (sample_take(subflow, measure, usec))
                engine_wake(engine, connection, 0);
}

/* Verdicts */

/* How long silence has to last. */
static uint64_t upload_patience(const struct subflow *subflow) {
        uint64_t usec = upload_rto(subflow) + subflow->is.rtt_usec + UPLOAD_SLACK_USEC;

        return usec > UPLOAD_MIN_USEC ? usec : UPLOAD_MIN_USEC;
}

/* Since when nothing is answered of what is under way. */
static uint64_t upload_silent_since(const struct subflow *subflow) {
        uint64_t heard = engine_heard_usec(subflow), since = subflow->since_usec;
        uint64_t backed = subflow->is.sample_usec - upload_backed_usec(subflow);

        if (backed < since)
                since = backed;
        return heard > since && subflow->backoff < UPLOAD_DEAF_BACKOFF ? heard : since;
}

static bool upload_is_suspect(const struct engine *engine, const struct subflow *subflow) {
        return subflow->is.unacked && subflow->since_usec &&
               engine->now_usec > upload_silent_since(subflow) + upload_patience(subflow) / 2;
}

bool engine_has_refuge(const struct engine *engine, const struct connection *connection,
                       const struct subflow *from) {
        for (size_t i = 0; i < connection->subflows.n; i++) {
                const struct subflow *subflow = &connection->subflows.items[i];

                if (subflow != from && subflow->is.state == MPTCPIZE_SUBFLOW_ESTABLISHED &&
                    !upload_is_suspect(engine, subflow))
                        return true;
        }
        return false;
}

static bool upload_is_clean(const struct subflow *subflow) {
        return subflow->retransmits <= UPLOAD_CLEAN_RETRANSMITS &&
               subflow->is.bytes_acked >= UPLOAD_CLEAN_BYTES;
}

/* Every other segment is acknowledged, and every retransmission, the last one if it had time. */
static bool upload_is_proven(const struct subflow *subflow) {
        uint64_t answer = (uint64_t)subflow->is.rtt_usec + UPLOAD_SLACK_USEC;
        uint32_t resent = subflow->is.retransmits - subflow->retransmits;
        uint32_t needed = upload_is_clean(subflow) ? UPLOAD_PROOFS_CLEAN : UPLOAD_PROOFS_LOSSY;

        if (resent < subflow->backoff)
                resent = subflow->backoff;
        if (subflow->is.last_data_sent_msec * (uint64_t)WATCH_MSEC < answer)
                resent -= resent > 0;
        return (subflow->flight + 1) / 2 + resent >= needed;
}

/* When the answer to what was sent last should be there; 0 if nothing was sent again. */
static uint64_t upload_answer_due(const struct subflow *subflow) {
        uint64_t answer = (uint64_t)subflow->is.rtt_usec + UPLOAD_SLACK_USEC;

        if (subflow->resent_usec)
                return subflow->resent_usec + answer;
        /* Of the time-outs before the last one it would have come. */
        return subflow->backoff > 1 ? subflow->is.sample_usec : 0;
}

/* When the next sample may show that the path is lost, UINT64_MAX: not soon, or 0: it is lost. */
static uint64_t upload_judge(const struct engine *engine, const struct subflow *subflow) {
        uint64_t due, answer = upload_answer_due(subflow);

        if (!subflow->is.unacked || !subflow->since_usec)
                return UINT64_MAX;
        due = upload_silent_since(subflow);
        due = (due > engine->resumed_usec ? due : engine->resumed_usec) + upload_patience(subflow);
        if (answer > due)
                due = answer;
        if (engine->now_usec < due)
                return due;
        return answer && upload_is_proven(subflow) ? 0 : UINT64_MAX;
}

static void engine_lose_upload(struct engine *engine, struct connection *connection,
                               struct subflow *subflow) {
        char text[LIMIT_REASON];

        snprintf(text, sizeof(text),
                 "path lost: nothing acknowledged for %u ms, %u segments under way",
                 (unsigned int)((engine->now_usec - upload_silent_since(subflow)) / WATCH_MSEC),
                 subflow->is.unacked);
        engine_lose(engine, connection, subflow, text);
}

static void engine_judge(struct engine *engine, struct connection *connection,
                         struct subflow *subflow) {
        uint64_t upload, download;

        if (subflow->is.state != MPTCPIZE_SUBFLOW_ESTABLISHED ||
            connection->state != CONNECTION_ESTABLISHED ||
            !engine_has_refuge(engine, connection, subflow))
                return;
        upload = upload_judge(engine, subflow);
        if (!upload) {
                if (engine_may_act(engine, connection))
                        engine_lose_upload(engine, connection, subflow);
                return;
        }
        download = engine_judge_download(engine, connection, subflow);
        if (download)
                engine_aim(engine, connection, upload < download ? upload : download);
}

/* What was taken for lost has answered before it could be closed. */
static bool engine_is_back(struct engine *engine, struct connection *connection,
                           struct subflow *subflow) {
        if (!subflow->lost || subflow->is.state != MPTCPIZE_SUBFLOW_DEAD ||
            engine_heard_usec(subflow) <= subflow->is.changed_usec)
                return false;
        subflow->lost = false;
        subflow->is.changed_usec = engine->now_usec;
        engine_judge_paths(engine, connection);
        engine_decide_simple(engine, connection, MPTCPIZE_EVENT_LOCALS_CHANGED);
        return true;
}

void engine_on_measured(struct engine *engine, const struct event *event) {
        const struct measured_event *measured = &event->measured;
        struct connection *connection = model_find(&engine->model, measured->token);
        struct subflow *subflow = connection ? connection_find_subflow(connection, &measured->local,
                                                                       &measured->remote)
                                             : NULL;

        /* One that is closed meanwhile may look like a join under way, whose port isn't known. */
        if (!subflow || (subflow->is.state != MPTCPIZE_SUBFLOW_ESTABLISHED &&
                         subflow->is.state != MPTCPIZE_SUBFLOW_DEAD))
                return;
        engine_note_silence(engine, subflow, &measured->measure);
        if (sample_take(subflow, &measured->measure, engine->now_usec))
                engine_wake(engine, connection, WATCH_FASTEST_USEC);
        if (!engine_judge_silence(engine, connection, subflow) &&
            !engine_is_back(engine, connection, subflow))
                engine_judge(engine, connection, subflow);
}

/* The plugin sees the numbers when all of them are there. */
static void engine_show_sample(struct engine *engine, struct connection *connection) {
        if (!connection->watch_usec || !connection->moved || watch_is_asked(connection) ||
            engine->now_usec + WATCH_TICK_USEC < connection->shown_usec + connection->watch_usec)
                return;
        connection->shown_usec = engine->now_usec;
        engine_decide_simple(engine, connection, MPTCPIZE_EVENT_SAMPLE);
}

void engine_on_measure_done(struct engine *engine, struct connection *connection,
                            const struct outcome_event *outcome) {
        struct subflow *subflow = connection_find_subflow(connection, &outcome->action.local,
                                                          &outcome->action.remote);

        if (!subflow)
                return;
        subflow->measuring = false;
        if (!outcome->error)
                engine_show_sample(engine, connection);
}
