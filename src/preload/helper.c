/*
 * How it works: whoever holds the helper adds jobs to its worker; the thread turns the worker, and
 * ends under the lock, so that nobody can take hold of one that is going. All system calls on
 * sockets under way are the thread's, which therefore also moves them to other numbers.
 */
#include "helper.h"

#include "epolls.h"
#include "fds.h"
#include "guard.h"
#include "lock.h"
#include "real.h"

#include <base/clock.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

#define NAME      "socksify"
#define LINGER_MS 3000        /* the thread stays as long without a job */
#define STACK     (64 * 1024) /* beyond what the program's own static TLS takes */

static struct helper helper;
static bool runs;  /* under the lock, as is what follows */
static bool grown; /* the table has room from the floor on */
static size_t holds;
static atomic_int wanted = -1; /* the number that helper_move() wants to be free */

static int *const cores[] = {
	&helper.worker.epoll_fd,   &helper.worker.event_fd,   &helper.spare_fd,
	&helper.hole.v4.listen_fd, &helper.hole.v4.refuse_fd, &helper.hole.v6.listen_fd,
	&helper.hole.v6.refuse_fd,
};
#define N_CORES (sizeof(cores) / sizeof(cores[0]))

void helper_claim(void)
{
	for (size_t i = 0; i < N_CORES; i++)
		if (*cores[i] >= 0)
			guard_claim(*cores[i], NULL);
}

static void close_cores(void)
{
	for (size_t i = 0; i < N_CORES; i++)
		if (*cores[i] >= 0)
			guard_disclaim(*cores[i]);
	worker_close(&helper.worker);
	blackhole_close(&helper.hole);
	if (helper.spare_fd >= 0)
		real->close(helper.spare_fd);
	helper.spare_fd = -1;
}

/*
 * To number a descriptor high makes the kernel's table grow, for which it waits a good while where
 * there are threads: that is left to the helper then.
 */
static bool is_alone(void)
{
	const char *alone = dlsym(RTLD_DEFAULT, "__libc_single_threaded"); /* glibc 2.32 */

	return alone && *alone;
}

static int open_cores(void)
{
	int floor = grown ? helper.floor : 0;
	int err = worker_open(&helper.worker, &real_sys, floor);

	if (err < 0)
		return err;
	err = blackhole_open(&helper.hole, &real_sys, floor);
	if (err < 0) {
		worker_close(&helper.worker);
		return err;
	}
	helper.spare_fd = real->fcntl(helper.worker.event_fd, F_DUPFD_CLOEXEC, floor);
	if (helper.spare_fd < 0) {
		err = -errno;
		worker_close(&helper.worker);
		blackhole_close(&helper.hole);
		return err;
	}
	helper_claim();
	return 0;
}

/* Ends, under the lock, where nobody holds it. */
static bool may_end(void)
{
	struct lock_guard g;
	bool ends;

	lock_take(&g, LOCK_PARKING);
	ends = holds == 0;
	if (ends) {
		close_cores();
		guard_lower();
		runs = false;
	}
	lock_release(&g);
	return ends;
}

static void move_core(int fd)
{
	for (size_t i = 0; i < N_CORES; i++) {
		int high;

		if (*cores[i] != fd)
			continue;
		high = real->fcntl(fd, F_DUPFD_CLOEXEC, helper.floor);
		if (high < 0)
			return;
		guard_claim(high, NULL);
		*cores[i] = high;
		guard_disclaim(fd);
		real->close(fd);
	}
}

/* Of a socket that is dialled, its entry names the job. */
static void move_job(int fd, struct worker_job *job)
{
	int high = real->fcntl(fd, F_DUPFD_CLOEXEC, helper.floor);

	if (high < 0)
		return;
	guard_claim(high, job);
	worker_renumber(&helper.worker, job, high);
	guard_disclaim(fd);
	real->close(fd);
}

/* Under the lock. */
static void move(int fd)
{
	const struct fd_entry *e = fds_find(fd);
	struct worker_job *job;

	if (!fds_has(e, FD_OURS))
		return;
	job = atomic_load_explicit(&e->job, memory_order_relaxed);
	if (job)
		move_job(fd, job);
	else
		move_core(fd);
}

