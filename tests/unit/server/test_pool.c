#include "unit.h"

#include <errno.h>
#include <pool.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

#define JOBS 200

/* What the jobs of a test share. */
struct desk {
	struct loop loop;
	struct pool *pool;
	pthread_mutex_t lock;
	pthread_cond_t news;
	bool open;             /* jobs with ->gated may end */
	unsigned begun;        /* jobs in run() */
	unsigned ran, dropped; /* drop() may come in any thread */
	unsigned done, wanted; /* the loop stops when so many are done */
	unsigned most, now;    /* at once in run() */
	int order[JOBS];       /* of run() */
};

struct task {
	struct pool_job job;
	struct desk *desk;
	bool gated;
	int number;
	uint64_t value; /* run() writes it, done() reads it */
};

static void task_run(struct pool_job *job)
{
	struct task *t = LOOP_OWNER(job, struct task, job);
	struct desk *d = t->desk;

	pthread_mutex_lock(&d->lock);
	d->begun++;
	if (++d->now > d->most)
		d->most = d->now;
	pthread_cond_broadcast(&d->news);
	while (t->gated && !d->open)
		pthread_cond_wait(&d->news, &d->lock);
	if (d->ran < JOBS)
		d->order[d->ran] = t->number;
	d->ran++;
	d->now--;
	pthread_mutex_unlock(&d->lock);
	t->value = (uint64_t)t->number * 3;
}

static void task_done(struct pool_job *job)
{
	struct task *t = LOOP_OWNER(job, struct task, job);

	ck_assert_uint_eq(t->value, (uint64_t)t->number * 3);
	if (++t->desk->done == t->desk->wanted)
		loop_stop(&t->desk->loop);
	free(t);
}

static void task_drop(struct pool_job *job)
{
	struct task *t = LOOP_OWNER(job, struct task, job);
	struct desk *d = t->desk;

	free(t);
	pthread_mutex_lock(&d->lock);
	d->dropped++;
	pthread_cond_broadcast(&d->news);
	pthread_mutex_unlock(&d->lock);
}

static void desk_init(struct desk *d, struct pool_params params)
{
	memset(d, 0, sizeof(*d));
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->news, NULL);
	ck_assert_int_eq(loop_init(&d->loop), 0);
	params.loop = &d->loop;
	ck_assert_int_eq(pool_new(&d->pool, &params), 0);
}

static void desk_fini(struct desk *d)
{
	pool_free(d->pool);
	loop_fini(&d->loop);
	pthread_mutex_destroy(&d->lock);
	pthread_cond_destroy(&d->news);
}

static struct source_key source(unsigned n)
{
	return (struct source_key){ .family = 1,
		                    .ip = { 10, (uint8_t)(n >> 8), (uint8_t)(n & 0xff) } };
}

static int submit(struct desk *d, unsigned from, int number, bool gated, struct task **out)
{
	struct source_key key = source(from);
	struct task *t = calloc(1, sizeof(*t));
	int err;

	ck_assert_ptr_nonnull(t);
	t->job.run = task_run;
	t->job.done = task_done;
	t->job.drop = task_drop;
	t->desk = d;
	t->number = number;
	t->gated = gated;
	err = pool_submit(d->pool, &t->job, &key);
	if (out)
		*out = err == 0 ? t : NULL;
	if (err < 0)
		free(t);
	return err;
}

static void wait_begun(struct desk *d, unsigned n)
{
	pthread_mutex_lock(&d->lock);
	while (d->begun < n)
		pthread_cond_wait(&d->news, &d->lock);
	pthread_mutex_unlock(&d->lock);
}

static void wait_dropped(struct desk *d, unsigned n)
{
	pthread_mutex_lock(&d->lock);
	while (d->dropped < n)
		pthread_cond_wait(&d->news, &d->lock);
	pthread_mutex_unlock(&d->lock);
}

static void open_gate(struct desk *d)
{
	pthread_mutex_lock(&d->lock);
	d->open = true;
	pthread_cond_broadcast(&d->news);
	pthread_mutex_unlock(&d->lock);
}

static const struct pool_params plain = {
	.threads = 4,
	.lane_threads = 3,
	.jobs = JOBS,
	.lane_jobs = JOBS,
};

START_TEST(every_job_runs_and_is_told_once)
{
	struct desk d;

	desk_init(&d, plain);
	d.wanted = JOBS;
	for (int i = 0; i < JOBS; i++)
		ck_assert_int_eq(submit(&d, (unsigned)i % 7, i, false, NULL), 0);
	ck_assert_int_eq(loop_run(&d.loop), 0);
	ck_assert_uint_eq(d.ran, JOBS);
	ck_assert_uint_eq(d.done, JOBS);
	ck_assert_uint_eq(d.dropped, 0);
	ck_assert_uint_le(d.most, 4);
	desk_fini(&d);
}
END_TEST

