/* blackhole.c over real sockets on loopback, and over a system that fails on purpose. */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/wait.h>
#include <tunnel/blackhole.h>
#include <tunnel/dial.h>
#include <unistd.h>

#define FLOOR    200
#define FDS_MAX  1024
#define SILENCE  30 /* ms in which nothing is to happen */
#define PATIENCE 60000

/* Which calls fail, and which of them in turn. */
static struct {
	const char *call;
	int turn, err;
	bool no_ipv6, never_ready;
	int interrupts;
} f;

static bool fails(const char *call)
{
	if (!f.call || strcmp(call, f.call) != 0 || f.turn-- != 0)
		return false;
	errno = f.err;
	return true;
}

static int fake_socket(int family, int type, int protocol)
{
	if (f.no_ipv6 && family == AF_INET6) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	return fails("socket") ? -1 : sys_libc.socket(family, type, protocol);
}

static int fake_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	return fails("bind") ? -1 : sys_libc.bind(fd, sa, len);
}

static int fake_getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	return fails("getsockname") ? -1 : sys_libc.getsockname(fd, sa, len);
}

static int fake_listen(int fd, int backlog)
{
	return fails("listen") ? -1 : sys_libc.listen(fd, backlog);
}

static int fake_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	return fails("connect") ? -1 : sys_libc.connect(fd, sa, len);
}

static int fake_fcntl(int fd, int cmd, long arg)
{
	if (cmd != F_GETFL && cmd != F_SETFL)
		return sys_libc.fcntl(fd, cmd, arg);
	return fails("fcntl") ? -1 : sys_libc.fcntl(fd, cmd, arg);
}

static int fake_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	if (f.interrupts > 0) {
		f.interrupts--;
		errno = EINTR;
		return -1;
	}
	if (f.never_ready)
		return 0;
	return fails("poll") ? -1 : sys_libc.poll(fds, n, timeout_ms);
}

/* A listener whose queue never fills. */
static int fake_getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	int r = sys_libc.getsockopt(fd, level, name, val, len);

	if (level == IPPROTO_TCP && name == TCP_INFO && f.call && strcmp(f.call, "full") == 0) {
		((struct tcp_info *)val)->tcpi_unacked = 1;
		f.turn = -1;
	}
	return r;
}

static struct sys fake_sys(void)
{
	struct sys sys = sys_libc;

	memset(&f, 0, sizeof(f));
	sys.socket = fake_socket;
	sys.bind = fake_bind;
	sys.getsockname = fake_getsockname;
	sys.listen = fake_listen;
	sys.connect = fake_connect;
	sys.fcntl = fake_fcntl;
	sys.poll = fake_poll;
	sys.getsockopt = fake_getsockopt;
	return sys;
}

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < FDS_MAX; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int new_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static int events_of(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLPRI | POLLOUT | POLLRDHUP };

	ck_assert_int_ge(poll(&p, 1, timeout_ms), 0);
	return p.revents;
}

static int tcp_state(int fd)
{
	struct tcp_info info;

	ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &(socklen_t){ sizeof(info) }),
	                 0);
	return info.tcpi_state;
}

static int so_error(int fd)
{
	int err = -1;

	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &(socklen_t){ sizeof(err) }),
	                 0);
	return err;
}

static bool ipv6_is_here(void)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool here = fd >= 0 && bind(fd, (struct sockaddr *)&sin6, sizeof(sin6)) == 0;

	if (fd >= 0)
		close(fd);
	return here;
}

/* The ways into the black hole. */
static const struct {
	int family;
	bool without_v6, bound_to_v4;
	bool by_v6;
} ways[] = {
	{ .family = AF_INET },
	{ .family = AF_INET6, .by_v6 = true },
	{ .family = AF_INET6, .without_v6 = true },
	{ .family = AF_INET6, .bound_to_v4 = true },
};

