/*
 * A connect() that doesn't wait: its states, and its outcome by every way in which it can be asked.
 * What holds of a direct connection too is run without the library as well ("direct").
 */
#include "async.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))

static const int families[] = { AF_INET, AF_INET6 };

START_TEST(nothing_is_seen_of_it_before_its_end)
{
	struct sockaddr_storage own = { 0 };
	struct async a;
	int octets = -1;

	async_init(&a, "ok", families[_i]);
	ck_assert_int_eq(async_again(&a), EINPROGRESS);
	async_check_pending(&a);
	ck_assert_int_eq(async_again(&a), EALREADY);
	under_await_requests(a.name, 1);
	async_check_pending(&a);
	ck_assert_int_eq(async_again(&a), EALREADY);
	ck_assert_int_eq(getsockname(a.fd, (struct sockaddr *)&own, &(socklen_t){ sizeof(own) }),
	                 0);
	ck_assert_int_eq(own.ss_family, families[_i]);
	ck_assert_int_eq(ioctl(a.fd, FIONREAD, &octets), 0);
	ck_assert_int_eq(octets, 0);
	ck_assert_int_ne(fcntl(a.fd, F_GETFL) & O_NONBLOCK, 0);
	async_release(&a);
	ck_assert_int_eq(async_bits(a.fd, ASYNC_ALL, -1), POLLOUT);
	async_check_connected(&a, a.fd);
	ck_assert_int_ne(fcntl(a.fd, F_GETFL) & O_NONBLOCK, 0);
	async_fini(&a);
}
END_TEST

START_TEST(errno_is_the_only_word_of_success)
{
	int err;
	struct async a;

	async_begin(&a, "ok");
	async_release(&a);
	async_bits(a.fd, POLLOUT, -1);
	/* The kernel says 0 to the first that asks. */
	err = async_again(&a);
	ck_assert_msg(err == 0 || err == EISCONN, "errno %d", err);
	ck_assert_int_eq(async_again(&a), EISCONN);
	ck_assert_int_eq(async_again(&a), EISCONN);
	async_check_connected(&a, a.fd);
	async_fini(&a);
}
END_TEST

/* A program that asks no more than connect() again and again. */
START_TEST(connect_alone_tells_the_end)
{
	struct async a;
	int err;

	async_begin(&a, _i ? "refused" : "ok");
	ck_assert_int_eq(async_again(&a), EALREADY);
	async_release(&a);
	do
		err = async_again(&a);
	while (err == EALREADY);
	if (_i)
		ck_assert_int_eq(err, ECONNREFUSED);
	else
		ck_assert_msg(err == 0 || err == EISCONN, "errno %d", err);
	async_fini(&a);
}
END_TEST

/* To another address, too: the first is under way. */
START_TEST(a_second_destination_is_ealready)
{
	struct async a;
	socklen_t len;
	struct sockaddr_storage other = under_look_up("ok.other.test", AF_INET, 80, &len);
	struct sockaddr_in loopback = { .sin_family = AF_INET,
		                        .sin_port = htons(9),
		                        .sin_addr = { htonl(INADDR_LOOPBACK) } };

	async_begin(&a, "ok");
	ck_assert_int_eq(connect(a.fd, (struct sockaddr *)&other, len), -1);
	ck_assert_int_eq(errno, EALREADY);
	ck_assert_int_eq(connect(a.fd, (struct sockaddr *)&loopback, sizeof(loopback)), -1);
	ck_assert_int_eq(errno, EALREADY);
	async_release(&a);
	ck_assert_int_eq(async_bits(a.fd, POLLOUT, -1), POLLOUT);
	async_check_connected(&a, a.fd);
	async_fini(&a);
}
END_TEST

