/*
 * Who sent a hint: from the kernel's credentials to what policies match.
 */
#pragma once

#include <limits.h>
#include <sys/socket.h>
#include "../core/event.h"
#include "policy/eval.h"

struct program_text {
        char exe[PATH_MAX];
        char cgroups[4096];
};

/*
 * Reads /proc/<pid>. A program that has ended meanwhile keeps its pid and uid; the rest is unknown
 * then. claim: what it says its path is, "" if it doesn't; believed where the kernel does not let
 * us look, which takes CAP_SYS_PTRACE for programs of other users. ret_identity points into claim,
 * ret_program and ret_text.
 */
void program_read(const struct ucred *sender, const char *claim, struct program *ret_program,
                  struct program_text *ret_text, struct policy_identity *ret_identity);
