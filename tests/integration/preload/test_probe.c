/* UDP sockets that are connected to what has no way: they show where they would send from. */
#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEIR "heir"

static int heir_fd;

/* NULL: a placeholder, which leaves by the way to all the world. */
static const struct target {
	int family;
	const char *ip;
	uint16_t port;
	const char *own;
} targets[] = {
	{ AF_INET, "192.0.2.9", 80, "192.0.2.1" },
	{ AF_INET, "203.0.113.10", 443, "198.51.100.2" },
	{ AF_INET, "203.0.113.10", 53, "198.51.100.2" },
	{ AF_INET, "203.0.113.10", 9, "198.51.100.2" },
	{ AF_INET, "203.0.113.10", 0, "198.51.100.2" },
	{ AF_INET, NULL, 80, "198.51.100.2" },
	{ AF_INET6, "2001:db8::9", 80, "2001:db8::1" },
	{ AF_INET6, "::ffff:203.0.113.10", 80, "::ffff:198.51.100.2" },
};

#define N_TARGETS 8
#define NEAR      (&targets[0]) /* is there without a wire */

static socklen_t target_address(const struct target *t, union address *a)
{
	socklen_t len;

	if (t->ip)
		return ask_address(a, t->family, t->ip, t->port);
	a->ss = under_look_up("probe.test", t->family, t->port, &len);
	return len;
}

static int join(int fd, const struct target *t)
{
	union address a;
	socklen_t len = target_address(t, &a);

	errno = 7654;
	if (connect(fd, &a.sa, len) < 0)
		return errno;
	ck_assert_int_eq(errno, 7654);
	return 0;
}

static int joined(const struct target *t)
{
	int fd = ask_socket(t->family, 0);

	if (fd >= 0)
		ck_assert_int_eq(join(fd, t), 0);
	return fd;
}

static bool is_here(const struct target *t)
{
	return t == NEAR || ask_has_wire();
}

/* Without its port. */
static void check_source(int fd, const struct target *t)
{
	union address want, have;
	socklen_t len = ask_address(&want, t->family, t->own, 0), n = sizeof(have);

	ck_assert_int_eq(getsockname(fd, &have.sa, &n), 0);
	ck_assert_int_ne(have.in.sin_port, 0);
	have.in.sin_port = 0;
	ck_assert_address(have, n, want, len);
}

static void check_peer(int fd, const struct target *t)
{
	union address want, have;
	socklen_t len = target_address(t, &want), n = sizeof(have);

	errno = 7654;
	if (t->port == 0) { /* as the kernel says */
		ck_assert_int_eq(getpeername(fd, &have.sa, &n), -1);
		ck_assert_int_eq(errno, ENOTCONN);
		ck_assert_uint_eq(n, sizeof(have));
		return;
	}
	ck_assert_int_eq(getpeername(fd, &have.sa, &n), 0);
	ck_assert_address(have, n, want, len);
	ck_assert_int_eq(errno, 7654);
	memset(&have, 'x', sizeof(have));
	n = 5;
	ck_assert_int_eq(getpeername(fd, &have.sa, &n), 0);
	ck_assert_uint_eq(n, len);
	ck_assert_mem_eq(&have, &want, 5);
	ck_assert_int_eq(((char *)&have)[5], 'x');
}

/* By each call that is hooked, to the peer and to the same by its address. */
static void check_refused(int fd, const struct target *t)
{
	struct iovec iov = { (char[]){ "x" }, 1 };
	struct mmsghdr vec = { .msg_len = 77, .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };
	union address a;
	socklen_t len = target_address(t, &a);

#define REFUSED(call)                            \
	do {                                     \
		errno = 0;                       \
		ck_assert_int_eq(call, -1);      \
		ck_assert_int_eq(errno, EACCES); \
	} while (0)
	REFUSED(send(fd, "x", 1, 0));
	REFUSED(sendto(fd, "x", 1, 0, NULL, 0));
#ifdef SYS_sendto
	REFUSED(syscall(SYS_sendto, fd, "x", 1, 0, NULL, 0));
#endif
	for (int i = 0; i < 2; i++) {
		REFUSED(sendmsg(fd, &vec.msg_hdr, 0));
		REFUSED(sendmmsg(fd, &vec, 1, 0));
		ck_assert_uint_eq(vec.msg_len, 77);
		vec.msg_hdr.msg_name = &a;
		vec.msg_hdr.msg_namelen = len;
	}
	REFUSED(sendto(fd, "x", 1, 0, &a.sa, len));
	if (t->family == AF_INET6) { /* an address without a family is none there */
		a.sa.sa_family = AF_UNSPEC;
		REFUSED(sendto(fd, "x", 1, 0, &a.sa, len));
		REFUSED(sendmsg(fd, &vec.msg_hdr, 0));
	}
#undef REFUSED
}

