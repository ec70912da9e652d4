/* getaddrinfo_a() and its like, in a network of the test's own. *.direct.test is libc's to ask. */
#include "alone.h"
#include "routes.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MANY 64

static const struct addrinfo stream_hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };

static struct gaicb request(const char *name)
{
	return (struct gaicb){ .ar_name = name, .ar_service = "80", .ar_request = &stream_hints };
}

static struct sockaddr_in found(struct gaicb *cb)
{
	struct sockaddr_in sa;

	ck_assert_int_eq(gai_error(cb), 0);
	ck_assert_ptr_nonnull(cb->ar_result);
	ck_assert_int_eq(cb->ar_result->ai_family, AF_INET);
	memcpy(&sa, cb->ar_result->ai_addr, sizeof(sa));
	ck_assert_int_eq(sa.sin_port, htons(80));
	freeaddrinfo(cb->ar_result);
	return sa;
}

static void await(struct gaicb *cb)
{
	const struct gaicb *const list[] = { cb };
	int err;

	while (gai_error(cb) == EAI_INPROGRESS) {
		err = gai_suspend(list, 1, NULL);
		ck_assert(err == 0 || err == EAI_ALLDONE);
	}
}

START_TEST(a_call_that_waits_has_them_all)
{
	struct gaicb a = request("gai.test"), b = request("a71.direct.test"),
		     c = request("none.direct.test"), d = request("192.0.2.7"),
		     e = request("a72.direct.test"), f = request("bad..name");
	struct gaicb *list[] = { &a, NULL, &b, &c, &d, NULL, &e, &f };
	int asked = alone_questions();
	struct sockaddr_in sa;

	errno = 77;
	ck_assert_int_eq(getaddrinfo_a(GAI_WAIT, list, 8, NULL), 0);
	ck_assert_int_eq(errno, 77);
	sa = found(&a);
	ck_assert(is_placeholder(&sa));
	sa = found(&b);
	ck_assert_str_eq(text_of(&sa), "192.0.2.71");
	ck_assert_int_eq(gai_error(&c), EAI_NONAME);
	sa = found(&d);
	ck_assert_str_eq(text_of(&sa), "192.0.2.7");
	sa = found(&e);
	ck_assert_str_eq(text_of(&sa), "192.0.2.72");
	ck_assert_int_eq(gai_error(&f), EAI_NONAME);
	ck_assert_int_ge(alone_questions(), asked + 3);
}
END_TEST

START_TEST(what_asks_nobody_is_over_at_once)
{
	struct gaicb all[MANY], *list[MANY];
	int asked = alone_questions();
	char names[MANY][32];
	struct sockaddr_in sa;

	for (int i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "n%d.gai.test", i);
		all[i] = request(names[i]);
		list[i] = &all[i];
	}
	ck_assert_int_eq(getaddrinfo_a(GAI_NOWAIT, list, MANY, NULL), 0);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(gai_cancel(&all[i]), EAI_ALLDONE);
		sa = found(&all[i]);
		ck_assert(is_placeholder(&sa));
	}
	ck_assert_int_eq(gai_suspend((const struct gaicb *const *)list, MANY, NULL), EAI_ALLDONE);
	ck_assert_int_eq(alone_questions(), asked);
}
END_TEST

START_TEST(libcs_come_later)
{
	struct gaicb a = request("a73.direct.test"), b = request("later.test"),
		     c = request("a74.direct.test");
	struct gaicb *list[] = { &a, &b, NULL, &c };
	struct sockaddr_in sa;

	ck_assert_int_eq(getaddrinfo_a(GAI_NOWAIT, list, 4, NULL), 0);
	sa = found(&b);
	ck_assert(is_placeholder(&sa));
	await(&a);
	await(&c);
	sa = found(&a);
	ck_assert_str_eq(text_of(&sa), "192.0.2.73");
	sa = found(&c);
	ck_assert_str_eq(text_of(&sa), "192.0.2.74");
}
END_TEST

/* Each success of gai_suspend() is one more that is over. */
START_TEST(each_end_is_waited_for)
{
	struct gaicb all[8];
	struct gaicb *list[8];
	char names[8][32];
	int err, n = 0;

	for (int i = 0; i < 8; i++) {
		snprintf(names[i], sizeof(names[i]), "a%d.direct.test", 80 + i);
		all[i] = request(names[i]);
		list[i] = &all[i];
	}
	ck_assert_int_eq(getaddrinfo_a(GAI_NOWAIT, list, 8, NULL), 0);
	while ((err = gai_suspend((const struct gaicb *const *)list, 8, NULL)) == 0)
		n++;
	ck_assert_int_eq(err, EAI_ALLDONE);
	ck_assert_int_le(n, 8);
	for (int i = 0; i < 8; i++)
		found(&all[i]);
}
END_TEST

