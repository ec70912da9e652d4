/*
 * Duplicates: another number of a socket must come along when another socket takes its place. That
 * there are any is noted, for sockets that are connected later; what is parked is followed.
 */
#include "fds.h"
#include "guard.h"
#include "helper.h"
#include "lock.h"
#include "parked.h"
#include "real.h"

#include <errno.h>
#include <fcntl.h>

#define MARKS (FD_OURS | FD_PARKED)
#define TRIES 3 /* to move what is ours out of the way */

static bool is_marked(int fd)
{
	return guard_is_up() && fds_has(fds_find(fd), MARKS);
}

static int note_duplicate(int from, int to)
{
	struct fd_entry *a, *b;

	if (to < 0 || from == to)
		return to;
	a = fds_make(from);
	b = fds_make(to);
	if (a)
		fds_set(a, FD_DUPED);
	if (b) {
		fds_set(b, FD_DUPED);
		if (atomic_load_explicit(&b->epoll, memory_order_relaxed) != FD_EPOLL_NONE)
			fds_set(b, FD_CLOSED);
	}
	return to;
}

/* Call one that makes a new number of @from, under the lock where it is parked. */
static int duplicate(int from, int (*make)(int from, int cmd, long arg), int cmd, long arg)
{
	struct lock_guard g;
	struct parked *p;
	int to;

	if (!is_marked(from) || guard_ask() != GUARD_MINE)
		return note_duplicate(from, make(from, cmd, arg));
	lock_take(&g, LOCK_PARKING);
	p = parked_find(from);
	to = make(from, cmd, arg);
	if (p && to >= 0)
		parked_link(p, to);
	lock_release(&g);
	return note_duplicate(from, to);
}

static int make_any(int from, int cmd, long arg)
{
	(void)cmd;
	(void)arg;
	return real->dup(from);
}

static int make_from(int from, int cmd, long arg)
{
	return real->fcntl(from, cmd, arg);
}

int hook_dup(int from)
{
	return duplicate(from, make_any, 0, 0);
}

static int make_from_64(int from, int cmd, long arg)
{
	return real->fcntl64(from, cmd, arg);
}

/* Flags of what is parked are not changed in the midst of a swap, either. */
static int control(int fd, int (*call)(int fd, int cmd, long arg), int cmd, long arg)
{
	struct lock_guard g;
	int r;

	if (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC)
		return duplicate(fd, call, cmd, arg);
	if ((cmd != F_SETFL && cmd != F_SETFD) || !is_marked(fd) || guard_ask() != GUARD_MINE)
		return call(fd, cmd, arg);
	lock_take(&g, LOCK_PARKING);
	r = call(fd, cmd, arg);
	lock_release(&g);
	return r;
}

int hook_fcntl(int fd, int cmd, long arg)
{
	return control(fd, make_from, cmd, arg);
}

int hook_fcntl64(int fd, int cmd, long arg)
{
	return control(fd, make_from_64, cmd, arg);
}

/* Under the lock. */
static int replace_marked(int from, int to, int (*make)(int from, int cmd, long arg), int flags)
{
	struct parked *now = parked_find(from), *old = from == to ? NULL : parked_find(to);
	int saved = errno;
	int kept = old ? real->fcntl(to, F_DUPFD_CLOEXEC, old->helper->floor) : -1;
	int r = make(from, to, flags);

	if (r >= 0 && old)
		parked_drop(old, to, kept);
	if (r >= 0 && now && from != to)
		parked_link(now, to);
	if (kept >= 0)
		real->close(kept);
	if (r >= 0)
		errno = saved;
	return r;
}

static int replace(int from, int to, int (*make)(int from, int cmd, long arg), int flags)
{
	struct lock_guard g;
	int r;

	if ((!is_marked(from) && !is_marked(to)) || guard_ask() != GUARD_MINE)
		return note_duplicate(from, make(from, to, flags));
	for (int i = 0; i < TRIES && fds_has(fds_find(to), FD_OURS); i++)
		helper_move(to);
	lock_take(&g, LOCK_PARKING);
	if (fds_has(fds_find(to), FD_OURS) || fds_has(fds_find(from), FD_OURS)) {
		errno = EBADF;
		r = -1;
	} else {
		r = replace_marked(from, to, make, flags);
	}
	lock_release(&g);
	return note_duplicate(from, r);
}

static int make_at(int from, int to, long flags)
{
	(void)flags;
	return real->dup2(from, to);
}

static int make_at_with(int from, int to, long flags)
{
	return real->dup3(from, to, (int)flags);
}

int hook_dup2(int from, int to)
{
	return replace(from, to, make_at, 0);
}

int hook_dup3(int from, int to, int flags)
{
	return replace(from, to, make_at_with, flags);
}
