/*
 * The gate: its queue and its thread. See gate.h; what the thread does is in gate-keeper.c.
 *
 * The loop's thread and the gate's share struct worker. It belongs to whoever is left, since a
 * thread that waits for the kernel can't be ended.
 */
#include "gate.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "gate-keeper.h"
#include "../util/cleanup.h"
#include "../util/clock.h"
#include "../util/thread.h"

#define STACK_BYTES ((size_t)1 << 20) /* libnftables has buffers of 128 KiB on it */
#define END_USEC    1000000

struct job {
        struct job *next;
        struct gate_request request;
        int error;
};

struct jobs {
        struct job *first;
        struct job **last; /* where the next one goes */
};

enum worker_end { WORKER_GOES_ON, WORKER_KEEPS, WORKER_REMOVES };

struct worker {
        pthread_t thread;
        int wake_fd; /* the thread has something to do */
        int done_fd; /* the loop has */
        pthread_mutex_t lock;
        pthread_cond_t changed; /* for those who wait for the thread; lock guards what follows */
        struct jobs queue, done;
        size_t n_underway; /* jobs whose outcome has not been told */
        struct gate_listeners listeners;
        bool listeners_new, settle;
        uint64_t asked, answered; /* numbers of what was asked for, and what is in force of it */
        int error;                /* of the last try */
        struct gate_status status;
        bool news; /* of the status */
        enum worker_end end;
        bool ended, abandoned;
};

struct gate {
        struct worker *worker;
};

/* Queues */

static void jobs_init(struct jobs *jobs) {
        jobs->first = NULL;
        jobs->last = &jobs->first;
}

static void jobs_push(struct jobs *jobs, struct job *job) {
        job->next = NULL;
        *jobs->last = job;
        jobs->last = &job->next;
}

/* All of them; the queue is empty then. */
static struct jobs jobs_take(struct jobs *jobs) {
        struct jobs taken = *jobs;

        if (!taken.first)
                jobs_init(&taken);
        jobs_init(jobs);
        return taken;
}

static struct job *jobs_pop(struct jobs *jobs) {
        struct job *job = jobs->first;

        if (job)
                jobs->first = job->next;
        return job;
}

static void jobs_done(struct jobs *jobs) {
        struct job *job;

        while ((job = jobs_pop(jobs)))
                free(job);
}

/* The thread */

static void fd_signal(int fd) {
        const uint64_t one = 1;
        ssize_t n = write(fd, &one, sizeof(one));

        /* It can only be full, and then it is readable. */
        (void)n;
}

static void fd_drain(int fd) {
        uint64_t value;
        ssize_t n = read(fd, &value, sizeof(value));

        /* Nothing there: somebody else's wake-up. */
        (void)n;
}

static void worker_free(struct worker *worker) {
        if (!worker)
                return;
        if (worker->wake_fd >= 0)
                (void)close(worker->wake_fd);
        if (worker->done_fd >= 0)
                (void)close(worker->done_fd);
        jobs_done(&worker->queue);
        jobs_done(&worker->done);
        gate_listeners_done(&worker->listeners);
        (void)pthread_cond_destroy(&worker->changed);
        (void)pthread_mutex_destroy(&worker->lock);
        free(worker);
}

static int worker_timeout(uint64_t due) {
        const uint64_t now = clock_usec();

        if (due == UINT64_MAX)
                return -1;
        return due <= now ? 0 : (int)((due - now) / 1000 + 1);
}

static void worker_wait(const struct worker *worker, const struct gate_keeper *keeper) {
        struct pollfd fds[] = {
                { .fd = worker->wake_fd, .events = POLLIN },
                { .fd = gate_keeper_fd(keeper), .events = POLLIN },
        };

        (void)poll(fds, ARRAY_SIZE(fds), worker_timeout(gate_keeper_due(keeper)));
        fd_drain(worker->wake_fd);
}

/* Hands the keeper all that was asked for. Returns its jobs; ret_answers: the number of the last.
 */
