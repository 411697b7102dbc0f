/*
 * Who makes a system call: what the policy wants to know of a process, kept while it lives and
 * executes the same program.
 *
 * An entry is about one thread and has an open directory of procfs, which belongs to that very
 * thread and not to whoever has its number later. What changes an entry's truth without an end of
 * the thread is execve(), at which everything has to be forgotten.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../../policy/eval.h"
#include "supervise-rules.h"

#define PROCESS_NAME 256u

struct process {
        pid_t tid;
        pid_t pid;
        int dir; /* of procfs */
        int pidfd;
        uint64_t exe_device;
        uint64_t exe_inode;
        uint32_t uid;    /* effective */
        bool preloaded;  /* our library is between it and the kernel: it decides by itself */
        bool examinable; /* we may look into its memory and its descriptors */
        char app[PATH_MAX];
        char exe[PATH_MAX];
        char unit[PROCESS_NAME];
        struct rules_known known;
};

struct processes;

/* library: the name of the file of our preload library. NULL: no memory. */
struct processes *processes_new(const char *library);

/* The process of a thread that waits for us; NULL: it can't be told. ret_new: it was not known. */
struct process *processes_get(struct processes *processes, pid_t tid, bool *ret_new);

/* Somebody executes another program, or what we have just learned was about another process. */
void processes_forget(struct processes *processes);

/* What the policy is chosen by; points into the process. */
struct policy_identity process_identity(const struct process *process);

/* Is it in the network namespace that we are in? */
bool process_is_near(const struct process *process);

/* A copy of its descriptor fd, or -errno. */
int process_descriptor(const struct process *process, int fd);

/* Has that descriptor the flag FD_CLOEXEC? */
bool process_closes_on_exec(const struct process *process, int fd);

/* Copies n bytes at address in its memory. False: they are not all there. */
bool process_read(const struct process *process, uint64_t address, void *to, size_t n);
