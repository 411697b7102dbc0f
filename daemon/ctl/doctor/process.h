/*
 * A process of this host, as far as it matters for what gets into it: from /proc.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tls.h"
#include "../../util/limits.h"

struct process {
        pid_t pid;
        uid_t owner; /* of the program's file */
        char exe[PATH_MAX];
        char unit[LIMIT_UNIT]; /* systemd's service; "": none */
        int kind;              /* enum program_kind; negative: it can't be read */
        bool has_library;      /* libmptcpize.so is in it */
        bool wants_library;    /* LD_PRELOAD names it */
        bool wants_go;         /* GODEBUG has multipathtcp */
        bool secure;           /* the kernel has told its dynamic linker not to trust its caller */
        bool setid;            /* since its file is setuid or setgid; else: file capabilities */
        bool sandboxed;        /* with a seccomp filter */
        enum tls_kind tls;     /* the library that it has; TLS_NONE: look at its file */
        uid_t uid;             /* effective */
        char name[LIMIT_NAME]; /* of what was executed: of a script, the script's */
};

/* 0; -EACCES: it is somebody else's; -ENOENT: it has ended. */
int process_look(pid_t pid, struct process *ret_process);

/* Which TLS the file of a process was linked with: a look at all of it. */
enum tls_kind process_look_for_tls(pid_t pid);

/*
 * Calls fn for each socket among the descriptors of a process, with its inode. 0 or a negative
 * errno as above.
 */
int process_each_socket(pid_t pid, void (*fn)(uint32_t inode, void *userdata), void *userdata);
