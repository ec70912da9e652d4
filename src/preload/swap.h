/*
 * Put another socket in the place of the program's own, so that the program can't tell: options,
 * flags, duplicates and registrations with epolls follow.
 */
#ifndef PRELOAD_SWAP_H
#define PRELOAD_SWAP_H

#include <base/sys.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Make @to, a new stream socket, like @fd in the options that the program set (@which: options.h).
 */
void swap_dress(const struct sys *sys, int fd, int to, int which);

/*
 * A new stream socket of @family with all the options that the program set on @fd, close-on-exec,
 * blocking. Returns the descriptor or a negative errno.
 */
int swap_prepare(const struct sys *sys, int fd, int family, int protocol);

/*
 * The numbers of this process's descriptors that refer to the socket of that cookie, which is not
 * 0,
 * @fd among them. Returns how many there are, up to @max.
 */
size_t swap_find(int fd, uint64_t cookie, int *fds, size_t max);

/*
 * Under the lock: put @with in place of the @n descriptors @fds, which are one socket, each with
 * its own close-on-exec flag. @with itself stays open, the caller's to close.
 *
 * @spare  -1, or a descriptor of ours: the former socket is then shut down, which wakes those who
 *         wait for it, and @spare may refer to it from now on
 *
 * Returns 0 or a negative errno; where the first can't be replaced nothing is changed.
 */
int swap_place(const struct sys *sys, const int *fds, size_t n, int with, int spare);

/*
 * The same of @fd and all its duplicates, for a socket that nothing waits for. Takes the lock.
 */
int swap_replace(const struct sys *sys, int fd, int with);

#endif
