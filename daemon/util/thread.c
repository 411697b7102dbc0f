#include "thread.h"

#include <signal.h>
#include <time.h>

int thread_start(pthread_t *ret_thread, size_t stack_bytes, thread_fn run, void *userdata) {
        pthread_attr_t attr;
        sigset_t all, before;
        int r = pthread_attr_init(&attr);

        if (r != 0)
                return -r;
        (void)pthread_attr_setstacksize(&attr, stack_bytes);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(ret_thread, &attr, run, userdata);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attr);
        return -r;
}

int thread_init_condition(pthread_cond_t *condition) {
        pthread_condattr_t attr;
        int r = pthread_condattr_init(&attr);

        if (r == 0)
                r = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        if (r == 0)
                r = pthread_cond_init(condition, &attr);
        (void)pthread_condattr_destroy(&attr);
        return -r;
}
