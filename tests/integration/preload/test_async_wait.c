/*
 * Everything that waits for a socket sees the end of its connect(), and sees it once where it asked
 * for edges: poll, select and epoll in all their forms, whenever the socket was registered.
 */
#include "async.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))

#define DATA UINT64_C(0xfedcba9876543210)

/* Waiters: is @fd writable (or at its end) within @ms? -1: there is no such call here. */

static int by_poll(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, ms);
}

static struct timespec *after(int ms, struct timespec *ts)
{
	*ts = (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };
	return ms < 0 ? NULL : ts;
}

static int by_ppoll(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	struct timespec ts;
	sigset_t set;

	sigemptyset(&set);
	return ppoll(&p, 1, after(ms, &ts), &set);
}

static int by_select(int fd, int ms)
{
	struct timeval tv = { .tv_usec = ms * 1000 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return select(fd + 1, NULL, &set, NULL, ms < 0 ? NULL : &tv);
}

static int by_pselect(int fd, int ms)
{
	struct timespec ts;
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return pselect(fd + 1, NULL, &set, NULL, after(ms, &ts), NULL);
}

/* As programs with select() do that distrust POLLOUT: readable is an end as well. */
static int by_select_of_all(int fd, int ms)
{
	struct timeval tv = { .tv_usec = ms * 1000 };
	fd_set r, w, x;

	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&x);
	FD_SET(fd, &r);
	FD_SET(fd, &w);
	FD_SET(fd, &x);
	return select(fd + 1, &r, &w, &x, ms < 0 ? NULL : &tv) > 0;
}

static int watch(int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.u64 = DATA };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		abort();
	return epoll;
}

/* The kernel's, where it takes 64-bit time alone. */
static const int64_t *after_wide(int ms, int64_t wide[2])
{
	wide[0] = ms / 1000;
	wide[1] = ms % 1000 * INT64_C(1000000);
	return ms < 0 ? NULL : wide;
}

enum epoll_call { WAIT, PWAIT, PWAIT2, RAW, RAW_PWAIT };

static int wait_by(enum epoll_call call, int epoll, struct epoll_event *ev, int ms)
{
	int64_t wide[2];

	switch (call) {
	case WAIT:
		return epoll_wait(epoll, ev, 1, ms);
	case PWAIT:
		return epoll_pwait(epoll, ev, 1, ms, &(sigset_t){ 0 });
	case PWAIT2:
#ifdef SYS_epoll_pwait2
		return (int)syscall(SYS_epoll_pwait2, epoll, ev, 1, after_wide(ms, wide), NULL, 0);
#else
		(void)wide;
		errno = ENOSYS;
		return -1;
#endif
	case RAW:
#ifdef SYS_epoll_wait
		return (int)syscall(SYS_epoll_wait, epoll, ev, 1, ms);
#else
		errno = ENOSYS;
		return -1;
#endif
	case RAW_PWAIT:
		return (int)syscall(SYS_epoll_pwait, epoll, ev, 1, ms, NULL, 0);
	}
	return -1;
}

static int by_epoll(enum epoll_call call, int fd, int ms)
{
	int epoll = watch(fd, EPOLLOUT);
	struct epoll_event ev = { 0 };
	int n = wait_by(call, epoll, &ev, ms);

	close(epoll);
	return n == 1 && ev.data.u64 != DATA ? 99 : n;
}

static int by_epoll_wait(int fd, int ms)
{
	return by_epoll(WAIT, fd, ms);
}

static int by_epoll_pwait(int fd, int ms)
{
	return by_epoll(PWAIT, fd, ms);
}

static int by_epoll_pwait2(int fd, int ms)
{
	return by_epoll(PWAIT2, fd, ms);
}

static int by_raw_epoll_wait(int fd, int ms)
{
	return by_epoll(RAW, fd, ms);
}

static int by_raw_epoll_pwait(int fd, int ms)
{
	return by_epoll(RAW_PWAIT, fd, ms);
}

