#include "unit.h"

#include <base/clock.h>
#include <errno.h>
#include <tunnel/wait.h>
#include <unistd.h>

static int polls;

static int poll_interrupted_twice(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	if (polls++ < 2) {
		errno = EINTR;
		return -1;
	}
	return poll(fds, n, timeout_ms);
}

static int poll_fails(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	(void)fds;
	(void)n;
	(void)timeout_ms;
	errno = ENOMEM;
	return -1;
}

START_TEST(readiness_and_hang_up_end_it)
{
	struct waiter w;
	int fds[2];

	waiter_init(&w, &sys_libc);
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(w.wait(&w, fds[1], POLLOUT, clock_ms() + 60000), 0);
	ck_assert_int_eq(w.wait(&w, fds[0], POLLIN, clock_ms() - 1), -ETIMEDOUT);
	ck_assert_int_eq(w.wait(&w, fds[0], POLLIN, clock_ms() + 10), -ETIMEDOUT);
	close(fds[1]);
	ck_assert_int_eq(w.wait(&w, fds[0], POLLIN, DEADLINE_NEVER), 0);
	close(fds[0]);
}
END_TEST

START_TEST(a_signal_does_not_end_it)
{
	struct sys sys = sys_libc;
	struct waiter w;
	int fds[2];

	sys.poll = poll_interrupted_twice;
	waiter_init(&w, &sys);
	ck_assert_int_eq(pipe(fds), 0);
	polls = 0;
	ck_assert_int_eq(w.wait(&w, fds[1], POLLOUT, clock_ms() + 60000), 0);
	ck_assert_int_eq(polls, 3);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(another_error_is_passed_on)
{
	struct sys sys = sys_libc;
	struct waiter w;

	sys.poll = poll_fails;
	waiter_init(&w, &sys);
	ck_assert_int_eq(w.wait(&w, 0, POLLIN, DEADLINE_NEVER), -ENOMEM);
}
END_TEST

UNIT_MAIN("tunnel wait", { readiness_and_hang_up_end_it, 0 }, { a_signal_does_not_end_it, 0 },
          { another_error_is_passed_on, 0 })
