/*
 * How it works: a connect that must not wait is parked. Else dial_connect() brings the program's
 * own socket through the proxy or, where its family can't reach the proxy, a second socket that
 * then takes its place. When a signal or SO_SNDTIMEO ends the wait, the helper goes on behind it,
 * as the kernel would.
 */
#include "attempt.h"

#include "interrupt.h"
#include "parking.h"
#include "real.h"
#include "session.h"
#include "sockets.h"
#include "swap.h"
#include "tell.h"

#include <base/clock.h>
#include <base/log.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

struct attempt {
	struct dial dial;
	struct interrupt interrupt;
	const struct path_socket *sock;
	const struct path *path;
	const struct sockaddr *sa;
	int fd;
	int second_fd; /* -1, or the socket that is dialled in place of fd */
	int shown_family;
	bool nonblocking;
	bool carried_on; /* by the helper */
};

static void attempt_init(struct attempt *a)
{
	int64_t now = clock_ms();

	a->nonblocking = path_is_nonblocking(a->fd);
	a->second_fd = -1;
	a->shown_family = a->sock->shown_family;
	a->dial = (struct dial){
		.sys = &real_sys,
		.waiter = &a->interrupt.waiter,
		.proxy = &session_config()->proxy,
		.hops = a->path->hops,
		.n_hops = a->path->n_hops,
		.deadline_ms = now + session_config()->timeout_ms,
		.report = { .code = -1, .began_ms = now, .ended_ms = now },
	};
}

static void close_second(struct attempt *a)
{
	if (a->second_fd >= 0)
		real->close(a->second_fd);
	a->second_fd = -1;
}

/* The thread is cancelled: leave a socket that is not connected, and nothing else. */
static void abandon(void *at)
{
	struct attempt *a = at;

	dial_abandon(&a->dial, a->second_fd >= 0 ? a->second_fd : a->fd);
	close_second(a);
}

/* Where there is no helper the connect is given up, and whoever asks for its outcome hears so. */
static void leave(void *at)
{
	struct attempt *a = at;

	a->carried_on = parking_carry_on(a->fd, a->sock, &a->dial, a->second_fd,
	                                 &a->path->route.dst, a->sa);
	if (!a->carried_on) {
		abandon(a);
		return;
	}
	dial_leave(&a->dial);
	close_second(a);
}

/*
 * May another socket take its place? The kernel would say no to a connect() of a socket that is in
 * use. Returns 0 or what it says.
 */
static int check_unused(int fd)
{
	int state = path_tcp_state(fd);

	if (state == TCP_CLOSE)
		return 0;
	return state == TCP_SYN_SENT ? -EALREADY : -EISCONN;
}

/* For families that can't reach the proxy. */
static int dial_second(struct attempt *a)
{
	int err = check_unused(a->fd);

	if (err < 0)
		return err;
	a->second_fd = swap_prepare(&real_sys, a->fd, dial_family(&a->dial), a->sock->protocol);
	if (a->second_fd < 0)
		return a->second_fd;
	err = dial_connect(&a->dial, a->second_fd, &a->path->route.dst);
	if (err == 0)
		err = check_unused(a->fd);
	if (err == 0)
		err = swap_replace(&real_sys, a->fd, a->second_fd);
	if (err == 0)
		a->shown_family = a->sock->family;
	return err;
}

/* As the kernel: with SO_SNDTIMEO, which it never restarts, every handler ends a connect(). */
static void begin_wait(struct attempt *a)
{
	int64_t limit = a->nonblocking ? 0 : path_send_timeout_ms(a->fd);
	enum interrupt_rule rule = limit > 0 ? INTERRUPT_ALWAYS : INTERRUPT_RESTARTS;

	interrupt_begin(&a->interrupt, &real_sys, a->nonblocking ? INTERRUPT_NEVER : rule,
	                limit > 0 ? clock_ms() + limit : DEADLINE_NEVER);
	interrupt_on(&a->interrupt, abandon, leave, a);
}

static int run(struct attempt *a)
{
	bool v6only = a->sock->family == AF_INET6 &&
	              path_option(a->fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	int err;

	begin_wait(a);
	if (dial_can_reach(&a->dial, a->sock->family, v6only))
		err = dial_connect(&a->dial, a->fd, &a->path->route.dst);
	else
		err = dial_second(a);
	close_second(a);
	interrupt_end(&a->interrupt);
	return err == -EINTR && a->interrupt.limited ? -EINPROGRESS : err;
}

/* Remember what was asked for, in the family that the program takes the socket for. */
static void remember(const struct attempt *a, enum socket_state state)
{
	struct socket_note note = { .state = state, .shown_family = a->shown_family };

	if (sockets_set_peer(&note, a->sa))
		sockets_note(a->fd, &note);
}

static bool is_worth_a_line(int err)
{
	return err != -EISCONN && err != -EALREADY && err != -EINTR && err != -EINPROGRESS;
}

static int park(const struct attempt *a)
{
	const struct parking_aim aim = { .proxy = a->dial.proxy,
		                         .unresolved = a->path->unresolved,
		                         .hops = a->path->hops,
		                         .n_hops = a->path->n_hops,
		                         .dst = &a->path->route.dst,
		                         .deadline_ms = a->dial.deadline_ms };

	if (check_unused(a->fd) < 0)
		return path_ask_kernel(a->fd, a->sock->family);
	return parking_connect(a->fd, a->sock, &aim, a->sa);
}

int attempt_connect(int fd, const struct path_socket *sock, const struct path *path,
                    const struct sockaddr *sa)
{
	struct attempt a = { .fd = fd, .sock = sock, .path = path, .sa = sa };
	int err;

	attempt_init(&a);
	if (a.nonblocking && (path->n_hops > 0 || path->unresolved)) {
		err = park(&a);
		if (err != PARKING_UNABLE)
			return err;
		if (path->unresolved)
			return ATTEMPT_UNRESOLVED;
	}
	err = path->n_hops > 0 ? run(&a) : -EHOSTUNREACH;
	if (err == 0)
		remember(&a, SOCKET_CONNECTED);
	else if ((err == -EINTR || err == -EINPROGRESS) && !a.carried_on)
		remember(&a, SOCKET_GIVEN_UP);
	if (err == 0 || is_worth_a_line(err))
		tell_dial(&path->route.dst, &a.dial, err);
	if (!a.dial.report.reached && is_worth_a_line(err))
		session_hops_stale();
	return err;
}