/* The epoll is what is polled. */
static int by_poll_of_epoll(int fd, int ms)
{
	int epoll = watch(fd, EPOLLOUT);
	struct pollfd p = { .fd = epoll, .events = POLLIN };
	int n = poll(&p, 1, ms);

	close(epoll);
	return n;
}

static int by_nested_epoll(int fd, int ms)
{
	int inner = watch(fd, EPOLLOUT | EPOLLET), middle = watch(inner, EPOLLIN);
	int outer = watch(middle, EPOLLIN);
	struct epoll_event ev;
	int n = epoll_wait(outer, &ev, 1, ms);

	close(outer);
	close(middle);
	close(inner);
	return n;
}

static int by_raw_poll(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	struct timespec ts;

	return (int)syscall(SYS_ppoll, &p, 1, after(ms, &ts), NULL, 0);
}

/* Not by libc's epoll_ctl. */
static int by_raw_registration(int fd, int ms)
{
	struct epoll_event ev = { .events = EPOLLOUT, .data.u64 = DATA };
	int epoll = (int)syscall(SYS_epoll_create1, 0), n;

	if (syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		abort();
	ev.data.u64 = 0;
	n = epoll_wait(epoll, &ev, 1, ms);
	close(epoll);
	return n == 1 && ev.data.u64 != DATA ? 99 : n;
}

static int (*const waiters[])(int fd, int ms) = {
	by_poll,          by_ppoll,        by_select,       by_pselect,          by_select_of_all,
	by_epoll_wait,    by_epoll_pwait,  by_epoll_pwait2, by_raw_epoll_wait,   by_raw_epoll_pwait,
	by_poll_of_epoll, by_nested_epoll, by_raw_poll,     by_raw_registration,
};

static const struct {
	const char *name;
	int err;
} ends[] = { { "ok", 0 }, { "refused", ECONNREFUSED }, { "unreach", EHOSTUNREACH } };

static int n_ends(void)
{
	return under_is_direct() ? 2 : N(ends);
}

static void check_end(const struct async *a, int err)
{
	if (err == 0)
		async_check_connected(a, a->fd);
	else
		ck_assert_int_eq(async_error(a->fd), err);
}

START_TEST(every_waiter_waits_and_wakes)
{
	int (*wait)(int, int) = waiters[_i / n_ends()];
	int end = _i % n_ends(), n;
	struct async a;

	async_begin(&a, ends[end].name);
	errno = 0;
	n = wait(a.fd, 0);
	if (n < 0 && errno == ENOSYS) {
		async_fini(&a);
		return;
	}
	ck_assert_int_eq(n, 0);
	ck_assert_int_eq(wait(a.fd, 20), 0);
	async_release(&a);
	ck_assert_int_eq(wait(a.fd, -1), 1);
	ck_assert_int_eq(wait(a.fd, 0), 1);
	check_end(&a, ends[end].err);
	async_fini(&a);
}
END_TEST

struct sleeper {
	int (*wait)(int fd, int ms);
	int fd;
	pthread_t thread;
	atomic_int tid;
	int result, err;
};

static void *sleep_there(void *at)
{
	struct sleeper *s = at;

	atomic_store(&s->tid, (int)syscall(SYS_gettid));
	s->result = s->wait(s->fd, -1);
	s->err = errno;
	return NULL;
}

static void sleeper_start(struct sleeper *s, int (*wait)(int, int), int fd)
{
	int tid;

	*s = (struct sleeper){ .wait = wait, .fd = fd };
	ck_assert_int_eq(pthread_create(&s->thread, NULL, sleep_there, s), 0);
	while ((tid = atomic_load(&s->tid)) == 0)
		;
	async_await_asleep(tid);
}

static void sleeper_check(struct sleeper *s)
{
	pthread_join(s->thread, NULL);
	ck_assert(s->result == 1 || (s->result < 0 && s->err == ENOSYS));
}

START_TEST(a_thread_that_sleeps_is_woken)
{
	int end = _i % n_ends();
	struct sleeper s;
	struct async a;

	async_begin(&a, ends[end].name);
	sleeper_start(&s, waiters[_i / n_ends()], a.fd);
	async_release(&a);
	sleeper_check(&s);
	check_end(&a, ends[end].err);
	async_fini(&a);
}
END_TEST

/* Every waiter at once, on one socket. */
START_TEST(all_threads_that_sleep_are_woken)
{
	struct sleeper s[N(waiters)];
	struct async a;

	async_begin(&a, ends[_i].name);
	for (int i = 0; i < N(waiters); i++)
		sleeper_start(&s[i], waiters[i], a.fd);
	async_release(&a);
	for (int i = 0; i < N(waiters); i++)
		sleeper_check(&s[i]);
	check_end(&a, ends[_i].err);
	async_fini(&a);
}
END_TEST

static int in_epoll(int epoll, int ms)
{
	struct epoll_event ev = { 0 };
	int n = epoll_wait(epoll, &ev, 1, ms);

	return n == 1 && ev.data.u64 != DATA ? 99 : n;
}

/* It sleeps before there is a connect(), or even a socket. */
START_TEST(a_thread_that_sleeps_already_is_woken)
{
	struct epoll_event ev = { .events = EPOLLOUT | EPOLLET, .data.u64 = DATA };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct sleeper s;
	struct async a;

	async_init(&a, ends[_i % 2].name, AF_INET);
	if (_i / 2) {
		/* Registered before; an unconnected socket is at its end, which is no news. */
		ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, a.fd, &ev), 0);
		ck_assert_int_eq(in_epoll(epoll, 0), 1);
	}
	sleeper_start(&s, in_epoll, epoll);
	if (_i / 2) {
		async_connect(&a);
	} else {
		async_connect(&a);
		ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, a.fd, &ev), 0);
	}
	under_await_requests(a.name, 1);
	async_await_asleep(atomic_load(&s.tid));
	async_release(&a);
	sleeper_check(&s);
	check_end(&a, ends[_i % 2].err);
	async_fini(&a);
	close(epoll);
}
END_TEST

