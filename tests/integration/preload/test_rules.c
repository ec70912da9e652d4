/* Rules for names and addresses, in a network of the test's own. */
#include "alone.h"
#include "routes.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOSED_PORT (PORT + 1)

static struct sockaddr_in peer_of(int fd)
{
	struct sockaddr_in sa = { 0 };
	socklen_t len = sizeof(sa);

	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&sa, &len), 0);
	return sa;
}

#define ck_assert_peer(fd, sa)                                \
	do {                                                  \
		struct sockaddr_in have = peer_of(fd);        \
		ck_assert_mem_eq(&have, &(sa), sizeof(have)); \
	} while (0)

START_TEST(a_name_under_no_rule_asks_nobody)
{
	int before = alone_questions();
	struct sockaddr_in sa = look_up("a50.other.test", PORT);
	struct hostent *he = gethostbyname("a51.other.test");

	ck_assert_int_ge(before, 0);
	ck_assert(is_placeholder(&sa));
	ck_assert_ptr_nonnull(he);
	check_proxied(&sa);
	ck_assert_int_eq(alone_questions(), before);
}
END_TEST

/* Each entry point, with a name of its own: asked of libc, and its address noted. */
START_TEST(a_name_under_a_rule_is_asked_of_libc_and_goes_direct)
{
	int before = alone_questions(), herr;
	char name[32], want[32], buf[512];
	struct hostent ret, *he = NULL;
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	snprintf(name, sizeof(name), "a%d.direct.test", 100 + _i);
	snprintf(want, sizeof(want), "192.0.2.%d", 100 + _i);
	switch (_i) {
	case 0:
		sa = look_up(name, PORT);
		break;
	case 1:
		he = gethostbyname(name);
		break;
	case 2:
		he = gethostbyname2(name, AF_INET);
		break;
	case 3:
		ck_assert_int_eq(gethostbyname_r(name, &ret, buf, sizeof(buf), &he, &herr), 0);
		break;
	default:
		ck_assert_int_eq(
			gethostbyname2_r(name, AF_INET, &ret, buf, sizeof(buf), &he, &herr), 0);
		break;
	}
	if (_i > 0) {
		ck_assert_ptr_nonnull(he);
		memcpy(&sa.sin_addr, he->h_addr_list[0], 4);
	}
	ck_assert_str_eq(text_of(&sa), want);
	ck_assert_int_gt(alone_questions(), before);
	check_direct(&sa);
}
END_TEST

START_TEST(a_name_that_does_not_exist_is_libcs_to_tell)
{
	struct addrinfo *ai;

	ck_assert_int_eq(getaddrinfo("none.direct.test", "80", NULL, &ai), EAI_NONAME);
	h_errno = 0;
	ck_assert_ptr_null(gethostbyname("none.direct.test"));
	ck_assert_int_eq(h_errno, HOST_NOT_FOUND);
}
END_TEST

START_TEST(an_address_that_nobody_noted_is_proxied)
{
	struct sockaddr_in sa = at("192.0.2.60", PORT);

	check_proxied(&sa);
}
END_TEST

START_TEST(addresses_under_a_rule_go_direct)
{
	struct sockaddr_in ruled = at("192.0.2.20", PORT), other = at("192.0.2.21", PORT), back;
	int in = socket(AF_INET, SOCK_DGRAM, 0), out = socket(AF_INET, SOCK_DGRAM, 0);
	char octet;

	check_direct(&ruled);
	check_proxied(&other);
	ck_assert_int_eq(bind(in, (struct sockaddr *)&ruled, sizeof(ruled)), 0);
	ck_assert_int_eq(sendto(out, "x", 1, 0, (struct sockaddr *)&ruled, sizeof(ruled)), 1);
	ck_assert_int_eq(recv(in, &octet, 1, 0), 1);
	ck_assert_int_eq(sendto(out, "x", 1, 0, (struct sockaddr *)&other, sizeof(other)), -1);
	ck_assert_int_eq(errno, EACCES);
	ck_assert_int_eq(join(out, &ruled), 0);
	back = peer_of(out);
	ck_assert_mem_eq(&back, &ruled, sizeof(back));
	close(in);
	close(out);
}
END_TEST

