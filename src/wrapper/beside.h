/* Where the other files of this installation are, seen from this very program. */
#ifndef WRAPPER_BESIDE_H
#define WRAPPER_BESIDE_H

#include <stddef.h>

struct beside {
	const char *installed;  /* from the program's folder: "../lib/libsocksify.so" */
	const char *built;      /* the same in a build tree */
	const char *configured; /* where it was configured to be installed */
};

/*
 * In this order, so that a tree that was moved, or not installed yet, keeps together. @buf gets an
 * absolute path without "..", for it is shown to people, and compared by programs that are started
 * later.
 *
 * Returns 0, or -ENOENT with @buf holding the place where it was expected.
 */
int beside_find(const struct beside *what, char *buf, size_t cap);

#endif
