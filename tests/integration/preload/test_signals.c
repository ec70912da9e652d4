/* Signals and cancellation during connect(): as connect(2) has them. */
#include "under.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
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

static int open_descriptors(void)
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
	alarm_in_ms(50);
	ck_assert_int_eq(under_connect("silent.test"), -1);
	ck_assert_int_eq(errno, EINTR);
	ck_assert_int_eq(handled, 1);
	pthread_sigmask(SIG_BLOCK, NULL, &after);
	for (int sig = 1; sig < NSIG; sig++)
		ck_assert_int_eq(sigismember(&before, sig), sigismember(&after, sig));
	ck_assert_int_eq(open_descriptors(), open_before);
}
END_TEST

START_TEST(after_eintr_connect_can_be_called_again)
{
	socklen_t len;
	struct sockaddr_storage silent = under_look_up("silent.test", AF_INET, 80, &len);
	struct sockaddr_storage good = under_look_up("ok.test", AF_INET, 80, &len);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	on_alarm(count, 0);
	alarm_in_ms(50);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&silent, len), -1);
	ck_assert_int_eq(errno, EINTR);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&good, len), 0);
	under_echo(fd);
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
	alarm_in_ms(50);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&ss, len), -1);
	ck_assert_int_eq(errno, EINTR);
	close(fd);
}
END_TEST

START_TEST(a_handler_may_jump_out)
{
	sigset_t set;

	on_alarm(jump, 0);
	if (sigsetjmp(leave, 1) == 0) {
		alarm_in_ms(50);
		under_connect("silent.test");
		ck_abort_msg("the alarm did not end it");
	}
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	ck_assert_int_eq(sigismember(&set, SIGALRM), 0);
	ck_assert_int_eq(sigismember(&set, SIGTERM), 0);
}
END_TEST

static void *connect_silent(void *at)
{
	(void)at;
	under_connect("silent.test");
	return NULL;
}

/*
 * Unwinding a cancelled thread, gcc's address sanitizer takes its own write to the stack for an overrun of a
 * frame that is gone.
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

	open_before = open_descriptors();
	ck_assert_int_eq(pthread_create(&thread, NULL, connect_silent, NULL), 0);
	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	ck_assert_ptr_eq(result, PTHREAD_CANCELED);
	/* The program's own socket is all that stays: its owner never got to close it. */
	ck_assert_int_le(open_descriptors(), open_before + 1);
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

static Suite *make(void)
{
	Suite *s = suite_create("signals");
	TCase *tc = tcase_create("signals");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_handler_without_restart_ends_it_with_eintr);
	tcase_add_test(tc, after_eintr_connect_can_be_called_again);
	tcase_add_test(tc, a_handler_with_restart_does_not_end_it);
	tcase_add_loop_test(tc, ignored_and_blocked_signals_do_not_end_it, 0, 2);
	tcase_add_test(tc, sndtimeo_makes_every_handler_end_it);
	tcase_add_test(tc, a_handler_may_jump_out);
	if (CANCELS)
		tcase_add_test(tc, a_thread_can_be_cancelled);
	tcase_add_test(tc, a_storm_of_restarting_signals_delays_nothing);
	suite_add_tcase(s, tc);
	return s;
}

int main(int argc, char **argv)
{
	return under_main(argc, argv, UNDER_IPV4, make);
}
