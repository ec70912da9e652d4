/*
 * How it works: a socket like the program's is made and brought on its way, the program's own is
 * parked, and both are handed to the helper. When the helper is done, the program's socket is
 * looked at: where it is still the one that was parked, and still waiting, the other one takes its
 * place. All of that but the handshake is done under the lock.
 *
 * Where the program's own can't be parked, a stand-in is parked in its place, and the program's own
 * is dialled: it was bound to a device, from which only the privileged may free it, or its blocking
 * connect() was interrupted.
 */
#include "parking.h"

#include "interrupt.h"
#include "lock.h"
#include "options.h"
#include "parked.h"
#include "real.h"
#include "session.h"
#include "sockets.h"
#include "swap.h"
#include "tell.h"

#include <base/clock.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <string.h>

static void close_dialled(struct parked *p)
{
	if (p->job.dial.fd < 0)
		return;
	guard_disclaim(p->job.dial.fd);
	real->close(p->job.dial.fd);
	p->job.dial.fd = -1;
}

/* Out of the way of the program's descriptors, and not the program's to close. */
static int claim_dialled(struct parked *p, int fd)
{
	fd = sys_raise(&real_sys, fd, guard_floor());
	if (fd < 0)
		return fd;
	guard_claim(fd, &p->job);
	p->job.dial.fd = fd;
	return 0;
}

static int family_of(int fd)
{
	int family = AF_INET;

	real->getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &(socklen_t){ sizeof(family) });
	return family;
}

/*
 * The one that was dialled is put in place of the one that waits. Who sleeps in poll() or select()
 * hangs on the latter; woken, they look their descriptors up again by number. A child of fork(), or
 * whoever was sent the socket, finds it failed.
 */
static void take_place(struct parked *p)
{
	int spare = p->helper->spare_fd;

	swap_place(&real_sys, p->fds, p->n_fds, p->job.dial.fd, spare);
	parked_unlink(p);
	shutdown(spare, SHUT_RDWR);
	real->dup3(p->helper->worker.event_fd, spare, O_CLOEXEC);
	close_dialled(p);
}

/* Did it try one of the proxy's addresses of IPv4? */
static bool was_mapped(const struct parked *p)
{
	for (size_t i = 0; i < p->job.dial.n_hops; i++)
		if (p->hops[i].kind == ENDPOINT_IPV4)
			return true;
	return false;
}

static void note_failure(int fd, int err)
{
	struct socket_note note;

	sockets_find(fd, &note);
	note.state = SOCKET_FAILED;
	note.err = err;
	sockets_note(fd, &note);
}

/*
 * The socket that was dialled becomes one whose connect() was refused, and is put in place. SO_ERROR
 * and connect() say what @err says (hook_sockopt.c); to all else it was refused.
 */
static void take_place_failed(struct parked *p, int err)
{
	int fd = p->job.dial.fd;
	struct options_lifted was;

	if (options_lift(&real_sys, fd, &was) == 0) {
		blackhole_refuse(&p->helper->hole, fd, family_of(fd), was_mapped(p));
		options_restore(&real_sys, fd, &was);
		note_failure(fd, err);
		take_place(p);
		return;
	}
	/* The stand-in stays. */
	fd = p->fds[0];
	dial_dissolve(&real_sys, fd);
	blackhole_refuse(&p->helper->hole, fd, family_of(fd), false);
	options_copy(&real_sys, p->job.dial.fd, fd, OPTIONS_LIFTED);
	note_failure(fd, err);
	parked_unlink(p);
	close_dialled(p);
}

/* Returns whether the program has been told. */
static bool conclude(struct parked *p, int err)
{
	int dialled = p->job.dial.fd;

	if (err == -ECANCELED || !parked_revise(p))
		return false;
	/* It was shut down, or the kernel has given it up. */
	if (path_tcp_state(p->fds[0]) != TCP_SYN_SENT) {
		options_copy(&real_sys, dialled, p->fds[0], OPTIONS_LIFTED);
		parked_unlink(p);
		return false;
	}
	if (p->was_set)
		options_copy(&real_sys, p->fds[0], dialled, OPTIONS_PLAIN);
	if (err < 0)
		take_place_failed(p, err);
	else
		take_place(p);
	return true;
}