START_TEST(a_source_never_has_all_threads)
{
	struct desk d;

	desk_init(&d, plain);
	d.wanted = 11;
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(submit(&d, 1, i, true, NULL), 0);
	wait_begun(&d, 3);
	/* The fourth thread is there for another one. */
	ck_assert_int_eq(submit(&d, 2, 99, false, NULL), 0);
	wait_begun(&d, 4);
	ck_assert_uint_le(d.most, 4);
	open_gate(&d);
	ck_assert_int_eq(loop_run(&d.loop), 0);
	ck_assert_uint_eq(d.done, 11);
	desk_fini(&d);
}
END_TEST

START_TEST(sources_take_turns)
{
	const struct pool_params one = {
		.threads = 1, .lane_threads = 1, .jobs = 99, .lane_jobs = 99
	};
	static const int order[] = { 0, 1, 10, 20, 2, 11, 21, 3, 4 };
	struct desk d;

	desk_init(&d, one);
	d.wanted = ROWS(order);
	ck_assert_int_eq(submit(&d, 1, 0, true, NULL), 0);
	wait_begun(&d, 1);
	/* A crowd of one source, and then two jobs each of two others. */
	for (int i = 1; i < 5; i++)
		ck_assert_int_eq(submit(&d, 1, i, false, NULL), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(submit(&d, 2, 10 + i, false, NULL), 0);
		ck_assert_int_eq(submit(&d, 3, 20 + i, false, NULL), 0);
	}
	open_gate(&d);
	ck_assert_int_eq(loop_run(&d.loop), 0);
	/* The crowd's place in the ring may be in front or behind; its turns are not. */
	for (int i = 1, crowd = 0, others = 0; i < ROWS(order) - 2; i++) {
		if (d.order[i] < 10)
			crowd++;
		else
			others++;
		ck_assert_int_le(crowd, others / 2 + 1);
	}
	desk_fini(&d);
}
END_TEST

START_TEST(the_queue_is_bounded_for_all_and_for_each)
{
	const struct pool_params tight = {
		.threads = 1, .lane_threads = 1, .jobs = 5, .lane_jobs = 3
	};
	struct desk d;

	desk_init(&d, tight);
	ck_assert_int_eq(submit(&d, 9, 0, true, NULL), 0);
	wait_begun(&d, 1);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(submit(&d, 1, i, false, NULL), 0);
	ck_assert_int_eq(submit(&d, 1, 3, false, NULL), -ENOBUFS);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(submit(&d, 2, i, false, NULL), 0);
	ck_assert_int_eq(submit(&d, 3, 0, false, NULL), -ENOBUFS);
	d.wanted = 6;
	open_gate(&d);
	ck_assert_int_eq(loop_run(&d.loop), 0);
	ck_assert_int_eq(submit(&d, 1, 3, false, NULL), 0);
	d.wanted++;
	ck_assert_int_eq(loop_run(&d.loop), 0);
	desk_fini(&d);
}
END_TEST

START_TEST(a_cancelled_job_is_dropped_and_never_told)
{
	const struct pool_params one = {
		.threads = 1, .lane_threads = 1, .jobs = 9, .lane_jobs = 9
	};
	struct task *running, *queued, *back, *finished;
	struct desk d;

	desk_init(&d, one);
	ck_assert_int_eq(submit(&d, 1, 0, true, &running), 0);
	wait_begun(&d, 1);
	ck_assert_int_eq(submit(&d, 1, 1, false, &queued), 0);
	ck_assert_int_eq(submit(&d, 2, 2, false, &back), 0);
	ck_assert(!pool_take_back(d.pool, &running->job));
	pool_cancel(d.pool, &running->job);
	ck_assert_uint_eq(d.dropped, 0);
	pool_cancel(d.pool, &queued->job);
	ck_assert_uint_eq(d.dropped, 1);
	ck_assert(pool_take_back(d.pool, &back->job));
	free(back);
	open_gate(&d);
	wait_dropped(&d, 2);
	/* One that has run, and whose end the loop has not seen yet; the one behind it tells. */
	ck_assert_int_eq(submit(&d, 1, 3, false, &finished), 0);
	ck_assert_int_eq(submit(&d, 1, 4, true, NULL), 0);
	wait_begun(&d, 3);
	pool_cancel(d.pool, &finished->job);
	wait_dropped(&d, 3);
	d.wanted = 1;
	ck_assert_int_eq(loop_run(&d.loop), 0);
	ck_assert_uint_eq(d.done, 1);
	desk_fini(&d);
	ck_assert_uint_eq(d.dropped, 3);
}
END_TEST

