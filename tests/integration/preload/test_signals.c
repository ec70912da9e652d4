/* Signals and cancellation during connect(): as connect(2) has them. */
#include "under.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t handled;
static sigjmp_buf leave;

static void count(int sig)
{
	(void)sig;
	handled++;
}

static void jump(int sig)
{
	(void)sig;
	siglongjmp(leave, 1);
}

static void on_alarm(void (*handler)(int), int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	handled = 0;
	sigaction(SIGALRM, &sa, NULL);
}

static void alarm_in_ms(int ms)
{
	struct itimerval it = { .it_value = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 } };

	setitimer(ITIMER_REAL, &it, NULL);
}

/*
 * Again and again: on a busy machine the first may come before the connect() that it is meant for.
 */
static void tick_every_ms(int ms)
{
	struct itimerval it = { .it_value = { .tv_usec = ms * 1000 },
		                .it_interval = { .tv_usec = ms * 1000 } };

	setitimer(ITIMER_REAL, &it, NULL);
}

/* Not inlined: its counter would live beside what siglongjmp() leaves undefined. */
__attribute__((noinline)) static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			n++;
	return n;
}

START_TEST(a_handler_without_restart_ends_it_with_eintr)
{
	sigset_t before, after;
	int open_before = open_descriptors();

	pthread_sigmask(SIG_BLOCK, NULL, &before);
	on_alarm(count, 0);
	tick_every_ms(50);
	ck_assert_int_eq(under_connect("silent.test"), -1);
	ck_assert_int_eq(errno, EINTR);
	alarm_in_ms(0);
	ck_assert_int_ge(handled, 1);
	pthread_sigmask(SIG_BLOCK, NULL, &after);
	for (int sig = 1; sig < NSIG; sig++)
		ck_assert_int_eq(sigismember(&before, sig), sigismember(&after, sig));
	ck_assert_int_eq(open_descriptors(), open_before);
}
END_TEST

/* The kernel goes on with the first one, and the second waits for it. */
START_TEST(after_eintr_connect_can_be_called_again)
{
	socklen_t len;
	struct sockaddr_storage slow = under_look_up("slow.test", AF_INET, 80, &len);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	on_alarm(count, 0);
	tick_every_ms(20);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&slow, len), -1);
	ck_assert_int_eq(errno, EINTR);
	alarm_in_ms(0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&slow, len), 0);
	under_echo(fd);
	close(fd);
}
END_TEST

START_TEST(after_eintr_it_can_be_dissolved)
{
	socklen_t len;
	struct sockaddr_storage silent = under_look_up("silent.test", AF_INET, 80, &len);
	struct sockaddr_storage good = under_look_up("ok.test", AF_INET, 80, &len);
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	on_alarm(count, 0);
	tick_every_ms(50);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&silent, len), -1);
	ck_assert_int_eq(errno, EINTR);
	alarm_in_ms(0);
	ck_assert_int_eq(connect(fd, &none, sizeof(none)), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&good, len), 0);
	under_echo(fd);
	close(fd);
}
END_TEST

/* What Python does by PEP 475: wait until it is writable, then ask SO_ERROR. */
START_TEST(after_eintr_the_outcome_can_be_asked)
{
	socklen_t len;
	struct sockaddr_storage ss = under_look_up("slow.test", AF_INET, 80, &len), peer;
	int fd = socket(AF_INET, SOCK_STREAM, 0), err = -1;
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	on_alarm(count, 0);
	tick_every_ms(20);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&ss, len), -1);
	ck_assert_int_eq(errno, EINTR);
	alarm_in_ms(0);
	len = sizeof(peer);
	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&peer, &len), -1);
	ck_assert_int_eq(errno, ENOTCONN);
	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &(socklen_t){ sizeof(err) }),
	                 0);
	ck_assert_int_eq(err, 0);
	under_echo(fd);
	len = sizeof(peer);
	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
	ck_assert_mem_eq(&peer, &ss, len);
	close(fd);
}
END_TEST

/* A program with a ticking timer that tries again after each EINTR gets there. */
START_TEST(a_ticking_timer_does_not_keep_it_from_ending)
{
	socklen_t len;
	struct sockaddr_storage ss = under_look_up("slow.test", AF_INET, 80, &len);
	int fd = socket(AF_INET, SOCK_STREAM, 0), tries = 0, r;

	on_alarm(count, 0);
	tick_every_ms(30);
	do
		r = connect(fd, (struct sockaddr *)&ss, len);
	while (r < 0 && errno == EINTR && ++tries < 10);
	alarm_in_ms(0);
	ck_assert_int_eq(r, 0);
	ck_assert_int_ge(tries, 1);
	under_echo(fd);
	close(fd);
}
END_TEST