static void done(struct worker_job *job, int err)
{
	struct parked *p = (struct parked *)job;
	struct lock_guard g;
	bool told;

	lock_take(&g, LOCK_PARKING);
	told = conclude(p, err);
	lock_release(&g);
	if (told)
		tell_dial(&p->dst, &job->dial, err);
	if (job->dial.proxy && !job->dial.report.reached && err != -ECANCELED)
		session_hops_stale();
	lock_take(&g, LOCK_PARKING);
	close_dialled(p);
	parked_free(p);
	lock_release(&g);
}

/* Which number would a connection of its own have? As bind() said. */
static int bind_alike(int fd, int to, int family)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct endpoint ep;
	int reuse = path_option(fd, SOL_SOCKET, SO_REUSEADDR, 0), r;

	if (real->getsockname(fd, (struct sockaddr *)&ss, &len) < 0 ||
	    endpoint_from_sockaddr(&ep, (struct sockaddr *)&ss, len) < 0)
		return -EAFNOSUPPORT;
	if (ep.port == 0 && endpoint_is_unspecified(&ep))
		return 0;
	len = endpoint_to_sockaddr(&ep, family, &ss);
	if (len == 0)
		return -EAFNOSUPPORT;
	if (ep.port == 0)
		real->setsockopt(to, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int));
	/* Both have it for a while, and connect to different places. */
	real->setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	real->setsockopt(to, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	r = real->bind(to, (struct sockaddr *)&ss, len) < 0 ? -errno : 0;
	real->setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
	real->setsockopt(to, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
	return r;
}

/* AF_INET6 wherever the program's is, so that its options work later on. */
static int second_family(const struct parked *p, int fd, const struct path_socket *sock)
{
	int own = sock->shown_family ? sock->shown_family : sock->family;
	bool v6only = sock->family == AF_INET6 && path_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);

	return dial_can_reach(&p->job.dial, own, v6only) ? own : dial_family(&p->job.dial);
}

static int make_dialled(struct parked *p, int fd, const struct path_socket *sock)
{
	int family = second_family(p, fd, sock);
	int second = swap_prepare(&real_sys, fd, family, sock->protocol), err;

	if (second < 0)
		return second;
	real->fcntl(second, F_SETFL, O_NONBLOCK);
	err = bind_alike(fd, second, family);
	if (err == 0)
		return claim_dialled(p, second);
	real->close(second);
	return err;
}

/* What it will be connected to, for getpeername(); it is noted now, since it takes memory. */
static void note_peer(int dialled, const struct path_socket *sock, const struct sockaddr *sa)
{
	int own = sock->shown_family ? sock->shown_family : sock->family;
	struct socket_note note = { .state = SOCKET_CONNECTED,
		                    .shown_family = family_of(dialled) == own ? 0 : own };

	if (sockets_set_peer(&note, sa))
		sockets_note(dialled, &note);
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
	size_t n;

	p->cookie = sockets_cookie(fd);
	n = swap_find(fd, p->cookie, p->fds, PARKED_FDS_MAX);
	for (size_t i = 0; i < n; i++)
		parked_link(p, p->fds[i]);
}

/* Under the lock: the program's own socket is parked. */
static int park(struct parked *p, int fd, int family)
{
	struct options_lifted was;
	int err = options_lift(&real_sys, fd, &was);

	if (err < 0)
		return err;
	err = blackhole_park(&p->helper->hole, fd, family);
	helper_claim();
	if (err == -EINPROGRESS)
		link_parked(p, fd);
	else
		options_restore(&real_sys, fd, &was);
	return err;
}

/* A parked socket with the plain options of @fd. */
static int make_stand_in(struct parked *p, int fd, int family, int protocol)
{
	int to = real->socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	struct options_lifted none;
	int err;

	if (to < 0)
		return -errno;
	options_copy(&real_sys, fd, to, OPTIONS_PLAIN);
	options_lift(&real_sys, to, &none);
	err = blackhole_park(&p->helper->hole, to, family);
	helper_claim();
	if (err == -EINPROGRESS)
		return to;
	real->close(to);
	return err < 0 ? err : -EAGAIN;
}

