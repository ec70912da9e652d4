/* What a program set on its socket, before, while or after its connect() was under way, is set. */
#include "alone.h"
#include "async.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))

static const struct option {
	int level, name, value;
} options[] = {
	{ IPPROTO_TCP, TCP_NODELAY, 1 },   { IPPROTO_TCP, TCP_CORK, 1 },
	{ IPPROTO_TCP, TCP_KEEPIDLE, 77 }, { IPPROTO_TCP, TCP_KEEPINTVL, 11 },
	{ IPPROTO_TCP, TCP_KEEPCNT, 5 },   { IPPROTO_TCP, TCP_USER_TIMEOUT, 54321 },
	{ IPPROTO_TCP, TCP_SYNCNT, 4 },    { IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4711 },
	{ IPPROTO_TCP, TCP_LINGER2, 33 },  { SOL_SOCKET, SO_KEEPALIVE, 1 },
	{ SOL_SOCKET, SO_RCVBUF, 30000 },  { SOL_SOCKET, SO_SNDBUF, 40000 },
	{ SOL_SOCKET, SO_RCVLOWAT, 3 },    { SOL_SOCKET, SO_PRIORITY, 5 },
	{ SOL_SOCKET, SO_OOBINLINE, 1 },   { SOL_SOCKET, SO_REUSEADDR, 1 },
	{ SOL_SOCKET, SO_REUSEPORT, 1 },   { IPPROTO_IP, IP_TOS, 0x10 },
	{ IPPROTO_IP, IP_TTL, 55 },
};

/* Read back at once: the kernel may make something else of a value. */
static int set(int fd, const struct option *o)
{
	int value = -1;

	ck_assert_int_eq(setsockopt(fd, o->level, o->name, &o->value, sizeof(o->value)), 0);
	ck_assert_int_eq(getsockopt(fd, o->level, o->name, &value, &(socklen_t){ sizeof(value) }),
	                 0);
	return value;
}

static void check(int fd, const struct option *o, int want)
{
	int value = -1;

	getsockopt(fd, o->level, o->name, &value, &(socklen_t){ sizeof(value) });
	ck_assert_msg(value == want, "level %d, option %d: %d, not %d", o->level, o->name, value,
	              want);
}

enum when { BEFORE, WHILE, LATE, AFTER };

/* One socket for each: none may hide what another lost. */
START_TEST(an_option_stays)
{
	const struct option *o = &options[_i / 4];
	enum when when = (enum when)(_i % 4);
	struct async a;
	int want = 0;

	async_init(&a, "ok", AF_INET);
	if (when == BEFORE)
		want = set(a.fd, o);
	async_connect(&a);
	if (when == WHILE)
		want = set(a.fd, o);
	under_await_requests(a.name, 1);
	if (when == LATE)
		want = set(a.fd, o);
	if (when != AFTER)
		check(a.fd, o, want);
	async_release(&a);
	async_bits(a.fd, POLLOUT, -1);
	if (when == AFTER)
		want = set(a.fd, o);
	check(a.fd, o, want);
	/* TCP_CORK puts off what is sent. */
	if (o->name != TCP_CORK)
		async_check_connected(&a, a.fd);
	check(a.fd, o, want);
	async_fini(&a);
}
END_TEST

/* An option that is set in the end and was undone on the way is as it was. */
START_TEST(an_option_that_was_unset_is_unset)
{
	static const struct option on = { IPPROTO_TCP, TCP_NODELAY, 1 },
				   off = { IPPROTO_TCP, TCP_NODELAY, 0 };
	struct async a;

	async_init(&a, "ok", AF_INET);
	set(a.fd, &on);
	async_connect(&a);
	under_await_requests(a.name, 1);
	set(a.fd, &off);
	async_release(&a);
	async_bits(a.fd, POLLOUT, -1);
	check(a.fd, &off, 0);
	async_fini(&a);
}
END_TEST

