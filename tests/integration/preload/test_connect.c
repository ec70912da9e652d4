/*
 * connect() under the library: results, retries, families, states; PROTOCOL 28 to 39 from the
 * client's side.
 */
#include "under.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	const char *name;
	int err;
} failures[] = {
	{ "refused.test", ECONNREFUSED }, { "unreach.test", EHOSTUNREACH },
	{ "denied.test", EACCES },        { "expired.test", ETIMEDOUT },
	{ "silent.test", ETIMEDOUT },     { "garbage.test", EPROTO },
	{ "gone.test", ECONNREFUSED },
};

START_TEST(replies_become_errnos)
{
	ck_assert_int_eq(under_connect(failures[_i].name), -1);
	ck_assert_int_eq(errno, failures[_i].err);
}
END_TEST

START_TEST(success_leaves_errno_alone)
{
	int fd;

	errno = 4711;
	fd = under_connect("ok.test");
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(errno, 4711);
	under_echo(fd);
	close(fd);
}
END_TEST

START_TEST(data_glued_to_the_reply_is_the_programs)
{
	static const char *const names[] = { "glued.test", "named.test" };
	char buf[8] = "";
	int fd = under_connect(names[_i]);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(recv(fd, buf, 5, MSG_WAITALL), 5);
	ck_assert_str_eq(buf, "early");
	close(fd);
}
END_TEST

START_TEST(a_failed_socket_can_be_connected_again)
{
	socklen_t len;
	struct sockaddr_storage bad = under_look_up(failures[_i].name, AF_INET, 80, &len);
	struct sockaddr_storage good = under_look_up("ok.test", AF_INET, 80, &len);
	int fd = socket(AF_INET, SOCK_STREAM, 0), err = 0;

	for (int round = 0; round < 2; round++) {
		ck_assert_int_eq(connect(fd, (struct sockaddr *)&bad, len), -1);
		ck_assert_int_eq(errno, failures[_i].err);
		ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &(socklen_t){ 4 }), 0);
		ck_assert_int_eq(err, 0);
		ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&(struct sockaddr_in6){ 0 },
		                             &(socklen_t){ sizeof(struct sockaddr_in6) }),
		                 -1);
		ck_assert_int_eq(errno, ENOTCONN);
	}
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&good, len), 0);
	under_echo(fd);
	close(fd);
}
END_TEST

START_TEST(a_connected_socket_says_eisconn)
{
	socklen_t len;
	struct sockaddr_storage ss = under_look_up("ok.test", AF_INET, 80, &len);
	int fd = under_connect("ok.test");

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&ss, len), -1);
	ck_assert_int_eq(errno, EISCONN);
	under_echo(fd); /* and is none the worse for it */
	close(fd);
}
END_TEST

START_TEST(af_unspec_dissolves)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	socklen_t len;
	struct sockaddr_storage ss = under_look_up("ok.test", AF_INET, 80, &len);
	int fd = under_connect("ok.test");

	ck_assert_int_eq(connect(fd, &none, sizeof(none)), 0);
	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&ss, &len), -1);
	ck_assert_int_eq(errno, ENOTCONN);
	ss = under_look_up("ok.test", AF_INET, 80, &len);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&ss, len), 0);
	under_echo(fd);
	close(fd);
}
END_TEST

START_TEST(every_family_of_socket_reaches_every_kind_of_address)
{
	static const struct {
		int family;
		const char *address;
	} rows[] = {
		{ AF_INET, "192.0.2.1" },
		{ AF_INET6, "2001:db8::1" },
		{ AF_INET6, "::ffff:192.0.2.1" },
	};
	struct addrinfo hints = { .ai_family = rows[_i].family, .ai_socktype = SOCK_STREAM }, *ai;
	struct sockaddr_storage peer = { 0 }, own = { 0 };
	socklen_t len = sizeof(peer);
	int fd = socket(rows[_i].family, SOCK_STREAM, 0);

	ck_assert_int_eq(getaddrinfo(rows[_i].address, "80", &hints, &ai), 0);
	ck_assert_int_eq(connect(fd, ai->ai_addr, ai->ai_addrlen), 0);
	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
	ck_assert_int_eq(len, ai->ai_addrlen);
	ck_assert_mem_eq(&peer, ai->ai_addr, len);
	len = sizeof(own);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&own, &len), 0);
	ck_assert_int_eq(own.ss_family, rows[_i].family);
	under_echo(fd);
	freeaddrinfo(ai);
	close(fd);
}
END_TEST