/* Under the lock: a stand-in is parked under the program's numbers, and the program's own is ours. */
static int displace(struct parked *p, int fd, const struct path_socket *sock)
{
	int stand_in = make_stand_in(p, fd, sock->family, sock->protocol), own, err;
	int fds[PARKED_FDS_MAX];
	size_t n;

	if (stand_in < 0)
		return stand_in;
	own = real->fcntl(fd, F_DUPFD_CLOEXEC, guard_floor());
	if (own < 0) {
		err = -errno;
		real->close(stand_in);
		return err;
	}
	guard_claim(own, &p->job);
	p->job.dial.fd = own;
	n = swap_find(fd, sockets_cookie(fd), fds, PARKED_FDS_MAX);
	err = swap_place(&real_sys, fds, n, stand_in, -1);
	real->close(stand_in);
	if (err == 0)
		link_parked(p, fd);
	else
		close_dialled(p);
	return err;
}

static struct parked *begin(const struct parking_aim *aim)
{
	struct lock_guard g;
	struct parked *p;
	int err = 0;

	lock_take(&g, LOCK_PARKING);
	p = parked_new(&err);
	lock_release(&g);
	if (!p) {
		tell_blocking_way("there can be no helper", err);
		return NULL;
	}
	p->dst = *aim->dst;
	memcpy(p->hops, aim->hops, aim->n_hops * sizeof(p->hops[0]));
	p->job.done = done;
	p->job.dial = (struct dial){
		.sys = &real_sys,
		.proxy = aim->proxy,
		.hops = p->hops,
		.n_hops = aim->n_hops,
		.deadline_ms = aim->deadline_ms,
		.fd = -1,
	};
	return p;
}

static void give_up(struct parked *p)
{
	struct lock_guard g;

	lock_take(&g, LOCK_PARKING);
	close_dialled(p);
	parked_free(p);
	lock_release(&g);
}

static bool is_bound_to_device(int fd)
{
	char device[IFNAMSIZ];
	socklen_t len = sizeof(device);

	return real->getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &len) == 0 && len > 0;
}

/* A second socket is dialled, the program's own is parked. */
static int set_off(struct parked *p, int fd, const struct path_socket *sock,
                   const struct sockaddr *sa)
{
	struct lock_guard g;
	int err;

	lock_take(&g, LOCK_PARKING);
	err = make_dialled(p, fd, sock);
	lock_release(&g);
	if (err < 0) {
		tell_blocking_way("no second socket can be made", err);
		return PARKING_UNABLE;
	}
	note_peer(p->job.dial.fd, sock, sa);
	err = dial_begin(&p->job.dial, p->job.dial.fd, &p->dst);
	if (err != -EINPROGRESS) {
		tell_dial(&p->dst, &p->job.dial, err);
		return err;
	}
	lock_take(&g, LOCK_PARKING);
	err = park(p, fd, sock->family);
	if (err == -EINPROGRESS)
		worker_add(&p->helper->worker, &p->job);
	lock_release(&g);
	if (!is_no_way(err))
		return err;
	tell_blocking_way("a socket can't be parked", err);
	return PARKING_UNABLE;
}

/* The program's own socket is dialled, while a stand-in waits for it. */
static int set_off_displaced(struct parked *p, int fd, const struct path_socket *sock,
                             const struct sockaddr *sa)
{
	struct lock_guard g;
	int err;

	note_peer(fd, sock, sa);
	lock_take(&g, LOCK_PARKING);
	err = displace(p, fd, sock);
	if (err < 0) {
		lock_release(&g);
		tell_blocking_way("no second socket can be parked", err);
		return PARKING_UNABLE;
	}
	err = dial_begin(&p->job.dial, p->job.dial.fd, &p->dst);
	if (err == -EINPROGRESS)
		worker_add(&p->helper->worker, &p->job);
	else
		take_place(p);
	lock_release(&g);
	if (err != -EINPROGRESS)
		tell_dial(&p->dst, &p->job.dial, err);
	return err;
}

int parking_connect(int fd, const struct path_socket *sock, const struct parking_aim *aim,
                    const struct sockaddr *sa)
{
	struct parked *p = begin(aim);
	int err;

	if (!p)
		return PARKING_UNABLE;
	err = is_bound_to_device(fd) ? set_off_displaced(p, fd, sock, sa)
	                             : set_off(p, fd, sock, sa);
	if (err != -EINPROGRESS)
		give_up(p);
	return err;
}

