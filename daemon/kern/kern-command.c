/*
 * Command threads. See kern-command.h.
 *
 * There is one queue. A thread that has nothing to do takes the first command whose connection no
 * other thread is at work on: so a connection that is busy keeps one thread waiting, whichever
 * that is, and nobody else; and the commands of one connection stay in order.
 *
 * Latency: submit() allocates once, holds the lock for a few stores, and wakes a thread after
 * unlocking it, if one sleeps. Finished commands go to one list, and the loop is woken only if it
 * was empty.
 */
#include "kern-command.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "../util/clock.h"
#include "../util/cleanup.h"
#include "../util/thread.h"

#define WORKERS 4 /* that many busy connections at a time hold up all others */
/*
 * A join of a connection that is just established is done in the loop's thread: its socket is
 * seldom busy yet, and two switches of threads would take longer than the command. When one has
 * taken longer than this, the threads do them all for a while.
 */
#define URGENT_USEC       500
#define URGENT_PAUSE_USEC 1000000

#define STACK_BYTES ((size_t)256 * 1024)

/*
 * Peers drop the second of two RM_ADDRs that come too close (18-42 % back to back, none with 0.3
 * ms between them, Linux 6.18), so two of a connection keep this distance. Meanwhile the thread
 * does what other connections need.
 */
#define REMOVE_PAUSE_USEC 500
#define REMOVE_STAMPS     64 /* more REMOVEs than can be done within the pause */

#define TOKEN_SLOTS 256u /* a power of two */

struct remove_stamp {
        uint32_t token; /* 0: unused */
        uint64_t usec;
};

struct command_queue {
        struct command *first;
        struct command **last; /* where the next one goes */
};

struct worker {
        struct crew *crew;
        struct executor *executor;
        pthread_t thread;
        bool started;
        bool at_work; /* on that token; guarded by the crew's lock */
        uint32_t token;
};

/* Threads that share a queue. */
struct crew {
        struct command_pool *pool;
        struct worker workers[WORKERS];
        size_t n_workers;
        uint32_t n_underway;  /* submitted and not yet taken; the loop's thread only */
        pthread_mutex_t lock; /* guards what follows */
        pthread_cond_t wake;
        struct command_queue queue;
        size_t n_asleep;
        struct remove_stamp stamps[REMOVE_STAMPS];
        uint32_t next_stamp;
        bool stopping;
};

struct command_pool {
        struct crew crew;               /* for connections */
        struct crew snapshotter;        /* for snapshots, which take long: one thread */
        uint16_t underway[TOKEN_SLOTS]; /* by hash of the token; the loop's thread only */
        int fd;
        struct executor *executor;  /* for urgent commands; the loop's thread only */
        uint64_t not_before_usec;   /* none of those until then */
        struct command_queue ready; /* being delivered; the loop's thread only */
        pthread_mutex_t lock;       /* guards what follows */
        struct command_queue done;
};

static void queue_init(struct command_queue *queue) {
        queue->first = NULL;
        queue->last = &queue->first;
}

static void queue_push(struct command_queue *queue, struct command *command) {
        command->next = NULL;
        *queue->last = command;
        queue->last = &command->next;
}

/* Takes out the command to which link points. */
static struct command *queue_remove(struct command_queue *queue, struct command **link) {
        struct command *command = *link;

        *link = command->next;
        if (queue->last == &command->next)
                queue->last = link;
        return command;
}

static void queue_done(struct command_queue *queue) {
        while (queue->first)
                command_free(queue_remove(queue, &queue->first));
}

/* Pauses between REMOVEs */

/* When token may have its next REMOVE; a time of the past if at once. */
static uint64_t crew_remove_due(const struct crew *crew, uint32_t token) {
        uint64_t due = 0;

        for (size_t i = 0; i < REMOVE_STAMPS; i++)
                if (crew->stamps[i].token == token &&
                    crew->stamps[i].usec + REMOVE_PAUSE_USEC > due)
                        due = crew->stamps[i].usec + REMOVE_PAUSE_USEC;
        return due;
}

static void crew_stamp_remove(struct crew *crew, uint32_t token) {
        const struct remove_stamp stamp = { .token = token, .usec = clock_usec() };

        pthread_mutex_lock(&crew->lock);
        crew->stamps[crew->next_stamp] = stamp;
        crew->next_stamp = (crew->next_stamp + 1) % REMOVE_STAMPS;
        pthread_mutex_unlock(&crew->lock);
}

/* Connections whose REMOVE has to wait, and with it all that they want later. */
struct held_tokens {
        uint32_t tokens[REMOVE_STAMPS];
        size_t n;
        uint64_t due_usec; /* the earliest end of a wait */
};

static bool held_has(const struct held_tokens *held, uint32_t token) {
        for (size_t i = 0; i < held->n; i++)
                if (held->tokens[i] == token)
                        return true;
        return false;
}

static bool crew_is_at_work(const struct crew *crew, uint32_t token) {
        for (size_t i = 0; i < crew->n_workers; i++)
                if (crew->workers[i].at_work && crew->workers[i].token == token)
                        return true;
        return false;
}