START_TEST(what_was_noted_travels_by_fork_and_exec)
{
	struct sockaddr_in sa = look_up("a70.direct.test", PORT), noted = at("192.0.2.71", PORT);
	int status;
	pid_t pid;

	ck_assert_int_eq(run("connect-to", text_of(&sa)), 0);
	ck_assert(arrived());
	/* And the other way: a child notes for its parent. */
	pid = fork();
	if (pid == 0)
		_exit(gethostbyname("a71.direct.test") ? 0 : 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	check_direct(&noted);
}
END_TEST

START_TEST(a_wiped_environment_changes_nothing)
{
	struct sockaddr_in other = look_up("a72.other.test", PORT), sa;
	int status;
	pid_t pid = fork();

	ck_assert(is_placeholder(&other));
	if (pid == 0) {
		clearenv();
		sa = look_up("a73.direct.test", PORT);
		check_direct(&sa);
		check_proxied(&other);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(a_rule_with_a_port_is_known_at_connect)
{
	int before = alone_questions(), fd = stream(0);
	struct sockaddr_in sa = look_up("a80.port.test", PORT), other = sa;

	ck_assert(is_placeholder(&sa));
	ck_assert_int_eq(alone_questions(), before);
	ck_assert_int_eq(join(fd, &sa), 0);
	ck_assert(arrived());
	ck_assert_int_gt(alone_questions(), before);
	ck_assert_peer(fd, sa);
	ck_assert_int_eq(join(fd, &sa), EISCONN);
	ck_assert_peer(fd, sa);
	close(fd);
	other.sin_port = htons(80);
	before = alone_questions();
	check_proxied(&other);
	ck_assert_int_eq(alone_questions(), before);
}
END_TEST

/* A socket given to another program shows there what was asked for. */
START_TEST(a_heir_sees_the_placeholder)
{
	struct sockaddr_in sa = look_up("a81.port.test", PORT);
	int fd = stream(0), status;
	pid_t pid;

	ck_assert_int_eq(join(fd, &sa), 0);
	ck_assert(arrived());
	pid = fork();
	if (pid == 0) {
		dup2(fd, 9);
		execl("/proc/self/exe", "test", "show-peer", text_of(&sa), (char *)NULL);
		_exit(99);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	close(fd);
}
END_TEST

static int outcome(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int err = -1;

	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &(socklen_t){ sizeof(err) }),
	                 0);
	return err;
}

START_TEST(a_socket_that_does_not_block_need_not)
{
	struct sockaddr_in sa = look_up("a82.port.test", PORT);
	int fd = stream(SOCK_NONBLOCK), err = join(fd, &sa);

	ck_assert_int_eq(err, EINPROGRESS);
	ck_assert_int_eq(outcome(fd), 0);
	ck_assert(arrived());
	ck_assert_peer(fd, sa);
	ck_assert_int_eq(join(fd, &sa), EISCONN);
	close(fd);
}
END_TEST

/* @_i 1: a socket that doesn't block. */
START_TEST(a_refusal_is_the_kernels_and_leaves_nothing_behind)
{
	struct sockaddr_in sa = look_up("a83.port.test", CLOSED_PORT),
			   next = at("192.0.2.20", PORT);
	int fd = stream(_i ? SOCK_NONBLOCK : 0), err = join(fd, &sa);

	if (err == EINPROGRESS)
		err = outcome(fd);
	ck_assert_int_eq(err, ECONNREFUSED);
	err = join(fd, &next);
	if (err == ECONNABORTED) /* the kernel's word on the connect before, once */
		err = join(fd, &next);
	ck_assert(err == 0 || err == EINPROGRESS);
	ck_assert_int_eq(outcome(fd), 0);
	ck_assert(arrived());
	ck_assert_peer(fd, next);
	close(fd);
}
END_TEST

static int listen_at(const char *ip, uint16_t port)
{
	struct sockaddr_in sa = at(ip, port);
	int fd = stream(SOCK_NONBLOCK);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	return fd;
}

/* One of two addresses has no listener; each of the two once. */
/* @_i & 2: by a socket that doesn't block. */
START_TEST(each_address_is_tried_in_turn)
{
	struct sockaddr_in sa = look_up("two.port.test", CLOSED_PORT);
	int here = listen_at(_i & 1 ? "192.0.2.11" : "192.0.2.12", CLOSED_PORT);
	int fd = stream(_i & 2 ? SOCK_NONBLOCK : 0);

	ck_assert(is_placeholder(&sa));
	ck_assert_int_eq(join(fd, &sa), _i & 2 ? EINPROGRESS : 0);
	ck_assert_int_eq(outcome(fd), 0);
	ck_assert_peer(fd, sa);
	close(fd);
	fd = accept(here, NULL, NULL);
	ck_assert_int_ge(fd, 0);
	close(fd);
	close(here);
}
END_TEST

START_TEST(a_name_without_an_address_is_no_route)
{
	struct sockaddr_in sa = look_up("none.port.test", PORT), next;
	int fd = stream(0);

	ck_assert(is_placeholder(&sa));
	ck_assert_int_eq(join(fd, &sa), EHOSTUNREACH);
	/* The socket is as good as new. */
	next = look_up("a84.port.test", PORT);
	ck_assert_int_eq(join(fd, &next), 0);
	ck_assert(arrived());
	close(fd);
}
END_TEST

/* @_i 1: an IPv6 socket that does no IPv4. */
START_TEST(an_ipv6_socket_reaches_ipv4_mapped)
{
	socklen_t len, got;
	struct sockaddr_storage ss = under_look_up("a85.port.test", AF_INET6, PORT, &len), peer;
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return; /* a kernel without IPv6 */
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &_i, sizeof(_i));
	err = connect(fd, (struct sockaddr *)&ss, len) == 0 ? 0 : errno;
	ck_assert_int_eq(err, _i ? EHOSTUNREACH : 0);
	ck_assert_int_eq(arrived(), !_i);
	got = sizeof(peer);
	if (err == 0) {
		ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&peer, &got), 0);
		ck_assert_uint_eq(got, len);
		ck_assert_mem_eq(&peer, &ss, len);
	}
	close(fd);
}
END_TEST