START_TEST(wide_options_stay)
{
	struct linger linger = { 1, 7 }, is = { 0, 0 };
	struct timeval tv = { .tv_sec = 12 }, tv_is = { 0 };
	char cc[16] = "", want[16] = "reno";
	struct async a;

	async_init(&a, "ok", AF_INET);
	for (int i = 0; i < 2; i++) {
		if (i == _i) {
			setsockopt(a.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
			setsockopt(a.fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
			setsockopt(a.fd, IPPROTO_TCP, TCP_CONGESTION, want, sizeof(want));
			getsockopt(a.fd, IPPROTO_TCP, TCP_CONGESTION, want,
			           &(socklen_t){ sizeof(want) });
		}
		if (i == 0)
			async_connect(&a);
	}
	async_release(&a);
	async_bits(a.fd, POLLOUT, -1);
	getsockopt(a.fd, SOL_SOCKET, SO_LINGER, &is, &(socklen_t){ sizeof(is) });
	ck_assert_int_eq(is.l_onoff, 1);
	ck_assert_int_eq(is.l_linger, 7);
	getsockopt(a.fd, SOL_SOCKET, SO_RCVTIMEO, &tv_is, &(socklen_t){ sizeof(tv_is) });
	ck_assert_int_eq(tv_is.tv_sec, 12);
	getsockopt(a.fd, IPPROTO_TCP, TCP_CONGESTION, cc, &(socklen_t){ sizeof(cc) });
	ck_assert_str_eq(cc, want);
	async_check_connected(&a, a.fd);
	async_fini(&a);
}
END_TEST

START_TEST(ipv6_options_stay)
{
	static const struct option v6[] = { { IPPROTO_IPV6, IPV6_V6ONLY, 0 },
		                            { IPPROTO_IPV6, IPV6_TCLASS, 0x20 },
		                            { IPPROTO_IPV6, IPV6_UNICAST_HOPS, 44 } };
	struct async a;
	int want;

	async_init(&a, "ok", AF_INET6);
	want = set(a.fd, &v6[_i]);
	async_connect(&a);
	async_release(&a);
	async_bits(a.fd, POLLOUT, -1);
	check(a.fd, &v6[_i], want);
	/* And those that are set later are taken. */
	set(a.fd, &v6[1]);
	async_check_connected(&a, a.fd);
	async_fini(&a);
}
END_TEST

/* The proxy is of IPv4, so that another kind of socket takes the place of this one. */
START_TEST(v6only_does_not_keep_it_from_ending)
{
	static const struct option only = { IPPROTO_IPV6, IPV6_V6ONLY, 1 };
	struct async a;

	async_init(&a, "ok", AF_INET6);
	set(a.fd, &only);
	async_connect(&a);
	async_release(&a);
	ck_assert_int_eq(async_bits(a.fd, POLLOUT, -1), POLLOUT);
	async_check_connected(&a, a.fd);
	async_fini(&a);
}
END_TEST

START_TEST(flags_of_the_descriptor_stay)
{
	bool cloexec = _i & 1, late = _i & 2;
	struct async a;

	async_init(&a, "ok", AF_INET);
	if (!late)
		fcntl(a.fd, F_SETFD, cloexec ? FD_CLOEXEC : 0);
	async_connect(&a);
	if (late)
		fcntl(a.fd, F_SETFD, cloexec ? FD_CLOEXEC : 0);
	under_await_requests(a.name, 1);
	async_release(&a);
	async_bits(a.fd, POLLOUT, -1);
	ck_assert_int_eq(fcntl(a.fd, F_GETFD), cloexec ? FD_CLOEXEC : 0);
	async_check_connected(&a, a.fd);
	async_fini(&a);
}
END_TEST

/* A program that is told of readiness by a signal. */
START_TEST(a_signal_tells_of_the_end)
{
	const int sig = SIGRTMIN + 3;
	sigset_t set;
	siginfo_t info;
	struct async a;

	sigemptyset(&set);
	sigaddset(&set, sig);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	async_init(&a, _i % 2 ? "refused" : "ok", AF_INET);
	if (_i / 2)
		async_connect(&a);
	fcntl(a.fd, F_SETOWN, getpid());
	fcntl(a.fd, F_SETSIG, sig);
	fcntl(a.fd, F_SETFL, O_NONBLOCK | O_ASYNC);
	if (!(_i / 2))
		async_connect(&a);
	under_await_requests(a.name, 1);
	ck_assert_int_eq(sigtimedwait(&set, &info, &(struct timespec){ 0 }), -1);
	async_release(&a);
	ck_assert_int_eq(sigwaitinfo(&set, &info), sig);
	ck_assert_int_eq(info.si_fd, a.fd);
	async_bits(a.fd, POLLOUT, -1);
	ck_assert_int_eq(fcntl(a.fd, F_GETOWN), getpid());
	ck_assert_int_eq(fcntl(a.fd, F_GETSIG), sig);
	ck_assert_int_eq(fcntl(a.fd, F_GETFL) & (O_ASYNC | O_NONBLOCK), O_ASYNC | O_NONBLOCK);
	while (sigtimedwait(&set, &info, &(struct timespec){ 0 }) > 0)
		;
	/* And of what comes in later. */
	if (_i % 2 == 0) {
		ck_assert_int_eq(send(a.fd, "x", 1, MSG_NOSIGNAL), 1);
		do
			ck_assert_int_eq(sigwaitinfo(&set, &info), sig);
		while (recv(a.fd, &(char){ 0 }, 1, 0) != 1);
		ck_assert_int_eq(info.si_fd, a.fd);
	}
	async_fini(&a);
	while (sigtimedwait(&set, &info, &(struct timespec){ 0 }) > 0)
		;
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
END_TEST

static uint16_t own_port(int fd, const char *address)
{
	struct sockaddr_in sa = { 0 };
	char text[INET_ADDRSTRLEN];

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &(socklen_t){ sizeof(sa) }), 0);
	ck_assert_str_eq(inet_ntop(AF_INET, &sa.sin_addr, text, sizeof(text)), address);
	return ntohs(sa.sin_port);
}

/* With a port and without one, by itself and beside another at the same time. */
START_TEST(where_it_was_bound_it_stays)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	struct async a, other;
	uint16_t port;

	inet_pton(AF_INET, "127.0.0.2", &sa.sin_addr);
	async_init(&a, _i % 2 ? "refused" : "ok", AF_INET);
	async_init(&other, "ok", AF_INET);
	if (_i / 2)
		setsockopt(a.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int));
	ck_assert_int_eq(bind(a.fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(bind(other.fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	port = own_port(a.fd, "127.0.0.2");
	async_connect(&a);
	async_connect(&other);
	if (port)
		ck_assert_uint_eq(own_port(a.fd, "127.0.0.2"), port);
	under_await_requests(a.name, 1);
	if (port && !under_is_direct())
		ck_assert_uint_eq(under_port_seen(a.name), port);
	async_release(&other);
	async_release(&a);
	async_bits(a.fd, POLLOUT, -1);
	async_bits(other.fd, POLLOUT, -1);
	async_check_connected(&other, other.fd);
	if (_i % 2 == 0) {
		async_check_connected(&a, a.fd);
		if (!port)
			port = own_port(a.fd, "127.0.0.2");
		ck_assert_uint_eq(own_port(a.fd, "127.0.0.2"), port);
	} else {
		ck_assert_int_eq(async_error(a.fd), ECONNREFUSED);
	}
	async_fini(&a);
	async_fini(&other);
}
END_TEST

/* In a network of its own, where the privileged may mark and bind what they send. */
START_TEST(mark_and_device_stay)
{
	static const struct option mark = { SOL_SOCKET, SO_MARK, 7 };
	char device[16] = "";
	struct async a;
	int want = 0;

	async_init(&a, _i % 2 ? "refused" : "ok", AF_INET);
	if (_i / 2)
		async_connect(&a);
	/* Ordinary users may not. */
	if (setsockopt(a.fd, mark.level, mark.name, &mark.value, sizeof(mark.value)) == 0)
		want = mark.value;
	else
		ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(setsockopt(a.fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), 0);
	if (!(_i / 2))
		async_connect(&a);
	under_await_requests(a.name, 1);
	async_check_pending(&a);
	check(a.fd, &mark, want);
	async_release(&a);
	async_bits(a.fd, POLLOUT, -1);
	check(a.fd, &mark, want);
	ck_assert_int_eq(getsockopt(a.fd, SOL_SOCKET, SO_BINDTODEVICE, device,
	                            &(socklen_t){ sizeof(device) }),
	                 0);
	ck_assert_str_eq(device, "lo");
	if (_i % 2)
		ck_assert_int_eq(async_error(a.fd), ECONNREFUSED);
	else
		async_check_connected(&a, a.fd);
	async_fini(&a);
}
END_TEST

static bool is_alone;

static Suite *make(void)
{
	Suite *s = suite_create("async options");
	TCase *tc = async_case(s, "async options");

	if (is_alone) {
		tcase_add_loop_test(tc, mark_and_device_stay, 0, 4);
		return s;
	}
	tcase_add_loop_test(tc, an_option_stays, 0, N(options) * 4);
	tcase_add_test(tc, an_option_that_was_unset_is_unset);
	tcase_add_loop_test(tc, wide_options_stay, 0, 2);
	tcase_add_loop_test(tc, ipv6_options_stay, 0, 3);
	if (!under_is_direct())
		tcase_add_test(tc, v6only_does_not_keep_it_from_ending);
	tcase_add_loop_test(tc, flags_of_the_descriptor_stay, 0, 4);
	tcase_add_loop_test(tc, a_signal_tells_of_the_end, 0, 4);
	tcase_add_loop_test(tc, where_it_was_bound_it_stays, 0, 4);
	return s;
}

int main(int argc, char **argv)
{
	is_alone = argc > 1 && strcmp(argv[1], "alone") == 0;
	if (is_alone && !under_is_second_run() && !alone_begin()) {
		fprintf(stderr, "no namespaces of one's own here\n");
		return 77; /* meson's "skipped" */
	}
	setenv("SOCKSIFY_TIMEOUT", "60", 0);
	return under_main(argc, argv, UNDER_IPV4, make);
}
