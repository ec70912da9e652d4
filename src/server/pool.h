/*
 * Work that blocks or takes long, off the loop: a few threads, made when there is work for them.
 * Jobs queue up by source of clients, and sources take turns, so that a crowd of jobs from one
 * holds up no job of another. All calls are the loop's thread's.
 */
#ifndef SERVER_POOL_H
#define SERVER_POOL_H

#include "loop.h"
#include "source.h"

struct pool;
struct pool_lane;

/* Lives in its owner. The callbacks are the owner's to set, all else is the pool's. */
struct pool_job {
	void (*run)(struct pool_job *job);  /* in a thread; may touch nothing but its job */
	void (*done)(struct pool_job *job); /* in the loop, after run(); the owner's again */
	/* After pool_cancel() or pool_free(): free it. In any thread; never with done(). */
	void (*drop)(struct pool_job *job);
	enum { POOL_IDLE, POOL_QUEUED, POOL_RUNNING, POOL_DONE } st;
	bool cancelled;
	struct pool_lane *lane;
	struct pool_job *prev, *next;
};

struct pool_params {
	struct loop *loop;
	unsigned threads;
	unsigned lane_threads; /* that may serve one source at once */
	unsigned jobs;         /* waiting */
	unsigned lane_jobs;    /* of one source, waiting */
	int nice;              /* how far the threads stand back behind the loop's */
};

/* 0 or a negative errno. */
int pool_new(struct pool **out, const struct pool_params *params);
/*
 * Drops all jobs and ends the threads, but waits for none: a run() may take for ever. Its job is
 * dropped whenever it ends. NULL is fine.
 */
void pool_free(struct pool *p);

/*
 * Returns 0, or with nothing done: -ENOBUFS where the queue is full, -ENOMEM, -EAGAIN where no
 * thread is to be had.
 */
int pool_submit(struct pool *p, struct pool_job *job, const struct source_key *from);

/* No done() any more, but drop(), maybe before this returns. */
void pool_cancel(struct pool *p, struct pool_job *job);

/* Has it not begun yet: then it is the owner's again, and neither done() nor drop() is called. */
bool pool_take_back(struct pool *p, struct pool_job *job);

#endif
