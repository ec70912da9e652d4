/*
 * Calls that wait for a connect() which doesn't: blocking ones that were interrupted or have run
 * out of time, and O_NONBLOCK switched off on the way. As in the kernel, it goes on behind them.
 */
#include "async.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static atomic_int handled;

static void count(int sig)
{
	(void)sig;
	atomic_fetch_add(&handled, 1);
}

static void on_usr1(int flags)
{
	struct sigaction sa = { .sa_handler = count, .sa_flags = flags };

	sigaction(SIGUSR1, &sa, NULL);
	atomic_store(&handled, 0);
}

/* A call in a thread of its own. */
struct call {
	int (*what)(struct async *a);
	struct async *a;
	pthread_t thread;
	atomic_int tid, over;
	int err;
};

static void *make_call(void *at)
{
	struct call *c = at;

	atomic_store(&c->tid, (int)syscall(SYS_gettid));
	c->err = c->what(c->a);
	atomic_store(&c->over, 1);
	return NULL;
}

/* It sleeps by now. */
static void call_start(struct call *c, int (*what)(struct async *), struct async *a)
{
	*c = (struct call){ .what = what, .a = a };
	ck_assert_int_eq(pthread_create(&c->thread, NULL, make_call, c), 0);
	while (atomic_load(&c->tid) == 0)
		;
	async_await_asleep(atomic_load(&c->tid));
}

static int call_end(struct call *c)
{
	pthread_join(c->thread, NULL);
	return c->err;
}

/* Signals until one has been handled, or until the call is over. */
static void call_signal(struct call *c, bool until_over)
{
	while (until_over ? !atomic_load(&c->over) : !atomic_load(&handled)) {
		pthread_kill(c->thread, SIGUSR1);
		sched_yield();
	}
}

static int do_connect(struct async *a)
{
	return async_again(a);
}

static int do_read(struct async *a)
{
	char octet;
	ssize_t n = read(a->fd, &octet, 1);

	return n < 0 ? errno : (int)-n;
}

static int do_write(struct async *a)
{
	ssize_t n = send(a->fd, "x", 1, MSG_NOSIGNAL);

	return n < 0 ? errno : (int)-n;
}

static const struct {
	const char *name;
	int err;
} ends[] = { { "ok", 0 }, { "refused", ECONNREFUSED }, { "unreach", EHOSTUNREACH } };

static int n_ends(void)
{
	return under_is_direct() ? 2 : 3;
}

static void check_end(struct async *a, int end)
{
	if (ends[end].err)
		ck_assert_int_eq(async_error(a->fd), ends[end].err);
	else
		async_check_connected(a, a->fd);
	async_fini(a);
}

/* O_NONBLOCK is off, or never was on. */
static void begin_blocking(struct async *a, const char *outcome)
{
	async_init(a, outcome, AF_INET);
	fcntl(a->fd, F_SETFL, 0);
}

START_TEST(a_second_connect_waits_once_it_may)
{
	struct async a;
	struct call c;
	int err;

	async_begin(&a, ends[_i].name);
	fcntl(a.fd, F_SETFL, 0);
	call_start(&c, do_connect, &a);
	ck_assert_int_eq(atomic_load(&c.over), 0);
	ck_assert_int_eq(async_bits(a.fd, POLLOUT, 0), 0);
	async_release(&a);
	ck_assert_int_eq(call_end(&c), ends[_i].err);
	ck_assert_int_eq(fcntl(a.fd, F_GETFL) & O_NONBLOCK, 0);
	err = async_error(a.fd);
	ck_assert_int_eq(err, 0);
	if (ends[_i].err == 0)
		async_check_connected(&a, a.fd);
	async_fini(&a);
}
END_TEST

START_TEST(a_second_connect_that_waits_is_interrupted_as_ever)
{
	bool restart = _i;
	struct async a;
	struct call c;

	on_usr1(restart ? SA_RESTART : 0);
	async_begin(&a, "ok");
	fcntl(a.fd, F_SETFL, 0);
	call_start(&c, do_connect, &a);
	call_signal(&c, !restart);
	if (restart) {
		ck_assert_int_eq(atomic_load(&c.over), 0);
		async_release(&a);
		ck_assert_int_eq(call_end(&c), 0);
	} else {
		ck_assert_int_eq(call_end(&c), EINTR);
		fcntl(a.fd, F_SETFL, O_NONBLOCK);
		async_check_pending(&a);
		ck_assert_int_eq(async_again(&a), EALREADY);
		async_release(&a);
		ck_assert_int_eq(async_bits(a.fd, POLLOUT, -1), POLLOUT);
	}
	check_end(&a, 0);
}
END_TEST