/* What is not hooked ends on this machine, unanswered. */
static void check_written(int fd)
{
	struct iovec iov = { (char[]){ "x" }, 1 };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char octet;

	for (int i = 0; i < 4; i++) {
		ssize_t r = i % 2 == 0 ? write(fd, "x", 1) : writev(fd, &iov, 1);

		ck_assert(r == 1 || (r == -1 && errno == ECONNREFUSED));
	}
	ck_assert_int_ge(poll(&p, 1, 0), 0);
	ck_assert_int_eq(recv(fd, &octet, 1, MSG_DONTWAIT), -1);
	ck_assert(errno == EAGAIN || errno == ECONNREFUSED);
	(void)!recv(fd, &octet, 1, MSG_DONTWAIT);
	ck_assert_int_eq(recv(fd, &octet, 1, MSG_DONTWAIT), -1);
	ck_assert_int_eq(errno, EAGAIN);
}

static void check(int fd, const struct target *t)
{
	check_peer(fd, t);
	check_refused(fd, t);
	check_written(fd);
	check_peer(fd, t);
}

START_TEST(it_shows_where_it_would_send_from)
{
	const struct target *t = &targets[_i];
	int fd;

	if (!is_here(t) || (fd = joined(t)) < 0)
		return;
	check_source(fd, t);
	check(fd, t);
	/* Once more, and in between to nobody. */
	ck_assert_int_eq(join(fd, t), 0);
	check_source(fd, t);
	check(fd, t);
	ck_assert_int_eq(connect(fd, &(struct sockaddr){ .sa_family = AF_UNSPEC }, 16), 0);
	ck_assert_int_eq(getpeername(fd, &(struct sockaddr){ 0 }, &(socklen_t){ 16 }), -1);
	ck_assert_int_eq(send(fd, "x", 1, 0), -1);
	ck_assert_int_eq(errno, EDESTADDRREQ);
	ck_assert_int_eq(join(fd, t), 0);
	check_source(fd, t);
	check(fd, t);
	close(fd);
}
END_TEST

/* Where the kernel has no way it says so itself. */
START_TEST(where_there_is_no_way_the_kernel_says_so)
{
	const struct target none = { AF_INET6, "2001:db8:1::9", 80, NULL };
	int fd = ask_socket(AF_INET6, 0);

	if (fd >= 0)
		ck_assert_int_eq(join(fd, &none), ENETUNREACH);
	close(fd);
	fd = ask_socket(AF_INET, 0);
	if (!ask_has_wire())
		ck_assert_int_eq(join(fd, &targets[1]), ENETUNREACH);
	close(fd);
}
END_TEST

/* A scope binds it to its device, as the kernel does. */
START_TEST(a_link_local_target)
{
	unsigned scope = if_nametoindex("away");
	union address a, have;
	socklen_t len = ask_address(&a, AF_INET6, "fe80::9", 80), n = sizeof(have);
	int fd = ask_socket(AF_INET6, 0);

	a.in6.sin6_scope_id = scope;
	if (fd < 0 || scope == 0)
		return;
	if (connect(fd, &a.sa, len) == 0) { /* else its own address is not there yet */
		ck_assert_int_eq(getpeername(fd, &have.sa, &n), 0);
		ck_assert_address(have, n, a, len);
		ck_assert_int_eq(getsockname(fd, &have.sa, &n), 0);
		ck_assert(IN6_IS_ADDR_LINKLOCAL(&have.in6.sin6_addr));
		ck_assert_uint_eq(have.in6.sin6_scope_id, scope);
		ck_assert_int_eq(send(fd, "x", 1, 0), -1);
		ck_assert_int_eq(errno, EACCES);
		check_written(fd);
	} else {
		ck_assert_int_eq(errno, EADDRNOTAVAIL);
	}
	close(fd);
}
END_TEST

START_TEST(many_and_all_are_refused_at_once)
{
	static const struct target wide[] = { { AF_INET, "224.0.0.251", 5353, NULL },
		                              { AF_INET, "255.255.255.255", 67, NULL },
		                              { AF_INET, "198.51.100.255", 137, NULL },
		                              { AF_INET6, "ff02::fb", 5353, NULL },
		                              { AF_INET6, "::ffff:224.0.0.251", 5353, NULL } };
	int fd = ask_socket(wide[_i].family, 0);

	if (fd < 0 || !ask_has_wire())
		return;
	ck_assert_int_eq(join(fd, &wide[_i]), EACCES);
	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &(int){ 1 }, sizeof(int));
	ck_assert_int_eq(join(fd, &wide[_i]), EACCES);
	ck_assert_int_eq(send(fd, "x", 1, 0), -1);
	ck_assert_int_eq(errno, EDESTADDRREQ);
	close(fd);
}
END_TEST

