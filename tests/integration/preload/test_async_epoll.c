/*
 * Registrations in epolls outlive the end of a connect() with their events and data, whenever they
 * were made or changed, and tell of it as often as the kernel would.
 */
#include "async.h"
#include "events.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))

enum when { BEFORE, BETWEEN, LATE, AFTER };

/*
 * A connect() that is under way, registered by then (but for AFTER); released and at its end. LATE:
 * when the proxy has the request.
 */
static void run(struct async *a, int epoll, const char *outcome, uint32_t events, enum when when)
{
	async_init(a, outcome, AF_INET);
	if (when == BEFORE)
		events_add(epoll, a->fd, events, DATA);
	async_connect(a);
	if (when == BETWEEN)
		events_add(epoll, a->fd, events, DATA);
	under_await_requests(a->name, 1);
	if (when == LATE)
		events_add(epoll, a->fd, events, DATA);
	events_none(epoll);
	async_check_pending(a);
	async_release(a);
	async_bits(a->fd, POLLOUT, -1);
	if (when == AFTER)
		events_add(epoll, a->fd, events, DATA);
}

static const struct {
	uint32_t events;
	bool again; /* is it told again what it was told? */
} modes[] = {
	{ EPOLLOUT, true },
	{ EPOLLIN | EPOLLOUT, true },
	{ EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI, true },
	{ EPOLLOUT | EPOLLET, false },
	{ EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, false },
	{ EPOLLIN | EPOLLOUT | EPOLLONESHOT, false },
	{ EPOLLOUT | EPOLLET | EPOLLONESHOT, false },
	{ EPOLLOUT | EPOLLEXCLUSIVE, true },
	{ EPOLLIN | EPOLLOUT | EPOLLET | EPOLLEXCLUSIVE, false },
};

START_TEST(an_event_is_told_as_often_as_it_was_asked_for)
{
	uint32_t events = modes[_i / 4].events;
	int epoll = events_new();
	struct async a;

	run(&a, epoll, "ok", events, (enum when)(_i % 4));
	ck_assert_uint_eq(events_one(epoll, DATA, -1), EPOLLOUT);
	for (int i = 0; i < 3; i++) {
		if (modes[_i / 4].again)
			ck_assert_uint_eq(events_one(epoll, DATA, 0), EPOLLOUT);
		else
			events_none(epoll);
	}
	async_check_connected(&a, a.fd);
	async_fini(&a);
	events_none(epoll);
	close(epoll);
}
END_TEST

START_TEST(a_failure_is_told_as_often_as_it_was_asked_for)
{
	uint32_t events = modes[_i / 4].events;
	int epoll = events_new();
	struct async a;

	run(&a, epoll, "refused", events, (enum when)(_i % 4));
	for (int i = 0; i < 3; i++) {
		if (i > 0 && !modes[_i / 4].again)
			events_none(epoll);
		else
			ck_assert_uint_eq(events_one(epoll, DATA, -1),
			                  EPOLLERR | EPOLLHUP |
			                          (events & (EPOLLIN | EPOLLOUT | EPOLLRDHUP)));
	}
	ck_assert_int_eq(async_error(a.fd), ECONNREFUSED);
	async_fini(&a);
	close(epoll);
}
END_TEST

/* Who asks for what comes in is not told that it may write. */
START_TEST(input_alone_is_not_told_before_it_comes)
{
	static const uint32_t events[] = { EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLRDHUP,
		                           EPOLLIN | EPOLLONESHOT, EPOLLIN | EPOLLEXCLUSIVE };
	int epoll = events_new();
	struct async a;

	run(&a, epoll, "ok", events[_i / 4], (enum when)(_i % 4));
	events_none(epoll);
	ck_assert_int_eq(send(a.fd, "x", 1, MSG_NOSIGNAL), 1);
	ck_assert_uint_eq(events_one(epoll, DATA, -1), EPOLLIN);
	async_fini(&a);
	close(epoll);
}
END_TEST

START_TEST(a_far_end_that_closes_is_told)
{
	int epoll = events_new();
	struct async a;

	run(&a, epoll, "close", EPOLLRDHUP, (enum when)_i);
	ck_assert_uint_eq(events_one(epoll, DATA, -1), EPOLLRDHUP);
	async_fini(&a);
	close(epoll);
}
END_TEST