START_TEST(the_end_drops_whatever_waits_or_runs)
{
	struct desk d;

	desk_init(&d, plain);
	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(submit(&d, (unsigned)i % 5, i, i % 2 == 0, NULL), 0);
	wait_begun(&d, 4);
	open_gate(&d);
	pool_free(d.pool);
	d.pool = NULL;
	wait_dropped(&d, 50);
	ck_assert_uint_eq(d.done, 0);
	desk_fini(&d);
}
END_TEST

START_TEST(the_end_does_not_wait_for_what_hangs)
{
	const struct pool_params hang = {
		.threads = 1, .lane_threads = 1, .jobs = 9, .lane_jobs = 9
	};
	struct desk d;

	desk_init(&d, hang);
	ck_assert_int_eq(submit(&d, 1, 0, true, NULL), 0);
	wait_begun(&d, 1);
	ck_assert_int_eq(submit(&d, 1, 1, false, NULL), 0);
	pool_free(d.pool);
	d.pool = NULL;
	/* The one that hangs frees itself whenever it ends. */
	wait_dropped(&d, 1);
	open_gate(&d);
	wait_dropped(&d, 2);
	pthread_mutex_lock(&d.lock);
	pthread_mutex_unlock(&d.lock);
	desk_fini(&d);
}
END_TEST

/* A signal is for the loop, which blocks it where it needs to: no thread may take it away. */
static void mask_run(struct pool_job *job)
{
	struct task *t = LOOP_OWNER(job, struct task, job);
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	t->value = 3 * (sigismember(&mask, SIGTERM) && sigismember(&mask, SIGCHLD));
}

static void nice_run(struct pool_job *job)
{
	struct task *t = LOOP_OWNER(job, struct task, job);

	t->value = (uint64_t)(getpriority(PRIO_PROCESS, (id_t)gettid()) + 100);
}

static void nice_done(struct pool_job *job)
{
	struct task *t = LOOP_OWNER(job, struct task, job);

	t->desk->done = (unsigned)t->value;
	loop_stop(&t->desk->loop);
	free(t);
}

/* Behind the loop, however nice that is itself. */
START_TEST(threads_stand_back_from_where_the_loop_is)
{
	struct pool_params params = plain;
	struct source_key key = source(1);
	struct task *t = calloc(1, sizeof(*t));
	struct desk d;
	int own;

	ck_assert_ptr_nonnull(t);
	/* A test has a process of its own. */
	ck_assert_int_ne(nice(3), -1);
	own = getpriority(PRIO_PROCESS, 0);
	params.nice = _i;
	desk_init(&d, params);
	t->job.run = nice_run;
	t->job.done = nice_done;
	t->desk = &d;
	ck_assert_int_eq(pool_submit(d.pool, &t->job, &key), 0);
	ck_assert_int_eq(loop_run(&d.loop), 0);
	ck_assert_int_eq((int)d.done - 100, own + _i > 19 ? 19 : own + _i);
	desk_fini(&d);
}
END_TEST

START_TEST(threads_take_no_signals)
{
	struct source_key key = source(1);
	struct task *t = calloc(1, sizeof(*t));
	sigset_t mask;
	struct desk d;

	ck_assert_ptr_nonnull(t);
	desk_init(&d, plain);
	d.wanted = 1;
	t->job.run = mask_run;
	t->job.done = task_done;
	t->desk = &d;
	t->number = 1;
	ck_assert_int_eq(pool_submit(d.pool, &t->job, &key), 0);
	ck_assert_int_eq(loop_run(&d.loop), 0);
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	ck_assert(!sigismember(&mask, SIGCHLD));
	desk_fini(&d);
}
END_TEST

UNIT_MAIN("server pool", { every_job_runs_and_is_told_once, 0 },
          { a_source_never_has_all_threads, 0 }, { sources_take_turns, 0 },
          { the_queue_is_bounded_for_all_and_for_each, 0 },
          { a_cancelled_job_is_dropped_and_never_told, 0 },
          { the_end_drops_whatever_waits_or_runs, 0 }, { the_end_does_not_wait_for_what_hangs, 0 },
          { threads_stand_back_from_where_the_loop_is, 6 }, { threads_take_no_signals, 0 })
