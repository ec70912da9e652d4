/*
 * How it works: the program's socket is parked, and handed to the helper together with another one,
 * which the helper makes like it and brings through the proxy. When it is done, the program's is looked at: where it
 * is still the one that was parked, and still waiting, the other one takes its place.
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
#include <base/errtext.h>
#include <base/log.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How long a call waits for the helper to make a socket. */
#define MOMENT_NS    50000
#define MOMENT_TRIES 100

static void close_dialled(struct parked *p)
{
	if (p->job.dial.fd < 0)
		return;
	guard_disclaim(p->job.dial.fd);
	real->close(p->job.dial.fd);
	p->job.dial.fd = -1;
}

/* Under the lock. Out of the way of the program's descriptors, and not the program's to close. */
static void claim_dialled(struct parked *p, int fd)
{
	guard_claim(fd, &p->job);
	p->job.dial.fd = fd;
}

/* The options that are lifted from @fd, which waits, as they were, or as they were set since. */
static void give_back_lifted(struct parked *p, int fd)
{
	if (p->job.dial.fd >= 0)
		options_copy(&real_sys, p->job.dial.fd, fd, OPTIONS_LIFTED);
	else
		options_restore(&real_sys, fd, &p->lifted);
}

static int family_of(int fd)
{
	int family = AF_INET;

	real->getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &(socklen_t){ sizeof(family) });
	return family;
}

/* The family that the program takes the socket for; and whether @fd has to be shown as of it. */
static int own_family(const struct path_socket *sock)
{
	return sock->shown_family ? sock->shown_family : sock->family;
}

static int shown_family(const struct parked *p, int fd)
{
	int own = own_family(&p->sock);

	return family_of(fd) == own ? 0 : own;
}

/*
 * The one that was dialled is put in place of the one that waits. Who sleeps in poll() or select()
 * hangs on the latter; woken, they look their descriptors up again by number. A child of fork(), or
 * whoever was sent the socket, finds it failed.
 */
static void take_place(struct parked *p)
{
	int spare = p->helper->spare_fd, err;

	err = swap_place(&real_sys, p->fds, p->n_fds, p->job.dial.fd, spare);
	if (err < 0)
		log_error("%s[%d]: descriptor %d is lost: no other socket can take its place: %s",
		          program_invocation_short_name, (int)getpid(), p->fds[0], err_text(err));
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

/*
 * The socket that was dialled becomes one whose connect() was refused, and is put in place. SO_ERROR
 * and connect() say what @why says (hook_sockopt.c); to all else it was refused. Returns 0 or a
 * negative errno, with nothing changed.
 */
static int take_place_refused(struct parked *p, int why)
{
	int fd = p->job.dial.fd, err;
	struct options_lifted was;

	if (fd < 0)
		return -EBADF;
	err = options_lift(&real_sys, fd, &was);
	if (err < 0)
		return err;
	err = blackhole_refuse(&p->helper->hole, fd, family_of(fd), was_mapped(p));
	helper_claim();
	options_restore(&real_sys, fd, &was);
	if (err < 0)
		return err;
	sockets_move(p->cookie, fd, shown_family(p, fd));
	sockets_fail(fd, why);
	take_place(p);
	return 0;
}

/* There is none to be put in place: for a moment, others can see that this one was shut down. */
static void refuse_in_place(struct parked *p, int why)
{
	int fd = p->fds[0];

	sockets_fail(fd, why);
	dial_dissolve(&real_sys, fd);
	blackhole_refuse(&p->helper->hole, fd, family_of(fd), false);
	helper_claim();
	give_back_lifted(p, fd);
	parked_unlink(p);
}

/* Under the lock. Does anybody wait for the outcome? */
static bool is_awaited(struct parked *p)
{
	if (!parked_revise(p))
		return false;
	if (path_tcp_state(p->fds[0]) == TCP_SYN_SENT)
		return true;
	/* It was shut down, or the kernel has given it up. */
	give_back_lifted(p, p->fds[0]);
	parked_unlink(p);
	return false;
}

/* Under the lock. */
static void conclude(struct parked *p, int err)
{
	int fd = p->job.dial.fd;

	if (!is_awaited(p))
		return;
	if (p->was_set && fd >= 0)
		options_copy(&real_sys, p->fds[0], fd, OPTIONS_PLAIN);
	if (err < 0) {
		if (take_place_refused(p, err) < 0)
			refuse_in_place(p, err);
	} else {
		sockets_move(p->cookie, fd, shown_family(p, fd));
		take_place(p);
	}
}

static void done(struct worker_job *job, int err)
{
	struct parked *p = (struct parked *)job;
	struct lock_guard g;
	bool awaited;

	lock_take(&g, LOCK_PARKING);
	awaited = err != -ECANCELED && is_awaited(p);
	lock_release(&g);
	if (err == -ECANCELED)
		dial_leave(&job->dial);
	else if (job->dial.proxy && !job->dial.report.reached)
		session_hops_stale();
	/* Before the program knows: it may end with the knowledge. */
	if (awaited)
		tell_dial(&p->dst, &job->dial, err);
	lock_take(&g, LOCK_PARKING);
	if (awaited)
		conclude(p, err);
	close_dialled(p);
	parked_free(p);
	lock_release(&g);
}

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
static int second_family(const struct parked *p, int fd)
{
	int own = own_family(&p->sock);
	bool v6only = p->sock.family == AF_INET6 && path_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);

	return dial_can_reach(&p->job.dial, own, v6only) ? own : dial_family(&p->job.dial);
}

