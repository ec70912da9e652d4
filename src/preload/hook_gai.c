/*
 * getaddrinfo_a() and its like. How it works: a look-up that asks nobody is over before the call
 * returns. Those that libc has to answer go, in turn, to one thread a call; what a program asks of
 * them is answered from a list of such calls, under the lock, and whoever waits does so on a number
 * that grows with each that is over.
 */
#include "answer.h"
#include "idn.h"
#include "lock.h"
#include "real.h"

#include <base/clock.h>
#include <base/errtext.h>
#include <base/log.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREAD_NAME "socksify-names"

enum request_state { REQUEST_WAITING, REQUEST_RUNNING, REQUEST_OVER };

struct request {
	struct gaicb *cb; /* the program's, until it is over */
	enum request_state state;
};

/* One call of getaddrinfo_a(), as long as a thread works for it. */
struct batch {
	struct batch *next;
	pid_t pid; /* a forked child inherits the list, and no thread */
	struct sigevent event;
	size_t n;
	struct request all[];
};

/* For a thread of the program's own that is told of the end. */
struct notice {
	void (*function)(union sigval value);
	union sigval value;
};

static struct batch *batches;  /* under the lock */
static _Atomic uint32_t ended; /* requests, of all times */

/* Under the lock. A child of fork finds it whole: one store makes each change. */
static void enlist(struct batch *b)
{
	struct lock_guard g;

	lock_take(&g, LOCK_TABLES);
	b->next = batches;
	batches = b;
	lock_release(&g);
}

static void delist(struct batch *b)
{
	struct batch **at;
	struct lock_guard g;

	lock_take(&g, LOCK_TABLES);
	for (at = &batches; *at && *at != b; at = &(*at)->next)
		;
	if (*at)
		*at = b->next;
	lock_release(&g);
}

/* Under the lock. NULL where it is over, or was never asked for. */
static struct request *find(const struct gaicb *cb)
{
	pid_t self = getpid();

	for (struct batch *b = batches; b; b = b->next)
		for (size_t i = 0; b->pid == self && i < b->n; i++)
			if (b->all[i].cb == cb && b->all[i].state != REQUEST_OVER)
				return &b->all[i];
	return NULL;
}

static int result_of(const struct gaicb *cb)
{
	return __atomic_load_n(&cb->__return, __ATOMIC_ACQUIRE);
}

static void set_result(struct gaicb *cb, int result)
{
	__atomic_store_n(&cb->__return, result, __ATOMIC_RELEASE);
}

static long futex(int op, uint32_t value, const long timeout[2])
{
	return syscall(SYS_futex, &ended, op | FUTEX_PRIVATE_FLAG, value, timeout, NULL, 0);
}

/* Under the lock: from here on it is the program's again. */
static void finish(struct request *rq, int result)
{
	rq->state = REQUEST_OVER;
	set_result(rq->cb, result);
}

static void wake(void)
{
	int saved = errno;

	atomic_fetch_add(&ended, 1);
	futex(FUTEX_WAKE, INT_MAX, NULL);
	errno = saved;
}

static int look_up(struct gaicb *cb)
{
	return hook_getaddrinfo(cb->ar_name, cb->ar_service, cb->ar_request, &cb->ar_result);
}

static void run_request(struct request *rq)
{
	struct lock_guard g;
	bool mine;
	int result;

	lock_take(&g, LOCK_TABLES);
	mine = rq->state == REQUEST_WAITING;
	if (mine)
		rq->state = REQUEST_RUNNING;
	lock_release(&g);
	if (!mine)
		return;
	result = look_up(rq->cb);
	lock_take(&g, LOCK_TABLES);
	finish(rq, result);
	lock_release(&g);
	wake();
}

static void *call_back(void *arg)
{
	struct notice n = *(struct notice *)arg;
	sigset_t none;

	free(arg);
	/* Whoever made this thread has all of them blocked. */
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
	n.function(n.value);
	return NULL;
}

static int start_thread(const pthread_attr_t *attr, void *(*function)(void *), void *arg)
{
	pthread_attr_t detached;
	sigset_t all, mask;
	pthread_t thread;
	int err = 0;

	if (!attr) {
		err = pthread_attr_init(&detached);
		if (err != 0)
			return err;
		pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	}
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &mask);
	err = pthread_create(&thread, attr ? attr : &detached, function, arg);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if (!attr)
		pthread_attr_destroy(&detached);
	return err;
}

static void notify_thread(const struct sigevent *event)
{
	struct notice *n = malloc(sizeof(*n));
	int err = ENOMEM;

	if (n) {
		*n = (struct notice){ event->sigev_notify_function, event->sigev_value };
		err = start_thread(event->sigev_notify_attributes, call_back, n);
	}
	if (err == 0)
		return;
	free(n);
	log_error("%s[%d]: no thread to tell of the end of a look-up: %s",
	          program_invocation_short_name, (int)getpid(), err_text(err));
}

static void notify(const struct sigevent *event)
{
	siginfo_t info = { .si_signo = event->sigev_signo, .si_code = SI_ASYNCNL };
	int saved = errno;

	if (event->sigev_notify == SIGEV_THREAD) {
		notify_thread(event);
	} else if (event->sigev_notify == SIGEV_SIGNAL) {
		info.si_pid = getpid();
		info.si_uid = getuid();
		info.si_value = event->sigev_value;
		syscall(SYS_rt_sigqueueinfo, info.si_pid, info.si_signo, &info);
	}
	errno = saved;
}

static void run(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		run_request(&b->all[i]);
	delist(b);
}

static void run_and_notify(struct batch *b)
{
	run(b);
	notify(&b->event);
	free(b);
}

static void *work(void *arg)
{
	prctl(PR_SET_NAME, THREAD_NAME);
	run_and_notify(arg);
	return NULL;
}

