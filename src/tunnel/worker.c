/*
 * How it works: jobs come in by two inboxes, stacks to which any thread pushes, and which the
 * thread that turns takes whole. What was cancelled is taken before what was added, and seen to
 * after it, so that no cancel comes before its job. A job is ended by whoever moves its state away
 * from JOB_PENDING: the worker, which then calls done(), or its owner, who has it put into the
 * inbox of the cancelled.
 *
 * Each socket is registered once, edge-triggered for all there is. That suffices since a step goes
 * on until the socket has no more to give, but for the moment after a message was sent, when it is
 * told to look again (d->asked). The eventfd's count is never read: each write is an edge.
 *
 * Watches are told from jobs by the lowest bit of the pointer that the epoll keeps. One that is
 * removed may still have an event in what the epoll has just given, which is then taken out.
 */
#include <tunnel/worker.h>

#include <base/clock.h>
#include <errno.h>
#include <sched.h>
#include <sys/eventfd.h>

#define EVENTS_MAX 64 /* that are taken at once */
#define RETRY_MS   20 /* before a start that could not be made is tried again */

enum { JOB_PENDING, JOB_FINISHED, JOB_CANCELLED };

int worker_open(struct worker *w, const struct sys *sys, int floor)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.ptr = NULL };
	int err;

	*w = (struct worker){ .sys = sys, .event_fd = -1, .next_ms = DEADLINE_NEVER };
	w->epoll_fd = err = sys_raise(sys, sys->epoll_create1(EPOLL_CLOEXEC), floor);
	if (err < 0)
		return err;
	w->event_fd = err = sys_raise(sys, sys->eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), floor);
	if (err >= 0 && sys->epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->event_fd, &ev) == 0)
		return 0;
	if (err >= 0)
		err = -errno;
	worker_close(w);
	return err;
}

static void close_one(const struct sys *sys, int *fd)
{
	if (*fd >= 0)
		sys->close(*fd);
	*fd = -1;
}

void worker_close(struct worker *w)
{
	close_one(w->sys, &w->event_fd);
	close_one(w->sys, &w->epoll_fd);
	w->watches = NULL;
}

void worker_kick(struct worker *w)
{
	const uint64_t one = 1;

	/* It fails only where as many kicks as fit into 64 bits have gone before. */
	(void)w->sys->write(w->event_fd, &one, sizeof(one));
}

void worker_add(struct worker *w, struct worker_job *job)
{
	struct worker_job *head = atomic_load(&w->added);

	atomic_store(&job->state, JOB_PENDING);
	job->registered = false;
	job->failed = 0;
	do
		job->next_added = head;
	while (!atomic_compare_exchange_weak(&w->added, &head, job));
	/* Whoever was first in here kicks for all. */
	if (!head)
		worker_kick(w);
}

bool worker_cancel(struct worker *w, struct worker_job *job)
{
	struct worker_job *head;
	int pending = JOB_PENDING;

	if (!atomic_compare_exchange_strong(&job->state, &pending, JOB_CANCELLED))
		return false;
	head = atomic_load(&w->cancelled);
	do
		job->next_cancelled = head;
	while (!atomic_compare_exchange_weak(&w->cancelled, &head, job));
	if (!head)
		worker_kick(w);
	return true;
}

/* May the worker end it? Where its owner has cancelled it, it comes by the inbox in a moment. */
static bool claim(struct worker_job *job)
{
	int pending = JOB_PENDING;

	return atomic_compare_exchange_strong(&job->state, &pending, JOB_FINISHED);
}

static void link_job(struct worker *w, struct worker_job *job)
{
	job->prev = NULL;
	job->next = w->jobs;
	if (job->next)
		job->next->prev = job;
	w->jobs = job;
	w->n_jobs++;
}

static void forget(struct worker *w, struct worker_job *job)
{
	struct epoll_event none = { 0 };

	if (job->registered)
		w->sys->epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, job->dial.fd, &none);
	if (job->prev)
		job->prev->next = job->next;
	else
		w->jobs = job->next;
	if (job->next)
		job->next->prev = job->prev;
	if (--w->n_jobs == 0 && !w->watches)
		w->next_ms = DEADLINE_NEVER;
}

