/*
 * How it works: the kernel judges what is not ours (other families, bad arguments, the socket's own state);
 * route_find() says who goes where; dial_connect() brings the program's own socket through the proxy, or,
 * where its family can't reach the proxy, a second socket that then takes its place.
 */
#include "interrupt.h"
#include "path.h"
#include "real.h"
#include "session.h"
#include "sockets.h"
#include "swap.h"

#include <base/clock.h>
#include <base/log.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* One connect under way; all that cancellation must undo. */
struct attempt {
	struct dial dial;
	struct path path;
	struct interrupt interrupt;
	int fd;
	int second_fd;    /* -1, or the socket that is dialled in place of fd */
	int family;       /* the kernel's */
	int shown_family; /* see struct socket_note */
	bool nonblocking;
	int64_t sndtimeo_ms; /* 0: none */
};

static void log_failure(const struct attempt *a, int err)
{
	char text[512];

	log_warn("%s[%d]: %s through %s: %s", program_invocation_short_name, getpid(),
	         ENDPOINT_TEXT(&a->path.route.dst), a->dial.proxy->label,
	         dial_explain(&a->dial, err, text, sizeof(text)));
}

static void attempt_init(struct attempt *a, int fd)
{
	struct timeval tv = { 0 };
	int flags = fcntl(fd, F_GETFL);

	a->fd = fd;
	a->second_fd = -1;
	a->interrupt.begun = false;
	a->family = path_option(fd, SOL_SOCKET, SO_DOMAIN, AF_INET);
	a->nonblocking = flags >= 0 && (flags & O_NONBLOCK);
	a->sndtimeo_ms = 0;
	if (getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, &(socklen_t){ sizeof(tv) }) == 0)
		a->sndtimeo_ms = (int64_t)tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000;
}

static void attempt_undo(void *at)
{
	struct attempt *a = at;

	if (a->second_fd >= 0)
		close(a->second_fd);
	a->second_fd = -1;
	interrupt_end(&a->interrupt);
}

/* The socket that is dialled: the program's own wherever it can reach the proxy. */
static int choose_socket(struct attempt *a)
{
	bool v6only = a->family == AF_INET6 && path_option(a->fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);

	if (dial_can_reach(&a->dial, a->family, v6only))
		return a->fd;
	a->second_fd = swap_prepare(&real_sys, a->fd, dial_family(&a->dial));
	return a->second_fd;
}

static int dial(struct attempt *a)
{
	int fd = choose_socket(a);
	int err;

	if (fd < 0)
		return fd;
	err = dial_connect(&a->dial, fd, &a->path.route.dst);
	if (err == 0 && a->second_fd >= 0) {
		err = swap_place(&real_sys, a->fd, a->second_fd);
		a->shown_family = a->family;
	}
	return err;
}

/*
 * What connect(2) says when its own time-out or a signal ends the wait: the kernel would go on connecting
 * behind it. We don't, and leave the socket as one that failed, lest a program that polls it next takes
 * silence for success.
 */
static int spoil(const struct attempt *a, int err)
{
	struct socket_note note = { .state = SOCKET_SPOILED, .shown_family = a->shown_family };

	dial_spoil(&real_sys, a->fd);
	sockets_note(a->fd, &note);
	return err;
}