START_TEST(it_can_be_connected_elsewhere_later)
{
	union address a, own = { .sa.sa_family = 0 };
	socklen_t len = ask_address(&a, AF_INET, "192.0.2.1", 0), own_len = sizeof(own);
	int fd = joined(NEAR), here = ask_socket(AF_INET, 0);
	char octet;

	ck_assert_int_eq(ask_join(fd, FIRST), 0);
	ask_send(fd, BY_SEND, 1, NULL, 0);
	ask_take(fd, BY_RECVFROM, 1, &own, ask_at(FIRST, &own));
	ck_assert_int_eq(join(fd, NEAR), 0);
	check(fd, NEAR);
	ck_assert_int_eq(connect(fd, &(struct sockaddr){ .sa_family = AF_UNSPEC }, 16), 0);
	ck_assert_int_eq(bind(here, &a.sa, len), 0);
	ck_assert_int_eq(getsockname(here, &a.sa, &len), 0);
	a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	close(here);
	here = ask_socket(AF_INET, 0);
	ck_assert_int_eq(bind(here, &a.sa, len), 0);
	/* Without being dissolved, too: it keeps its own address then. */
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(connect(fd, &a.sa, len), 0);
		ck_assert_int_eq(send(fd, "x", 1, 0), 1);
		ck_assert_int_eq(sendto(fd, "x", 1, 0, NULL, 0), 1);
		ck_assert_int_eq(recv(here, &octet, 1, 0), 1);
		ck_assert_int_eq(recv(here, &octet, 1, 0), 1);
		ck_assert_int_eq(getpeername(fd, &own.sa, &own_len), 0);
		ck_assert_address(own, own_len, a, len);
		close(fd);
		fd = joined(NEAR);
	}
	/* By address it sends to all that it may. */
	ck_assert_int_eq(sendto(fd, "x", 1, 0, &a.sa, len), 1);
	check(fd, NEAR);
	close(fd);
	close(here);
}
END_TEST

/* The kernel keeps the former peer, too. */
START_TEST(a_connect_that_fails_changes_nothing)
{
	const struct target wide = { AF_INET, "224.0.0.251", 5353, NULL };
	int fd = joined(NEAR);

	ck_assert_int_eq(join(fd, &wide), EACCES);
	check(fd, NEAR);
	close(fd);
}
END_TEST

START_TEST(a_bound_socket_keeps_its_address)
{
	union address a, have;
	socklen_t len = ask_address(&a, AF_INET, "192.0.2.77", 0), n = sizeof(have);
	int fd = ask_socket(AF_INET, 0);

	ck_assert_int_eq(bind(fd, &a.sa, len), 0);
	ck_assert_int_eq(join(fd, NEAR), 0);
	ck_assert_int_eq(getsockname(fd, &have.sa, &n), 0);
	ck_assert_int_eq(have.in.sin_addr.s_addr, a.in.sin_addr.s_addr);
	check(fd, NEAR);
	close(fd);
	/* A port alone. */
	fd = ask_socket(AF_INET, 0);
	a.in.sin_addr.s_addr = 0;
	ck_assert_int_eq(bind(fd, &a.sa, len), 0);
	ck_assert_int_eq(getsockname(fd, &a.sa, &len), 0);
	ck_assert_int_eq(join(fd, NEAR), 0);
	ck_assert_int_eq(getsockname(fd, &have.sa, &n), 0);
	ck_assert_int_eq(have.in.sin_port, a.in.sin_port);
	check_source(fd, NEAR);
	close(fd);
	if (!ask_has_wire())
		return;
	/* Nothing leaves the machine from there. */
	fd = ask_socket(AF_INET, 0);
	len = ask_address(&a, AF_INET, "127.0.0.1", 0);
	ck_assert_int_eq(bind(fd, &a.sa, len), 0);
	ck_assert_int_eq(join(fd, &targets[1]), EINVAL);
	close(fd);
}
END_TEST