/* Blocked on a socket that is replaced: an error, and not an octet is lost or made up. */
START_TEST(a_read_or_write_that_waits_has_an_end)
{
	int end = _i / 2, err;
	struct async a;
	struct call c;

	async_begin(&a, ends[end].name);
	fcntl(a.fd, F_SETFL, 0);
	call_start(&c, _i % 2 ? do_write : do_read, &a);
	async_release(&a);
	async_bits(a.fd, POLLOUT, -1);
	err = call_end(&c);
	ck_assert_int_gt(err, 0);
	if (end == 0)
		async_check_connected(&a, a.fd);
	async_fini(&a);
}
END_TEST

START_TEST(after_eintr_it_goes_on)
{
	struct async a;
	struct call c;

	on_usr1(0);
	begin_blocking(&a, ends[_i].name);
	call_start(&c, do_connect, &a);
	under_await_requests(a.name, 1);
	call_signal(&c, true);
	ck_assert_int_eq(call_end(&c), EINTR);
	ck_assert_int_ge(atomic_load(&handled), 1);
	ck_assert_int_eq(fcntl(a.fd, F_GETFL) & O_NONBLOCK, 0);
	fcntl(a.fd, F_SETFL, O_NONBLOCK);
	async_check_pending(&a);
	ck_assert_int_eq(async_again(&a), EALREADY);
	fcntl(a.fd, F_SETFL, 0);
	async_release(&a);
	ck_assert_int_eq(async_bits(a.fd, POLLOUT, -1) & POLLOUT, POLLOUT);
	if (!under_is_direct())
		ck_assert_int_eq(under_requests(a.name), 1); /* the same, and not another */
	check_end(&a, _i);
}
END_TEST

START_TEST(after_eintr_connect_waits_for_it)
{
	struct async a;
	struct call c;

	on_usr1(0);
	begin_blocking(&a, ends[_i].name);
	call_start(&c, do_connect, &a);
	under_await_requests(a.name, 1);
	call_signal(&c, true);
	ck_assert_int_eq(call_end(&c), EINTR);
	call_start(&c, do_connect, &a);
	async_release(&a);
	ck_assert_int_eq(call_end(&c), ends[_i].err);
	if (!under_is_direct())
		ck_assert_int_eq(under_requests(a.name), 1);
	if (ends[_i].err == 0)
		async_check_connected(&a, a.fd);
	async_fini(&a);
}
END_TEST

START_TEST(a_handler_that_restarts_is_not_seen)
{
	struct async a;
	struct call c;

	on_usr1(SA_RESTART);
	begin_blocking(&a, ends[_i].name);
	call_start(&c, do_connect, &a);
	under_await_requests(a.name, 1);
	call_signal(&c, false);
	async_await_asleep(atomic_load(&c.tid));
	ck_assert_int_eq(atomic_load(&c.over), 0);
	async_release(&a);
	ck_assert_int_eq(call_end(&c), ends[_i].err);
	if (ends[_i].err == 0)
		async_check_connected(&a, a.fd);
	async_fini(&a);
}
END_TEST

START_TEST(after_sndtimeo_it_goes_on)
{
	struct timeval tv = { .tv_usec = 50000 };
	struct async a;

	begin_blocking(&a, ends[_i].name);
	setsockopt(a.fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	ck_assert_int_eq(async_again(&a), EINPROGRESS);
	ck_assert_int_eq(async_bits(a.fd, ASYNC_ALL, 0), 0);
	/* And again: it waits as long, and then says what it is. */
	ck_assert_int_eq(async_again(&a), EALREADY);
	under_await_requests(a.name, 1);
	async_release(&a);
	ck_assert_int_eq(async_bits(a.fd, POLLOUT, -1) & POLLOUT, POLLOUT);
	if (!under_is_direct())
		ck_assert_int_eq(under_requests(a.name), 1);
	check_end(&a, _i);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("async blocking");
	TCase *tc = async_case(s, "async blocking");

	tcase_add_loop_test(tc, a_second_connect_waits_once_it_may, 0, n_ends());
	tcase_add_loop_test(tc, a_second_connect_that_waits_is_interrupted_as_ever, 0, 2);
	if (!under_is_direct())
		tcase_add_loop_test(tc, a_read_or_write_that_waits_has_an_end, 0, 6);
	tcase_add_loop_test(tc, after_eintr_it_goes_on, 0, n_ends());
	tcase_add_loop_test(tc, after_eintr_connect_waits_for_it, 0, n_ends());
	tcase_add_loop_test(tc, a_handler_that_restarts_is_not_seen, 0, n_ends());
	tcase_add_loop_test(tc, after_sndtimeo_it_goes_on, 0, n_ends());
	return s;
}

int main(int argc, char **argv)
{
	setenv("SOCKSIFY_TIMEOUT", "60", 0);
	return under_main(argc, argv, UNDER_IPV4, make);
}