/* To the reply's last octet, and not one more. */
START_TEST(what_was_sent_with_the_reply_is_there_at_once)
{
	static const char *const outcomes[] = { "glued", "named" };
	char buf[16] = "";
	struct async a;

	async_begin(&a, outcomes[_i]);
	async_release(&a);
	ck_assert_int_eq(async_bits(a.fd, POLLIN | POLLOUT, -1) & POLLOUT, POLLOUT);
	if (!under_is_direct())
		ck_assert_int_eq(async_bits(a.fd, POLLIN | POLLOUT, 0), POLLIN | POLLOUT);
	async_bits(a.fd, POLLIN, -1);
	ck_assert_int_eq(recv(a.fd, buf, sizeof(buf), 0), 5);
	ck_assert_str_eq(buf, "early");
	async_check_connected(&a, a.fd);
	async_fini(&a);
}
END_TEST

START_TEST(a_far_end_that_closes_at_once_is_end_of_file)
{
	struct async a;
	char octet;

	async_begin(&a, "close");
	async_release(&a);
	ck_assert_int_eq(async_bits(a.fd, POLLIN, -1), POLLIN);
	ck_assert_int_eq(async_error(a.fd), 0);
	ck_assert_int_eq(recv(a.fd, &octet, 1, 0), 0);
	async_fini(&a);
}
END_TEST

static const struct {
	const char *name;
	int err;
} outcomes[] = {
	{ "refused", ECONNREFUSED }, /* the kernel's own, and all that there is if direct */
	{ "unreach", EHOSTUNREACH },
	{ "nonet", ENETUNREACH },
	{ "denied", EACCES },
	{ "expired", ETIMEDOUT },
	{ "garbage", EPROTO },
	{ "gone", ECONNREFUSED },
	{ "reset", -1 },
};

static int by_error(const struct async *a)
{
	return async_error(a->fd);
}

static int by_read(const struct async *a)
{
	char octet;

	return read(a->fd, &octet, 1) < 0 ? errno : 0;
}

static int by_recv(const struct async *a)
{
	char octet;

	return recv(a->fd, &octet, 1, MSG_DONTWAIT) < 0 ? errno : 0;
}

static int by_readv(const struct async *a)
{
	char octet;

	return readv(a->fd, &(struct iovec){ &octet, 1 }, 1) < 0 ? errno : 0;
}

static int by_write(const struct async *a)
{
	return write(a->fd, "x", 1) < 0 ? errno : 0;
}

static int by_send(const struct async *a)
{
	return send(a->fd, "x", 1, MSG_NOSIGNAL) < 0 ? errno : 0;
}

static int by_sendmsg(const struct async *a)
{
	struct msghdr msg = { .msg_iov = &(struct iovec){ (char[]){ "x" }, 1 }, .msg_iovlen = 1 };

	return sendmsg(a->fd, &msg, MSG_NOSIGNAL) < 0 ? errno : 0;
}

static const struct {
	int (*ask)(const struct async *a);
	bool exact; /* else the kernel's ECONNREFUSED for all */
} ways[] = {
	{ by_error, true },  { async_again, true }, { by_read, false }, { by_recv, false },
	{ by_readv, false }, { by_write, false },   { by_send, false }, { by_sendmsg, false },
};

/* What a connect() that waits says of the same. */
static int blocking_errno(const char *outcome)
{
	char name[64] = "";

	strcat(strcat(name, outcome), ".waits.test");
	ck_assert_int_eq(under_connect(name), -1);
	return errno;
}

/* The first connect() after a failure that another way told is ECONNABORTED in the kernel. */
static void check_usable(struct async *a)
{
	struct async again;
	int err;

	async_init(&again, "ok", AF_INET);
	close(again.fd);
	again.fd = a->fd;
	err = async_again(&again);
	if (err == ECONNABORTED)
		err = async_again(&again);
	ck_assert_int_eq(err, EINPROGRESS);
	async_release(&again);
	ck_assert_int_eq(async_bits(again.fd, POLLIN | POLLOUT, -1), POLLOUT);
	async_check_connected(&again, again.fd);
}