/* As with the proxy, which may resolve a name to whatever it likes. @_i 1: it doesn't block. */
START_TEST(an_ipv4_socket_reaches_ipv6)
{
	struct sockaddr_in sa = look_up("six.port.test", PORT), own = { 0 };
	int fd = stream(_i ? SOCK_NONBLOCK : 0), twin = dup(fd), err = join(fd, &sa);

	if (err == EAFNOSUPPORT)
		return; /* a kernel without IPv6 */
	ck_assert(err == 0 || (_i && err == EINPROGRESS));
	ck_assert_int_eq(outcome(fd), 0);
	ck_assert(arrived());
	ck_assert_peer(fd, sa);
	ck_assert_peer(twin, sa);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&own, &(socklen_t){ sizeof(own) }), 0);
	ck_assert_int_eq(own.sin_family, AF_INET);
	ck_assert_int_eq(!!(fcntl(fd, F_GETFL) & O_NONBLOCK), _i);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(twin);
	close(fd);
	sa.sin_port = htons(CLOSED_PORT);
	fd = stream(_i ? SOCK_NONBLOCK : 0);
	err = join(fd, &sa);
	ck_assert_int_eq(err == EINPROGRESS ? outcome(fd) : err, ECONNREFUSED);
	close(fd);
}
END_TEST

/* Its address is no placeholder: what is noted is the address with the port. */
START_TEST(a_local_name_goes_direct_at_its_port)
{
	int before = alone_questions();
	struct sockaddr_in sa = look_up("listed.port.test", PORT), other = sa;

	ck_assert_str_eq(text_of(&sa), "192.0.2.90");
	check_direct(&sa);
	other.sin_port = htons(80);
	check_proxied(&other);
	ck_assert_int_eq(alone_questions(), before);
}
END_TEST

START_TEST(datagrams_to_a_name_are_refused)
{
	struct sockaddr_in sa = look_up("a86.port.test", PORT);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&sa, sizeof(sa)), -1);
	ck_assert_int_eq(errno, EACCES);
	ck_assert_int_eq(join(fd, &sa), ENETUNREACH); /* there is no way out here */
	close(fd);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("rules");
	TCase *tc = tcase_create("rules");

	tcase_add_unchecked_fixture(tc, open_listener, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_name_under_no_rule_asks_nobody);
	tcase_add_loop_test(tc, a_name_under_a_rule_is_asked_of_libc_and_goes_direct, 0, 5);
	tcase_add_test(tc, a_name_that_does_not_exist_is_libcs_to_tell);
	tcase_add_test(tc, an_address_that_nobody_noted_is_proxied);
	tcase_add_test(tc, addresses_under_a_rule_go_direct);
	tcase_add_test(tc, what_was_noted_travels_by_fork_and_exec);
	tcase_add_test(tc, a_wiped_environment_changes_nothing);
	tcase_add_test(tc, a_rule_with_a_port_is_known_at_connect);
	tcase_add_test(tc, a_heir_sees_the_placeholder);
	tcase_add_test(tc, a_socket_that_does_not_block_need_not);
	tcase_add_loop_test(tc, a_refusal_is_the_kernels_and_leaves_nothing_behind, 0, 2);
	tcase_add_loop_test(tc, each_address_is_tried_in_turn, 0, 4);
	tcase_add_test(tc, a_name_without_an_address_is_no_route);
	tcase_add_loop_test(tc, an_ipv6_socket_reaches_ipv4_mapped, 0, 2);
	tcase_add_loop_test(tc, an_ipv4_socket_reaches_ipv6, 0, 2);
	tcase_add_test(tc, a_local_name_goes_direct_at_its_port);
	tcase_add_test(tc, datagrams_to_a_name_are_refused);
	suite_add_tcase(s, tc);
	return s;
}

/* a_heir_sees_the_placeholder: the executed half. */
static int show_peer(const char *address)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(PORT) }, peer;
	socklen_t len = sizeof(peer);

	inet_pton(AF_INET, address, &sa.sin_addr);
	return getpeername(9, (struct sockaddr *)&peer, &len) == 0 &&
	                       memcmp(&peer, &sa, sizeof(sa)) == 0
	               ? 0
	               : 1;
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return strcmp(argv[1], "show-peer") == 0 ? show_peer(argv[2]) : connect_to(argv[2]);
	if (!under_is_second_run()) {
		if (!alone_begin()) {
			fprintf(stderr, "no namespaces of one's own here\n");
			return 77; /* meson's "skipped" */
		}
		setenv("SOCKSIFY_NO_PROXY",
		       ".direct.test .port.test:7001,.port.test:7002,192.0.2.20", 1);
	}
	return under_main(argc, argv, UNDER_IPV4, make);
}
