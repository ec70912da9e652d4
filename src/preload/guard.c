#include "guard.h"

#include "fds.h"
#include "helper.h"
#include "lock.h"
#include "page.h"
#include "port.h"
#include "real.h"

#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * Out of the way of what programs count upon (select() and its 1024, shells' 10 and 255), and not
 * so high that the kernel's table would grow by much.
 */
#define FLOOR_MAX 4096

#define MARKS (FD_OURS | FD_PARKED)

atomic_bool guard_raised;

/*
 * In a forked child. The kernel wiped the page, so all that its parent had under way is known to be
 * another one's.
 *
 * @whole  the lock was held at the fork, so what is known of the ports is true: they are kept
 */
static void leave_to_parent(bool whole)
{
	int saved = errno;
	bool keeps = false;

	if (!atomic_exchange(&guard_raised, false))
		return;
	for (int fd = fds_next(0, MARKS); fd >= 0; fd = fds_next(fd + 1, MARKS)) {
		struct fd_entry *e = fds_find(fd);

		atomic_store_explicit(&e->job, NULL, memory_order_relaxed);
		if (whole && fds_has(e, FD_OURS) && port_has(fd)) {
			keeps = true;
			continue;
		}
		if (fds_has(e, FD_OURS))
			real->close(fd);
		fds_clear(e, MARKS);
	}
	helper_in_child(whole);
	if (keeps)
		guard_raise();
	errno = saved;
}

enum guard guard_ask(void)
{
	pid_t owner;

	if (!guard_is_up())
		return GUARD_DOWN;
	owner = atomic_load_explicit(&page_get()->owner, memory_order_relaxed);
	if (owner == getpid())
		return GUARD_MINE;
	if (owner != 0)
		return GUARD_ALIEN;
	leave_to_parent(false);
	return GUARD_DOWN;
}

/*
 * A child has copies of what is ours. In the midst of a change it would not know of all, and would
 * keep a connection of its parent's open.
 */
static struct lock_guard fork_lock; /* under that lock */

static void before_fork(void)
{
	struct lock_guard g;

	lock_take(&g, LOCK_PARKING);
	fork_lock = g;
}

static void after_fork(void)
{
	struct lock_guard g = fork_lock;

	lock_release(&g);
}

/* So that a child which never calls a hook of ours does not keep its parent's connections open. */
static void in_child(void)
{
	atomic_store_explicit(&page_get()->owner, 0, memory_order_relaxed);
	if (guard_is_up())
		leave_to_parent(true);
	after_fork();
}

void guard_init(void)
{
	pthread_atfork(before_fork, after_fork, in_child);
}

void guard_raise(void)
{
	atomic_store(&page_get()->owner, getpid());
	atomic_store(&guard_raised, true);
}

void guard_lower(void)
{
	atomic_store(&guard_raised, false);
	atomic_store(&page_get()->owner, 0);
}

int guard_floor(void)
{
	struct rlimit limit;
	int three_quarters;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= FLOOR_MAX * 2)
		return FLOOR_MAX;
	three_quarters = (int)(limit.rlim_cur - limit.rlim_cur / 4);
	return three_quarters < FLOOR_MAX ? three_quarters : FLOOR_MAX;
}

void guard_claim(int fd, struct worker_job *job)
{
	struct fd_entry *e = fds_make(fd);

	if (!e)
		return;
	atomic_store_explicit(&e->job, job, memory_order_relaxed);
	fds_set(e, FD_OURS);
}

void guard_disclaim(int fd)
{
	struct fd_entry *e = fds_find(fd);

	if (!e)
		return;
	fds_clear(e, FD_OURS);
	atomic_store_explicit(&e->job, NULL, memory_order_relaxed);
}