/* The deadline is the first call's. */
START_TEST(a_ticking_timer_does_not_put_the_deadline_off)
{
	socklen_t len;
	struct sockaddr_storage ss = under_look_up("silent.test", AF_INET, 80, &len);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	on_alarm(count, 0);
	tick_every_ms(30);
	do
		ck_assert_int_eq(connect(fd, (struct sockaddr *)&ss, len), -1);
	while (errno == EINTR);
	ck_assert_int_eq(errno, ETIMEDOUT);
	alarm_in_ms(0);
	ck_assert_int_ge(handled, 2);
	close(fd);
}
END_TEST

START_TEST(a_handler_with_restart_does_not_end_it)
{
	int fd;

	on_alarm(count, SA_RESTART);
	alarm_in_ms(30);
	fd = under_connect("slow.test");
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(handled, 1);
	under_echo(fd);
	close(fd);
}
END_TEST

START_TEST(ignored_and_blocked_signals_do_not_end_it)
{
	sigset_t set, pending;
	int fd;

	on_alarm(_i ? count : SIG_IGN, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	if (_i)
		pthread_sigmask(SIG_BLOCK, &set, NULL);
	alarm_in_ms(30);
	fd = under_connect("slow.test");
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(handled, 0);
	sigpending(&pending);
	ck_assert_int_eq(sigismember(&pending, SIGALRM), _i);
	on_alarm(SIG_IGN, 0);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
END_TEST

START_TEST(sndtimeo_makes_every_handler_end_it)
{
	socklen_t len;
	struct sockaddr_storage ss = under_look_up("silent.test", AF_INET, 80, &len);
	struct timeval tv = { .tv_sec = 30 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	on_alarm(count, SA_RESTART);
	tick_every_ms(50);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&ss, len), -1);
	ck_assert_int_eq(errno, EINTR);
	alarm_in_ms(0);
	close(fd);
}
END_TEST

START_TEST(a_handler_may_jump_out)
{
	socklen_t len;
	struct sockaddr_storage ss = under_look_up("silent.test", AF_INET, 80, &len);
	static volatile int fd; /* survives the jump */
	int open_before;
	sigset_t set;

	fd = socket(AF_INET, SOCK_STREAM, 0);
	open_before = open_descriptors();
	on_alarm(jump, 0);
	if (sigsetjmp(leave, 1) == 0) {
		alarm_in_ms(50);
		connect(fd, (struct sockaddr *)&ss, len);
		ck_abort_msg("the alarm did not end it");
	}
	ck_assert_int_eq(open_descriptors(), open_before);
	/* What is written next must not go to the proxy. */
	ck_assert_int_eq(send(fd, "x", 1, MSG_NOSIGNAL), -1);
	close(fd);
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	ck_assert_int_eq(sigismember(&set, SIGALRM), 0);
	ck_assert_int_eq(sigismember(&set, SIGTERM), 0);
}
END_TEST

static int cancelled_fd;

static void *connect_silent(void *at)
{
	socklen_t len;
	struct sockaddr_storage ss = under_look_up("silent.test", AF_INET, 80, &len);

	(void)at;
	connect(cancelled_fd, (struct sockaddr *)&ss, len);
	return NULL;
}

/*
 * Unwinding a cancelled thread, gcc's address sanitizer takes its own write to the stack for an
 * overrun of a frame that is gone.
 */
#ifdef __SANITIZE_ADDRESS__
#define CANCELS false
#else
#define CANCELS true
#endif

START_TEST(a_thread_can_be_cancelled)
{
	int open_before;
	pthread_t thread;
	void *result;

	cancelled_fd = socket(AF_INET, SOCK_STREAM, 0);
	open_before = open_descriptors();
	ck_assert_int_eq(pthread_create(&thread, NULL, connect_silent, NULL), 0);
	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	ck_assert_ptr_eq(result, PTHREAD_CANCELED);
	ck_assert_int_eq(open_descriptors(), open_before);
	/* What is written next must not go to the proxy. */
	ck_assert_int_eq(send(cancelled_fd, "x", 1, MSG_NOSIGNAL), -1);
	ck_assert_int_eq(fcntl(cancelled_fd, F_GETFL) & O_NONBLOCK, 0);
	close(cancelled_fd);
}
END_TEST

static void *storm(void *at)
{
	pthread_t victim = *(pthread_t *)at;

	for (int i = 0; i < 200; i++) {
		pthread_kill(victim, SIGUSR1);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	return NULL;
}

START_TEST(a_storm_of_restarting_signals_delays_nothing)
{
	struct sigaction sa = { .sa_handler = count, .sa_flags = SA_RESTART };
	pthread_t self = pthread_self(), thread;
	int fd;

	sigaction(SIGUSR1, &sa, NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, storm, &self), 0);
	for (int i = 0; i < 2; i++) {
		fd = under_connect("slow.test");
		ck_assert_int_ge(fd, 0);
		close(fd);
	}
	pthread_join(thread, NULL);
}
END_TEST

#define WAITERS 20

static atomic_int interrupted, handled_in_all;

static void count_atomically(int sig)
{
	(void)sig;
	atomic_fetch_add(&handled_in_all, 1);
}

static void *be_interrupted(void *at)
{
	(void)at;
	if (under_connect("silent.test") < 0 && errno == EINTR)
		atomic_fetch_add(&interrupted, 1);
	return NULL;
}

/* A signal to the process ends one connect, that of the thread which handles it. */
START_TEST(one_signal_ends_one_connect)
{
	struct sigaction sa = { .sa_handler = count_atomically };
	pthread_t threads[WAITERS];
	sigset_t set, before;

	sigaction(SIGUSR2, &sa, NULL);
	for (int i = 0; i < WAITERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, be_interrupted, NULL), 0);
	/* This thread does not wait in connect(), so it is none of those that may take it. */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, &before);
	for (int i = 0; i < 10; i++) {
		kill(getpid(), SIGUSR2);
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	}
	for (int i = 0; i < WAITERS; i++)
		pthread_join(threads[i], NULL);
	/* A thread that is not in connect() yet may handle one, and is not interrupted. */
	ck_assert_int_ge(interrupted, 1);
	ck_assert_int_le(interrupted, handled_in_all);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}
