/* The loopback ports across fork(), in all its forms, and exec. */
#include "alone.h"
#include "asking.h"
#include "async.h"

#include <dirent.h>
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define STORM 100
#define FLOOR 4096 /* descriptors of ours are numbered from here on */

static int count_high(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *de;
	int n = 0;

	ck_assert_ptr_nonnull(dir);
	while ((de = readdir(dir)))
		n += atoi(de->d_name) >= FLOOR;
	closedir(dir);
	return n;
}

/* New sockets. The number of the step that failed, or 0. */
static int ask_once(void *at)
{
	int udp = asking_open(SOCK_DGRAM), tcp = asking_open(SOCK_STREAM), r = 0;

	(void)at;
	if (!asking_does(udp))
		r = 1;
	else if (!asking_does(tcp))
		r = 2;
	close(udp);
	close(tcp);
	return r;
}

/* And one of before the fork. */
static int ask_all_ways(void *at)
{
	int old = *(int *)at, r;

	if (!asking_does(old))
		return 3;
	r = ask_once(NULL);
	return r == 0 && !asking_does(old) ? 4 : r;
}

/* It has locks of its own, which a thread takes when it begins, and which don't bear a fork. */
#ifdef __SANITIZE_ADDRESS__
#define HELPER_MUST_HAVE_BEGUN true
#else
#define HELPER_MUST_HAVE_BEGUN false
#endif

START_TEST(a_child_asks_on)
{
	int fd = asking_udp();

	/* The first question is the child's, whose parent's helper may not have begun yet. */
	if (_i || HELPER_MUST_HAVE_BEGUN)
		asking_works(fd);
	async_in_child(ask_all_ways, &fd);
	asking_works(fd);
	close(fd);
}
END_TEST

/* The last one to hold the pipe's end is the parent. */
struct orphan {
	int fd, gone[2];
};

static bool await_orphaned(struct orphan *o)
{
	char c;

	close(o->gone[1]);
	return read(o->gone[0], &c, 1) == 0;
}

static int leave_an_orphan(void *at)
{
	struct orphan o = { .fd = asking_open(SOCK_DGRAM) };
	int report = *(int *)at, r = 0;

	if (!asking_does(o.fd) || pipe(o.gone) < 0)
		return 1;
	if (fork() != 0)
		return 0;
	if (!await_orphaned(&o))
		r = 9;
	for (int i = 0; r == 0 && i < 10; i++)
		r = ask_all_ways(&o.fd);
	_exit(write(report, &(char){ (char)r }, 1) != 1);
}

static void check_report(int (*body)(void *at))
{
	int report[2];
	char r;

	ck_assert_int_eq(pipe(report), 0);
	async_in_child(body, &report[1]);
	close(report[1]);
	ck_assert_int_eq(read(report[0], &r, 1), 1);
	ck_assert_int_eq(r, 0);
	close(report[0]);
}

START_TEST(a_child_goes_on_when_its_parent_is_gone)
{
	check_report(leave_an_orphan);
}
END_TEST

static int become_a_daemon(void *at)
{
	int report = *(int *)at, fd = asking_open(SOCK_DGRAM), r;

	if (!asking_does(fd) || daemon(1, 1) < 0)
		return 1;
	r = ask_all_ways(&fd);
	for (int i = 3; i < 1024; i++)
		if (i != report)
			close(i);
	fd = asking_open(SOCK_DGRAM);
	if (r == 0)
		r = 10 + ask_all_ways(&fd);
	_exit(write(report, &(char){ (char)(r == 10 ? 0 : r) }, 1) != 1);
}

START_TEST(a_daemon_asks_on)
{
	check_report(become_a_daemon);
}
END_TEST

static int close_all(void *at)
{
	int fd = *(int *)at;

	if (fd > 3)
		close_range(3, (unsigned)fd - 1, 0);
	close_range((unsigned)fd + 1, ~0u, 0);
	for (int i = fd + 1; i < FLOOR + 100; i++)
		close(i);
	return ask_all_ways(&fd);
}

/* Before the helper is there, and after. */
static int take_numbers(void *at)
{
	int fd = *(int *)at, r;

	for (int i = FLOOR; i < FLOOR + 40; i++)
		if (dup2(0, i) != i)
			return 11;
	r = ask_all_ways(&fd);
	for (int i = FLOOR; i < FLOOR + 100; i++)
		if (dup2(0, i) != i)
			return 12;
	return r == 0 ? ask_all_ways(&fd) : r;
}

START_TEST(a_child_may_close_or_take_all_numbers)
{
	int fd = asking_udp(), tcp = asking_tcp();

	asking_works(fd);
	asking_works(tcp);
	async_in_child(close_all, &fd);
	async_in_child(take_numbers, &fd);
	asking_works(fd);
	asking_works(tcp);
	close(fd);
	close(tcp);
}
END_TEST

