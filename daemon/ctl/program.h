/*
 * Who is started by a command: the file, what its first line leads to, and whether a preload
 * library gets to its sockets.
 */
#pragma once

enum program_kind {
        PROGRAM_PRELOAD, /* the library gets into it */
        PROGRAM_STATIC,  /* it has no dynamic linker */
        PROGRAM_GO,      /* the library gets into it at best, but not between it and the kernel */
        PROGRAM_STARTER  /* a shell and the like: what it starts may be of any kind */
};

/*
 * Finds out by reading the file that execvp(3) would run. Returns enum program_kind, or -errno
 * if that file can't be found or read; execvp() will then say what is wrong.
 */
int program_look(const char *command);

/* The same of an executable file that is open, which is no script. */
int program_look_at(int fd);
