/* The environment that a program under the library must get. Pure functions of bytes. */
#ifndef LAUNCH_ENVIRON_H
#define LAUNCH_ENVIRON_H

#include <stdbool.h>
#include <stddef.h>

/*
 * LD_PRELOAD with our library in it, exactly once, in the order that the user had. Separators are
 * spaces and colons (ld.so(8)). An entry whose last part is libsocksify.so is ours, wherever it
 * lies: the first of them stays what it is where it serves, and else gives its place to @lib; those
 * after it go. Where there is none @lib is appended.
 *
 * @old     the present value, or NULL
 * @lib     the entry: launch/entry.h, or the library's plain name
 * @serves  would this entry, of @len octets, do as well as @lib? NULL: none but @lib itself does
 * @need    octets that @buf would need, NUL included; may be NULL
 *
 * Returns 0, -ENAMETOOLONG where @cap is too small, -EINVAL where @lib holds a space or a colon.
 */
int environ_preload(char *buf, size_t cap, const char *old, const char *lib,
                    bool (*serves)(const char *entry, size_t len, const void *arg), const void *arg,
                    size_t *need);

/*
 * LD_PRELOAD without our library, wherever it lies: without each entry whose last part is
 * libsocksify.so. For programs that could not load it, and would complain or fail for that.
 *
 * @value  rewritten in place
 */
void environ_unpreload(char *value);

#endif
