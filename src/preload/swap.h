/*
 * Put another socket in the place of the program's own, so that the program can't tell: for
 * families that can't reach the proxy.
 */
#ifndef PRELOAD_SWAP_H
#define PRELOAD_SWAP_H

#include <base/sys.h>

/*
 * A new stream socket of @family with the options that the program set on @fd, close-on-exec,
 * blocking. Returns the descriptor or a negative errno.
 */
int swap_prepare(const struct sys *sys, int fd, int family);

/*
 * Put @with in place of every descriptor of this process that refers to @fd's socket, each with its
 * own close-on-exec flag; file flags are copied. @with itself stays open, the caller's to close.
 * Returns 0 or a negative errno; on failure nothing is changed.
 */
int swap_place(const struct sys *sys, int fd, int with);

#endif
