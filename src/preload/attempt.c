/*
 * How it works: dial_connect() brings the program's own socket through the proxy, or, where its
 * family can't reach the proxy, a second socket that then takes its place. A blocking connect that
 * a signal or SO_SNDTIMEO ends is given up: where the kernel would go on behind it, the outcome is
 * fetched when the program asks for it (hook_sockopt.c), which until then sees a socket that is not
 * connected.
 */
#include "attempt.h"

#include "interrupt.h"
#include "real.h"
#include "session.h"
#include "swap.h"

#include <base/clock.h>
#include <base/log.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

struct attempt {
	struct dial dial;
	struct interrupt interrupt;
	const struct path_socket *sock;
	const struct path *path;
	int fd;
	int second_fd; /* -1, or the socket that is dialled in place of fd */
	int shown_family;
	enum interrupt_rule rule;
	bool by_sndtimeo;   /* the deadline is SO_SNDTIMEO's, not ours */
	int64_t overall_ms; /* ours */
};

static void log_failure(const struct attempt *a, int err)
{
	char text[512];

	log_warn("%s[%d]: %s through %s: %s", program_invocation_short_name, (int)getpid(),
	         ENDPOINT_TEXT(&a->path->route.dst), a->dial.proxy->label,
	         dial_explain(&a->dial, err, text, sizeof(text)));
}

static void log_success(const struct attempt *a)
{
	if (log_enabled(LOG_LEVEL_INFO))
		log_info("%s[%d]: %s through %s: connected, after %lld ms",
		         program_invocation_short_name, (int)getpid(),
		         ENDPOINT_TEXT(&a->path->route.dst), a->dial.proxy->label,
		         (long long)(a->dial.report.ended_ms - a->dial.report.began_ms));
}

static int64_t sndtimeo_ms(int fd)
{
	struct timeval tv = { 0 };

	if (real->getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, &(socklen_t){ sizeof(tv) }) < 0)
		return 0;
	return (int64_t)tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000;
}

static void attempt_init(struct attempt *a, int fd, const struct socket_note *before)
{
	int flags = real->fcntl(fd, F_GETFL, 0);
	bool nonblocking = flags >= 0 && (flags & O_NONBLOCK);
	int64_t now = clock_ms(), limit = nonblocking ? 0 : sndtimeo_ms(fd);

	a->fd = fd;
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
	a->overall_ms = a->dial.deadline_ms;
	a->by_sndtimeo = limit > 0 && now + limit < a->dial.deadline_ms;
	if (a->by_sndtimeo)
		a->dial.deadline_ms = now + limit;
	/*
	 * The time runs on while a program sees to its signals, and begins anew for each of them no
	 * more.
	 */
	if (before && before->deadline_ms < a->overall_ms)
		a->overall_ms = before->deadline_ms;
	if (a->overall_ms < a->dial.deadline_ms)
		a->dial.deadline_ms = a->overall_ms;
	a->rule = INTERRUPT_RESTARTS;
	if (nonblocking || before)
		a->rule = INTERRUPT_NEVER;
	else if (limit > 0)
		a->rule = INTERRUPT_ALWAYS;
}

static void close_second(struct attempt *a)
{
	if (a->second_fd >= 0)
		real->close(a->second_fd);
	a->second_fd = -1;
}

/* Called in the midst of dial_connect(): leave a socket that is not connected, and nothing else. */
static void abandon(void *at)
{
	struct attempt *a = at;

	dial_abandon(&a->dial, a->second_fd >= 0 ? a->second_fd : a->fd);
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
	a->second_fd = swap_prepare(&real_sys, a->fd, dial_family(&a->dial));
	if (a->second_fd < 0)
		return a->second_fd;
	err = dial_connect(&a->dial, a->second_fd, &a->path->route.dst);
	if (err == 0)
		err = check_unused(a->fd);
	if (err == 0)
		err = swap_place(&real_sys, a->fd, a->second_fd);
	if (err == 0)
		a->shown_family = a->sock->family;
	return err;
}

static int run(struct attempt *a)
{
	bool v6only = a->sock->family == AF_INET6 &&
	              path_option(a->fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	int err;

	interrupt_begin(&a->interrupt, &real_sys, a->rule, abandon, a);
	if (dial_can_reach(&a->dial, a->sock->family, v6only))
		err = dial_connect(&a->dial, a->fd, &a->path->route.dst);
	else
		err = dial_second(a);
	close_second(a);
	interrupt_end(&a->interrupt);
	return err;
}

/* Remember @sa, which is in the family that the program takes the socket for. */
static void remember(const struct attempt *a, enum socket_state state, const struct sockaddr *sa)
{
	struct socket_note note = { .state = state,
		                    .shown_family = a->shown_family,
		                    .deadline_ms = a->overall_ms };

	if (sockets_set_peer(&note, sa))
		sockets_note(a->fd, &note);
}

static bool is_worth_a_line(int err)
{
	return err != -EISCONN && err != -EALREADY && err != -EINTR;
}

int attempt_connect(int fd, const struct path_socket *sock, const struct path *path,
                    const struct sockaddr *sa, const struct socket_note *before)
{
	struct attempt a = { .sock = sock, .path = path };
	int err = -EHOSTUNREACH;

	attempt_init(&a, fd, before);
	if (path->n_hops > 0)
		err = run(&a);
	else
		a.dial.report.why = "the proxy's name has no address";
	if (err == 0) {
		remember(&a, SOCKET_CONNECTED, sa);
		log_success(&a);
		return 0;
	}
	if (err == -ETIMEDOUT && a.by_sndtimeo && !before)
		err = -EINPROGRESS;
	else if (is_worth_a_line(err))
		log_failure(&a, err);
	if (err == -EINTR || err == -EINPROGRESS)
		remember(&a, SOCKET_INTERRUPTED, sa);
	if (!a.dial.report.reached && is_worth_a_line(err))
		session_hops_stale();
	return err;
}