static struct jobs worker_take(struct worker *worker, struct gate_keeper *keeper,
                               uint64_t *ret_answers, enum worker_end *ret_end) {
        struct gate_listeners listeners = { 0 };
        struct jobs jobs;
        bool settle, listeners_new;

        pthread_mutex_lock(&worker->lock);
        jobs = jobs_take(&worker->queue);
        SWAP(listeners, worker->listeners);
        listeners_new = worker->listeners_new;
        settle = worker->settle;
        worker->listeners_new = worker->settle = false;
        *ret_answers = worker->asked;
        *ret_end = worker->end;
        pthread_mutex_unlock(&worker->lock);
        for (struct job *job = jobs.first; job; job = job->next)
                job->error = gate_keeper_want(keeper, &job->request);
        if (listeners_new)
                gate_keeper_want_listeners(keeper, &listeners);
        if (settle)
                gate_keeper_settle(keeper);
        return jobs;
}

static bool status_equal(const struct gate_status *a, const struct gate_status *b) {
        return a->works == b->works && a->wanted == b->wanted && a->rewritten == b->rewritten &&
               strcmp(a->reason, b->reason) == 0;
}

static void worker_answer(struct worker *worker, const struct gate_keeper *keeper,
                          struct jobs *jobs, uint64_t answers, int error) {
        struct gate_status status;
        struct job *job;
        bool any = jobs->first;

        gate_keeper_status(keeper, &status);
        pthread_mutex_lock(&worker->lock);
        while ((job = jobs_pop(jobs))) {
                if (job->error == 0)
                        job->error = error;
                jobs_push(&worker->done, job);
        }
        if (!status_equal(&status, &worker->status))
                worker->news = any = true;
        worker->status = status;
        worker->answered = answers;
        worker->error = error;
        pthread_cond_broadcast(&worker->changed);
        pthread_mutex_unlock(&worker->lock);
        if (any)
                fd_signal(worker->done_fd);
}

static void worker_end(struct worker *worker) {
        bool abandoned;

        pthread_mutex_lock(&worker->lock);
        worker->ended = true;
        abandoned = worker->abandoned;
        pthread_cond_broadcast(&worker->changed);
        pthread_mutex_unlock(&worker->lock);
        if (abandoned)
                worker_free(worker);
}

struct worker_start {
        struct worker *worker;
        struct gate_keeper *keeper;
};

static void *worker_main(void *userdata) {
        struct worker_start *start = userdata;
        _cleanup_(gate_keeper_freep) struct gate_keeper *keeper = start->keeper;
        struct worker *worker = start->worker;
        enum worker_end end = WORKER_GOES_ON;

        free(start);
        while (end == WORKER_GOES_ON) {
                struct jobs jobs;
                uint64_t answers;
                int error;

                worker_wait(worker, keeper);
                jobs = worker_take(worker, keeper, &answers, &end);
                error = gate_keeper_work(keeper);
                worker_answer(worker, keeper, &jobs, answers, error);
        }
        gate_keeper_end(keeper, end == WORKER_KEEPS);
        worker_end(worker);
        return NULL;
}

static int worker_new(struct worker **ret_worker) {
        struct worker *worker = calloc(1, sizeof(*worker));
        int r;

        if (!worker)
                return -ENOMEM;
        jobs_init(&worker->queue);
        jobs_init(&worker->done);
        worker->status.works = true;
        pthread_mutex_init(&worker->lock, NULL);
        r = thread_init_condition(&worker->changed);
        if (r < 0) {
                free(worker);
                return r;
        }
        worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        worker->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (worker->wake_fd < 0 || worker->done_fd < 0) {
                r = -errno;
                worker_free(worker);
                return r;
        }
        *ret_worker = worker;
        return 0;
}

/* Waits, with the lock held, until the thread has answered so much or ended. */
static int worker_await(struct worker *worker, uint64_t number, bool end, uint64_t timeout_usec) {
        const uint64_t due = clock_usec() + timeout_usec;
        const struct timespec until = { .tv_sec = (time_t)(due / 1000000),
                                        .tv_nsec = (long)(due % 1000000 * 1000) };
        int r = 0;

        while (r == 0 && (end ? !worker->ended : worker->answered < number))
                r = pthread_cond_timedwait(&worker->changed, &worker->lock, &until);
        return -r;
}

/* Public */

int gate_new(struct gate **ret_gate) {
        _cleanup_(freep) struct gate *gate = calloc(1, sizeof(*gate));
        _cleanup_(freep) struct worker_start *start = calloc(1, sizeof(*start));
        _cleanup_(gate_keeper_freep) struct gate_keeper *keeper = NULL;
        int r;

        if (!gate || !start)
                return -ENOMEM;
        r = gate_keeper_new(&keeper);
        if (r == 0)
                r = worker_new(&gate->worker);
        if (r < 0)
                return r;
        *start = (struct worker_start){ gate->worker, keeper };
        r = thread_start(&gate->worker->thread, STACK_BYTES, worker_main, start);
        if (r < 0) {
                worker_free(gate->worker);
                return r;
        }
        TAKE_PTR(keeper);
        TAKE_PTR(start);
        *ret_gate = TAKE_PTR(gate);
        return 0;
}