static void fail_job(struct worker *w, struct worker_job *job, int err)
{
	if (!claim(job))
		return;
	if (!job->start)
		dial_abandon(&job->dial, job->dial.fd);
	forget(w, job);
	job->done(job, err);
}

static void note_ms(struct worker *w, int64_t until_ms)
{
	if (until_ms < w->next_ms)
		w->next_ms = until_ms;
}

static void note_time(struct worker *w, const struct worker_job *job)
{
	note_ms(w, job->dial.until_ms);
}

static void step(struct worker *w, struct worker_job *job, int waited)
{
	int err;

	if (atomic_load(&job->state) == JOB_CANCELLED)
		return;
	err = dial_step(&job->dial, waited);
	while (err == -EINPROGRESS && job->dial.asked)
		err = dial_step(&job->dial, 0);
	if (err == -EINPROGRESS) {
		note_time(w, job);
	} else if (claim(job)) {
		forget(w, job);
		job->done(job, err);
	}
}

static int watch(struct worker *w, struct worker_job *job)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		                  .data.ptr = job };

	job->registered = w->sys->epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, job->dial.fd, &ev) == 0;
	return job->registered ? 0 : -errno;
}

/* It is linked. */
static void start(struct worker *w, struct worker_job *job)
{
	int err = job->start ? job->start(job) : -EINPROGRESS;

	if (err == -EAGAIN) {
		job->dial.until_ms = clock_ms() + RETRY_MS;
		note_time(w, job);
		return;
	}
	job->start = NULL;
	if (err == -EINPROGRESS) {
		err = watch(w, job);
		note_time(w, job);
		if (err < 0)
			fail_job(w, job, err);
	} else if (claim(job)) {
		forget(w, job);
		job->done(job, err);
	}
}

static void take_added(struct worker *w, struct worker_job *job)
{
	for (struct worker_job *next; job; job = next) {
		next = job->next_added;
		link_job(w, job);
		if (atomic_load(&job->state) == JOB_PENDING)
			start(w, job);
	}
}

static void take_cancelled(struct worker *w, struct worker_job *job)
{
	for (struct worker_job *next; job; job = next) {
		next = job->next_cancelled;
		forget(w, job);
		job->done(job, -ECANCELED);
	}
}

static void take_inboxes(struct worker *w)
{
	struct worker_job *cancelled = atomic_exchange(&w->cancelled, NULL);
	struct worker_job *added = atomic_exchange(&w->added, NULL);

	take_added(w, added);
	take_cancelled(w, cancelled);
}

static void take_expired_watches(struct worker *w, int64_t now)
{
	for (struct worker_watch *watch = w->watches; watch; watch = w->next_watch) {
		w->next_watch = watch->next;
		if (watch->lost)
			watch->ready(watch, EPOLLERR);
		else if (watch->until_ms <= now)
			watch->ready(watch, 0);
		else
			note_ms(w, watch->until_ms);
	}
	w->next_watch = NULL;
}

/* See to those whose time has come, and look when the next one's does. */
static void take_expired(struct worker *w)
{
	int64_t now = clock_ms();

	if (now < w->next_ms)
		return;
	w->next_ms = DEADLINE_NEVER;
	for (struct worker_job *job = w->jobs, *next; job; job = next) {
		next = job->next;
		if (atomic_load(&job->state) == JOB_CANCELLED)
			continue;
		if (job->failed < 0)
			fail_job(w, job, job->failed);
		else if (job->start && job->dial.until_ms <= now)
			start(w, job);
		else if (job->dial.until_ms <= now)
			step(w, job, -ETIMEDOUT);
		else
			note_time(w, job);
	}
	take_expired_watches(w, now);
}

static int wait_ms(const struct worker *w, int limit_ms)
{
	int left = clock_left_ms(w->next_ms, clock_ms());

	return limit_ms >= 0 && (left < 0 || limit_ms < left) ? limit_ms : left;
}

#define WATCH_BIT ((uintptr_t)1)

/* NULL where it is a job's, or nobody's. */
static struct worker_watch *watch_of(const struct epoll_event *ev)
{
	uintptr_t tagged = (uintptr_t)ev->data.ptr;

	return tagged & WATCH_BIT ? (struct worker_watch *)(tagged - WATCH_BIT) : NULL;
}

