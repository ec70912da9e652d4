/*
 * The epolls in which a connecting socket is registered: several, duplicates, closed ones, those
 * that the library never saw made, those that were inherited.
 */
#include "async.h"
#include "events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

START_TEST(two_epolls_are_told_their_own)
{
	int first = events_new(), second = events_new();
	struct async a;

	async_init(&a, "ok", AF_INET);
	events_add(first, a.fd, EPOLLOUT | EPOLLET, DATA);
	async_connect(&a);
	events_add(second, a.fd, EPOLLOUT, OTHER);
	under_await_requests(a.name, 1);
	async_release(&a);
	ck_assert_uint_eq(events_one(second, OTHER, -1), EPOLLOUT);
	ck_assert_uint_eq(events_one(first, DATA, -1), EPOLLOUT);
	events_none(first);
	ck_assert_uint_eq(events_one(second, OTHER, 0), EPOLLOUT);
	async_fini(&a);
	close(first);
	close(second);
}
END_TEST

/* A socket and its duplicate, registered in one epoll. */
START_TEST(two_registrations_of_one_socket_are_told_both)
{
	int epoll = events_new(), twin, seen = 0;
	struct epoll_event ev;
	struct async a;

	async_init(&a, "ok", AF_INET);
	events_add(epoll, a.fd, EPOLLOUT | EPOLLET, DATA);
	async_connect(&a);
	twin = dup(a.fd);
	events_add(epoll, twin, EPOLLOUT | EPOLLET, OTHER);
	under_await_requests(a.name, 1);
	async_release(&a);
	while (seen != 3) {
		ck_assert_int_eq(epoll_wait(epoll, &ev, 1, -1), 1);
		ck_assert_uint_eq(ev.events, EPOLLOUT);
		ck_assert(ev.data.u64 == DATA || ev.data.u64 == OTHER);
		ck_assert_int_eq(seen & (ev.data.u64 == DATA ? 1 : 2), 0);
		seen |= ev.data.u64 == DATA ? 1 : 2;
	}
	events_none(epoll);
	ck_assert_int_eq(events_ctl(epoll, EPOLL_CTL_DEL, twin, 0, 0), 0);
	ck_assert_int_eq(events_ctl(epoll, EPOLL_CTL_DEL, a.fd, 0, 0), 0);
	async_check_connected(&a, twin);
	close(twin);
	async_fini(&a);
	close(epoll);
}
END_TEST

/* An epoll is a file with several names, too. */
START_TEST(a_duplicate_of_an_epoll_is_the_epoll)
{
	int epoll = events_new(), twin = dup(epoll);
	struct async a;

	async_init(&a, "ok", AF_INET);
	if (_i % 2 == 0)
		events_add(twin, a.fd, EPOLLOUT, DATA);
	async_connect(&a);
	if (_i % 2)
		events_add(epoll, a.fd, EPOLLOUT, DATA);
	events_mod(_i % 2 ? twin : epoll, a.fd, EPOLLOUT | EPOLLET, OTHER);
	under_await_requests(a.name, 1);
	if (_i / 2) {
		close(epoll);
		epoll = fcntl(twin, F_DUPFD_CLOEXEC, 100);
		close(twin);
		twin = dup(epoll);
	}
	async_release(&a);
	ck_assert_uint_eq(events_one(twin, OTHER, -1), EPOLLOUT);
	events_none(epoll);
	async_fini(&a);
	close(twin);
	close(epoll);
}
END_TEST

/* The number of an epoll that was closed becomes another's. */
START_TEST(an_epoll_that_is_closed_is_forgotten)
{
	int epoll = events_new(), again;
	struct async a;

	async_begin(&a, "ok");
	events_add(epoll, a.fd, EPOLLOUT, DATA);
	close(epoll);
	again = events_new();
	ck_assert_int_eq(again, epoll);
	async_release(&a);
	async_bits(a.fd, POLLOUT, -1);
	events_none(again);
	ck_assert_int_eq(events_ctl(again, EPOLL_CTL_DEL, a.fd, 0, 0), ENOENT);
	async_fini(&a);
	close(again);
}
END_TEST

/* Made and registered by the kernel's own call, which no library sees. */
START_TEST(a_registration_past_libc_counts)
{
	struct epoll_event ev = { .events = EPOLLOUT | EPOLLET, .data.u64 = DATA };
	int epoll = (int)syscall(SYS_epoll_create1, EPOLL_CLOEXEC);
	struct async a;

	async_init(&a, "ok", AF_INET);
	if (_i == 0)
		ck_assert_int_eq(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, a.fd, &ev), 0);
	async_connect(&a);
	if (_i == 1)
		ck_assert_int_eq(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, a.fd, &ev), 0);
	under_await_requests(a.name, 1);
	async_release(&a);
	ck_assert_uint_eq(events_one(epoll, DATA, -1), EPOLLOUT);
	events_none(epoll);
	async_fini(&a);
	close(epoll);
}
END_TEST

