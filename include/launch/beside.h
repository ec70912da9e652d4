/*
 * Where the other files of this installation are, seen from one of them: the wrapper finds the
 * library, the library the wrapper. Async-signal-safe, allocates nothing.
 */
#ifndef LAUNCH_BESIDE_H
#define LAUNCH_BESIDE_H

#include <stddef.h>

struct beside {
	const char *installed;  /* from the folder of the one: "../lib/libsocksify.so" */
	const char *built;      /* the same in a build tree */
	const char *configured; /* where it was configured to be installed */
};

/*
 * The folder that @path lies in, without a trailing slash, links or "..": what beside_find() wants.
 * "/proc/self/exe" is this program. Returns 0 or a negative errno.
 */
int beside_folder(const char *path, char *buf, size_t cap);

/*
 * In this order, so that a tree that was moved, or not installed yet, keeps together. @buf gets an
 * absolute path without "..", for it is shown to people, and compared by programs that are started
 * later.
 *
 * @folder  of beside_folder(), or NULL where it is not known
 *
 * Returns 0, or -ENOENT with @buf holding the place where it was expected.
 */
int beside_find(const struct beside *what, const char *folder, char *buf, size_t cap);

#endif