static int open_way(struct blackhole *b, const struct sys *sys, int way)
{
	int fd;

	f.no_ipv6 = false;
	ck_assert_int_eq(blackhole_open(b, sys, FLOOR), 0);
	fd = new_socket(ways[way].family);
	f.no_ipv6 = ways[way].without_v6;
	if (ways[way].bound_to_v4) {
		struct sockaddr_in6 own = { .sin6_family = AF_INET6 };

		ck_assert_int_eq(inet_pton(AF_INET6, "::ffff:127.0.0.1", &own.sin6_addr), 1);
		ck_assert_int_eq(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
	}
	return fd;
}

START_TEST(a_parked_socket_is_pending_and_no_more)
{
	struct sys sys = fake_sys();
	struct sockaddr_storage peer;
	struct blackhole b;
	int fd = open_way(&b, &sys, _i);
	char buf[4];

	ck_assert_int_eq(blackhole_park(&b, fd, ways[_i].family), -EINPROGRESS);
	ck_assert_int_eq(b.v6.listen_fd >= 0, ways[_i].by_v6 && ipv6_is_here());
	ck_assert_int_eq(events_of(fd, SILENCE), 0);
	ck_assert_int_eq(tcp_state(fd), TCP_SYN_SENT);
	ck_assert_int_eq(blackhole_park(&b, fd, ways[_i].family), -EALREADY);
	ck_assert_int_eq(send(fd, "x", 1, MSG_NOSIGNAL), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(recv(fd, buf, sizeof(buf), 0), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&peer, &(socklen_t){ sizeof(peer) }),
	                 -1);
	ck_assert_int_eq(errno, ENOTCONN);
	ck_assert_int_eq(so_error(fd), 0);
	ck_assert_int_eq(events_of(fd, 0), 0);
	close(fd);
	blackhole_close(&b);
}
END_TEST

#define CROWD 200

START_TEST(any_number_can_be_parked)
{
	struct blackhole b;
	int fds[CROWD];

	ck_assert_int_eq(blackhole_open(&b, &sys_libc, FLOOR), 0);
	for (int i = 0; i < CROWD; i++) {
		int family = i % 2 == 0 ? AF_INET : AF_INET6;

		fds[i] = new_socket(family);
		ck_assert_int_eq(blackhole_park(&b, fds[i], family), -EINPROGRESS);
	}
	for (int i = 0; i < CROWD; i++) {
		ck_assert_int_eq(events_of(fds[i], 0), 0);
		ck_assert_int_eq(tcp_state(fds[i]), TCP_SYN_SENT);
		close(fds[i]);
	}
	blackhole_close(&b);
}
END_TEST

START_TEST(its_descriptors_are_out_of_the_way)
{
	struct blackhole b;
	int before = count_fds(), fd;

	ck_assert_int_eq(blackhole_open(&b, &sys_libc, FLOOR), 0);
	ck_assert_int_eq(count_fds(), before + 2);
	fd = new_socket(AF_INET6);
	ck_assert_int_eq(blackhole_park(&b, fd, AF_INET6), -EINPROGRESS);
	ck_assert_int_eq(count_fds(), before + 3 + (ipv6_is_here() ? 2 : 0));
	for (int i = 0; i < FDS_MAX; i++)
		if (i == b.v4.listen_fd || i == b.v4.refuse_fd || i == b.v6.listen_fd ||
		    i == b.v6.refuse_fd) {
			ck_assert_int_ge(i, FLOOR);
			ck_assert_int_eq(fcntl(i, F_GETFD), FD_CLOEXEC);
		}
	close(fd);
	blackhole_close(&b);
	ck_assert_int_eq(count_fds(), before);
	ck_assert_int_eq(b.v4.listen_fd, -1);
	blackhole_close(&b);
}
END_TEST

/* What a connect() says of a socket that is not as it should be, the program is told too. */
START_TEST(the_kernel_judges_the_sockets_state)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	struct blackhole b;
	int listener = new_socket(AF_INET), fd = new_socket(AF_INET);

	ck_assert_int_eq(blackhole_open(&b, &sys_libc, FLOOR), 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, len), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, len), -1);
	ck_assert_int_eq(events_of(fd, PATIENCE) & POLLOUT, POLLOUT);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, len), 0);
	ck_assert_int_eq(blackhole_park(&b, fd, AF_INET), -EISCONN);
	close(fd);

	fd = new_socket(AF_INET);
	ck_assert_int_eq(blackhole_refuse(&b, fd, AF_INET, false), 0);
	ck_assert_int_eq(blackhole_park(&b, fd, AF_INET), -ECONNREFUSED);
	ck_assert_int_eq(blackhole_park(&b, fd, AF_INET), -EINPROGRESS);
	close(fd);
	close(listener);
	ck_assert_int_eq(blackhole_park(&b, fd, AF_INET), -EBADF);
	blackhole_close(&b);
}
END_TEST

static int told_by_so_error(int fd)
{
	return so_error(fd);
}

static int told_by_recv(int fd)
{
	char buf[4];

	return recv(fd, buf, sizeof(buf), 0) < 0 ? errno : 0;
}

static int told_by_send(int fd)
{
	return send(fd, "x", 1, MSG_NOSIGNAL) < 0 ? errno : 0;
}

static int told_by_connect(int fd)
{
	/* Where to is of no interest: the error comes first. */
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		                  .sin_port = htons(1) };

	return connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ? errno : 0;
}