/*
 * Under the lock, by the thread that connects: a socket for the helper to dial. It is made here, so
 * that no number of the program's is taken behind its back; the helper's threads find it high. Where
 * there are no descriptors left, those under way that end will leave some.
 */
static int make_second(struct parked *p, int fd)
{
	int second = real->socket(second_family(p, fd), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	                          p->sock.protocol);

	if (second < 0)
		return -errno;
	claim_dialled(p, helper_raise(second));
	return 0;
}

/* Called by the helper. */
static int start(struct worker_job *job)
{
	struct parked *p = (struct parked *)job;
	struct lock_guard g;
	int fd, second, err = 0;

	lock_take(&g, LOCK_PARKING);
	fd = p->n_fds > 0 ? p->fds[0] : -1;
	if (fd >= 0 && job->dial.fd < 0)
		err = make_second(p, fd);
	second = job->dial.fd;
	lock_release(&g);
	if (fd < 0)
		return -ECANCELED;
	if ((err == -EMFILE || err == -ENFILE) && clock_ms() < job->dial.deadline_ms)
		return -EAGAIN;
	if (err < 0)
		return err;
	swap_dress(&real_sys, fd, second, OPTIONS_PLAIN);
	options_restore(&real_sys, second, &p->lifted);
	if (p->is_bound)
		err = bind_alike(p, fd, second, family_of(second));
	return err < 0 ? err : dial_begin(&job->dial, second, &p->dst);
}

/* What it will be connected to, for getpeername(). */
static void note_peer(int fd, const struct path_socket *sock, const struct sockaddr *sa)
{
	struct socket_note note = { .state = SOCKET_CONNECTING,
		                    .shown_family = sock->shown_family };

	if (sockets_set_peer(&note, sa))
		sockets_note(fd, &note);
	/* The helper will want them, and is to open nothing. */
	session_names();
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
	int err = options_lift(&real_sys, fd, &p->lifted);

	if (err < 0)
		return err;
	read_bound(p, fd);
	err = blackhole_park(&p->helper->hole, fd, p->sock.family);
	helper_claim();
	if (err != -EINPROGRESS) {
		options_restore(&real_sys, fd, &p->lifted);
		return err;
	}
	link_parked(p, fd);
	make_second(p, fd);
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
	options_lift(&real_sys, to, &p->lifted);
	err = blackhole_park(&p->helper->hole, to, p->sock.family);
	helper_claim();
	if (err == -EINPROGRESS)
		return to;
	real->close(to);
	return err < 0 ? err : -EAGAIN;
}