START_TEST(one_socket_twice_in_one_poll)
{
	struct pollfd p[3];
	struct async a;
	int twin;

	async_begin(&a, ends[_i].name);
	twin = dup(a.fd);
	p[0] = (struct pollfd){ .fd = a.fd, .events = POLLOUT };
	p[1] = (struct pollfd){ .fd = a.fd, .events = POLLIN };
	p[2] = (struct pollfd){ .fd = twin, .events = POLLOUT };
	ck_assert_int_eq(poll(p, 3, 0), 0);
	async_release(&a);
	async_bits(a.fd, POLLOUT, -1);
	ck_assert_int_eq(poll(p, 3, -1), ends[_i].err ? 3 : 2);
	ck_assert_int_ne(p[0].revents & POLLOUT, 0);
	ck_assert_int_eq(p[1].revents, ends[_i].err ? POLLIN | POLLERR | POLLHUP : 0);
	ck_assert_int_eq(p[2].revents, p[0].revents);
	check_end(&a, ends[_i].err);
	close(twin);
	async_fini(&a);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("async wait");
	TCase *tc = async_case(s, "async wait");

	tcase_add_loop_test(tc, every_waiter_waits_and_wakes, 0, N(waiters) * n_ends());
	tcase_add_loop_test(tc, a_thread_that_sleeps_is_woken, 0, N(waiters) * n_ends());
	tcase_add_loop_test(tc, all_threads_that_sleep_are_woken, 0, n_ends());
	tcase_add_loop_test(tc, a_thread_that_sleeps_already_is_woken, 0, 4);
	tcase_add_loop_test(tc, one_socket_twice_in_one_poll, 0, n_ends());
	return s;
}

int main(int argc, char **argv)
{
	setenv("SOCKSIFY_TIMEOUT", "60", 0);
	return under_main(argc, argv,
	                  argc > 1 && strcmp(argv[1], "v6") == 0 ? UNDER_IPV6 : UNDER_IPV4, make);
}
