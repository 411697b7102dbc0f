/*
 * Command threads. See kern-command.h.
 *
 * Latency: submit() allocates once, holds the lock for a few stores, and wakes the thread after
 * unlocking it; a thread that is at work isn't woken at all. Finished commands go to one list,
 * and the loop is woken only if it was empty.
 */
#include "kern-command.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "../util/clock.h"
#include "../util/cleanup.h"

#define WORKERS     3 /* two for connections, one for snapshots */
#define SNAPSHOTTER 2
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
#define REMOVE_STAMPS     16 /* more REMOVEs than can be done within the pause */

struct remove_stamp {
        uint32_t token; /* 0: unused */
        uint64_t usec;
};

struct command_queue {
        struct command *first;
        struct command **last; /* where the next one goes */
};

struct worker {
        struct command_pool *pool;
        struct executor *executor;
        pthread_t thread;
        bool started;
        uint32_t n_underway; /* submitted and not yet taken; the loop's thread only */
        struct remove_stamp stamps[REMOVE_STAMPS]; /* the worker's thread only */
        uint32_t next_stamp;
        pthread_mutex_t lock; /* guards what follows */
        pthread_cond_t wake;
        struct command_queue queue;
        bool stopping;
};

struct command_pool {
        struct worker workers[WORKERS];
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
static uint64_t worker_remove_due(const struct worker *worker, uint32_t token) {
        uint64_t due = 0;

        for (size_t i = 0; i < REMOVE_STAMPS; i++)
                if (worker->stamps[i].token == token &&
                    worker->stamps[i].usec + REMOVE_PAUSE_USEC > due)
                        due = worker->stamps[i].usec + REMOVE_PAUSE_USEC;
        return due;
}

static void worker_stamp_remove(struct worker *worker, uint32_t token) {
        worker->stamps[worker->next_stamp] =
                        (struct remove_stamp){ .token = token, .usec = clock_usec() };
        worker->next_stamp = (worker->next_stamp + 1) % REMOVE_STAMPS;
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

/* True if the command must wait. No more tokens than stamps can be held at a time. */
static bool worker_holds(const struct worker *worker, const struct command *command, uint64_t now,
                         struct held_tokens *held) {
        uint64_t due;

        if (held_has(held, command->action.token))
                return true;
        if (command->action.type != ACTION_WITHDRAW)
                return false;
        due = worker_remove_due(worker, command->action.token);
        if (due <= now)
                return false;
        assert(held->n < REMOVE_STAMPS);
        held->tokens[held->n++] = command->action.token;
        if (held->n == 1 || due < held->due_usec)
                held->due_usec = due;
        return true;
}

/* The first command whose turn it is, or NULL. ret_due: when to look again, 0: when woken. */
static struct command *worker_pick(struct worker *worker, uint64_t *ret_due) {
        struct held_tokens held = { .n = 0 };
        const uint64_t now = worker->queue.first ? clock_usec() : 0;

        for (struct command **link = &worker->queue.first; *link; link = &(*link)->next)
                if (!worker_holds(worker, *link, now, &held))
                        return queue_remove(&worker->queue, link);
        *ret_due = held.due_usec;
        return NULL;
}

/* The thread */

static void worker_wait(struct worker *worker, uint64_t due_usec) {
        const struct timespec until = { .tv_sec = (time_t)(due_usec / 1000000),
                                        .tv_nsec = (long)(due_usec % 1000000 * 1000) };

        if (due_usec)
                (void)pthread_cond_timedwait(&worker->wake, &worker->lock, &until);
        else
                (void)pthread_cond_wait(&worker->wake, &worker->lock);
}

/* The next command, or NULL when it is time to end. */
static struct command *worker_next(struct worker *worker) {
        struct command *command = NULL;
        uint64_t due = 0;

        pthread_mutex_lock(&worker->lock);
        while (!worker->stopping && !(command = worker_pick(worker, &due)))
                worker_wait(worker, due);
        pthread_mutex_unlock(&worker->lock);
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

static void *worker_main(void *userdata) {
        struct worker *worker = userdata;
        struct command *command;

        while ((command = worker_next(worker))) {
                command_run(worker->executor, command);
                if (command->action.type == ACTION_WITHDRAW)
                        worker_stamp_remove(worker, command->action.token);
                pool_finish(worker->pool, command);
        }
        return NULL;
}

/* Signals are the loop's. */
static int worker_start(struct worker *worker) {
        pthread_attr_t attr;
        sigset_t all, before;
        int r;

        r = pthread_attr_init(&attr);
        if (r != 0)
                return -r;
        (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&worker->thread, &attr, worker_main, worker);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attr);
        worker->started = r == 0;
        return -r;
}

static int worker_init_wake(struct worker *worker) {
        pthread_condattr_t attr;
        int r;

        r = pthread_condattr_init(&attr);
        if (r == 0)
                r = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        if (r == 0)
                r = pthread_cond_init(&worker->wake, &attr);
        (void)pthread_condattr_destroy(&attr);
        return -r;
}

static void worker_stop(struct worker *worker) {
        if (worker->started) {
                pthread_mutex_lock(&worker->lock);
                worker->stopping = true;
                pthread_mutex_unlock(&worker->lock);
                pthread_cond_signal(&worker->wake);
                pthread_join(worker->thread, NULL);
        }
        queue_done(&worker->queue);
        executor_free(worker->executor);
        pthread_cond_destroy(&worker->wake);
        pthread_mutex_destroy(&worker->lock);
}

/* The pool */

void command_pool_free(struct command_pool *pool) {
        if (!pool)
                return;
        for (size_t i = 0; i < WORKERS; i++)
                worker_stop(&pool->workers[i]);
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
        int r = 0;

        queue_init(&pool->ready);
        queue_init(&pool->done);
        pthread_mutex_init(&pool->lock, NULL);
        for (size_t i = 0; i < WORKERS; i++) {
                struct worker *worker = &pool->workers[i];
                int k;

                worker->pool = pool;
                queue_init(&worker->queue);
                pthread_mutex_init(&worker->lock, NULL);
                k = worker_init_wake(worker);
                r = r < 0 ? r : k;
        }
        pool->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        return pool->fd < 0 ? -errno : r;
}

int command_pool_new(uint16_t family, struct command_pool **ret_pool) {
        _cleanup_(command_pool_freep) struct command_pool *pool = calloc(1, sizeof(*pool));
        int r;

        if (!pool)
                return -ENOMEM;
        r = pool_init(pool);
        if (r == 0)
                r = executor_new(family, &pool->executor);
        for (size_t i = 0; r == 0 && i < WORKERS; i++)
                r = executor_new(family, &pool->workers[i].executor);
        for (size_t i = 0; r == 0 && i < WORKERS; i++)
                r = worker_start(&pool->workers[i]);
        if (r < 0)
                return r;
        *ret_pool = TAKE_PTR(pool);
        return 0;
}

int command_pool_fd(const struct command_pool *pool) {
        return pool->fd;
}

static struct worker *pool_worker(struct command_pool *pool, const struct action *action) {
        size_t i = action->type == ACTION_SNAPSHOT ? SNAPSHOTTER : action->token % SNAPSHOTTER;

        return &pool->workers[i];
}

/* True if it was done. Nothing of its thread may be on its way, so the order holds. */
static bool pool_run_urgent(struct command_pool *pool, const struct worker *worker,
                            struct command *command) {
        uint64_t start = clock_usec(), end;

        if (!command->action.urgent || worker->n_underway || start < pool->not_before_usec)
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

int command_pool_submit_failed(struct command_pool *pool, const struct action *action, int error,
                               const char *message) {
        struct worker *worker = pool_worker(pool, action);
        struct command *command;

        if (worker->n_underway >= LIMIT_KERN_QUEUE)
                return -EAGAIN;
        command = command_new(action);
        if (!command)
                return -ENOMEM;
        command->done = error < 0 || action->type == ACTION_RELEASE;
        command->error = error;
        snprintf(command->message, sizeof(command->message), "%s", message);
        if (pool_run_urgent(pool, worker, command)) {
                worker->n_underway++;
                pool_finish(pool, command);
                return 0;
        }
        worker->n_underway++;
        pthread_mutex_lock(&worker->lock);
        queue_push(&worker->queue, command);
        pthread_mutex_unlock(&worker->lock);
        pthread_cond_signal(&worker->wake);
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
        pool_worker(pool, &command->action)->n_underway--;
        return command;
}

void command_pool_rearm(struct command_pool *pool) {
        if (pool->ready.first)
                pool_signal(pool);
}
