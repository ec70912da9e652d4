/*
 * Where the results of libc's calls without a buffer lie: one for each call and the whole process,
 * which grows. Lock-free; threads that make the same call at once overwrite each other's results,
 * as libc's documentation says, and nothing else.
 */
#ifndef PRELOAD_KEPT_H
#define PRELOAD_KEPT_H

#include <stddef.h>

struct kept_block;

/* Static and zeroed. */
struct kept {
	_Atomic(struct kept_block *) block;
};

/*
 * Have a result made: @fill gets more and more room while it returns ERANGE. Returns what it
 * returned at last, or ENOMEM.
 */
int kept_fill(struct kept *k, int (*fill)(void *arg, char *buf, size_t len), void *arg);

#endif