START_TEST(options_and_flags_survive)
{
	socklen_t len;
	struct sockaddr_storage ss = under_look_up("ok.test", AF_INET, 80, &len);
	struct linger linger = { 0 }, wanted = { 1, 7 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), twin, value;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){ 1 }, sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){ 77 }, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &wanted, sizeof(wanted));
	setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &(int){ 3 }, sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_CORK, &(int){ 1 }, sizeof(int));
	twin = dup(fd);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&ss, len), 0);
	for (int i = 0; i < 2; i++) {
		int at = i ? twin : fd;

		getsockopt(at, IPPROTO_TCP, TCP_NODELAY, &value, &(socklen_t){ 4 });
		ck_assert_int_eq(value, 1);
		getsockopt(at, SOL_SOCKET, SO_KEEPALIVE, &value, &(socklen_t){ 4 });
		ck_assert_int_eq(value, 1);
		getsockopt(at, IPPROTO_TCP, TCP_KEEPIDLE, &value, &(socklen_t){ 4 });
		ck_assert_int_eq(value, 77);
		getsockopt(at, SOL_SOCKET, SO_RCVLOWAT, &value, &(socklen_t){ 4 });
		ck_assert_int_eq(value, 3);
		getsockopt(at, IPPROTO_TCP, TCP_CORK, &value, &(socklen_t){ 4 });
		ck_assert_int_eq(value, 1);
		getsockopt(at, SOL_SOCKET, SO_LINGER, &linger, &(socklen_t){ sizeof(linger) });
		ck_assert_int_eq(linger.l_linger, 7);
		ck_assert_int_eq(fcntl(at, F_GETFD), i ? 0 : FD_CLOEXEC);
		ck_assert_int_eq(fcntl(at, F_GETFL) & O_NONBLOCK, 0);
		under_echo(at);
	}
	close(fd);
	under_echo(twin);
	close(twin);
}
END_TEST

START_TEST(a_nonblocking_socket_ends_connected_or_failed)
{
	static const struct {
		const char *name;
		int err;
	} rows[] = { { "slow.test", 0 },
		     { "refused.test", ECONNREFUSED },
		     { "silent.test", ETIMEDOUT } };
	socklen_t len;
	struct sockaddr_storage ss = under_look_up(rows[_i].name, AF_INET, 80, &len);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int r = connect(fd, (struct sockaddr *)&ss, len), err = r < 0 ? errno : 0;

	/* At once or by readiness: both are connect(2)'s. */
	if (err == EINPROGRESS) {
		ck_assert_int_eq(poll(&p, 1, 10000), 1);
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &(socklen_t){ 4 });
	}
	ck_assert_int_eq(err, rows[_i].err);
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	if (err == 0) {
		fcntl(fd, F_SETFL, 0);
		under_echo(fd);
	}
	close(fd);
}
END_TEST

START_TEST(sndtimeo_bounds_it_as_in_the_kernel)
{
	socklen_t len;
	struct sockaddr_storage ss = under_look_up("silent.test", AF_INET, 80, &len);
	struct timeval tv = { .tv_usec = 100000 };
	int fd = socket(AF_INET, SOCK_STREAM, 0), err = 0;
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&ss, len), -1);
	ck_assert_int_eq(errno, EINPROGRESS);
	/* A program that waits on must not take it for connected. */
	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &(socklen_t){ 4 });
	ck_assert_int_eq(err, ETIMEDOUT);
	ss = under_look_up("ok.test", AF_INET, 80, &len);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&ss, len), 0);
	under_echo(fd);
	close(fd);
}
END_TEST

START_TEST(what_is_not_ours_is_the_kernels)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/nonexistent/socket" };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = 1 };
	int fd;

	ck_assert_int_eq(connect(-1, (struct sockaddr *)&in, sizeof(in)), -1);
	ck_assert_int_eq(errno, EBADF);
	ck_assert_int_eq(setsockopt(-1, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &(int){ 1 }, 4), -1);
	ck_assert_int_eq(errno, EBADF);
	ck_assert_int_eq(connect(0, (struct sockaddr *)&in, sizeof(in)), -1);
	ck_assert(errno == ENOTSOCK || errno == EBADF);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&un, sizeof(un)), -1);
	ck_assert_int_eq(errno, ENOENT);
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&in, 3), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(connect(fd, NULL, sizeof(in)), -1);
	ck_assert_int_eq(errno, EFAULT);
	close(fd);
	fd = socket(AF_NETLINK, SOCK_RAW, 0);
	ck_assert_int_ge(fd, 0);
	close(fd);
}
END_TEST

