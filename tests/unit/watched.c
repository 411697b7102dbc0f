#include "watched.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define RTT_USEC  40000u
#define RTO_USEC  240000u
#define STEP_USEC ((uint64_t)20000)

void watched_init(struct watched *watched, struct world *world) {
        *watched = (struct watched){ .world = world };
        for (unsigned int i = 0; i < 2; i++)
                watched->paths[i].measure =
                                (struct measure){ .rtt_usec = RTT_USEC, .rto_usec = RTO_USEC };
        world->now = 100000000; /* so that ages of a minute are no times before the beginning */
        world->engine.sweep_usec = 0;
        world_connect(world, TOKEN, 0);
        world_join(world, "198.51.100.1", SERVER);
        world->engine.sweep_usec = 0; /* comparisons are another test's matter */
}

void watched_upload(struct watched *watched, unsigned int path) {
        struct watched_path *at = &watched->paths[path];

        at->measure.bytes_sent += 10000;
        at->measure.bytes_acked += 10000;
        at->measure.unacked = 14;
        at->sent_usec = at->acked_usec = watched->world->now;
}

void watched_download(struct watched *watched, unsigned int path) {
        struct watched_path *at = &watched->paths[path];

        at->measure.bytes_received += 10000;
        at->arrived_usec = watched->world->now;
}

void watched_silence(struct watched *watched, unsigned int path, uint32_t unacked) {
        struct watched_path *at = &watched->paths[path];

        at->measure.unacked = unacked;
        at->sent_usec = watched->world->now + 80000; /* tail loss probe */
        at->measure.retransmits++;
}

void watched_tick(struct watched *watched, uint64_t usec) {
        struct world *world = watched->world;
        uint64_t deadline = engine_deadline(&world->engine);

        world->now = deadline > world->now && deadline < world->now + usec ? deadline
                                                                           : world->now + usec;
        world_feed(world, (struct event){ .type = EVENT_TICK });
}

static uint32_t msec_ago(const struct watched *watched, uint64_t usec) {
        uint64_t now = watched->world->now;

        return (uint32_t)(usec < now ? (now - usec) / 1000 : 0);
}

struct measure watched_measure(const struct watched *watched, unsigned int path) {
        const struct watched_path *at = &watched->paths[path];
        struct measure measure = at->measure;

        measure.last_data_sent_msec = msec_ago(watched, at->sent_usec);
        measure.last_ack_recv_msec = msec_ago(watched, at->acked_usec);
        measure.last_data_recv_msec = msec_ago(watched, at->arrived_usec);
        return measure;
}

static void answer_one(struct watched *watched, const struct action *action) {
        unsigned int path = action->local.port == 40000 ? WIFI : LTE;

        watched->samples++;
        world_feed(watched->world,
                   (struct event){
                                   .type = EVENT_MEASURED,
                                   .measured = { .token = action->token,
                                                 .local = action->local,
                                                 .remote = action->remote,
                                                 .measure = watched_measure(watched, path) },
                   });
        world_outcome(watched->world, action, 0);
}

bool watched_answer(struct watched *watched) {
        const struct action *next;

        while ((next = action_queue_peek(&watched->world->engine.queue))) {
                struct action action = *next;

                if (action.type != ACTION_MEASURE)
                        return true;
                action_queue_pop(&watched->world->engine.queue);
                answer_one(watched, &action);
        }
        return false;
}

bool watched_pass(struct watched *watched, uint64_t usec) {
        uint64_t end = watched->world->now + usec;

        while (watched->world->now < end && !watched_answer(watched))
                watched_tick(watched, end - watched->world->now);
        return watched_answer(watched);
}

bool watched_move(struct watched *watched, unsigned int path, uint64_t usec,
                  void (*move)(struct watched *watched, unsigned int path)) {
        uint64_t end = watched->world->now + usec;

        while (watched->world->now < end) {
                move(watched, path);
                if (watched_pass(watched, STEP_USEC))
                        return true;
        }
        return false;
}
