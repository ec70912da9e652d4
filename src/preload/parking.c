/*
 * How it works: the program's socket is parked, and handed to the helper together with another
 * one, which the helper makes like it and brings through the proxy (second.c). How it ends is
 * landing.c's matter, what the program does meanwhile waiting.c's.
 *
 * Where the program's own can't be parked, a stand-in is parked in its place, and the program's own
 * is dialled: it was bound to a device, from which only the privileged may free it, or its blocking
 * connect() was interrupted.
 */
#include "parking.h"

#include "fds.h"
#include "landing.h"
#include "lock.h"
#include "options.h"
#include "real.h"
#include "second.h"
#include "session.h"
#include "sockets.h"
#include "swap.h"
#include "tell.h"

#include <base/clock.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>

/* Under the lock. What it will be connected to is noted for getpeername(), before it is. */
static void hand_over(struct parked *p, int fd, const struct sockaddr *sa)
{
	struct socket_note note = { .state = SOCKET_CONNECTING,
		                    .shown_family = p->sock.shown_family };

	if (sockets_set_peer(&note, sa))
		sockets_note(fd, &note);
	worker_add(&p->helper->worker, &p->job);
}

static void read_bound(struct parked *p, int fd)
{
	socklen_t len = sizeof(p->bound);
	struct endpoint ep;

	p->is_bound = real->getsockname(fd, (struct sockaddr *)&p->bound, &len) == 0 &&
	              endpoint_from_sockaddr(&ep, (struct sockaddr *)&p->bound, len) == 0 &&
	              (ep.port != 0 || !endpoint_is_unspecified(&ep));
}

/* Is that the kernel's word on the way to the black hole, rather than on the program's socket? */
static bool is_no_way(int err)
{
	return err == -EADDRNOTAVAIL || err == -ENETUNREACH || err == -EADDRINUSE ||
	       err == -EPERM || err == -EACCES || err == -EINVAL || err == -EAFNOSUPPORT ||
	       err == -EAGAIN;
}

/* Under the lock: @fd waits. */
static void link_parked(struct parked *p, int fd)
{
	int fds[PARKED_FDS_MAX];
	size_t n;

	p->cookie = sockets_cookie(fd);
	n = swap_find(fd, p->cookie, fds, PARKED_FDS_MAX);
	for (size_t i = 0; i < n; i++)
		parked_link(p, fds[i]);
}

/* Under the lock: the program's own socket is parked. */
static int park(struct parked *p, int fd)
{
	int err;

	if (!fds_make(fd)) /* it could not be followed */
		return -EAGAIN;
	if (!p->unresolved && second_make(p, fd) < 0 && !parked_is_any_dialled())
		return -EAGAIN;
	err = options_lift(&real_sys, fd, &p->lifted);
	if (err < 0)
		goto out;
	read_bound(p, fd);
	err = blackhole_park(&p->helper->hole, fd, p->sock.family);
	helper_claim();
	if (err == -EINPROGRESS)
		link_parked(p, fd);
	else
		options_restore(&real_sys, fd, &p->lifted);
out:
	if (err != -EINPROGRESS)
		parked_close_dialled(p);
	return err;
}

/* A parked socket with the plain options of @fd. */
static int make_stand_in(struct parked *p, int fd)
{
	int to = real->socket(p->sock.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	                      p->sock.protocol);
	int err;

	if (to < 0)
		return -errno;
	swap_dress(&real_sys, fd, to, OPTIONS_PLAIN);
	/* In a VRF a new socket is bound to a device as well. */
	err = options_lift(&real_sys, to, &p->lifted);
	if (err == 0)
		err = blackhole_park(&p->helper->hole, to, p->sock.family);
	helper_claim();
	if (err == -EINPROGRESS)
		return to;
	real->close(to);
	return err < 0 ? err : -EAGAIN;
}

/* Under the lock: a stand-in is parked in its place, and the program's own socket is ours. */
static int displace(struct parked *p, int fd)
{
	int stand_in = fds_make(fd) ? make_stand_in(p, fd) : -EAGAIN, own, err;
	int fds[PARKED_FDS_MAX];
	size_t n;

	if (stand_in < 0)
		return stand_in;
	own = real->fcntl(fd, F_DUPFD_CLOEXEC, p->helper->floor);
	if (own < 0) {
		err = -errno;
		real->close(stand_in);
		return err;
	}
	parked_claim_dialled(p, own);
	p->dressed = true;
	n = swap_find(fd, sockets_cookie(fd), fds, PARKED_FDS_MAX);
	err = swap_place(&real_sys, fds, n, stand_in, -1);
	real->close(stand_in);
	if (err == 0)
		link_parked(p, fd);
	else
		parked_close_dialled(p);
	return err;
}