/* Under the lock: not the program's own is dialled, which is of no more use, but @second. */
static int exchange_dialled(struct parked *p, int second)
{
	int fd = real->fcntl(second, F_DUPFD_CLOEXEC, guard_floor()), err = -errno;

	if (fd < 0) {
		take_place(p);
		return err;
	}
	close_dialled(p);
	guard_claim(fd, &p->job);
	p->job.dial.fd = fd;
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
	struct parked *p = begin(&aim);
	struct lock_guard g;
	int err, own;

	if (!p)
		return false;
	note_peer(second < 0 ? fd : second, sock, sa);
	lock_take(&g, LOCK_PARKING);
	err = displace(p, fd, sock);
	if (err == 0 && second >= 0)
		err = exchange_dialled(p, second);
	if (err == 0) {
		own = p->job.dial.fd;
		p->job.dial = *d;
		p->job.dial.hops = p->hops;
		p->job.dial.fd = own;
		worker_add(&p->helper->worker, &p->job);
	}
	lock_release(&g);
	if (err < 0)
		give_up(p);
	return err == 0;
}

/* How a connect() ended that was waited for. */
static int outcome(int fd)
{
	struct socket_note note;

	if (!sockets_find(fd, &note) || note.state == SOCKET_IDLE)
		return -ECONNABORTED;
	if (note.state == SOCKET_CONNECTED)
		return 0;
	dial_dissolve(&real_sys, fd);
	sockets_forget(fd);
	return note.err;
}

static bool is_parked(int fd)
{
	struct lock_guard g;
	bool is;

	if (!parking_has(fd) || guard_ask() != GUARD_MINE)
		return false;
	lock_take(&g, LOCK_PARKING);
	is = parked_find(fd) != NULL;
	lock_release(&g);
	return is;
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

bool parking_again(int fd, int *err)
{
	int flags;

	if (!is_parked(fd))
		return false;
	flags = real->fcntl(fd, F_GETFL, 0);
	*err = flags >= 0 && (flags & O_NONBLOCK) ? -EALREADY : wait_for_it(fd);
	return true;
}

void parking_dissolve(int fd)
{
	struct lock_guard g;
	struct parked *p;

	if (!parking_has(fd) || guard_ask() != GUARD_MINE)
		return;
	lock_take(&g, LOCK_PARKING);
	p = parked_find(fd);
	if (p) {
		options_copy(&real_sys, p->job.dial.fd, fd, OPTIONS_LIFTED);
		parked_give_up(p);
	}
	lock_release(&g);
}

/* Take the lock, and find the parked one; NULL, without the lock, where there is none. */
static struct parked *take_parked(int fd, struct lock_guard *g)
{
	struct parked *p;

	if (!parking_has(fd) || guard_ask() != GUARD_MINE)
		return NULL;
	lock_take(g, LOCK_PARKING);
	p = parked_find(fd);
	if (!p)
		lock_release(g);
	return p;
}

bool parking_setsockopt(int fd, int level, int name, const void *val, socklen_t len, int *r)
{
	struct lock_guard g;
	struct parked *p = take_parked(fd, &g);

	if (!p)
		return false;
	*r = real->setsockopt(options_is_lifted(level, name) ? p->job.dial.fd : fd, level, name,
	                      val, len);
	p->was_set = true;
	lock_release(&g);
	return true;
}

bool parking_getsockopt(int fd, int level, int name, void *val, socklen_t *len, int *r)
{
	struct lock_guard g;
	struct parked *p;

	if (!options_is_lifted(level, name))
		return false;
	p = take_parked(fd, &g);
	if (!p)
		return false;
	*r = real->getsockopt(p->job.dial.fd, level, name, val, len);
	lock_release(&g);
	return true;
}

bool parking_getsockname(int fd, struct sockaddr *sa, socklen_t *len, int *r)
{
	struct lock_guard g;
	struct parked *p = take_parked(fd, &g);
	bool alike;

	if (!p)
		return false;
	/* One of another family has nothing to show before it is in place. */
	alike = family_of(p->job.dial.fd) == family_of(fd);
	if (alike)
		*r = real->getsockname(p->job.dial.fd, sa, len);
	lock_release(&g);
	return alike;
}
