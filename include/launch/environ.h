/* The environment that a program under the library must get. Pure functions of bytes. */
#ifndef LAUNCH_ENVIRON_H
#define LAUNCH_ENVIRON_H

#include <stddef.h>

/*
 * LD_PRELOAD with our library in it, exactly once: appended to what the user had, whose order
 * stays; an entry of the same path is not added again. Separators are spaces and colons (ld.so(8)).
 *
 * @old   the present value, or NULL
 * @lib   absolute path of libsocksify.so, or its plain name
 * @need  octets that @buf would need, NUL included; may be NULL
 *
 * Returns 0, -ENAMETOOLONG where @cap is too small, -EINVAL where @lib holds a space or a colon.
 */
int environ_preload(char *buf, size_t cap, const char *old, const char *lib, size_t *need);

/*
 * LD_PRELOAD without our library, wherever it lies: without each entry whose last part is
 * libsocksify.so. For programs that could not load it, and would complain or fail for that.
 *
 * @value  rewritten in place
 */
void environ_unpreload(char *value);

#endif
