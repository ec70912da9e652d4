/*
 * Landlock (landlock(7)): which files a process may still open. From then on it and its children
 * may read what is named, and write, make, remove or start nothing; where the kernel can, no signal
 * of theirs reaches a process outside, and no abstract UNIX socket of one can be had. Connections,
 * and what is open already, are not concerned.
 */
#ifndef SERVER_LANDLOCK_H
#define SERVER_LANDLOCK_H

#include <stddef.h>

/*
 * The version of it that the kernel has, or a negative errno: -ENOSYS where it has none,
 * -EOPNOTSUPP where that is switched off.
 */
int landlock_version(void);

/*
 * For the calling thread and those that it makes later; no_new_privs must be set.
 *
 * @readable  files, and folders with all in them; what is not there is skipped
 *
 * Returns the version, or a negative errno.
 */
int landlock_enter(const char *const *readable, size_t n);

#endif
