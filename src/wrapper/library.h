/* Where libsocksify.so is. */
#ifndef WRAPPER_LIBRARY_H
#define WRAPPER_LIBRARY_H

#include <stddef.h>

/*
 * Beside this very program: installed (../LIBDIR, also in a tree that was moved) or in the build
 * tree; else where it was configured to be installed.
 *
 * Returns 0, -ENOENT with @buf holding the place that was expected, or -EINVAL where the place has
 * a space or a colon, which LD_PRELOAD can't carry.
 */
int library_find(char *buf, size_t cap);

#endif
