/*
 * How it works: a lane holds the waiting jobs of one source, and lives while it has jobs that wait
 * or run. Lanes whose next job may run stand in a ring; a free thread takes the first job of the
 * first lane and puts the lane back at the end. Jobs that have run wait in a list for the loop,
 * which an eventfd wakes. One lock guards all of it; no callback is called with it held.
 */
#include "pool.h"

#include "table.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utlist.h>

struct pool_lane {
	struct source_key key;
	bool lost;
	bool in_ring;
	unsigned waiting, running;
	struct pool_job *jobs;
	struct pool_lane *prev, *next;
	UT_hash_handle hh;
};

struct pool {
	struct pool_params params;
	struct watch wake;
	pthread_mutex_t lock;
	pthread_cond_t work;
	bool stop;
	unsigned refs; /* the loop, and each thread */
	unsigned n_threads, idle, waiting;
	struct pool_lane *lanes; /* by source */
	struct pool_lane *ring;
	struct pool_job *done;
};

/* Lanes, with the lock held */

static struct pool_lane *lane_get(struct pool *p, const struct source_key *key)
{
	struct pool_lane *lane = NULL;

	HASH_FIND(hh, p->lanes, key, sizeof(*key), lane);
	if (lane)
		return lane;
	lane = calloc(1, sizeof(*lane));
	if (!lane)
		return NULL;
	lane->key = *key;
	HASH_ADD(hh, p->lanes, key, sizeof(lane->key), lane);
	if (lane->lost) {
		free(lane);
		return NULL;
	}
	return lane;
}

/* After any change: into the ring, out of it, or gone. */
static void lane_settle(struct pool *p, struct pool_lane *lane)
{
	bool ready = lane->waiting > 0 && lane->running < p->params.lane_threads;

	if (ready && !lane->in_ring)
		DL_APPEND(p->ring, lane);
	if (!ready && lane->in_ring)
		DL_DELETE(p->ring, lane);
	lane->in_ring = ready;
	if (lane->waiting == 0 && lane->running == 0) {
		HASH_DEL(p->lanes, lane);
		free(lane);
	}
}

static void unqueue(struct pool *p, struct pool_job *job)
{
	struct pool_lane *lane = job->lane;

	DL_DELETE(lane->jobs, job);
	lane->waiting--;
	p->waiting--;
	job->st = POOL_IDLE;
}

static struct pool_job *take(struct pool *p)
{
	struct pool_lane *lane = p->ring;
	struct pool_job *job;

	if (!lane)
		return NULL;
	job = lane->jobs;
	unqueue(p, job);
	job->st = POOL_RUNNING;
	lane->running++;
	/* Its next one comes after those of all others. */
	DL_DELETE(p->ring, lane);
	lane->in_ring = false;
	lane_settle(p, lane);
	return job;
}

/* Threads */