/* Under the lock. */
static struct parked *begin(const struct path_socket *sock, const struct parking_aim *aim, int *err)
{
	struct parked *p = parked_new(err);

	if (!p)
		return NULL;
	p->sock = *sock;
	p->dst = *aim->dst;
	p->unresolved = aim->unresolved;
	memcpy(p->hops, aim->hops, aim->n_hops * sizeof(p->hops[0]));
	p->job.start = second_start;
	p->job.done = landing_done;
	p->job.dial = (struct dial){
		.sys = &real_sys,
		.proxy = aim->proxy,
		.hops = p->hops,
		.n_hops = aim->n_hops,
		.deadline_ms = aim->deadline_ms,
		.fd = -1,
		.report = { .code = -1, .began_ms = clock_ms() },
	};
	return p;
}

static bool is_bound_to_device(int fd)
{
	char device[IFNAMSIZ];
	socklen_t len = sizeof(device);

	return real->getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &len) == 0 && len > 0;
}

/* Under the lock. The program's own socket is dialled, while a stand-in waits for it. */
static int displace_and_dial(struct parked *p, int fd)
{
	int err = displace(p, fd);

	if (err < 0)
		return err;
	p->job.start = NULL;
	err = dial_begin(&p->job.dial, p->job.dial.fd, &p->dst);
	if (err != -EINPROGRESS)
		landing_take_place(p);
	return err;
}

int parking_connect(int fd, const struct path_socket *sock, const struct parking_aim *aim,
                    const struct sockaddr *sa)
{
	bool displaced = is_bound_to_device(fd) && !aim->unresolved;
	int err = -EAGAIN;
	struct lock_guard g;
	struct parked *p;

	/* The helper will want them, and is to open nothing. */
	session_names();
	lock_take(&g, LOCK_PARKING);
	p = begin(sock, aim, &err);
	if (p) {
		err = displaced ? displace_and_dial(p, fd) : park(p, fd);
		if (err == -EINPROGRESS)
			hand_over(p, fd, sa);
		else
			parked_free(p);
	}
	lock_release(&g);
	if (err == -EINPROGRESS)
		return err;
	if (p && !is_no_way(err))
		return err;
	tell_blocking_way(p ? "a socket can't be parked" : "there can be no helper", err);
	return PARKING_UNABLE;
}

/* Under the lock: not the program's own is dialled, which is of no more use, but @second. */
static int exchange_dialled(struct parked *p, int second)
{
	int fd = real->fcntl(second, F_DUPFD_CLOEXEC, p->helper->floor), err = -errno;

	if (fd < 0) {
		landing_take_place(p);
		return err;
	}
	parked_close_dialled(p);
	parked_claim_dialled(p, fd);
	return 0;
}

static int carry_on(struct parked *p, int fd, const struct dial *d, int second,
                    const struct sockaddr *sa)
{
	int err = displace(p, fd), own;

	if (err == 0 && second >= 0)
		err = exchange_dialled(p, second);
	if (err < 0)
		return err;
	own = p->job.dial.fd;
	p->job.start = NULL;
	p->job.dial = *d;
	p->job.dial.hops = p->hops;
	p->job.dial.fd = own;
	hand_over(p, fd, sa);
	return 0;
}

bool parking_carry_on(int fd, const struct path_socket *sock, const struct dial *d, int second,
                      const struct endpoint *dst, const struct sockaddr *sa)
{
	const struct parking_aim aim = { .proxy = d->proxy,
		                         .hops = d->hops,
		                         .n_hops = d->n_hops,
		                         .dst = dst,
		                         .deadline_ms = d->deadline_ms };
	struct lock_guard g;
	struct parked *p;
	int err = 0;

	session_names();
	lock_take(&g, LOCK_PARKING);
	p = begin(sock, &aim, &err);
	if (p) {
		err = carry_on(p, fd, d, second, sa);
		if (err < 0)
			parked_free(p);
	}
	lock_release(&g);
	return p && err == 0;
}
