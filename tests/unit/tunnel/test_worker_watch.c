/* Watches of worker.c, over pairs of sockets. */
#include "unit.h"

#include <base/clock.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <tunnel/worker.h>
#include <unistd.h>

#define CROWD 100 /* more than are taken at once */

struct seen {
	struct worker_watch watch;
	int peer;
	int n;         /* calls */
	uint32_t last; /* what the last one was told */
	struct worker *worker;
	struct seen *victim; /* is removed, and its sockets closed, at the next call */
	bool resigns;        /* removes itself */
};

static struct worker worker;

static void leave(struct seen *s)
{
	worker_watch_remove(&worker, &s->watch);
	close(s->watch.fd);
	close(s->peer);
	s->watch.fd = -1;
}

static void ready(struct worker_watch *watch, uint32_t events)
{
	struct seen *s = (struct seen *)watch;

	s->n++;
	s->last = events;
	if (events == 0)
		worker_watch_change(&worker, watch, watch->events, DEADLINE_NEVER);
	if (s->victim && s->victim->watch.fd >= 0)
		leave(s->victim);
	if (s->resigns)
		leave(s);
}

static void begin(struct seen *s, uint32_t events, int64_t until_ms)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds),
	                 0);
	*s = (struct seen){
		.watch = { .fd = fds[0], .events = events, .until_ms = until_ms, .ready = ready },
		.peer = fds[1]
	};
	ck_assert_int_eq(worker_watch_add(&worker, &s->watch), 0);
}

static void open_worker(void)
{
	ck_assert_int_eq(worker_open(&worker, &sys_libc, 300), 0);
}

START_TEST(it_is_told_again_while_it_lasts)
{
	struct seen s;

	open_worker();
	begin(&s, EPOLLIN, DEADLINE_NEVER);
	ck_assert_int_eq(worker_turn(&worker, 0), 0);
	ck_assert_int_eq(s.n, 0);
	ck_assert_int_eq(write(s.peer, "x", 1), 1);
	for (int i = 1; i <= 3; i++) {
		ck_assert_int_eq(worker_turn(&worker, -1), 0);
		ck_assert_int_eq(s.n, i);
		ck_assert_uint_eq(s.last, EPOLLIN);
	}
	worker_watch_change(&worker, &s.watch, 0, DEADLINE_NEVER);
	worker_turn(&worker, 0);
	ck_assert_int_eq(s.n, 3);
	worker_watch_change(&worker, &s.watch, EPOLLOUT, DEADLINE_NEVER);
	worker_turn(&worker, -1);
	ck_assert_uint_eq(s.last, EPOLLOUT);
	leave(&s);
	worker_close(&worker);
}
END_TEST

START_TEST(its_time_comes_once)
{
	struct seen late, never;

	open_worker();
	begin(&never, EPOLLIN, DEADLINE_NEVER);
	begin(&late, EPOLLIN, clock_ms() + 30);
	while (late.n == 0)
		ck_assert_int_eq(worker_turn(&worker, -1), 0);
	ck_assert_uint_eq(late.last, 0);
	ck_assert_int_ge(clock_ms(), 30);
	for (int i = 0; i < 3; i++)
		worker_turn(&worker, 1);
	ck_assert_int_eq(late.n, 1);
	ck_assert_int_eq(never.n, 0);
	leave(&late);
	leave(&never);
	worker_close(&worker);
}
END_TEST

/* _i: by events, or by their time. */
START_TEST(one_may_remove_another_and_itself)
{
	static struct seen all[CROWD];
	int calls = 0;

	open_worker();
	for (int i = 0; i < CROWD; i++) {
		begin(&all[i], EPOLLIN, _i ? 0 : DEADLINE_NEVER);
		if (!_i)
			ck_assert_int_eq(write(all[i].peer, "x", 1), 1);
	}
	/* Each takes its neighbour with it, so that half of them are called. */
	for (int i = 0; i < CROWD; i++) {
		all[i].victim = &all[i ^ 1];
		all[i].resigns = true;
	}
	while (worker.watches)
		worker_turn(&worker, -1);
	for (int i = 0; i < CROWD; i++)
		calls += all[i].n;
	ck_assert_int_eq(calls, CROWD / 2);
	worker_close(&worker);
}
END_TEST

START_TEST(its_number_may_change)
{
	struct seen s;
	int low, high;

	open_worker();
	begin(&s, EPOLLIN, DEADLINE_NEVER);
	low = s.watch.fd;
	high = fcntl(low, F_DUPFD_CLOEXEC, 500);
	ck_assert_int_ge(high, 500);
	ck_assert_ptr_eq(worker_watch_find(&worker, low), &s.watch);
	worker_watch_renumber(&worker, &s.watch, high);
	ck_assert_ptr_null(worker_watch_find(&worker, low));
	ck_assert_ptr_eq(worker_watch_find(&worker, high), &s.watch);
	/* Still open elsewhere, as in a child: nothing of the former number must be left. */
	ck_assert_int_eq(write(s.peer, "x", 1), 1);
	worker_turn(&worker, -1);
	ck_assert_int_eq(s.n, 1);
	close(low);
	worker_turn(&worker, -1);
	ck_assert_int_eq(s.n, 2);
	/* A number that the epoll can't have. */
	worker_watch_renumber(&worker, &s.watch, 900);
	worker_turn(&worker, -1);
	ck_assert_int_eq(s.n, 3);
	ck_assert_uint_eq(s.last, EPOLLERR);
	s.watch.fd = high;
	leave(&s);
	worker_close(&worker);
}
END_TEST

START_TEST(what_can_not_be_watched_is_refused)
{
	struct worker_watch watch = { .fd = 900, .events = EPOLLIN, .ready = ready };

	open_worker();
	ck_assert_int_eq(worker_watch_add(&worker, &watch), -EBADF);
	ck_assert_ptr_null(worker.watches);
	worker_close(&worker);
}
END_TEST

static struct {
	pthread_t by;
	int started, ended;
} job_seen;

static int start_job(struct worker_job *job)
{
	(void)job;
	job_seen.started++;
	return -ECONNREFUSED;
}

static void done_job(struct worker_job *job, int err)
{
	(void)job;
	ck_assert_int_eq(err, -ECONNREFUSED);
	job_seen.ended++;
}

static void ready_to_add(struct worker_watch *watch, uint32_t events)
{
	static struct worker_job job;

	(void)events;
	job = (struct worker_job){ .start = start_job, .done = done_job };
	worker_add(&worker, &job);
	worker_watch_change(&worker, watch, 0, DEADLINE_NEVER);
}

START_TEST(jobs_are_counted_apart_and_may_be_added_by_one)
{
	struct seen s;

	open_worker();
	begin(&s, EPOLLOUT, DEADLINE_NEVER);
	s.watch.ready = ready_to_add;
	while (job_seen.ended == 0)
		ck_assert_int_ge(worker_turn(&worker, -1), 0);
	ck_assert_int_eq(job_seen.started, 1);
	ck_assert_int_eq(worker_turn(&worker, 0), 0);
	leave(&s);
	worker_close(&worker);
}
END_TEST

UNIT_MAIN("tunnel worker watches", { it_is_told_again_while_it_lasts, 0 },
          { its_time_comes_once, 0 }, { one_may_remove_another_and_itself, 2 },
          { its_number_may_change, 0 }, { what_can_not_be_watched_is_refused, 0 },
          { jobs_are_counted_apart_and_may_be_added_by_one, 0 })