void gate_free(struct gate *gate, bool keep) {
        struct worker *worker;
        bool ended;

        if (!gate)
                return;
        worker = gate->worker;
        pthread_mutex_lock(&worker->lock);
        worker->end = keep ? WORKER_KEEPS : WORKER_REMOVES;
        fd_signal(worker->wake_fd);
        (void)worker_await(worker, 0, true, END_USEC);
        ended = worker->ended;
        worker->abandoned = !ended;
        if (!ended)
                (void)pthread_detach(worker->thread);
        pthread_mutex_unlock(&worker->lock);
        if (ended) {
                (void)pthread_join(worker->thread, NULL);
                worker_free(worker);
        }
        free(gate);
}

int gate_fd(const struct gate *gate) {
        return gate->worker->done_fd;
}

void gate_dispatch(struct gate *gate, gate_outcome_fn on_outcome, void *userdata) {
        struct worker *worker = gate->worker;
        struct jobs jobs;
        struct job *job;
        bool news;
        int error;

        fd_drain(worker->done_fd);
        pthread_mutex_lock(&worker->lock);
        jobs = jobs_take(&worker->done);
        for (job = jobs.first; job; job = job->next)
                worker->n_underway--;
        news = worker->news;
        worker->news = false;
        error = worker->error;
        pthread_mutex_unlock(&worker->lock);
        while ((job = jobs_pop(&jobs))) {
                on_outcome(&job->request, job->error, userdata);
                free(job);
        }
        if (news)
                on_outcome(NULL, error, userdata);
}

int gate_request(struct gate *gate, const struct gate_request *request) {
        struct worker *worker = gate->worker;
        struct job *job = calloc(1, sizeof(*job));
        bool was_empty, full;

        if (!job)
                return -ENOMEM;
        job->request = *request;
        pthread_mutex_lock(&worker->lock);
        was_empty = !worker->queue.first;
        full = worker->n_underway >= LIMIT_GATE_REQUESTS;
        if (!full) {
                jobs_push(&worker->queue, job);
                worker->n_underway++;
                worker->asked++;
        }
        pthread_mutex_unlock(&worker->lock);
        if (full) {
                free(job);
                return -ENOBUFS;
        }
        if (was_empty)
                fd_signal(worker->wake_fd);
        return 0;
}

/* Can they be written? */
static int listeners_check(const struct gate_listeners *listeners) {
        static const uint16_t families[] = { AF_INET, AF_INET6 };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(families); i++) {
                struct gate_listeners split = { 0 };

                r = gate_listeners_split(listeners, families[i], &split);
                gate_listeners_done(&split);
        }
        return r;
}

int gate_set_listeners(struct gate *gate, const struct gate_listener *listeners, size_t n) {
        struct worker *worker = gate->worker;
        struct gate_listeners copy = { 0 };
        int r;

        r = gate_listeners_add(&copy, listeners, n, LIMIT_GATE_LISTENERS);
        if (r == 0)
                r = listeners_check(&copy);
        if (r < 0) {
                gate_listeners_done(&copy);
                return r;
        }
        pthread_mutex_lock(&worker->lock);
        SWAP(copy, worker->listeners);
        worker->listeners_new = true;
        worker->asked++;
        pthread_mutex_unlock(&worker->lock);
        gate_listeners_done(&copy);
        fd_signal(worker->wake_fd);
        return 0;
}

int gate_settle(struct gate *gate, uint64_t timeout_usec) {
        struct worker *worker = gate->worker;
        int r;

        pthread_mutex_lock(&worker->lock);
        worker->settle = true;
        worker->asked++;
        fd_signal(worker->wake_fd);
        r = worker_await(worker, worker->asked, false, timeout_usec);
        if (r == 0)
                r = worker->error;
        pthread_mutex_unlock(&worker->lock);
        return r;
}

void gate_status(const struct gate *gate, struct gate_status *ret_status) {
        struct worker *worker = gate->worker;

        pthread_mutex_lock(&worker->lock);
        *ret_status = worker->status;
        pthread_mutex_unlock(&worker->lock);
}