START_TEST(a_failure_is_told_once_by_whoever_asks_first)
{
	int outcome = _i / N(ways), way = _i % N(ways);
	int want = outcomes[outcome].err;
	struct async a;

	async_begin(&a, outcomes[outcome].name);
	async_release(&a);
	ck_assert_int_eq(async_bits(a.fd, ASYNC_ALL, -1),
	                 POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
	if (want < 0)
		want = blocking_errno(outcomes[outcome].name);
	ck_assert_int_eq(ways[way].ask(&a), ways[way].exact ? want : ECONNREFUSED);
	ck_assert_int_eq(async_error(a.fd), 0);
	if (ways[way].ask != async_again) {
		ck_assert_int_eq(by_read(&a), 0);
		ck_assert_int_eq(by_write(&a), EPIPE);
	}
	check_usable(&a);
	async_fini(&a);
}
END_TEST

/* poll() asks for nothing, so it takes nothing away. */
START_TEST(looking_takes_nothing_away)
{
	struct async a;
	int err;

	async_begin(&a, outcomes[_i].name);
	async_release(&a);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(async_bits(a.fd, 0, -1), POLLERR | POLLHUP);
	err = async_error(a.fd);
	ck_assert_int_gt(err, 0);
	if (outcomes[_i].err > 0)
		ck_assert_int_eq(err, outcomes[_i].err);
	ck_assert_int_eq(async_bits(a.fd, 0, -1), POLLHUP);
	async_fini(&a);
}
END_TEST

START_TEST(waiting_or_not_the_errno_is_the_same)
{
	struct async a;

	async_begin(&a, outcomes[_i].name);
	async_release(&a);
	async_bits(a.fd, POLLOUT, -1);
	ck_assert_int_eq(async_error(a.fd), blocking_errno(outcomes[_i].name));
	async_fini(&a);
}
END_TEST

START_TEST(a_socket_fails_as_often_as_it_is_tried)
{
	struct async a, next;

	async_begin(&a, outcomes[_i].name);
	for (int round = 0; round < 3; round++) {
		async_release(&a);
		async_bits(a.fd, POLLOUT, -1);
		ck_assert_int_ne(async_again(&a), EINPROGRESS);
		async_init(&next, outcomes[_i].name, AF_INET);
		close(next.fd);
		next.fd = a.fd;
		a = next;
		async_connect(&a);
		async_check_pending(&a);
	}
	async_fini(&a);
}
END_TEST

/* To a failure by an IPv6 socket. */
START_TEST(an_ipv6_socket_fails_the_same_way)
{
	struct async a;

	async_init(&a, outcomes[_i].name, AF_INET6);
	async_connect(&a);
	async_check_pending(&a);
	async_release(&a);
	ck_assert_int_eq(async_bits(a.fd, ASYNC_ALL, -1),
	                 POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
	if (outcomes[_i].err > 0)
		ck_assert_int_eq(async_error(a.fd), outcomes[_i].err);
	async_fini(&a);
}
END_TEST

/* What is known at once is said at once, and what is direct is the kernel's. */
START_TEST(what_is_known_at_once_is_said_at_once)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(80) };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, "198.18.0.0", &sa.sin_addr); /* a placeholder that nobody is given */
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, len), -1);
	ck_assert_int_eq(errno, EHOSTUNREACH);
	sa = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&sa, len), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	getsockname(listener, (struct sockaddr *)&sa, &len);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, len), -1);
	ck_assert_int_eq(errno, EINPROGRESS);
	ck_assert_int_eq(async_bits(fd, POLLOUT, -1), POLLOUT);
	ck_assert_int_eq(async_error(fd), 0);
	close(fd);
	close(listener);
}
END_TEST

/* By address: granted, and refused. */
START_TEST(addresses_end_as_names_do)
{
	static const struct {
		const char *address;
		int err;
	} rows[] = { { "192.0.2.1", 0 }, { "203.0.113.5", ECONNREFUSED } };
	struct async a = { .len = sizeof(struct sockaddr_in) };
	struct sockaddr_in *sa = (struct sockaddr_in *)&a.ss;

	sa->sin_family = AF_INET;
	sa->sin_port = htons(80);
	inet_pton(AF_INET, rows[_i].address, &sa->sin_addr);
	a.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	async_connect(&a);
	async_bits(a.fd, POLLOUT, -1);
	ck_assert_int_eq(async_error(a.fd), rows[_i].err);
	if (rows[_i].err == 0)
		async_check_connected(&a, a.fd);
	async_fini(&a);
}
END_TEST