/* Is it libc that has to answer? It may take its time. */
static bool is_slow(const struct gaicb *cb)
{
	const struct addrinfo *hints = cb->ar_request;
	struct answer answer;

	if (!cb->ar_name || (hints && (hints->ai_flags & AI_NUMERICHOST)))
		return false;
	if (hints && (hints->ai_flags & AI_IDN) && !idn_is_ascii(cb->ar_name))
		return true; /* what it is in ASCII is known later */
	answer_find(cb->ar_name, hints ? hints->ai_family : AF_UNSPEC, &answer);
	return answer.kind == ANSWER_LIBC && !answer.numeric;
}

/* What asks nobody is carried out, the rest becomes a batch. NULL: there is none. */
static struct batch *sort(struct gaicb *list[], size_t n, const struct sigevent *event)
{
	struct batch *b = NULL;

	for (size_t i = 0; i < n; i++) {
		struct gaicb *cb = list[i];

		if (!cb)
			continue;
		set_result(cb, EAI_INPROGRESS);
		if (!b && is_slow(cb)) {
			b = malloc(sizeof(*b) + (n - i) * sizeof(b->all[0]));
			if (b)
				*b = (struct batch){ .pid = getpid(), .event = *event };
		} else if (!b || !is_slow(cb)) {
			set_result(cb, look_up(cb));
			continue;
		}
		if (b)
			b->all[b->n++] = (struct request){ cb, REQUEST_WAITING };
		else /* no memory: what is slow is waited for */
			set_result(cb, look_up(cb));
	}
	return b;
}

int hook_getaddrinfo_a(int mode, struct gaicb *list[], int n, struct sigevent *event)
{
	const struct sigevent none = { .sigev_notify = SIGEV_NONE };
	int saved = errno, cancel_state;
	struct batch *b;

	if (mode != GAI_WAIT && mode != GAI_NOWAIT) {
		errno = EINVAL;
		return EAI_SYSTEM;
	}
	/* As libc: no cancellation in here. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
	if (!event || mode == GAI_WAIT)
		event = (struct sigevent *)&none;
	b = sort(list, n > 0 ? (size_t)n : 0, event);
	if (b)
		enlist(b);
	if (b && (mode == GAI_WAIT || start_thread(NULL, work, b) != 0))
		run_and_notify(b);
	pthread_setcancelstate(cancel_state, NULL);
	errno = saved;
	if (!b)
		notify(event); /* a handler may leave by siglongjmp() */
	return 0;
}

/* How many of them are under way. */
static size_t count_pending(const struct gaicb *const list[], int n)
{
	struct lock_guard g;
	size_t pending = 0;

	lock_take(&g, LOCK_TABLES);
	for (int i = 0; i < n; i++)
		if (list[i] && result_of(list[i]) == EAI_INPROGRESS && find(list[i]))
			pending++;
	lock_release(&g);
	return pending;
}

/* As libc: for one more to be over than are at the call. Returns 0 or an errno. */
static int wait_for_one(const struct gaicb *const list[], int n, size_t pending, int64_t until_ms)
{
	uint32_t seen = atomic_load(&ended);

	while (count_pending(list, n) == pending) {
		int left = clock_left_ms(until_ms, clock_ms());
		const long timeout[2] = { left / 1000, left % 1000 * 1000000L };

		if (left == 0)
			return ETIMEDOUT;
		if (futex(FUTEX_WAIT, seen, left < 0 ? NULL : timeout) < 0 && errno == EINTR)
			return EINTR;
		seen = atomic_load(&ended);
	}
	return 0;
}

/* Rounded up. */
static int64_t deadline_in(int64_t sec, long nsec)
{
	if (sec > INT_MAX)
		return DEADLINE_NEVER;
	return clock_ms() + sec * 1000 + (nsec + 999999) / 1000000;
}

static int suspend(const struct gaicb *const list[], int n, int64_t until_ms)
{
	size_t pending = count_pending(list, n);
	int saved = errno, cancel_state, err;

	if (pending == 0)
		return EAI_ALLDONE;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
	err = wait_for_one(list, n, pending, until_ms);
	pthread_setcancelstate(cancel_state, NULL);
	errno = saved;
	if (err == ETIMEDOUT)
		return EAI_AGAIN;
	return err == EINTR ? EAI_INTR : 0;
}

int hook_gai_suspend(const struct gaicb *const list[], int n, const struct timespec *timeout)
{
	return suspend(list, n,
	               timeout ? deadline_in(timeout->tv_sec, timeout->tv_nsec) : DEADLINE_NEVER);
}

/* A struct timespec of 32-bit programs with 64-bit time, as the kernel's of 64-bit ones. */
struct timespec_wide {
	int64_t sec;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	int32_t nsec, unused;
#else
	int32_t unused, nsec;
#endif
};

int hook___gai_suspend_time64(const struct gaicb *const list[], int n, const void *timeout)
{
	const struct timespec_wide *wide = timeout;

	return suspend(list, n, wide ? deadline_in(wide->sec, wide->nsec) : DEADLINE_NEVER);
}

int hook_gai_cancel(struct gaicb *cb)
{
	int result = EAI_ALLDONE;
	struct request *rq;
	struct lock_guard g;

	lock_take(&g, LOCK_TABLES);
	rq = find(cb);
	if (rq && rq->state == REQUEST_RUNNING)
		result = EAI_NOTCANCELED;
	if (rq && rq->state == REQUEST_WAITING) {
		result = EAI_CANCELED;
		finish(rq, EAI_CANCELED);
	}
	lock_release(&g);
	if (result == EAI_CANCELED)
		wake();
	return result;
}

int hook_gai_error(struct gaicb *cb)
{
	return result_of(cb);
}