/* Under the lock: a stand-in is parked under the program's numbers, and the program's own is ours. */
static int displace(struct parked *p, int fd)
{
	int stand_in = make_stand_in(p, fd), own, err;
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
	claim_dialled(p, own);
	n = swap_find(fd, sockets_cookie(fd), fds, PARKED_FDS_MAX);
	err = swap_place(&real_sys, fds, n, stand_in, -1);
	real->close(stand_in);
	if (err == 0)
		link_parked(p, fd);
	else
		close_dialled(p);
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
	memcpy(p->hops, aim->hops, aim->n_hops * sizeof(p->hops[0]));
	p->job.start = start;
	p->job.done = done;
	p->job.dial = (struct dial){
		.sys = &real_sys,
		.proxy = aim->proxy,
		.hops = p->hops,
		.n_hops = aim->n_hops,
		.deadline_ms = aim->deadline_ms,
		.fd = -1,
		.report = { .code = -1 },
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
		take_place(p);
	return err;
}

int parking_connect(int fd, const struct path_socket *sock, const struct parking_aim *aim,
                    const struct sockaddr *sa)
{
	bool displaced = is_bound_to_device(fd);
	int err = -EAGAIN;
	struct lock_guard g;
	struct parked *p;

	note_peer(fd, sock, sa);
	lock_take(&g, LOCK_PARKING);
	p = begin(sock, aim, &err);
	if (p) {
		err = displaced ? displace_and_dial(p, fd) : park(p, fd);
		if (err == -EINPROGRESS)
			worker_add(&p->helper->worker, &p->job);
		else
			parked_free(p);
	}
	lock_release(&g);
	if (err == -EINPROGRESS)
		return err;
	sockets_forget(fd);
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
		take_place(p);
		return err;
	}
	close_dialled(p);
	claim_dialled(p, fd);
	return 0;
}

static int carry_on(struct parked *p, int fd, const struct dial *d, int second)
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
	worker_add(&p->helper->worker, &p->job);
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

	lock_take(&g, LOCK_PARKING);
	p = begin(sock, &aim, &err);
	if (p) {
		err = carry_on(p, fd, d, second);
		if (err < 0)
			parked_free(p);
	}
	lock_release(&g);
	if (!p || err < 0)
		return false;
	note_peer(fd, sock, sa);
	return true;
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
		give_back_lifted(p, fd);
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

/*
 * Like take_parked(), of one whose other socket is there. The helper makes it in a moment, but for
 * want of descriptors: NULL then.
 *
 * @is_parked  at all
 */
static struct parked *take_dialled(int fd, struct lock_guard *g, bool *is_parked)
{
	struct parked *p = take_parked(fd, g);

	for (int i = 0; p && p->job.dial.fd < 0 && i < MOMENT_TRIES; i++) {
		lock_release(g);
		nanosleep(&(struct timespec){ .tv_nsec = MOMENT_NS }, NULL);
		p = take_parked(fd, g);
	}
	*is_parked = p != NULL;
	if (p && p->job.dial.fd < 0) {
		lock_release(g);
		return NULL;
	}
	return p;
}

/* Of a call that can't be made where it is parked. */
static bool out_of_memory(bool is_parked, int *r)
{
	errno = ENOBUFS;
	*r = -1;
	return is_parked;
}

bool parking_setsockopt(int fd, int level, int name, const void *val, socklen_t len, int *r)
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

bool parking_getsockopt(int fd, int level, int name, void *val, socklen_t *len, int *r)
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

	return family_of(fd) == family_of(like) &&
	       real->getsockname(fd, (struct sockaddr *)&ss, &len) == 0 &&
	       endpoint_from_sockaddr(&ep, (struct sockaddr *)&ss, len) == 0 && ep.port != 0;
}

bool parking_getsockname(int fd, struct sockaddr *sa, socklen_t *len, int *r)
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