static int be_somebody_else(void *at)
{
	if (setuid(65534) < 0)
		return 1;
	return ask_all_ways(at);
}

START_TEST(a_child_may_be_another_user)
{
	int fd = asking_udp();

	asking_works(fd);
	if (geteuid() == 0)
		for (int i = 0; i < 10; i++)
			async_in_child(be_somebody_else, &fd);
	asking_works(fd);
	close(fd);
}
END_TEST

static atomic_bool over;
static atomic_int rounds, failures;

static void *keep_asking(void *at)
{
	const int *fds = at;

	for (; !over; rounds++)
		failures += !asking_does(fds[0]) + !asking_does(fds[1]);
	return NULL;
}

/* While the helper is in the midst of questions; some of the children ask, too. */
START_TEST(a_storm_of_children_harms_nobody)
{
	int fds[2] = { asking_udp(), asking_tcp() }, status, failed = 0;
	pthread_t thread;

	over = false;
	ck_assert_int_eq(pthread_create(&thread, NULL, keep_asking, fds), 0);
	while (HELPER_MUST_HAVE_BEGUN && rounds == 0)
		poll(NULL, 0, 1);
	for (int i = 0; i < STORM; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(i % 4 ? 0 : ask_once(NULL));
		failed += waitpid(pid, &status, 0) != pid || status != 0;
	}
	over = true;
	pthread_join(thread, NULL);
	ck_assert_int_eq(failures, 0);
	ck_assert_int_eq(failed, 0);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* Without the handlers of fork(), nothing is known to be true. */
START_TEST(a_child_of__Fork_asks_anew)
{
	pid_t (*bare)(void), pid;
	int fd = asking_udp();

	asking_works(fd);
	*(void **)&bare = dlsym(RTLD_DEFAULT, "_Fork"); /* glibc 2.34 */
	pid = bare ? bare() : fork();
	if (pid == 0)
		_exit(ask_once(NULL));
	async_join(pid);
	asking_works(fd);
	close(fd);
}
END_TEST

/* Its parent's helper answers: it has none of its own, and must not touch its parent's. */
START_TEST(a_child_of_vfork_asks)
{
	static uint8_t msg[512];
	size_t len = asking_put(msg, 77, "vfork.example", ASKING_A);
	int fd = asking_udp();
	pid_t pid;

	asking_works(fd);
	pid = vfork();
	if (pid == 0)
		_exit(send(fd, msg, len, 0) != (ssize_t)len);
	async_join(pid);
	asking_check(msg, (size_t)recv(fd, msg, sizeof(msg), 0), 77, 0, 1);
	asking_works(fd);
	close(fd);
}
END_TEST

START_TEST(a_program_that_is_started_has_none_of_them)
{
	int fd = asking_udp(), n;
	char text[256];
	FILE *f;

	asking_works(fd);
	ck_assert_int_gt(count_high(), 0);
	f = popen("for f in /proc/self/fd/*; do echo ${f##*/}; done", "re");
	ck_assert_ptr_nonnull(f);
	while (fgets(text, sizeof(text), f)) {
		n = atoi(text);
		ck_assert_int_lt(n, FLOOR);
	}
	pclose(f);
	close(fd);
}
END_TEST

static int end_tidily(void *at)
{
	if (ask_all_ways(at) != 0)
		return 1;
	close(*(int *)at);
	while (count_high() > 0)
		poll(NULL, 0, 10);
	return 0;
}

START_TEST(in_a_child_too_nothing_is_left_of_them)
{
	int fd = asking_udp();

	asking_works(fd);
	async_in_child(end_tidily, &fd);
	asking_works(fd);
	close(fd);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("ports across fork");
	TCase *tc = async_case(s, "ports across fork");

	tcase_add_loop_test(tc, a_child_asks_on, 0, 2);
	tcase_add_test(tc, a_child_goes_on_when_its_parent_is_gone);
	tcase_add_test(tc, a_daemon_asks_on);
	tcase_add_test(tc, a_child_may_close_or_take_all_numbers);
	tcase_add_test(tc, a_child_may_be_another_user);
	tcase_add_test(tc, a_storm_of_children_harms_nobody);
	tcase_add_test(tc, a_child_of__Fork_asks_anew);
	tcase_add_test(tc, a_child_of_vfork_asks);
	tcase_add_test(tc, a_program_that_is_started_has_none_of_them);
	tcase_add_test(tc, in_a_child_too_nothing_is_left_of_them);
	return s;
}

int main(int argc, char **argv)
{
#ifdef __SANITIZE_THREAD__
	/* To it a child's helper meets what its parent's left in the midst of something. */
	fprintf(stderr, "the thread sanitizer does not know fork()\n");
	return 77; /* meson's "skipped" */
#endif
	if (!under_is_second_run() && !alone_begin()) {
		fprintf(stderr, "no namespaces of one's own here\n");
		return 77; /* meson's "skipped" */
	}
	return under_main(argc, argv, UNDER_IPV4, make);
}
