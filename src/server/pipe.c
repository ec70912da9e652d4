#include "pipe.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * After a failure: so many refusals cost no system call. In that time a thread copies some 64 MiB,
 * beside which another attempt is nothing.
 */
#define PASSES 256

static void pipe_free(struct pipe *p)
{
	close(p->in);
	close(p->out);
	free(p);
}

static struct pipe *pipe_new(struct pipe_pool *pool)
{
	struct pipe *p = malloc(sizeof(*p));
	bool large = pool->n_out < PIPE_LARGE_MAX;
	int ends[2], size;

	if (!p)
		return NULL;
	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0) {
		free(p);
		return NULL;
	}
	/* The kernel refuses it, or made a pipe of two pages, where the user has had his share. */
	if (!large || fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE_LARGE) < 0)
		(void)fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE);
	size = fcntl(ends[1], F_GETPIPE_SZ);
	*p = (struct pipe){ .in = ends[1], .out = ends[0], .pool = pool };
	if (size < PIPE_LEAST) {
		pipe_free(p);
		return NULL;
	}
	p->size = (size_t)size;
	return p;
}

void pipe_pool_trim(struct pipe_pool *pool)
{
	struct pipe *p;

	while ((p = pool->idle)) {
		pool->idle = p->next;
		pipe_free(p);
	}
	pool->n_idle = 0;
}

struct pipe *pipe_get(struct pipe_pool *pool)
{
	struct pipe *p = pool->idle;

	if (p) {
		pool->idle = p->next;
		pool->n_idle--;
	} else if (pool->n_out == PIPE_OUT_MAX) {
		return NULL;
	} else if (pool->pass > 0) {
		pool->pass--;
		return NULL;
	} else if (!(p = pipe_new(pool))) {
		pool->pass = PASSES;
		return NULL;
	}
	pool->n_out++;
	return p;
}

void pipe_put(struct pipe *p)
{
	struct pipe_pool *pool = p->pool;

	pool->n_out--;
	if (p->len > 0 || pool->n_idle == PIPE_IDLE_MAX) {
		pipe_free(p);
		return;
	}
	p->next = pool->idle;
	pool->idle = p;
	pool->n_idle++;
}
