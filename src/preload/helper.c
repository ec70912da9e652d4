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
#include "owner.h"
#include "page.h"
#include "port.h"
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
	&helper.worker.epoll_fd,
	&helper.worker.event_fd,
	&helper.spare_fd,
	&helper.hole.v4.listen_fd,
	&helper.hole.v4.refuse_fd,
	&helper.hole.v6.listen_fd,
	&helper.hole.v6.refuse_fd,
	&owner_fds[0],
	&owner_fds[1],
	&owner_fds[2],
	&owner_fds[3],
	&owner_fds[4],
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
	owner_close();
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

static void set_running(bool is)
{
	runs = is;
	atomic_store_explicit(&page_get()->running, is, memory_order_release);
}

/* Ends, under the lock, where nobody holds it, and nobody was pointed to a port since. */
static bool may_end(int64_t since_ms)
{
	struct lock_guard g;
	bool ends;

	lock_take(&g, LOCK_PARKING);
	ends = holds == 0 && port_close_all(since_ms);
	if (ends) {
		close_cores();
		guard_lower();
		set_running(false);
	}
	lock_release(&g);
	return ends;
}

static bool move_core(int fd)
{
	for (size_t i = 0; i < N_CORES; i++) {
		int high;

		if (*cores[i] != fd)
			continue;
		high = real->fcntl(fd, F_DUPFD_CLOEXEC, helper.floor);
		if (high < 0)
			return true;
		guard_claim(high, NULL);
		*cores[i] = high;
		guard_disclaim(fd);
		real->close(fd);
		return true;
	}
	return false;
}

/* Of a port, or of what it has to do with. */
static void move_watched(int fd)
{
	struct worker_watch *watch = worker_watch_find(&helper.worker, fd);
	int high = real->fcntl(fd, F_DUPFD_CLOEXEC, helper.floor);

	if (high < 0)
		return;
	guard_claim(high, NULL);
	if (watch)
		worker_watch_renumber(&helper.worker, watch, high);
	else
		port_renumber(fd, high);
	guard_disclaim(fd);
	real->close(fd);
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
	else if (!move_core(fd))
		move_watched(fd);
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
	int wait_ms = LINGER_MS;

	(void)arg;
	prctl(PR_SET_NAME, NAME);
	if (!grown)
		raise_all();
	for (;;) {
		int tend_ms = port_tend(&helper.worker), n;
		int64_t now;

		if (tend_ms >= 0 && tend_ms < wait_ms)
			wait_ms = tend_ms;
		n = worker_turn(&helper.worker, wait_ms);
		now = clock_ms();
		move_wanted();
		wait_ms = LINGER_MS;
		if (n < 0) {
			port_fail();
			worker_fail(&helper.worker, n);
		}
		if (n > 0) {
			busy_ms = now;
		} else if (now - busy_ms >= LINGER_MS) {
			int need_ms = port_need_ms(now);

			if (need_ms == 0 && may_end(now))
				return NULL;
			if (need_ms > 0)
				wait_ms = need_ms;
		}
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
	if (err == 0) {
		err = start_thread();
		if (err < 0)
			close_cores();
	}
	/* A child's ports go on to be its own. */
	if (err < 0 && !port_any_open())
		guard_lower();
	if (err < 0)
		return err;
	set_running(true);
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
	/* A child's ports are watched by nobody yet. */
	if (!runs && guard_ask() == GUARD_MINE)
		move(fd);
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

void helper_in_child(bool kept)
{
	holds = 0;
	set_running(false);
	for (size_t i = 0; i < N_CORES; i++)
		*cores[i] = -1;
	helper.worker.watches = NULL;
	port_in_child(kept);
}
