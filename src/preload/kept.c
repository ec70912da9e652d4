#include "kept.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define LEN_MIN 1024

/* Those that were too small are kept: a thread may be reading its result in one. */
struct kept_block {
	struct kept_block *smaller;
	size_t len;
	_Alignas(max_align_t) char buf[];
};

/* A larger block than @seen, made by this thread or, meanwhile, by another one. NULL: no memory. */
static struct kept_block *grow(struct kept *k, struct kept_block *seen)
{
	size_t len = seen ? 2 * seen->len : LEN_MIN;
	struct kept_block *b = malloc(sizeof(*b) + len);

	if (!b)
		return NULL;
	b->smaller = seen;
	b->len = len;
	if (atomic_compare_exchange_strong(&k->block, &seen, b))
		return b;
	free(b);
	return seen;
}

int kept_fill(struct kept *k, int (*fill)(void *arg, char *buf, size_t len), void *arg)
{
	struct kept_block *b = atomic_load(&k->block);

	if (!b)
		b = grow(k, NULL);
	while (b) {
		int err = fill(arg, b->buf, b->len);

		if (err != ERANGE)
			return err;
		b = grow(k, b);
	}
	return ENOMEM;
}