/* With data that came along: one edge, for both. */
START_TEST(data_that_comes_along_is_in_the_same_edge)
{
	int epoll = events_new();
	struct async a;
	char buf[8];

	run(&a, epoll, "glued", EPOLLIN | EPOLLOUT | EPOLLET, (enum when)_i);
	ck_assert_uint_eq(events_one(epoll, DATA, -1), EPOLLIN | EPOLLOUT);
	events_none(epoll);
	ck_assert_int_eq(recv(a.fd, buf, sizeof(buf), 0), 5);
	ck_assert_mem_eq(buf, "early", 5);
	events_none(epoll);
	async_fini(&a);
	close(epoll);
}
END_TEST

START_TEST(what_was_modified_while_pending_counts)
{
	int epoll = events_new();
	struct async a;

	async_init(&a, "ok", AF_INET);
	events_add(epoll, a.fd, EPOLLIN | EPOLLET, DATA);
	async_connect(&a);
	events_mod(epoll, a.fd, EPOLLOUT | EPOLLET, OTHER);
	under_await_requests(a.name, 1);
	events_mod(epoll, a.fd, EPOLLIN | EPOLLET, DATA);
	events_mod(epoll, a.fd, EPOLLIN | EPOLLOUT, OTHER);
	events_none(epoll);
	async_release(&a);
	ck_assert_uint_eq(events_one(epoll, OTHER, -1), EPOLLOUT);
	/* And when it has ended, as ever. */
	events_mod(epoll, a.fd, EPOLLIN, DATA);
	events_none(epoll);
	events_mod(epoll, a.fd, EPOLLOUT | EPOLLET, DATA);
	ck_assert_uint_eq(events_one(epoll, DATA, 0), EPOLLOUT);
	events_none(epoll);
	async_fini(&a);
	close(epoll);
}
END_TEST

START_TEST(what_was_removed_while_pending_is_not_told)
{
	int epoll = events_new();
	struct async a;

	async_init(&a, "ok", AF_INET);
	if (_i == 0)
		events_add(epoll, a.fd, EPOLLOUT, DATA);
	async_connect(&a);
	if (_i == 1)
		events_add(epoll, a.fd, EPOLLOUT, DATA);
	under_await_requests(a.name, 1);
	ck_assert_int_eq(events_ctl(epoll, EPOLL_CTL_ADD, a.fd, EPOLLOUT, DATA), EEXIST);
	ck_assert_int_eq(events_ctl(epoll, EPOLL_CTL_DEL, a.fd, 0, 0), 0);
	ck_assert_int_eq(events_ctl(epoll, EPOLL_CTL_DEL, a.fd, 0, 0), ENOENT);
	ck_assert_int_eq(events_ctl(epoll, EPOLL_CTL_MOD, a.fd, EPOLLOUT, DATA), ENOENT);
	async_release(&a);
	async_bits(a.fd, POLLOUT, -1);
	events_none(epoll);
	ck_assert_int_eq(events_ctl(epoll, EPOLL_CTL_DEL, a.fd, 0, 0), ENOENT);
	events_add(epoll, a.fd, EPOLLOUT, OTHER);
	ck_assert_uint_eq(events_one(epoll, OTHER, 0), EPOLLOUT);
	async_fini(&a);
	close(epoll);
}
END_TEST

/* The same errors as ever, while it is pending and when it has ended. */
START_TEST(epoll_ctl_errs_as_ever)
{
	int epoll = events_new();
	struct async a;

	async_begin(&a, "ok");
	for (int i = 0; i < 2; i++) {
		events_add(epoll, a.fd, EPOLLIN | EPOLLEXCLUSIVE, DATA);
		ck_assert_int_eq(events_ctl(epoll, EPOLL_CTL_ADD, a.fd, EPOLLIN, DATA), EEXIST);
		ck_assert_int_eq(events_ctl(epoll, EPOLL_CTL_MOD, a.fd, EPOLLIN, DATA), EINVAL);
		ck_assert_int_eq(events_ctl(epoll, EPOLL_CTL_ADD, epoll, EPOLLIN, DATA), EINVAL);
		ck_assert_int_eq(events_ctl(a.fd, EPOLL_CTL_ADD, epoll, EPOLLIN, DATA), EINVAL);
		ck_assert_int_eq(events_ctl(epoll, EPOLL_CTL_ADD, -1, EPOLLIN, DATA), EBADF);
		ck_assert_int_eq(events_ctl(-1, EPOLL_CTL_ADD, a.fd, EPOLLIN, DATA), EBADF);
		ck_assert_int_eq(events_ctl(epoll, 99, a.fd, EPOLLIN, DATA), EINVAL);
		ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_MOD, a.fd, NULL) < 0 ? errno : 0,
		                 EFAULT);
		ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_DEL, a.fd, NULL), 0);
		if (i == 0)
			async_release(&a);
		async_bits(a.fd, POLLOUT, i == 0 ? -1 : 0);
	}
	async_check_connected(&a, a.fd);
	async_fini(&a);
	close(epoll);
}
END_TEST

