/*
 * The socket that is dialled for a parked one. It is made by the thread that connects, so that no
 * number of the program's is taken behind its back; all else is the helper's to do.
 */
#include "second.h"

#include "lock.h"
#include "lookup.h"
#include "options.h"
#include "real.h"
#include "session.h"
#include "stray.h"
#include "swap.h"

#include <base/clock.h>
#include <errno.h>
#include <netinet/in.h>

/* A connection from where the program has put its socket. Both have that place for a while. */
static int bind_alike(const struct parked *p, int fd, int to, int family)
{
	int reuse = path_option(fd, SOL_SOCKET, SO_REUSEADDR, 0), r;
	struct sockaddr_storage ss;
	struct endpoint ep;
	socklen_t len;

	if (endpoint_from_sockaddr(&ep, (const struct sockaddr *)&p->bound, sizeof(p->bound)) < 0)
		return -EAFNOSUPPORT;
	len = endpoint_to_sockaddr(&ep, family, &ss);
	if (len == 0)
		return -EAFNOSUPPORT;
	if (ep.port == 0)
		real->setsockopt(to, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int));
	real->setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	real->setsockopt(to, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	r = real->bind(to, (struct sockaddr *)&ss, len) < 0 ? -errno : 0;
	real->setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
	real->setsockopt(to, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
	/* Linux goes on to show the port of a connection that is no more. */
	return r == -EADDRINUSE && endpoint_is_unspecified(&ep) ? 0 : r;
}

/* AF_INET6 wherever the program's is, so that its options work later on. */
static int choose_family(const struct parked *p, int fd)
{
	int own = path_own_family(&p->sock);
	bool v6only = p->sock.family == AF_INET6 && path_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);

	return dial_can_reach(&p->job.dial, own, v6only) ? own : dial_family(&p->job.dial);
}

/*
 * Under the lock, by the thread that connects: a socket for the helper to dial. It is made here, so
 * that no number of the program's is taken behind its back; the helper's threads find it high.
 * Where there are no descriptors left, those under way that end will leave some.
 */
int second_make(struct parked *p, int fd)
{
	int second = real->socket(choose_family(p, fd), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	                          p->sock.protocol);

	if (second < 0)
		return -errno;
	parked_claim_dialled(p, helper_raise(second));
	return 0;
}

/* A proxy that was a destination itself is met without it. */
static bool is_own_proxy(const struct parked *p)
{
	for (size_t i = 0; i < p->job.dial.n_hops; i++)
		if (endpoint_equal(&p->hops[i], &p->dst))
			return true;
	return false;
}

/* Returns 0, or -EAGAIN while the proxy's name is asked for. */
static int resolve(struct parked *p)
{
	struct dial *d = &p->job.dial;
	int n;

	if (!session_hops_known()) {
		int err = lookup_hops();

		if (err < 0)
			return err;
		return clock_ms() < d->deadline_ms ? -EAGAIN : -ETIMEDOUT;
	}
	n = session_hops(p->hops, false);
	d->n_hops = n > 0 ? (size_t)n : 0;
	p->unresolved = false;
	if (n <= 0)
		return -EHOSTUNREACH;
	if (is_own_proxy(p)) {
		d->proxy = NULL;
		p->hops[0] = p->dst;
		d->n_hops = 1;
	}
	return 0;
}

/* Under the lock: the program's number, or -1; and the socket to dial. */
static int find_sockets(struct parked *p, int *second)
{
	int fd = p->n_fds > 0 ? p->fds[0] : -1, err = 0;

	if (fd >= 0 && p->job.dial.fd < 0)
		err = second_make(p, fd);
	*second = err < 0 ? err : p->job.dial.fd;
	return fd;
}

/*
 * Make @second like @fd. That number may be another file's by now: its options are read, but
 * nothing is done to it, or for it, that was not seen to under the lock. Returns 0 or a negative
 * errno.
 */
static int dress(struct parked *p, int fd, int second)
{
	struct lock_guard g;
	int err = 0;

	swap_dress(&real_sys, fd, second, OPTIONS_PLAIN);
	lock_take(&g, LOCK_PARKING);
	options_restore(&real_sys, second, &p->lifted);
	if (!parked_revise(p))
		err = -ECANCELED;
	else if (p->is_bound)
		err = bind_alike(p, p->fds[0], second, path_family(second));
	if (err == 0 && p->fds[0] != fd)
		p->was_set = true;
	p->dressed = true;
	lock_release(&g);
	return err;
}

int second_start(struct worker_job *job)
{
	struct parked *p = (struct parked *)job;
	int fd, second, err = p->unresolved ? resolve(p) : 0;
	struct lock_guard g;

	if (err < 0)
		return err;
	lock_take(&g, LOCK_PARKING);
	fd = find_sockets(p, &second);
	lock_release(&g);
	if (fd < 0)
		return -ECANCELED;
	if ((second == -EMFILE || second == -ENFILE) && clock_ms() < job->dial.deadline_ms)
		return -EAGAIN;
	if (second < 0)
		return second;
	err = dress(p, fd, second);
	if (err == 0 && stray_is_dialled(second, p->hops, job->dial.n_hops))
		err = -EACCES;
	return err < 0 ? err : dial_begin(&job->dial, second, &p->dst);
}