static void move_wanted(void)
{
	int fd = atomic_load_explicit(&wanted, memory_order_acquire);
	struct lock_guard g;

	if (fd < 0)
		return;
	lock_take(&g, LOCK_PARKING);
	move(fd);
	atomic_store_explicit(&wanted, -1, memory_order_release);
	lock_release(&g);
}

int helper_raise(int fd)
{
	int high = grown ? real->fcntl(fd, F_DUPFD_CLOEXEC, helper.floor) : -1;

	if (high < 0)
		return fd;
	real->close(fd);
	return high;
}

/* What was left low while there was no room. */
static void raise_all(void)
{
	int high = real->fcntl(helper.spare_fd, F_DUPFD_CLOEXEC, helper.floor);
	struct lock_guard g;

	/* The table has grown, and nobody had to wait for it under the lock. */
	if (high >= 0)
		real->close(high);
	lock_take(&g, LOCK_PARKING);
	for (int fd = fds_next(0, FD_OURS); fd >= 0 && fd < helper.floor;
	     fd = fds_next(fd + 1, FD_OURS))
		move(fd);
	grown = true;
	lock_release(&g);
}

static void *run(void *arg)
{
	int64_t busy_ms = clock_ms();

	(void)arg;
	prctl(PR_SET_NAME, NAME);
	if (!grown)
		raise_all();
	for (;;) {
		int n = worker_turn(&helper.worker, LINGER_MS);
		int64_t now = clock_ms();

		move_wanted();
		if (n < 0)
			worker_fail(&helper.worker, n);
		if (n > 0)
			busy_ms = now;
		else if (now - busy_ms >= LINGER_MS && may_end())
			return NULL;
	}
}

/* Static TLS lies on the stack; how much there is glibc tells to those who ask (as Java's does). */
static size_t stack_size(const pthread_attr_t *attr)
{
	size_t (*min_stack)(const pthread_attr_t *) = NULL;
	size_t least = PTHREAD_STACK_MIN;

	*(void **)&min_stack = dlsym(RTLD_DEFAULT, "__pthread_get_minstack");
	if (min_stack)
		least = min_stack(attr);
	return least + STACK;
}

/* The caller's signals are blocked, by the lock; so are the thread's, for good. */
static int start_thread(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	if (pthread_attr_init(&attr) != 0)
		return -ENOMEM;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, stack_size(&attr));
	err = pthread_create(&thread, &attr, run, NULL);
	if (err == EINVAL) {
		pthread_attr_destroy(&attr);
		pthread_attr_init(&attr);
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		err = pthread_create(&thread, &attr, run, NULL);
	}
	pthread_attr_destroy(&attr);
	return -err;
}

static int start(void)
{
	static bool imported;
	int err;

	if (!imported)
		epolls_import();
	imported = true;

	holds = 0;
	helper.generation++;
	helper.floor = guard_floor();
	grown = is_alone();
	atomic_store(&wanted, -1);
	guard_raise();
	err = open_cores();
	if (err < 0) {
		guard_lower();
		return err;
	}
	err = start_thread();
	if (err < 0) {
		close_cores();
		guard_lower();
		return err;
	}
	runs = true;
	return 0;
}

struct helper *helper_hold(int *err)
{
	enum guard whose = guard_ask();

	if (whose == GUARD_ALIEN) {
		*err = -EAGAIN;
		return NULL;
	}
	/* What a forked child sees was its parent's. */
	if (whose == GUARD_DOWN || !runs) {
		*err = start();
		if (*err < 0)
			return NULL;
	}
	holds++;
	return &helper;
}

void helper_release(void)
{
	holds--;
}

void helper_move(int fd)
{
	struct lock_guard g;
	bool goes_on;
	int none = -1;

	lock_take(&g, LOCK_PARKING);
	goes_on = runs;
	holds += goes_on;
	lock_release(&g);
	if (!goes_on)
		return;
	while (!atomic_compare_exchange_weak(&wanted, &none, fd)) {
		none = -1;
		lock_nap();
	}
	lock_take(&g, LOCK_PARKING);
	worker_kick(&helper.worker);
	lock_release(&g);
	while (atomic_load_explicit(&wanted, memory_order_acquire) == fd)
		lock_nap();
	lock_take(&g, LOCK_PARKING);
	helper_release();
	lock_release(&g);
}