/* A registration for one event has fired for the unconnected socket, and sleeps. */
START_TEST(oneshot_that_has_fired_stays_silent)
{
	int epoll = events_new();
	struct async a;

	async_init(&a, "ok", AF_INET);
	events_add(epoll, a.fd, EPOLLOUT | EPOLLONESHOT, DATA);
	ck_assert_uint_eq(events_one(epoll, DATA, 0), EPOLLOUT | EPOLLHUP);
	async_connect(&a);
	if (_i == 1)
		events_mod(epoll, a.fd, EPOLLOUT | EPOLLONESHOT, OTHER);
	under_await_requests(a.name, 1);
	if (_i == 2)
		events_mod(epoll, a.fd, EPOLLOUT | EPOLLONESHOT, OTHER);
	events_none(epoll);
	async_release(&a);
	async_bits(a.fd, POLLOUT, -1);
	if (_i > 0)
		ck_assert_uint_eq(events_one(epoll, OTHER, -1), EPOLLOUT);
	events_none(epoll);
	events_mod(epoll, a.fd, EPOLLOUT | EPOLLONESHOT, DATA);
	ck_assert_uint_eq(events_one(epoll, DATA, 0), EPOLLOUT);
	async_check_connected(&a, a.fd);
	events_none(epoll);
	async_fini(&a);
	close(epoll);
}
END_TEST

/* An edge before the connect() is another one. */
START_TEST(an_edge_of_before_does_not_count)
{
	int epoll = events_new();
	struct async a;

	async_init(&a, "ok", AF_INET);
	events_add(epoll, a.fd, EPOLLIN | EPOLLOUT | EPOLLET, DATA);
	ck_assert_uint_eq(events_one(epoll, DATA, 0), EPOLLOUT | EPOLLHUP);
	events_none(epoll);
	async_connect(&a);
	events_none(epoll);
	under_await_requests(a.name, 1);
	async_release(&a);
	ck_assert_uint_eq(events_one(epoll, DATA, -1), EPOLLOUT);
	events_none(epoll);
	async_echo(a.fd);
	async_fini(&a);
	close(epoll);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("async epoll");
	TCase *tc = async_case(s, "async epoll");

	tcase_add_loop_test(tc, an_event_is_told_as_often_as_it_was_asked_for, 0, N(modes) * 4);
	tcase_add_loop_test(tc, a_failure_is_told_as_often_as_it_was_asked_for, 0, N(modes) * 4);
	tcase_add_loop_test(tc, input_alone_is_not_told_before_it_comes, 0, 5 * 4);
	tcase_add_loop_test(tc, a_far_end_that_closes_is_told, 0, 4);
	if (!under_is_direct())
		tcase_add_loop_test(tc, data_that_comes_along_is_in_the_same_edge, 0, 3);
	tcase_add_test(tc, what_was_modified_while_pending_counts);
	tcase_add_loop_test(tc, what_was_removed_while_pending_is_not_told, 0, 2);
	tcase_add_test(tc, epoll_ctl_errs_as_ever);
	tcase_add_loop_test(tc, oneshot_that_has_fired_stays_silent, 0, 3);
	tcase_add_test(tc, an_edge_of_before_does_not_count);
	return s;
}

int main(int argc, char **argv)
{
	setenv("SOCKSIFY_TIMEOUT", "60", 0);
	return under_main(argc, argv,
	                  argc > 1 && strcmp(argv[1], "v6") == 0 ? UNDER_IPV6 : UNDER_IPV4, make);
}