/* Of who inherits: what, and how the proxy is to call it. */
static int heir_fds[2];
static const char *heir_name;

static int heir(void)
{
	struct async a = { .fd = heir_fds[1] };
	int epoll = heir_fds[0];

	a.ss = under_look_up(heir_name, AF_INET, 80, &a.len);
	async_connect(&a);
	events_none(epoll);
	under_await_requests(heir_name, 1);
	under_release(heir_name);
	ck_assert_uint_eq(events_one(epoll, DATA, -1), EPOLLOUT);
	events_none(epoll);
	async_echo(a.fd);
	return 0;
}

static int heir_by_fork(void *at)
{
	heir_name = at;
	return heir();
}

static int heir_by_exec(void *at)
{
	char epoll[16], fd[16];

	snprintf(epoll, sizeof(epoll), "%d", heir_fds[0]);
	snprintf(fd, sizeof(fd), "%d", heir_fds[1]);
	fcntl(heir_fds[0], F_SETFD, 0);
	fcntl(heir_fds[1], F_SETFD, 0);
	execl(under_self(), "test", "heir", epoll, fd, at, (char *)NULL);
	return 1;
}

START_TEST(what_is_inherited_is_told)
{
	heir();
}
END_TEST

static Suite *make_heir(void)
{
	Suite *s = suite_create("heir");

	tcase_add_test(async_case(s, "heir"), what_is_inherited_is_told);
	return s;
}

/* Who inherits an epoll and what is registered in it by fork or exec connects that. */
START_TEST(an_inherited_registration_counts)
{
	static char names[][24] = { "held.ok.fork-0.test", "held.ok.fork-1.test",
		                    "held.ok.exec.test" };
	struct async a, before;

	async_init(&a, "ok", AF_INET);
	heir_fds[0] = events_new();
	heir_fds[1] = a.fd;
	events_add(heir_fds[0], a.fd, EPOLLOUT | EPOLLET, DATA);
	/* Where the parent has connects of its own under way, or none so far. */
	if (_i)
		async_begin(&before, "ok");
	async_in_child(_i == 2 ? heir_by_exec : heir_by_fork, names[_i]);
	if (_i)
		async_fini(&before);
	async_fini(&a);
	close(heir_fds[0]);
}
END_TEST

#define MANY 64

START_TEST(many_in_one_epoll_are_told_each)
{
	int epoll = events_new(), n = 0;
	struct async many[MANY];
	bool told[MANY] = { 0 };

	for (int i = 0; i < MANY; i++) {
		async_init(&many[i], i % 4 == 1 ? "refused" : "ok", AF_INET);
		async_connect(&many[i]);
		events_add(epoll, many[i].fd, EPOLLOUT | EPOLLET, DATA + (uint64_t)i);
	}
	events_none(epoll);
	for (int i = MANY - 1; i >= 0; i--)
		async_release(&many[i]);
	while (n < MANY) {
		struct epoll_event evs[7];
		int got = epoll_wait(epoll, evs, 7, -1);

		ck_assert_int_gt(got, 0);
		for (int i = 0; i < got; i++) {
			uint64_t which = evs[i].data.u64 - DATA;

			ck_assert_uint_lt(which, MANY);
			ck_assert(!told[which]);
			told[which] = true;
			n++;
		}
	}
	events_none(epoll);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(async_error(many[i].fd), i % 4 == 1 ? ECONNREFUSED : 0);
		if (i % 4 != 1)
			async_check_connected(&many[i], many[i].fd);
		async_fini(&many[i]);
	}
	close(epoll);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("async epolls");
	TCase *tc = async_case(s, "async epolls");

	tcase_add_test(tc, two_epolls_are_told_their_own);
	tcase_add_test(tc, two_registrations_of_one_socket_are_told_both);
	tcase_add_loop_test(tc, a_duplicate_of_an_epoll_is_the_epoll, 0, 4);
	tcase_add_test(tc, an_epoll_that_is_closed_is_forgotten);
	tcase_add_loop_test(tc, a_registration_past_libc_counts, 0, 2);
	tcase_add_loop_test(tc, an_inherited_registration_counts, 0, 3);
	if (!under_is_direct())
		tcase_add_test(tc, many_in_one_epoll_are_told_each);
	return s;
}

int main(int argc, char **argv)
{
	setenv("SOCKSIFY_TIMEOUT", "60", 0);
	if (argc == 5 && strcmp(argv[1], "heir") == 0) {
		heir_fds[0] = atoi(argv[2]);
		heir_fds[1] = atoi(argv[3]);
		heir_name = argv[4];
		return under_main(argc, argv, UNDER_IPV4, make_heir);
	}
	return under_main(argc, argv, UNDER_IPV4, make);
}