START_TEST(loopback_and_the_proxy_itself_are_direct)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(sa);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0), peer;

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&sa, len), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	getsockname(listener, (struct sockaddr *)&sa, &len);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, len), 0);
	peer = accept(listener, NULL, NULL);
	ck_assert_int_eq(send(peer, "direct", 6, 0), 6);
	ck_assert_int_eq(recv(fd, (char[8]){ 0 }, 6, MSG_WAITALL), 6);
	close(fd);
	close(peer);
	close(listener);
}
END_TEST

START_TEST(a_placeholder_that_nobody_gave_goes_nowhere)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(80) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, "198.19.255.254", &sa.sin_addr);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), -1);
	ck_assert_int_eq(errno, EHOSTUNREACH);
	close(fd);
}
END_TEST

START_TEST(fast_open_is_no_door_beside_connect)
{
	socklen_t len;
	struct sockaddr_storage ss = under_look_up("ok.test", AF_INET, 80, &len), peer;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char buf[8] = "";
	struct iovec iov = { .iov_base = (char[]){ "first" }, .iov_len = 5 };
	struct mmsghdr mm = {
		.msg_hdr = { .msg_name = &ss, .msg_namelen = len, .msg_iov = &iov, .msg_iovlen = 1 }
	};

	switch (_i) {
	case 0:
		ck_assert_int_eq(sendto(fd, "first", 5, MSG_FASTOPEN, (struct sockaddr *)&ss, len),
		                 5);
		break;
	case 1:
		ck_assert_int_eq(sendmsg(fd, &mm.msg_hdr, MSG_FASTOPEN), 5);
		break;
	case 2:
		ck_assert_int_eq(sendmmsg(fd, &mm, 1, MSG_FASTOPEN), 1);
		break;
	default:
		ck_assert_int_eq(setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &(int){ 1 }, 4),
		                 0);
		ck_assert_int_eq(connect(fd, (struct sockaddr *)&ss, len), 0);
		ck_assert_int_eq(send(fd, "first", 5, 0), 5);
		break;
	}
	ck_assert_int_eq(recv(fd, buf, 5, MSG_WAITALL), 5);
	ck_assert_str_eq(buf, "first");
	len = sizeof(peer);
	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
	ck_assert_mem_eq(&peer, &ss, len);
	close(fd);
}
END_TEST

START_TEST(datagrams_elsewhere_are_refused)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(53) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct iovec iov = { .iov_base = (char[]){ "x" }, .iov_len = 1 };
	struct mmsghdr mm = { .msg_hdr = { .msg_name = &sa,
		                           .msg_namelen = sizeof(sa),
		                           .msg_iov = &iov,
		                           .msg_iovlen = 1 } };

	inet_pton(AF_INET, "192.0.2.9", &sa.sin_addr);
	ck_assert_int_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&sa, sizeof(sa)), -1);
	ck_assert_int_eq(errno, EACCES);
	ck_assert_int_eq(sendmsg(fd, &mm.msg_hdr, 0), -1);
	ck_assert_int_eq(errno, EACCES);
	ck_assert_int_eq(sendmmsg(fd, &mm, 1, 0), -1);
	ck_assert_int_eq(errno, EACCES);
	/* Linux takes an IPv4 datagram's AF_UNSPEC for AF_INET. */
	sa.sin_family = AF_UNSPEC;
	ck_assert_int_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&sa, sizeof(sa)), -1);
	ck_assert_int_eq(errno, EACCES);
	ck_assert_int_eq(sendmsg(fd, &mm.msg_hdr, 0), -1);
	ck_assert_int_eq(errno, EACCES);
	sa.sin_family = AF_INET;
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&sa, sizeof(sa)), 1);
	close(fd);
}
END_TEST

/* In use already, even where the family would ask for another socket in its place. */
START_TEST(a_socket_in_use_is_not_replaced)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(sa), n;
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0), peer;
	struct sockaddr_storage far = under_look_up("ok.test", AF_INET, 80, &n);

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&sa, len), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	getsockname(listener, (struct sockaddr *)&sa, &len);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, len), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&far, n), -1);
	ck_assert_int_eq(errno, EISCONN);
	ck_assert_int_eq(connect(listener, (struct sockaddr *)&far, n), -1);
	ck_assert_int_eq(errno, EISCONN);
	peer = accept(listener, NULL, NULL);
	ck_assert_int_ge(peer, 0);
	ck_assert_int_eq(send(peer, "still", 5, 0), 5);
	ck_assert_int_eq(recv(fd, (char[8]){ 0 }, 5, MSG_WAITALL), 5);
	close(fd);
	close(peer);
	close(listener);
}
END_TEST

/* By which libc's calls of sockets go on some machines. */
#ifdef SYS_socketcall
#define SOCKETCALL SYS_socketcall
#else
#define SOCKETCALL UINT32_MAX
#endif