/* The name server leaves libc waiting for the first, which is for a second. */
static void begin_silence(struct gaicb *cb, struct gaicb *behind, struct sigevent *event)
{
	struct gaicb *list[] = { cb, behind };

	*cb = request("silent.direct.test");
	*behind = request("a75.direct.test");
	ck_assert_int_eq(getaddrinfo_a(GAI_NOWAIT, list, 2, event), 0);
}

/* libc has it once the name server has. */
static void await_running(const struct gaicb *cb, int asked)
{
	while (alone_questions() == asked)
		ck_assert_int_eq(gai_error((struct gaicb *)cb), EAI_INPROGRESS);
}

static void nothing(int sig)
{
	(void)sig;
}

static atomic_bool interrupted;

/* Until it is no more in the wait: a signal before it is lost on it. */
static void *interrupt(void *arg)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	while (!interrupted) {
		pthread_kill(*(pthread_t *)arg, SIGUSR1);
		nanosleep(&moment, NULL);
	}
	return NULL;
}

START_TEST(waits_end_by_time_and_by_signals_and_cancellation_by_turn)
{
	const struct timespec moment = { .tv_nsec = 1000 }, none = { 0 };
	struct sigaction sa = { .sa_handler = nothing };
	struct gaicb a, b;
	const struct gaicb *const list[] = { NULL, &a, &b };
	int asked = alone_questions();
	pthread_t thread, self = pthread_self();

	begin_silence(&a, &b, NULL);
	await_running(&a, asked);
	ck_assert_int_eq(gai_suspend(list, 3, &none), EAI_AGAIN);
	ck_assert_int_eq(gai_suspend(list, 3, &moment), EAI_AGAIN);
	sigaction(SIGUSR1, &sa, NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, interrupt, &self), 0);
	ck_assert_int_eq(gai_suspend(list, 3, NULL), EAI_INTR);
	interrupted = true;
	pthread_join(thread, NULL);
	ck_assert_int_eq(gai_cancel(&a), EAI_NOTCANCELED);
	ck_assert_int_eq(gai_cancel(&b), EAI_CANCELED);
	ck_assert_int_eq(gai_error(&b), EAI_CANCELED);
	ck_assert_int_eq(gai_cancel(&b), EAI_ALLDONE);
	ck_assert_int_eq(gai_error(&a), EAI_INPROGRESS);
	await(&a);
	ck_assert_int_eq(gai_error(&a), EAI_AGAIN);
	ck_assert_int_eq(gai_cancel(&a), EAI_ALLDONE);
	ck_assert_int_eq(gai_suspend(list, 3, NULL), EAI_ALLDONE);
}
END_TEST

static atomic_int code, value, handled;

static void take(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	code = info->si_code;
	value = info->si_value.sival_int;
	handled++;
}

START_TEST(a_signal_tells_of_the_end)
{
	struct sigaction sa = { .sa_sigaction = take, .sa_flags = SA_SIGINFO };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
		                  .sigev_signo = SIGRTMIN + 1,
		                  .sigev_value = { .sival_int = 4711 + _i } };
	struct gaicb a = request(_i == 0 ? "signalled.test" : "a76.direct.test");
	struct gaicb *list[] = { &a, NULL };
	sigset_t block, old;

	handled = 0;
	sigaction(SIGRTMIN + 1, &sa, NULL);
	sigemptyset(&block);
	sigaddset(&block, SIGRTMIN + 1);
	pthread_sigmask(SIG_BLOCK, &block, &old);
	/* Without requests, too. */
	ck_assert_int_eq(getaddrinfo_a(GAI_NOWAIT, list, _i == 2 ? 0 : 2, &event), 0);
	memset(&event, 0, sizeof(event));
	while (handled == 0)
		sigsuspend(&old);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	ck_assert_int_eq(handled, 1);
	ck_assert_int_eq(code, SI_ASYNCNL);
	ck_assert_int_eq(value, 4711 + _i);
	if (_i < 2)
		found(&a);
}
END_TEST

static sem_t called;
static size_t stack_len;
static bool unblocked;

static void call(union sigval v)
{
	pthread_attr_t attr;
	sigset_t mask;

	value = v.sival_int;
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstacksize(&attr, &stack_len);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	unblocked = !sigismember(&mask, SIGTERM);
	sem_post(&called);
}