START_TEST(duplicates_and_children_know)
{
	int fd = joined(NEAR), second = dup(fd), third = fcntl(fd, F_DUPFD_CLOEXEC, 300), status;
	int left = ask_socket(AF_INET, 0);
	char number[16];
	pid_t pid;

	check(second, NEAR);
	check(third, NEAR);
	close(fd);
	check(third, NEAR);
	pid = fork();
	if (pid == 0) {
		check(second, NEAR);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	fcntl(left, F_SETFD, 0);
	ck_assert_int_eq(join(left, NEAR), 0);
	snprintf(number, sizeof(number), "%d", left);
	pid = fork();
	if (pid == 0) {
		execl(under_self(), "probe", HEIR, number, NULL);
		_exit(9);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	close(left);
	/* A number that is another socket's now. */
	ck_assert_int_eq(dup2(third, 0), 0);
	close(second);
	close(third);
	fd = ask_socket(AF_INET, 0);
	ck_assert_int_eq(ask_join(fd, FIRST), 0);
	ask_send(fd, BY_SEND, 3, NULL, 0);
	close(fd);
	check(0, NEAR);
	ck_assert_int_eq(open("/dev/null", O_RDONLY | O_CLOEXEC), fd);
	ck_assert_int_eq(dup2(fd, 0), 0);
	close(fd);
}
END_TEST

/* By exec: nothing is known before it asks: what it sends ends on this machine all the same. */
START_TEST(an_heir_learns_of_it)
{
	check_written(heir_fd);
	check_peer(heir_fd, NEAR);
	check(heir_fd, NEAR);
}
END_TEST

/* Nor is what it sends let out by a device of its own, chosen before or after. */
START_TEST(a_device_of_its_own_is_no_way_out)
{
	int fd = ask_socket(AF_INET, 0);

	if (!ask_has_wire())
		return;
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "away", 4), 0);
	ck_assert_int_eq(join(fd, &targets[1]), 0);
	check_source(fd, &targets[1]);
	check(fd, &targets[1]);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "away", 4), 0);
	check(fd, &targets[1]);
	/* From an address of another device. */
	ck_assert_int_eq(join(fd, NEAR), 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "away", 4), 0);
	check(fd, NEAR);
	close(fd);
}
END_TEST

/* A program that only asks for its address is not told of. */
START_TEST(the_log_tells_of_sends_alone)
{
	const char *log = getenv("SOCKSIFY_LOG_FILE");
	const struct target other = { AF_INET, "192.0.2.10", 4321, NULL };
	struct stat before, after;
	int fd;

	(void)!stat(log, &before);
	fd = joined(&other);
	ck_assert(stat(log, &after) < 0 || after.st_size == before.st_size);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(send(fd, "x", 1, 0), -1);
	close(fd);
	ck_assert_int_eq(stat(log, &before), 0);
	ck_assert_int_gt(before.st_size, 0);
	fd = joined(&other);
	ck_assert_int_eq(send(fd, "x", 1, 0), -1);
	close(fd);
	ck_assert_int_eq(stat(log, &after), 0);
	ck_assert_int_eq(after.st_size, before.st_size);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("probe");
	TCase *tc = tcase_create("probe");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, NULL, ask_packets);
	suite_add_tcase(s, tc);
	tcase_add_test(tc, the_log_tells_of_sends_alone);
	tcase_add_loop_test(tc, it_shows_where_it_would_send_from, 0, N_TARGETS);
	tcase_add_test(tc, where_there_is_no_way_the_kernel_says_so);
	tcase_add_test(tc, a_link_local_target);
	tcase_add_loop_test(tc, many_and_all_are_refused_at_once, 0, 5);
	tcase_add_test(tc, it_can_be_connected_elsewhere_later);
	tcase_add_test(tc, a_connect_that_fails_changes_nothing);
	tcase_add_test(tc, a_bound_socket_keeps_its_address);
	tcase_add_test(tc, duplicates_and_children_know);
	tcase_add_test(tc, a_device_of_its_own_is_no_way_out);
	return s;
}

static Suite *make_heir(void)
{
	Suite *s = suite_create("probe by exec");
	TCase *tc = tcase_create("probe by exec");

	suite_add_tcase(s, tc);
	tcase_add_test(tc, an_heir_learns_of_it);
	return s;
}

int main(int argc, char **argv)
{
	char log[] = "/tmp/socksify-probe.XXXXXX";
	int fd, r;

	if (argc == 3 && strcmp(argv[1], HEIR) == 0) {
		heir_fd = atoi(argv[2]);
		return ask_main(argc, argv, make_heir);
	}
	if (under_is_second_run()) {
		r = ask_main(argc, argv, make);
		unlink(getenv("SOCKSIFY_LOG_FILE"));
		return r;
	}
	fd = mkstemp(log);
	close(fd);
	setenv("SOCKSIFY_LOG", "warn", 1);
	setenv("SOCKSIFY_LOG_FILE", log, 1);
	return ask_main(argc, argv, make);
}