/* A program that may not ask what its sockets are gets nothing past the proxy either. */
START_TEST(what_cannot_be_known_is_refused)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getsockopt, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SOCKETCALL, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = 5, .filter = filter };
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(9) };
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);

		inet_pton(AF_INET, "192.0.2.9", &sa.sin_addr);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
			_exit(0); /* no such filters here */
		if (connect(tcp, (struct sockaddr *)&sa, sizeof(sa)) == 0 || errno != EACCES)
			_exit(1);
		if (sendto(udp, "x", 1, 0, (struct sockaddr *)&sa, sizeof(sa)) >= 0 ||
		    errno != EACCES)
			_exit(2);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(half_close_travels)
{
	int fd = under_connect("ok.test");
	char buf[8];

	ck_assert_int_eq(send(fd, "bye", 3, 0), 3);
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	ck_assert_int_eq(recv(fd, buf, sizeof(buf), MSG_WAITALL), 3);
	close(fd);
}
END_TEST

START_TEST(descriptors_above_1024_work)
{
	socklen_t len;
	struct sockaddr_storage ss = under_look_up("ok.test", AF_INET, 80, &len);
	int low = socket(AF_INET, SOCK_STREAM, 0), fd = fcntl(low, F_DUPFD, 1500);

	if (fd < 0)
		return; /* RLIMIT_NOFILE is lower than that */
	close(low);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&ss, len), 0);
	under_echo(fd);
	close(fd);
}
END_TEST

/* Run first: where the proxy is a name, that has yet to be asked for. */
START_TEST(an_option_that_is_set_right_after_a_connect_stays)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(80) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), value = 5000;
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	inet_pton(AF_INET, "198.51.100.7", &sin.sin_addr);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), -1);
	ck_assert_int_eq(errno, EINPROGRESS);
	ck_assert_int_eq(setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof(value)), 0);
	value = 0;
	ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &(socklen_t){ 4 }),
	                 0);
	ck_assert_int_eq(value, 5000);
	ck_assert_int_eq(poll(&p, 1, -1), 1);
	ck_assert_int_eq(p.revents, POLLOUT);
	value = 0;
	ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &(socklen_t){ 4 }),
	                 0);
	ck_assert_int_eq(value, 5000);
	fcntl(fd, F_SETFL, 0);
	under_echo(fd);
	close(fd);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("connect");
	TCase *tc = tcase_create("connect");
	int n = (int)(sizeof(failures) / sizeof(failures[0]));

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, an_option_that_is_set_right_after_a_connect_stays);
	tcase_add_loop_test(tc, replies_become_errnos, 0, n);
	tcase_add_test(tc, success_leaves_errno_alone);
	tcase_add_loop_test(tc, data_glued_to_the_reply_is_the_programs, 0, 2);
	tcase_add_loop_test(tc, a_failed_socket_can_be_connected_again, 0, n);
	tcase_add_test(tc, a_connected_socket_says_eisconn);
	tcase_add_test(tc, af_unspec_dissolves);
	tcase_add_loop_test(tc, every_family_of_socket_reaches_every_kind_of_address, 0, 3);
	tcase_add_test(tc, options_and_flags_survive);
	tcase_add_loop_test(tc, a_nonblocking_socket_ends_connected_or_failed, 0, 3);
	tcase_add_test(tc, sndtimeo_bounds_it_as_in_the_kernel);
	tcase_add_test(tc, what_is_not_ours_is_the_kernels);
	tcase_add_test(tc, loopback_and_the_proxy_itself_are_direct);
	tcase_add_test(tc, a_placeholder_that_nobody_gave_goes_nowhere);
	tcase_add_loop_test(tc, fast_open_is_no_door_beside_connect, 0, 4);
	tcase_add_test(tc, datagrams_elsewhere_are_refused);
	tcase_add_test(tc, a_socket_in_use_is_not_replaced);
	tcase_add_test(tc, what_cannot_be_known_is_refused);
	tcase_add_test(tc, half_close_travels);
	tcase_add_test(tc, descriptors_above_1024_work);
	suite_add_tcase(s, tc);
	return s;
}

int main(int argc, char **argv)
{
	enum under_family family = UNDER_IPV4;

	/*
	 * The same facts hold where an AF_INET socket can't reach the proxy and is swapped, and for
	 * a name.
	 */
	if (argc > 1 && strcmp(argv[1], "v6") == 0)
		family = UNDER_IPV6;
	else if (argc > 1 && strcmp(argv[1], "named") == 0)
		family = UNDER_NAMED;
	return under_main(argc, argv, family, make);
}
