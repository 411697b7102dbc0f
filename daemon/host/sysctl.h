/*
 * Sysctls that the daemon takes over, and gives back.
 *
 * What a sysctl was is written to a file before it is changed, so that it can be put back after a
 * crash as well: by the next start or by `mptcpized --restore`. A sysctl that somebody else has
 * changed meanwhile is theirs, and left alone.
 */
#pragma once

#include <stdbool.h>

#define SYSCTL_VALUE 64

/*
 * Reads net/mptcp/NAME below /proc/sys into value, without the newline. 0 or a negative errno;
 * -ENOENT: this kernel has none such.
 */
int sysctl_read(const char *name, char value[static SYSCTL_VALUE]);

/* Writes to it, for good. 0 or a negative errno. */
int sysctl_write(const char *name, const char *value);

/*
 * Sets net/mptcp/NAME to value and keeps the old value in dir/sysctl. 0 or a negative errno; the
 * sysctl is unchanged then. ret_previous gets the value until now. Taken once more, it is put back
 * to what it was before the first time; unless somebody else has changed it between: then to that.
 */
int sysctl_take(const char *dir, const char *name, const char *value,
                char ret_previous[static SYSCTL_VALUE]);

/*
 * Puts back this one only, if it was taken. 0: done; positive: it was not; else a negative errno,
 * which is logged.
 */
int sysctl_give_back(const char *dir, const char *name);

/*
 * Puts back all that dir/sysctl tells of, and removes the file. 0: done; positive: there was
 * nothing to do; else a negative errno. What happens to each is logged if verbose.
 */
int sysctl_restore(const char *dir, bool verbose);