static void pool_unref(struct pool *p)
{
	bool last;

	pthread_mutex_lock(&p->lock);
	last = --p->refs == 0;
	pthread_mutex_unlock(&p->lock);
	if (!last)
		return;
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static void wake_loop(struct pool *p)
{
	const uint64_t one = 1;

	/* It fails only where the counter is full, and then the loop is awake. */
	(void)!write(p->wake.fd, &one, sizeof(one));
}

/* A job has run. Returns it where nobody waits for it any more, to be dropped. */
static struct pool_job *ran(struct pool *p, struct pool_job *job)
{
	job->lane->running--;
	lane_settle(p, job->lane);
	job->lane = NULL;
	if (p->stop || job->cancelled)
		return job;
	job->st = POOL_DONE;
	if (!p->done)
		wake_loop(p);
	DL_APPEND(p->done, job);
	return NULL;
}

/* The loop's own niceness, which a thread begins with, may be any. */
static void stand_back(int nice)
{
	const id_t own = (id_t)gettid();
	int now;

	if (nice == 0)
		return;
	errno = 0;
	now = getpriority(PRIO_PROCESS, own);
	if (errno == 0)
		(void)setpriority(PRIO_PROCESS, own, now + nice);
}

static void *work(void *arg)
{
	struct pool *p = arg;
	struct pool_job *job;

	stand_back(p->params.nice);
	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		job = take(p);
		if (!job) {
			p->idle++;
			pthread_cond_wait(&p->work, &p->lock);
			p->idle--;
			continue;
		}
		pthread_mutex_unlock(&p->lock);
		job->run(job);
		pthread_mutex_lock(&p->lock);
		job = ran(p, job);
		if (!job)
			continue;
		pthread_mutex_unlock(&p->lock);
		job->drop(job);
		pthread_mutex_lock(&p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	pool_unref(p);
	return NULL;
}

/* With the lock held. The signals are the loop's to take. */
static int add_thread(struct pool *p)
{
	sigset_t all, before;
	pthread_t thread;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, NULL, work, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err != 0)
		return -EAGAIN;
	/* The lock is held: it has not done anything yet. Nobody waits for its end. */
	pthread_detach(thread);
	p->n_threads++;
	p->refs++;
	return 0;
}

/* Jobs */

static int enqueue(struct pool *p, struct pool_job *job, const struct source_key *from)
{
	struct pool_lane *lane;

	if (p->waiting >= p->params.jobs)
		return -ENOBUFS;
	lane = lane_get(p, from);
	if (!lane)
		return -ENOMEM;
	if (lane->waiting >= p->params.lane_jobs)
		return -ENOBUFS;
	job->cancelled = false;
	job->st = POOL_QUEUED;
	job->lane = lane;
	DL_APPEND(lane->jobs, job);
	lane->waiting++;
	p->waiting++;
	/* A thread that was woken counts as idle until it runs: hence "as many as jobs". */
	if (p->idle < p->waiting && p->n_threads < p->params.threads && add_thread(p) < 0 &&
	    p->n_threads == 0) {
		unqueue(p, job);
		lane_settle(p, lane);
		return -EAGAIN;
	}
	lane_settle(p, lane);
	pthread_cond_signal(&p->work);
	return 0;
}

int pool_submit(struct pool *p, struct pool_job *job, const struct source_key *from)
{
	int err;

	pthread_mutex_lock(&p->lock);
	err = enqueue(p, job, from);
	pthread_mutex_unlock(&p->lock);
	return err;
}

bool pool_take_back(struct pool *p, struct pool_job *job)
{
	bool queued;

	pthread_mutex_lock(&p->lock);
	queued = job->st == POOL_QUEUED;
	if (queued) {
		unqueue(p, job);
		lane_settle(p, job->lane);
	}
	pthread_mutex_unlock(&p->lock);
	return queued;
}

void pool_cancel(struct pool *p, struct pool_job *job)
{
	bool now = true;

	pthread_mutex_lock(&p->lock);
	if (job->st == POOL_QUEUED) {
		unqueue(p, job);
		lane_settle(p, job->lane);
	} else if (job->st == POOL_DONE) {
		DL_DELETE(p->done, job);
	} else if (job->st == POOL_RUNNING) {
		job->cancelled = true;
		now = false;
	}
	pthread_mutex_unlock(&p->lock);
	if (now)
		job->drop(job);
}

static struct pool_job *next_done(struct pool *p)
{
	struct pool_job *job;

	pthread_mutex_lock(&p->lock);
	job = p->done;
	if (job) {
		DL_DELETE(p->done, job);
		job->st = POOL_IDLE;
	}
	pthread_mutex_unlock(&p->lock);
	return job;
}

static void jobs_done(struct watch *w, uint32_t events)
{
	struct pool *p = LOOP_OWNER(w, struct pool, wake);
	struct pool_job *job;
	uint64_t n;

	(void)events;
	/* Before the look: what comes after it wakes us again. */
	(void)!read(w->fd, &n, sizeof(n));
	/* One at a time: what one does may cancel another. */
	while ((job = next_done(p)))
		job->done(job);
}

/* Birth and death */

int pool_new(struct pool **out, const struct pool_params *params)
{
	struct pool *p = calloc(1, sizeof(*p));
	int err;

	*out = NULL;
	if (!p)
		return -ENOMEM;
	p->params = *params;
	p->refs = 1;
	p->wake.ready = jobs_done;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	p->wake.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	err = p->wake.fd < 0 ? -errno : loop_want(params->loop, &p->wake, EPOLLIN);
	if (err < 0)
		pool_free(p);
	else
		*out = p;
	return err;
}

void pool_free(struct pool *p)
{
	struct pool_job *left, *job;
	struct pool_lane *lane, *next;

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	left = p->done;
	p->done = NULL;
	HASH_ITER (hh, p->lanes, lane, next) {
		DL_CONCAT(left, lane->jobs);
		lane->jobs = NULL;
		lane->waiting = 0;
		lane_settle(p, lane);
	}
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	while ((job = left)) {
		DL_DELETE(left, job);
		job->drop(job);
	}
	loop_close(p->params.loop, &p->wake);
	pool_unref(p);
}