static int control(struct worker *w, struct worker_watch *watch, int op)
{
	struct epoll_event ev = { .events = watch->events,
		                  .data.ptr = (void *)((uintptr_t)watch | WATCH_BIT) };

	return w->sys->epoll_ctl(w->epoll_fd, op, watch->fd, &ev) == 0 ? 0 : -errno;
}

int worker_watch_add(struct worker *w, struct worker_watch *watch)
{
	int err = control(w, watch, EPOLL_CTL_ADD);

	if (err < 0)
		return err;
	watch->lost = false;
	watch->prev = NULL;
	watch->next = w->watches;
	if (watch->next)
		watch->next->prev = watch;
	w->watches = watch;
	note_ms(w, watch->until_ms);
	return 0;
}

void worker_watch_remove(struct worker *w, struct worker_watch *watch)
{
	control(w, watch, EPOLL_CTL_DEL);
	for (int i = 0; i < w->n_batch; i++)
		if (watch_of(&w->batch[i]) == watch)
			w->batch[i].data.ptr = NULL;
	if (w->next_watch == watch)
		w->next_watch = watch->next;
	if (watch->prev)
		watch->prev->next = watch->next;
	else
		w->watches = watch->next;
	if (watch->next)
		watch->next->prev = watch->prev;
}

/* Its owner is told in the next turn. */
static void lose(struct worker *w, struct worker_watch *watch)
{
	watch->lost = true;
	w->next_ms = 0;
}

void worker_watch_change(struct worker *w, struct worker_watch *watch, uint32_t events,
                         int64_t until_ms)
{
	bool same = watch->events == events;

	watch->events = events;
	watch->until_ms = until_ms;
	note_ms(w, until_ms);
	if (!same && !watch->lost && control(w, watch, EPOLL_CTL_MOD) < 0)
		lose(w, watch);
}

void worker_watch_renumber(struct worker *w, struct worker_watch *watch, int fd)
{
	/* A registration is of a number, and outlives it as long as the socket has another. */
	control(w, watch, EPOLL_CTL_DEL);
	watch->fd = fd;
	if (control(w, watch, EPOLL_CTL_ADD) < 0)
		lose(w, watch);
}

struct worker_watch *worker_watch_find(const struct worker *w, int fd)
{
	struct worker_watch *watch = w->watches;

	while (watch && watch->fd != fd)
		watch = watch->next;
	return watch;
}

int worker_turn(struct worker *w, int limit_ms)
{
	struct epoll_event evs[EVENTS_MAX];
	int n = w->sys->epoll_wait(w->epoll_fd, evs, EVENTS_MAX, wait_ms(w, limit_ms));

	if (n < 0 && errno != EINTR)
		return -errno;
	w->batch = evs;
	w->n_batch = n;
	/* Before the inboxes: what they end can have an event in here. */
	for (int i = 0; i < n; i++) {
		struct worker_watch *watch = watch_of(&evs[i]);

		if (watch)
			watch->ready(watch, evs[i].events);
		else if (evs[i].data.ptr)
			step(w, evs[i].data.ptr, 0);
	}
	w->batch = NULL;
	w->n_batch = 0;
	take_inboxes(w);
	take_expired(w);
	/* done() may have added one, whose turn is the next. */
	return (int)w->n_jobs + (atomic_load(&w->added) ? 1 : 0);
}

void worker_fail(struct worker *w, int err)
{
	take_inboxes(w);
	while (w->jobs) {
		for (struct worker_job *job = w->jobs, *next; job; job = next) {
			next = job->next;
			fail_job(w, job, err);
		}
		/* What is left is cancelled: its owner is about to push it. */
		if (w->jobs)
			sched_yield();
		take_inboxes(w);
	}
}

void worker_renumber(struct worker *w, struct worker_job *job, int fd)
{
	struct epoll_event none = { 0 };
	int err;

	if (!job->registered) {
		job->dial.fd = fd;
		return;
	}
	/* A registration is of a number, and outlives it as long as the socket has another. */
	w->sys->epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, job->dial.fd, &none);
	job->dial.fd = fd;
	err = watch(w, job);
	if (err < 0) {
		/* Its owner has it in hand: it ends in the next turn. */
		job->failed = err;
		w->next_ms = 0;
	}
}