START_TEST(a_thread_tells_of_the_end)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD,
		                  .sigev_value = { .sival_int = 1000 + _i } };
	struct gaicb a = request(_i % 2 ? "threaded.test" : "a77.direct.test");
	struct gaicb *list[] = { &a };
	size_t wanted = (size_t)1 << 25; /* more than what libc keeps of threads before */
	pthread_attr_t attr;

	event.sigev_notify_function = call;
	sem_init(&called, 0, 0);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, wanted);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (_i >= 2)
		event.sigev_notify_attributes = &attr;
	ck_assert_int_eq(getaddrinfo_a(GAI_NOWAIT, list, 1, &event), 0);
	while (sem_wait(&called) < 0)
		;
	ck_assert_int_eq(value, 1000 + _i);
	ck_assert(unblocked);
	if (_i >= 2)
		ck_assert_uint_ge(stack_len, wanted);
	found(&a);
	pthread_attr_destroy(&attr);
}
END_TEST

START_TEST(modes_that_are_none_are_einval)
{
	struct gaicb a = request("mode.test");
	struct gaicb *list[] = { &a, NULL };

	errno = 0;
	ck_assert_int_eq(getaddrinfo_a(7, list, 1, NULL), EAI_SYSTEM);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(getaddrinfo_a(GAI_WAIT, list + 1, 1, NULL), 0);
	ck_assert_int_eq(getaddrinfo_a(GAI_NOWAIT, NULL, 0, NULL), 0);
	ck_assert_int_eq(gai_suspend(NULL, 0, NULL), EAI_ALLDONE);
}
END_TEST

/* What the parent waits for is none of the child's, which has no thread for it. */
START_TEST(a_forked_child_waits_for_nothing)
{
	struct gaicb a, b, c = request("child.test");
	struct gaicb *mine[] = { &c };
	const struct gaicb *const list[] = { &a, &b };
	int asked = alone_questions(), status;
	pid_t pid;

	begin_silence(&a, &b, NULL);
	await_running(&a, asked);
	pid = fork();
	if (pid == 0) {
		if (gai_suspend(list, 2, NULL) != EAI_ALLDONE || gai_cancel(&b) != EAI_ALLDONE)
			_exit(1);
		_exit(getaddrinfo_a(GAI_NOWAIT, mine, 1, NULL) || gai_error(&c) ? 2 : 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(gai_cancel(&b), EAI_CANCELED);
	await(&a);
}
END_TEST

static void *storm(void *arg)
{
	for (int round = 0; round < 20; round++) {
		char names[4][48];
		struct gaicb all[4], *list[4];

		for (int i = 0; i < 4; i++) {
			snprintf(names[i], sizeof(names[i]), i % 2 ? "a%d.direct.test" : "s%d.test",
			         100 + round);
			all[i] = request(names[i]);
			list[i] = &all[i];
		}
		if (getaddrinfo_a(round % 2 ? GAI_WAIT : GAI_NOWAIT, list, 4, NULL) != 0)
			return (void *)1;
		gai_cancel(&all[3]);
		while (gai_suspend((const struct gaicb *const *)list, 4, NULL) == 0)
			;
		for (int i = 0; i < 4; i++) {
			if (gai_error(&all[i]) == EAI_CANCELED)
				continue;
			if (gai_error(&all[i]) != 0)
				return (void *)2;
			freeaddrinfo(all[i].ar_result);
		}
	}
	return arg;
}

START_TEST(threads_ask_at_once)
{
	pthread_t threads[8];
	void *failed;

	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, storm, NULL), 0);
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], &failed);
		ck_assert_ptr_null(failed);
	}
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("gai");
	TCase *tc = tcase_create("gai");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_call_that_waits_has_them_all);
	tcase_add_test(tc, what_asks_nobody_is_over_at_once);
	tcase_add_test(tc, libcs_come_later);
	tcase_add_test(tc, each_end_is_waited_for);
	tcase_add_test(tc, waits_end_by_time_and_by_signals_and_cancellation_by_turn);
	tcase_add_loop_test(tc, a_signal_tells_of_the_end, 0, 3);
	tcase_add_loop_test(tc, a_thread_tells_of_the_end, 0, 4);
	tcase_add_test(tc, modes_that_are_none_are_einval);
	tcase_add_test(tc, a_forked_child_waits_for_nothing);
	tcase_add_test(tc, threads_ask_at_once);
	suite_add_tcase(s, tc);
	return s;
}

int main(int argc, char **argv)
{
	if (!under_is_second_run()) {
		if (!alone_begin()) {
			fprintf(stderr, "no namespaces of one's own here\n");
			return 77; /* meson's "skipped" */
		}
		setenv("SOCKSIFY_NO_PROXY", ".direct.test", 1);
		setenv("RES_OPTIONS", "timeout:1 attempts:1", 1);
	}
	return under_main(argc, argv, UNDER_IPV4, make);
}