/* True if the command must wait. No more tokens than stamps can be held at a time. */
static bool crew_holds(const struct crew *crew, const struct command *command, uint64_t now,
                       struct held_tokens *held) {
        const uint32_t token = command->action.token;
        uint64_t due;

        if (held_has(held, token) || crew_is_at_work(crew, token))
                return true;
        if (command->action.type != ACTION_WITHDRAW)
                return false;
        due = crew_remove_due(crew, token);
        if (due <= now)
                return false;
        assert(held->n < REMOVE_STAMPS);
        held->tokens[held->n++] = token;
        if (held->n == 1 || due < held->due_usec)
                held->due_usec = due;
        return true;
}

/* The first command whose turn it is, or NULL. ret_due: when to look again, 0: when woken. */
static struct command *crew_pick(struct crew *crew, uint64_t *ret_due) {
        struct held_tokens held = { .n = 0 };
        const uint64_t now = crew->queue.first ? clock_usec() : 0;

        for (struct command **link = &crew->queue.first; *link; link = &(*link)->next)
                if (!crew_holds(crew, *link, now, &held))
                        return queue_remove(&crew->queue, link);
        *ret_due = held.due_usec;
        return NULL;
}

/* The thread */

static void crew_sleep(struct crew *crew, uint64_t due_usec) {
        const struct timespec until = { .tv_sec = (time_t)(due_usec / 1000000),
                                        .tv_nsec = (long)(due_usec % 1000000 * 1000) };

        crew->n_asleep++;
        if (due_usec)
                (void)pthread_cond_timedwait(&crew->wake, &crew->lock, &until);
        else
                (void)pthread_cond_wait(&crew->wake, &crew->lock);
        crew->n_asleep--;
}

/* The next command, or NULL when it is time to end. What is left may be for another thread. */
static struct command *worker_next(struct worker *worker) {
        struct crew *crew = worker->crew;
        struct command *command = NULL;
        uint64_t due = 0;

        pthread_mutex_lock(&crew->lock);
        worker->at_work = false;
        while (!crew->stopping && !(command = crew_pick(crew, &due)))
                crew_sleep(crew, due);
        worker->at_work = command;
        worker->token = command ? command->action.token : 0;
        if (command && crew->queue.first && crew->n_asleep > 0)
                pthread_cond_signal(&crew->wake);
        pthread_mutex_unlock(&crew->lock);
        return command;
}

static void pool_signal(struct command_pool *pool) {
        const uint64_t one = 1;
        ssize_t n = write(pool->fd, &one, sizeof(one));

        /* It can only be full, and then it is readable. */
        (void)n;
}

static void pool_finish(struct command_pool *pool, struct command *command) {
        bool was_empty;

        pthread_mutex_lock(&pool->lock);
        was_empty = !pool->done.first;
        queue_push(&pool->done, command);
        pthread_mutex_unlock(&pool->lock);
        if (was_empty)
                pool_signal(pool);
}

static void command_run(struct executor *executor, struct command *command) {
        if (!command->done)
                executor_run(executor, command);
}

/* The token stays at work until the result is queued: so results are in order, too. */
static void *worker_main(void *userdata) {
        struct worker *worker = userdata;
        struct command *command;

        while ((command = worker_next(worker))) {
                command_run(worker->executor, command);
                if (command->action.type == ACTION_WITHDRAW)
                        crew_stamp_remove(worker->crew, command->action.token);
                pool_finish(worker->crew->pool, command);
        }
        return NULL;
}

static int worker_start(struct worker *worker) {
        int r = thread_start(&worker->thread, STACK_BYTES, worker_main, worker);

        worker->started = r == 0;
        return r;
}

static int crew_init(struct crew *crew, struct command_pool *pool, size_t n_workers) {
        crew->pool = pool;
        crew->n_workers = n_workers;
        queue_init(&crew->queue);
        pthread_mutex_init(&crew->lock, NULL);
        for (size_t i = 0; i < n_workers; i++)
                crew->workers[i].crew = crew;
        return thread_init_condition(&crew->wake);
}

static int crew_start(struct crew *crew, const struct mptcp_family *family) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < crew->n_workers; i++)
                r = executor_new(family, &crew->workers[i].executor);
        for (size_t i = 0; r == 0 && i < crew->n_workers; i++)
                r = worker_start(&crew->workers[i]);
        return r;
}

static void crew_stop(struct crew *crew) {
        pthread_mutex_lock(&crew->lock);
        crew->stopping = true;
        pthread_mutex_unlock(&crew->lock);
        pthread_cond_broadcast(&crew->wake);
        for (size_t i = 0; i < crew->n_workers; i++)
                if (crew->workers[i].started)
                        pthread_join(crew->workers[i].thread, NULL);
        for (size_t i = 0; i < crew->n_workers; i++)
                executor_free(crew->workers[i].executor);
        queue_done(&crew->queue);
        pthread_cond_destroy(&crew->wake);
        pthread_mutex_destroy(&crew->lock);
}