/* What says it first, and what SO_ERROR says of it then. */
static int (*const tellers[])(int fd) = { told_by_so_error, told_by_recv, told_by_send,
	                                  told_by_connect };

START_TEST(a_refused_socket_says_so_once)
{
	struct sys sys = fake_sys();
	struct blackhole b;
	int way = _i / ROWS(tellers);
	int fd = open_way(&b, &sys, way);

	/* Whoever waits for it may have been blocking. */
	if (_i % 2)
		ck_assert_int_eq(fcntl(fd, F_SETFL, 0), 0);
	f.interrupts = 2;
	ck_assert_int_eq(blackhole_refuse(&b, fd, ways[way].family, false), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	ck_assert_int_eq(events_of(fd, 0) & (POLLERR | POLLHUP), POLLERR | POLLHUP);
	ck_assert_int_eq(tellers[_i % ROWS(tellers)](fd), ECONNREFUSED);
	ck_assert_int_eq(so_error(fd), 0);
	ck_assert_int_eq(tcp_state(fd), TCP_CLOSE);
	close(fd);
	blackhole_close(&b);
}
END_TEST

/* Linux loses what such a socket sends to ::1. */
START_TEST(a_socket_that_was_connected_to_ipv4_is_refused_there)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6 };
	struct sockaddr_in at;
	struct blackhole b;
	int fd = new_socket(AF_INET6);

	ck_assert_int_eq(blackhole_open(&b, &sys_libc, FLOOR), 0);
	memcpy(&at, &b.v4.hole, sizeof(at));
	ck_assert_int_eq(inet_pton(AF_INET6, "::ffff:127.0.0.1", &to.sin6_addr), 1);
	to.sin6_port = at.sin_port;
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), -1);
	ck_assert_int_eq(errno, EINPROGRESS);
	dial_dissolve(&sys_libc, fd);
	ck_assert_int_eq(blackhole_refuse(&b, fd, AF_INET6, true), 0);
	ck_assert_int_eq(so_error(fd), ECONNREFUSED);
	close(fd);
	blackhole_close(&b);
}
END_TEST

START_TEST(a_refused_socket_can_be_connected_again)
{
	struct blackhole b;
	int fd = new_socket(AF_INET);

	ck_assert_int_eq(blackhole_open(&b, &sys_libc, FLOOR), 0);
	ck_assert_int_eq(blackhole_refuse(&b, fd, AF_INET, false), 0);
	ck_assert_int_eq(so_error(fd), ECONNREFUSED);
	/* The kernel's own way, of any socket whose error was fetched by other means. */
	ck_assert_int_eq(blackhole_park(&b, fd, AF_INET), -ECONNABORTED);
	ck_assert_int_eq(blackhole_park(&b, fd, AF_INET), -EINPROGRESS);
	dial_dissolve(&sys_libc, fd);
	ck_assert_int_eq(blackhole_refuse(&b, fd, AF_INET, false), 0);
	ck_assert_int_eq(so_error(fd), ECONNREFUSED);
	close(fd);
	blackhole_close(&b);
}
END_TEST

static const struct {
	const char *call;
	int turn, err, told;
} broken[] = {
	{ "socket", 0, EMFILE, EMFILE },
	{ "socket", 1, ENFILE, ENFILE },
	{ "socket", 2, ENOMEM, ENOMEM },
	{ "socket", 3, EMFILE, EMFILE },
	{ "bind", 0, EADDRNOTAVAIL, ENETUNREACH },
	{ "bind", 0, EACCES, EACCES },
	{ "bind", 1, EADDRINUSE, EADDRINUSE },
	{ "getsockname", 0, ENOBUFS, ENOBUFS },
	{ "getsockname", 1, ENOBUFS, ENOBUFS },
	{ "listen", 0, EADDRINUSE, EADDRINUSE },
	{ "connect", 0, ENETUNREACH, ENETUNREACH },
	{ "connect", 1, EPERM, EPERM },
	{ "poll", 0, ENOMEM, ENOMEM },
	{ "poll", 1, ENOMEM, ENOMEM },
	{ "full", 0, 0, EAGAIN },
};

START_TEST(what_fails_leaves_nothing_open)
{
	struct sys sys = fake_sys();
	struct blackhole b;
	int before = count_fds();

	f.call = broken[_i].call;
	f.turn = broken[_i].turn;
	f.err = broken[_i].err;
	ck_assert_int_eq(blackhole_open(&b, &sys, FLOOR), -broken[_i].told);
	ck_assert_int_eq(f.turn, -1);
	ck_assert_int_eq(count_fds(), before);
	ck_assert_int_eq(b.v4.listen_fd, -1);
	ck_assert_int_eq(b.v4.refuse_fd, -1);
	blackhole_close(&b);
}
END_TEST