static int run(struct attempt *a)
{
	int64_t now = clock_ms(), timeout_at = now + session_config()->timeout_ms;
	enum interrupt_rule rule = INTERRUPT_RESTARTS;
	bool by_sndtimeo = false;
	int err = 0, state;

	if (a->nonblocking)
		rule = INTERRUPT_NEVER;
	else if (a->sndtimeo_ms > 0)
		rule = INTERRUPT_ALWAYS;
	a->dial.deadline_ms = timeout_at;
	if (!a->nonblocking && a->sndtimeo_ms > 0 && now + a->sndtimeo_ms < timeout_at) {
		a->dial.deadline_ms = now + a->sndtimeo_ms;
		by_sndtimeo = true;
	}

	pthread_cleanup_push(attempt_undo, a);
	interrupt_begin(&a->interrupt, &real_sys, rule);
	a->dial.waiter = &a->interrupt.waiter;
	err = dial(a);
	/* Not to be cut short any more: the socket and what we remember of it change together. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	if (err == -ETIMEDOUT && by_sndtimeo)
		err = spoil(a, -EINPROGRESS);
	else if (err == -EINTR)
		err = spoil(a, err);
	attempt_undo(a);
	pthread_setcancelstate(state, NULL);
	pthread_cleanup_pop(0);
	return err;
}

static void note_peer(int fd, int shown_family, const struct sockaddr *sa, socklen_t len)
{
	struct socket_note note = { .state = SOCKET_PROXIED, .shown_family = shown_family };

	note.peer_len = len < sizeof(note.peer) ? len : sizeof(note.peer);
	memcpy(&note.peer, sa, note.peer_len);
	sockets_note(fd, &note);
}

static int connect_proxied(struct attempt *a, const struct sockaddr *sa, socklen_t len)
{
	int err;

	a->dial.sys = &real_sys;
	a->dial.proxy = &session_config()->proxy;
	a->dial.hops = a->path.hops;
	a->dial.n_hops = a->path.n_hops;
	if (a->path.n_hops == 0) {
		a->dial.report.why = "the proxy's name has no address";
		log_failure(a, -EHOSTUNREACH);
		return -EHOSTUNREACH;
	}
	err = run(a);
	if (err == 0) {
		note_peer(a->fd, a->shown_family, sa, len);
		return 0;
	}
	if (err != -EISCONN && err != -EALREADY && err != -EINTR && err != -EINPROGRESS)
		log_failure(a, err);
	if (!a->dial.report.reached)
		session_hops_stale();
	return err;
}

/* Past the proxy. A socket that was once swapped needs the address in its present family. */
static int connect_direct(int fd, int shown_family, const struct sockaddr *sa, socklen_t len)
{
	struct sockaddr_storage ss;
	struct endpoint ep;
	socklen_t n;

	if (!shown_family || endpoint_from_sockaddr(&ep, sa, len) < 0)
		return real->connect(fd, sa, len) < 0 ? -errno : 0;
	n = endpoint_to_sockaddr(&ep, path_option(fd, SOL_SOCKET, SO_DOMAIN, AF_INET), &ss);
	if (real->connect(fd, (struct sockaddr *)&ss, n) < 0)
		return -errno;
	note_peer(fd, shown_family, sa, len);
	return 0;
}

/* What the kernel itself answers without a packet: other kinds of sockets, families that don't fit. */
static bool is_kernels_own(int fd, int shown_family, const struct sockaddr *sa)
{
	int family = path_option(fd, SOL_SOCKET, SO_DOMAIN, -1);
	int type = path_option(fd, SOL_SOCKET, SO_TYPE, -1);

	if (family != AF_INET && family != AF_INET6)
		return true;
	if (type == SOCK_STREAM && sa->sa_family != (shown_family ? shown_family : family))
		return true;
	return family == AF_INET6 && sa->sa_family == AF_INET6 &&
	       IN6_IS_ADDR_V4MAPPED(&((const struct sockaddr_in6 *)sa)->sin6_addr) &&
	       path_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
}

static int connect_routed(int fd, int shown_family, const struct sockaddr *sa, socklen_t len)
{
	struct attempt a;

	memset(&a.dial, 0, sizeof(a.dial));
	if (!path_find(&a.path, sa, len))
		return real->connect(fd, sa, len) < 0 ? -errno : 0;
	if (!path_is_tcp(fd))
		path_refuse_untunnelled(&a.path);
	switch (a.path.route.kind) {
	case ROUTE_DIRECT:
		return connect_direct(fd, shown_family, sa, len);
	case ROUTE_REFUSE:
		return path_refuse(&a.path);
	case ROUTE_PROXY:
		break;
	}
	attempt_init(&a, fd);
	a.shown_family = shown_family;
	return connect_proxied(&a, sa, len);
}

/* As connect(2), but for errno: 0 or its negative. */
static int connect_inet(int fd, const struct sockaddr *sa, socklen_t len)
{
	struct socket_note note;
	int err;

	if (sockets_find(fd, &note) && note.state == SOCKET_SPOILED) {
		sockets_forget(fd);
		dial_dissolve(&real_sys, fd);
	}
	if (sa->sa_family != AF_UNSPEC && !is_kernels_own(fd, note.shown_family, sa))
		return connect_routed(fd, note.shown_family, sa, len);
	err = real->connect(fd, sa, len) < 0 ? -errno : 0;
	if (err == 0 && sa->sa_family == AF_UNSPEC)
		sockets_forget(fd);
	return err;
}

int hook_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	int saved = errno;
	int err;

	if (!sa || len < sizeof(sa->sa_family) ||
	    (sa->sa_family != AF_INET && sa->sa_family != AF_INET6 && sa->sa_family != AF_UNSPEC))
		return real->connect(fd, sa, len);
	err = connect_inet(fd, sa, len);
	errno = err < 0 ? -err : saved;
	return err < 0 ? -1 : 0;
}