/* Of a connection that failed without a reply of the proxy's: by mode, see main(). */
static int special_errno;
static const char *special_name;

START_TEST(the_proxys_own_failure_is_told_too)
{
	struct async a;
	int err;

	if (special_errno == 0) {
		under_stop_proxy();
		special_errno = ECONNREFUSED;
	}
	async_init(&a, special_name, AF_INET);
	err = async_again(&a);
	if (err == EINPROGRESS) {
		ck_assert_int_eq(async_bits(a.fd, ASYNC_ALL, -1),
		                 POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
		err = ways[_i].ask(&a);
		ck_assert_int_eq(err, ways[_i].exact ? special_errno : ECONNREFUSED);
	} else {
		ck_assert_int_eq(err, special_errno);
	}
	ck_assert_int_eq(async_error(a.fd), 0);
	ck_assert_int_eq(blocking_errno(special_name), special_errno);
	async_fini(&a);
}
END_TEST

static Suite *make_special(void)
{
	Suite *s = suite_create("async");
	TCase *tc = async_case(s, special_name);

	tcase_add_loop_test(tc, the_proxys_own_failure_is_told_too, 0, N(ways));
	return s;
}

static Suite *make(void)
{
	Suite *s = suite_create("async");
	TCase *tc = async_case(s, "async");
	int n = under_is_direct() ? 1 : N(outcomes);

	tcase_add_loop_test(tc, nothing_is_seen_of_it_before_its_end, 0, 2);
	tcase_add_test(tc, errno_is_the_only_word_of_success);
	tcase_add_loop_test(tc, connect_alone_tells_the_end, 0, 2);
	tcase_add_test(tc, a_second_destination_is_ealready);
	tcase_add_loop_test(tc, what_was_sent_with_the_reply_is_there_at_once, 0,
	                    under_is_direct() ? 1 : 2);
	tcase_add_test(tc, a_far_end_that_closes_at_once_is_end_of_file);
	tcase_add_loop_test(tc, a_failure_is_told_once_by_whoever_asks_first, 0, n * N(ways));
	tcase_add_loop_test(tc, looking_takes_nothing_away, 0, n);
	tcase_add_loop_test(tc, a_socket_fails_as_often_as_it_is_tried, 0, n);
	tcase_add_loop_test(tc, an_ipv6_socket_fails_the_same_way, 0, n);
	if (!under_is_direct()) {
		tcase_add_loop_test(tc, waiting_or_not_the_errno_is_the_same, 0, n);
		tcase_add_test(tc, what_is_known_at_once_is_said_at_once);
		tcase_add_loop_test(tc, addresses_end_as_names_do, 0, 2);
	}
	return s;
}

/*
 * No argument, "v6" (the proxy is at ::1, out of reach of an AF_INET socket), "direct"; "down": the
 * proxy has gone; "silent": it never answers; "password": it takes another one.
 */
int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";

	if (strcmp(mode, "silent") == 0) {
		special_name = "silent";
		special_errno = ETIMEDOUT;
		setenv("SOCKSIFY_TIMEOUT", "0.3", 1);
	} else if (strcmp(mode, "password") == 0) {
		special_name = "ok";
		special_errno = EACCES;
		setenv("SOCKSIFY_USER", "user", 1);
		setenv("SOCKSIFY_PASSWORD", "wrong", 1);
	} else if (strcmp(mode, "down") == 0) {
		special_name = "ok";
	}
	setenv("SOCKSIFY_TIMEOUT", "60", 0);
	return under_main(argc, argv, strcmp(mode, "v6") == 0 ? UNDER_IPV6 : UNDER_IPV4,
	                  special_name ? make_special : make);
}