/* The pool */

void command_pool_free(struct command_pool *pool) {
        if (!pool)
                return;
        crew_stop(&pool->crew);
        crew_stop(&pool->snapshotter);
        executor_free(pool->executor);
        queue_done(&pool->ready);
        queue_done(&pool->done);
        pthread_mutex_destroy(&pool->lock);
        closep(&pool->fd);
        free(pool);
}

DEFINE_CLEANUP(struct command_pool *, command_pool_free)

/* Leaves all of it fit for command_pool_free(). */
static int pool_init(struct command_pool *pool) {
        int r, k;

        queue_init(&pool->ready);
        queue_init(&pool->done);
        pthread_mutex_init(&pool->lock, NULL);
        r = crew_init(&pool->crew, pool, WORKERS);
        k = crew_init(&pool->snapshotter, pool, 1);
        pool->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (pool->fd < 0)
                return -errno;
        return r < 0 ? r : k;
}

int command_pool_new(const struct mptcp_family *family, struct command_pool **ret_pool) {
        _cleanup_(command_pool_freep) struct command_pool *pool = calloc(1, sizeof(*pool));
        int r;

        if (!pool)
                return -ENOMEM;
        r = pool_init(pool);
        if (r == 0)
                r = executor_new(family, &pool->executor);
        if (r == 0)
                r = crew_start(&pool->crew, family);
        if (r == 0)
                r = crew_start(&pool->snapshotter, family);
        if (r < 0)
                return r;
        *ret_pool = TAKE_PTR(pool);
        return 0;
}

int command_pool_fd(const struct command_pool *pool) {
        return pool->fd;
}

static struct crew *pool_crew(struct command_pool *pool, const struct action *action) {
        return action->type == ACTION_SNAPSHOT ? &pool->snapshotter : &pool->crew;
}

/* How many commands of the token are on their way; of some others, too. */
static uint16_t *pool_underway(struct command_pool *pool, uint32_t token) {
        return &pool->underway[token % TOKEN_SLOTS];
}

static void pool_count(struct command_pool *pool, const struct action *action, int change) {
        struct crew *crew = pool_crew(pool, action);
        uint16_t *underway = pool_underway(pool, action->token);

        crew->n_underway += (uint32_t)change;
        *underway = (uint16_t)(*underway + change);
}

/* True if it was done. Nothing of its connection may be on its way, so the order holds. */
static bool pool_run_urgent(struct command_pool *pool, struct command *command) {
        uint64_t start = clock_usec(), end;

        if (!command->action.urgent || *pool_underway(pool, command->action.token) ||
            start < pool->not_before_usec)
                return false;
        command_run(pool->executor, command);
        end = clock_usec();
        if (end - start > URGENT_USEC)
                pool->not_before_usec = end + URGENT_PAUSE_USEC;
        return true;
}

int command_pool_submit(struct command_pool *pool, const struct action *action) {
        return command_pool_submit_failed(pool, action, 0, "");
}

static void crew_submit(struct crew *crew, struct command *command) {
        bool asleep;

        pthread_mutex_lock(&crew->lock);
        queue_push(&crew->queue, command);
        asleep = crew->n_asleep > 0;
        pthread_mutex_unlock(&crew->lock);
        if (asleep)
                pthread_cond_signal(&crew->wake);
}

int command_pool_submit_failed(struct command_pool *pool, const struct action *action, int error,
                               const char *message) {
        struct crew *crew = pool_crew(pool, action);
        struct command *command;

        if (crew->n_underway >= LIMIT_KERN_QUEUE)
                return -EAGAIN;
        command = command_new(action);
        if (!command)
                return -ENOMEM;
        command->done = error < 0 || action->type == ACTION_RELEASE;
        command->error = error;
        snprintf(command->message, sizeof(command->message), "%s", message);
        if (pool_run_urgent(pool, command)) {
                pool_count(pool, action, 1);
                pool_finish(pool, command);
                return 0;
        }
        pool_count(pool, action, 1);
        crew_submit(crew, command);
        return 0;
}

/* All that is done becomes ready: one lock for many. */
static void pool_refill(struct command_pool *pool) {
        uint64_t count;
        ssize_t n = read(pool->fd, &count, sizeof(count));

        (void)n; /* -EAGAIN: nothing new */
        pthread_mutex_lock(&pool->lock);
        if (pool->done.first) {
                *pool->ready.last = pool->done.first;
                pool->ready.last = pool->done.last;
                queue_init(&pool->done);
        }
        pthread_mutex_unlock(&pool->lock);
}

struct command *command_pool_take(struct command_pool *pool) {
        struct command *command;

        if (!pool->ready.first)
                pool_refill(pool);
        if (!pool->ready.first)
                return NULL;
        command = queue_remove(&pool->ready, &pool->ready.first);
        pool_count(pool, &command->action, -1);
        return command;
}

void command_pool_rearm(struct command_pool *pool) {
        if (pool->ready.first)
                pool_signal(pool);
}