END_TEST

static volatile sig_atomic_t handled_by_first;

static void note_thread(int sig)
{
	(void)sig;
	if ((pid_t)syscall(SYS_gettid) == getpid())
		handled_by_first = 1;
}

/*
 * The first thread gets what is sent to the process, as always, although another waits in
 * connect().
 */
START_TEST(the_first_thread_keeps_its_signals)
{
	struct sigaction sa = { .sa_handler = note_thread };
	pthread_t thread;

	sigaction(SIGUSR2, &sa, NULL);
	for (int i = 0; i < 5; i++) {
		handled_by_first = 0;
		ck_assert_int_eq(pthread_create(&thread, NULL, be_interrupted, NULL), 0);
		nanosleep(&(struct timespec){ .tv_nsec = 30000000 }, NULL);
		kill(getpid(), SIGUSR2);
		nanosleep(&(struct timespec){ .tv_nsec = 30000000 }, NULL);
		ck_assert_int_eq(handled_by_first, 1);
		pthread_cancel(thread);
		pthread_join(thread, NULL);
	}
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("signals");
	TCase *tc = tcase_create("signals");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_handler_without_restart_ends_it_with_eintr);
	tcase_add_test(tc, after_eintr_connect_can_be_called_again);
	tcase_add_test(tc, after_eintr_it_can_be_dissolved);
	tcase_add_test(tc, after_eintr_the_outcome_can_be_asked);
	tcase_add_test(tc, a_ticking_timer_does_not_keep_it_from_ending);
	tcase_add_test(tc, a_ticking_timer_does_not_put_the_deadline_off);
	tcase_add_test(tc, a_handler_with_restart_does_not_end_it);
	tcase_add_loop_test(tc, ignored_and_blocked_signals_do_not_end_it, 0, 2);
	tcase_add_test(tc, sndtimeo_makes_every_handler_end_it);
	tcase_add_test(tc, a_handler_may_jump_out);
	if (CANCELS)
		tcase_add_test(tc, a_thread_can_be_cancelled);
	tcase_add_test(tc, one_signal_ends_one_connect);
	if (CANCELS)
		tcase_add_test(tc, the_first_thread_keeps_its_signals);
	tcase_add_test(tc, a_storm_of_restarting_signals_delays_nothing);
	suite_add_tcase(s, tc);
	return s;
}

int main(int argc, char **argv)
{
	return under_main(argc, argv, UNDER_IPV4, make);
}
