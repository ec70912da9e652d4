/*
 * Pipes for splice(2), one thread's. A way of a relay has one only while octets are in it, so that
 * few serve many; a few wait in the pool, empty, for the next. Each costs two descriptors, and
 * ordinary users may own 64 MiB of them: where none is to be had the octets are copied instead.
 */
#ifndef SERVER_PIPE_H
#define SERVER_PIPE_H

#include <stddef.h>

#define PIPE_SIZE       (256 << 10) /* asked for */
#define PIPE_SIZE_LARGE (1 << 20)   /* for the first of a pool: most times they are all there are */
#define PIPE_LARGE_MAX  4
#define PIPE_LEAST      (64 << 10) /* with less than the kernel's default, copying is quicker */
#define PIPE_OUT_MAX    128        /* of a pool, at once: with that, 35 MiB are on their way */
#define PIPE_IDLE_MAX   16         /* that wait; more are closed */

struct pipe_pool;

struct pipe {
	int in, out; /* to write to, and to read from; neither blocks */
	size_t size; /* octets, where they come in whole pages; less where they don't */
	size_t len;  /* octets in it: its user's to count */
	struct pipe_pool *pool;
	struct pipe *next;
};

/* All 0: empty. */
struct pipe_pool {
	struct pipe *idle; /* the one that was used last comes first */
	unsigned n_idle, n_out;
	unsigned pass; /* how often "none" is said without asking the kernel again */
};

/* Close those that wait, as when descriptors run short. All must be back where it is the end. */
void pipe_pool_trim(struct pipe_pool *pool);

/* An empty one, or NULL where there is none: no descriptors, no memory, the quota, too many out. */
struct pipe *pipe_get(struct pipe_pool *pool);

/* Give it back. With octets still in it, these are gone. */
void pipe_put(struct pipe *p);

#endif
