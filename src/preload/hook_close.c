/*
 * Closing, while connects are under way: what is ours stays open, as if it were not there, and what
 * was parked is given up.
 */
#include "fds.h"
#include "guard.h"
#include "lock.h"
#include "parked.h"
#include "real.h"

#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>

#define MARKS (FD_OURS | FD_PARKED)

/* Its registrations are gone with it, it seems: the child of vfork() closes its own alone. */
static void note_closed(struct fd_entry *e)
{
	if (e && atomic_load_explicit(&e->epoll, memory_order_relaxed) != FD_EPOLL_NONE)
		fds_set(e, FD_CLOSED);
}

static int close_marked(int fd, struct fd_entry *e)
{
	struct lock_guard g;
	struct parked *p;
	int r;

	if (guard_ask() != GUARD_MINE)
		return real->close(fd);
	lock_take(&g, LOCK_PARKING);
	if (fds_has(e, FD_OURS)) {
		lock_release(&g);
		errno = EBADF;
		return -1;
	}
	p = parked_find(fd);
	note_closed(e);
	if (p)
		parked_drop(p, fd, fd);
	r = real->close(fd);
	lock_release(&g);
	return r;
}

int hook_close(int fd)
{
	struct fd_entry *e = fds_find(fd);

	if (guard_is_up() && fds_has(e, MARKS))
		return close_marked(fd, e);
	note_closed(e);
	return real->close(fd);
}

/* Under the lock: [first, last] but for what is ours. */
static int close_between(unsigned first, unsigned last)
{
	int r = 0;

	for (int fd = fds_next((int)first, MARKS); fd >= 0 && (unsigned)fd <= last;
	     fd = fds_next(fd + 1, MARKS)) {
		struct fd_entry *e = fds_find(fd);
		struct parked *p;

		if (!fds_has(e, FD_OURS)) {
			p = parked_find(fd);
			if (p)
				parked_drop(p, fd, fd);
			continue;
		}
		if ((unsigned)fd > first)
			r = real->close_range(first, (unsigned)fd - 1, 0);
		first = (unsigned)fd + 1;
	}
	return first <= last ? real->close_range(first, last, 0) : r;
}

int hook_close_range(unsigned first, unsigned last, int flags)
{
	struct lock_guard g;
	int r;

	/* Of a table of descriptors of its own, or without closing: nothing of ours is harmed. */
	if (!guard_is_up() || flags != 0 || first > last || first > INT_MAX ||
	    guard_ask() != GUARD_MINE)
		return real->close_range(first, last, flags);
	lock_take(&g, LOCK_PARKING);
	r = close_between(first, last);
	lock_release(&g);
	return r;
}

static bool close_above(int fd, void *low)
{
	if (fd >= *(int *)low)
		hook_close(fd);
	return true;
}

void hook_closefrom(int low)
{
	if (!guard_is_up() || guard_ask() != GUARD_MINE) {
		real->closefrom(low);
		return;
	}
	if (low < 0)
		low = 0;
	/* Kernels before 5.9 have no close_range(). */
	if (hook_close_range((unsigned)low, UINT_MAX, 0) < 0)
		fds_scan(close_above, &low);
}
