/*
 * The supervisor's loop: answers the system calls of supervised programs.
 */
#pragma once

#include <linux/seccomp.h>

#include "../../../policy/report.h"

/* Room for what the kernel's idea of these structures may grow to. */
#define SERVE_STRUCT 512u

/*
 * The call that is being answered, in memory that the keeper shares: the kernel writes it right
 * there, so that there is no moment at which a call has been taken and the keeper can't know.
 */
union serve_call {
        struct seccomp_notif notif;
        char bytes[SERVE_STRUCT];
};

/* Takes the next call. 0; 1: nothing supervised is left; or -errno. */
int serve_take(int listener, union serve_call *call);

/* Lets a call go on as if nobody supervised it. */
void serve_continue(int listener, uint64_t id);

struct serve_setup {
        int listener;
        union serve_call *call;
        const char *library;   /* name of the file of the preload library */
        struct report *report; /* NULL: nobody counts */
};

/* Answers calls until no supervised process is left. 0 or -errno. */
int serve_run(const struct serve_setup *setup);