START_TEST(fillers_that_do_not_come_are_not_waited_for)
{
	struct sys sys = fake_sys();
	struct blackhole b;
	int before = count_fds();

	f.never_ready = true;
	ck_assert_int_eq(blackhole_open(&b, &sys, FLOOR), -EAGAIN);
	ck_assert_int_eq(count_fds(), before);
}
END_TEST

/* Of descriptors there may be some again later; of IPv6 there won't. */
START_TEST(ipv6_is_tried_again_after_a_shortage)
{
	struct sys sys = fake_sys();
	struct blackhole b;
	int fds[2] = { new_socket(AF_INET6), new_socket(AF_INET6) };

	ck_assert_int_eq(blackhole_open(&b, &sys, FLOOR), 0);
	f.call = "socket";
	f.err = _i == 0 ? EMFILE : EAFNOSUPPORT;
	ck_assert_int_eq(blackhole_park(&b, fds[0], AF_INET6), -EINPROGRESS);
	ck_assert_int_eq(b.v6.listen_fd, -1);
	ck_assert_int_eq(blackhole_park(&b, fds[1], AF_INET6), -EINPROGRESS);
	ck_assert_int_eq(b.v6.listen_fd >= 0, _i == 0 && ipv6_is_here());
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(tcp_state(fds[i]), TCP_SYN_SENT);
		close(fds[i]);
	}
	blackhole_close(&b);
}
END_TEST

static const struct {
	const char *call;
	int turn, err;
	bool never_ready;
	int told;
} unrefused[] = {
	{ .never_ready = true, .told = ETIMEDOUT },
	{ .call = "poll", .err = ENOMEM, .told = ENOMEM },
	{ .call = "connect", .err = EPERM, .told = EPERM },
	{ .call = "fcntl", .err = EBADF, .told = EBADF },
	{ .call = "fcntl", .turn = 1, .err = EBADF, .told = EBADF },
};

START_TEST(a_refusal_that_fails_leaves_it_unconnected)
{
	struct sys sys = fake_sys();
	struct blackhole b;
	int fd = new_socket(AF_INET);

	ck_assert_int_eq(blackhole_open(&b, &sys, FLOOR), 0);
	f.call = unrefused[_i].call;
	f.turn = unrefused[_i].turn;
	f.err = unrefused[_i].err;
	f.never_ready = unrefused[_i].never_ready;
	ck_assert_int_eq(blackhole_refuse(&b, fd, AF_INET, false), -unrefused[_i].told);
	ck_assert_int_eq(tcp_state(fd), TCP_CLOSE);
	ck_assert_int_eq(so_error(fd), 0);
	close(fd);
	blackhole_close(&b);
}
END_TEST

/* TCP_FASTOPEN_CONNECT has connect() say 0 and send nothing. */
START_TEST(a_connect_that_only_pretends_is_not_parked)
{
	struct blackhole b;
	int fd = new_socket(AF_INET);

	ck_assert_int_eq(blackhole_open(&b, &sys_libc, FLOOR), 0);
	ck_assert_int_eq(
		setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &(int){ 1 }, sizeof(int)), 0);
	if (blackhole_park(&b, fd, AF_INET) != -EINPROGRESS)
		ck_assert_int_eq(tcp_state(fd), TCP_CLOSE);
	close(fd);
	blackhole_close(&b);
}
END_TEST

/* In a network of its own, whose loopback is down as yet. Where that can't be had: nothing. */
START_TEST(without_loopback_there_is_none)
{
	struct blackhole b;
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
			_exit(0);
		_exit(blackhole_open(&b, &sys_libc, FLOOR) == -ENETUNREACH ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

UNIT_MAIN("tunnel blackhole", { a_parked_socket_is_pending_and_no_more, ROWS(ways) },
          { any_number_can_be_parked, 0 }, { its_descriptors_are_out_of_the_way, 0 },
          { the_kernel_judges_the_sockets_state, 0 },
          { a_refused_socket_says_so_once, ROWS(ways) * ROWS(tellers) },
          { a_socket_that_was_connected_to_ipv4_is_refused_there, 0 },
          { a_refused_socket_can_be_connected_again, 0 },
          { what_fails_leaves_nothing_open, ROWS(broken) },
          { fillers_that_do_not_come_are_not_waited_for, 0 },
          { ipv6_is_tried_again_after_a_shortage, 2 },
          { a_refusal_that_fails_leaves_it_unconnected, ROWS(unrefused) },
          { a_connect_that_only_pretends_is_not_parked, 0 }, { without_loopback_there_is_none, 0 })
