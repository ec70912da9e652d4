#include "waiting.h"

#include "guard.h"
#include "interrupt.h"
#include "lock.h"
#include "options.h"
#include "parked.h"
#include "real.h"
#include "sockets.h"
#include "stray.h"

#include <base/clock.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>

/* Under the lock. */
static void give_up(struct parked *p, int fd)
{
	parked_give_back_lifted(p, fd);
	parked_give_up(p);
}

/* How a connect() ended that was waited for. */
static int outcome(int fd)
{
	struct socket_note note;

	sockets_find(fd, &note);
	if (note.state == SOCKET_CONNECTED)
		return 0;
	/* Closed, shut down, dissolved by another thread. */
	if (note.state != SOCKET_FAILED)
		return -ECONNABORTED;
	dial_dissolve(&real_sys, fd);
	sockets_forget(fd);
	return note.err;
}

/* One that was shut down waits no more: it is the program's to connect again. */
static bool is_parked(int fd)
{
	struct lock_guard g;
	struct parked *p;

	if (!waiting_has(fd) || guard_ask() != GUARD_MINE)
		return false;
	lock_take(&g, LOCK_PARKING);
	p = parked_find(fd);
	if (p && path_tcp_state(fd) != TCP_SYN_SENT) {
		give_up(p, fd);
		p = NULL;
	}
	lock_release(&g);
	return p != NULL;
}

/* As the kernel waits for a connect() under way, which goes on whatever ends the wait. */
static int wait_for_it(int fd)
{
	int64_t limit = path_send_timeout_ms(fd);
	struct interrupt it;
	int err = 0;

	interrupt_begin(&it, &real_sys, limit > 0 ? INTERRUPT_ALWAYS : INTERRUPT_RESTARTS,
	                limit > 0 ? clock_ms() + limit : DEADLINE_NEVER);
	while (err == 0 && is_parked(fd))
		err = it.waiter.wait(&it.waiter, fd, POLLOUT, DEADLINE_NEVER);
	interrupt_end(&it);
	if (err == -EINTR && it.limited)
		return -EALREADY;
	return err < 0 ? err : outcome(fd);
}

bool waiting_again(int fd, int *err)
{
	int flags;

	if (!is_parked(fd))
		return false;
	flags = real->fcntl(fd, F_GETFL, 0);
	*err = flags >= 0 && (flags & O_NONBLOCK) ? -EALREADY : wait_for_it(fd);
	return true;
}

void waiting_dissolve(int fd)
{
	struct lock_guard g;
	struct parked *p;

	if (!waiting_has(fd) || guard_ask() != GUARD_MINE)
		return;
	lock_take(&g, LOCK_PARKING);
	p = parked_find(fd);
	if (p)
		give_up(p, fd);
	lock_release(&g);
}

/* Take the lock, and find the parked one; NULL, without the lock, where there is none. */
static struct parked *take_parked(int fd, struct lock_guard *g)
{
	struct parked *p;

	if (!waiting_has(fd) || guard_ask() != GUARD_MINE)
		return NULL;
	lock_take(g, LOCK_PARKING);
	p = parked_find(fd);
	if (!p)
		lock_release(g);
	return p;
}

/*
 * Those options that are kept for the socket that is dialled. It is asked itself once it is there;
 * what is set before it has all that it is to have is kept, too, until then.
 */
static int set_lifted(struct parked *p, int level, int name, const void *val, socklen_t len)
{
	/* Before, it is looked at when it is dressed. */
	int r = p->dressed ? stray_judge_dialled(level, name, val, len, p->hops, p->job.dial.n_hops)
	                   : 0;

	if (r < 0) {
		errno = -r;
		return -1;
	}
	if (p->job.dial.fd >= 0)
		r = real->setsockopt(p->job.dial.fd, level, name, val, len);
	if (r == 0 && !p->dressed)
		r = options_set_kept(&p->lifted, level, name, val, len);
	return r;
}

bool waiting_setsockopt(int fd, int level, int name, const void *val, socklen_t len, int *r)
{
	struct lock_guard g;
	struct parked *p = take_parked(fd, &g);

	if (!p)
		return false;
	if (options_is_lifted(level, name))
		*r = set_lifted(p, level, name, val, len);
	else
		*r = real->setsockopt(fd, level, name, val, len);
	p->was_set = true;
	lock_release(&g);
	return true;
}

/*
 * Where a connect() fails for which no other socket can take the place, this one is shut down, and
 * then refused. Who was woken by the former is not told how it ended before the latter is done.
 */
static void await_outcome(int fd)
{
	struct lock_guard g;

	if (take_parked(fd, &g))
		lock_release(&g);
}

bool waiting_getsockopt(int fd, int level, int name, void *val, socklen_t *len, int *r)
{
	struct lock_guard g;
	struct parked *p;

	if (level == SOL_SOCKET && name == SO_ERROR)
		await_outcome(fd);
	if (!options_is_lifted(level, name))
		return false;
	p = take_parked(fd, &g);
	if (!p)
		return false;
	if (p->dressed)
		*r = real->getsockopt(p->job.dial.fd, level, name, val, len);
	else
		*r = options_get_kept(&p->lifted, level, name, val, len);
	lock_release(&g);
	return true;
}

/* One that has no address yet, or one of another family, has nothing to show. */
static bool is_presentable(int fd, int like)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct endpoint ep;

	return path_family(fd) == path_family(like) &&
	       real->getsockname(fd, (struct sockaddr *)&ss, &len) == 0 &&
	       endpoint_from_sockaddr(&ep, (struct sockaddr *)&ss, len) == 0 && ep.port != 0;
}

bool waiting_getsockname(int fd, struct sockaddr *sa, socklen_t *len, int *r)
{
	struct lock_guard g;
	struct parked *p = take_parked(fd, &g);
	bool presentable;

	if (!p)
		return false;
	presentable = p->dressed && is_presentable(p->job.dial.fd, fd);
	if (presentable)
		*r = real->getsockname(p->job.dial.fd, sa, len);
	lock_release(&g);
	return presentable;
}
