#include "waiting.h"

#include "guard.h"
#include "interrupt.h"
#include "lock.h"
#include "options.h"
#include "parked.h"
#include "real.h"
#include "sockets.h"

#include <base/clock.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>

/* How many naps a call waits for the socket that is dialled to be ready. */
#define MOMENT_TRIES 20000
#define WANT_TRIES   100 /* where there was no descriptor for it */

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
 * Like take_parked(), of one whose other socket is ready. The helper sees to it in a moment, but
 * for want of descriptors: NULL then.
 *
 * @is_parked  at all
 */
static struct parked *take_dialled(int fd, struct lock_guard *g, bool *is_parked)
{
	struct parked *p = take_parked(fd, g);

	for (int i = 0; p && !p->dressed && i < (p->job.dial.fd < 0 ? WANT_TRIES : MOMENT_TRIES);
	     i++) {
		lock_release(g);
		lock_nap();
		p = take_parked(fd, g);
	}
	*is_parked = p != NULL;
	if (p && !p->dressed) {
		lock_release(g);
		return NULL;
	}
	return p;
}

/* Of a call that can't be made where it is parked. */
static bool out_of_memory(bool is_parked, int *r)
{
	if (is_parked)
		errno = ENOBUFS;
	*r = -1;
	return is_parked;
}

bool waiting_setsockopt(int fd, int level, int name, const void *val, socklen_t len, int *r)
{
	bool lifted = options_is_lifted(level, name), is_parked = false;
	struct lock_guard g;
	struct parked *p = lifted ? take_dialled(fd, &g, &is_parked) : take_parked(fd, &g);

	if (!p)
		return out_of_memory(is_parked, r);
	*r = real->setsockopt(lifted ? p->job.dial.fd : fd, level, name, val, len);
	p->was_set = true;
	lock_release(&g);
	return true;
}

bool waiting_getsockopt(int fd, int level, int name, void *val, socklen_t *len, int *r)
{
	struct lock_guard g;
	struct parked *p;
	bool is_parked;

	if (!options_is_lifted(level, name))
		return false;
	p = take_dialled(fd, &g, &is_parked);
	if (!p)
		return out_of_memory(is_parked, r);
	*r = real->getsockopt(p->job.dial.fd, level, name, val, len);
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
	bool is_parked, presentable;
	struct lock_guard g;
	struct parked *p = take_dialled(fd, &g, &is_parked);

	if (!p)
		return false;
	presentable = is_presentable(p->job.dial.fd, fd);
	if (presentable)
		*r = real->getsockname(p->job.dial.fd, sa, len);
	lock_release(&g);
	return presentable;
}
