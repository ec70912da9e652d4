/* getpeername() by socket, not by number; many threads; forks in the midst of it. */
#include "under.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS  40
#define CONNECTS 100

static void check_peer(int fd, const char *name)
{
	socklen_t want_len, len;
	struct sockaddr_storage want = under_look_up(name, AF_INET, 80, &want_len), is = { 0 };

	len = sizeof(is);
	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&is, &len), 0);
	ck_assert_int_eq(len, want_len);
	ck_assert_mem_eq(&is, &want, len);
}

START_TEST(duplicates_show_the_peer)
{
	int fd = under_connect("ok.dup.test"), twin = dup(fd), third = fcntl(fd, F_DUPFD, 100);

	check_peer(fd, "ok.dup.test");
	close(fd);
	check_peer(twin, "ok.dup.test");
	check_peer(third, "ok.dup.test");
	close(twin);
	close(third);
}
END_TEST

START_TEST(a_number_used_again_shows_its_own_peer)
{
	int fd = under_connect("ok.first.test"), again;
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(sa);
	int listener;

	close(fd);
	again = under_connect("ok.second.test");
	ck_assert_int_eq(again, fd);
	check_peer(again, "ok.second.test");
	close(again);

	listener = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&sa, len), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	getsockname(listener, (struct sockaddr *)&sa, &len);
	again = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(again, (struct sockaddr *)&sa, len), 0);
	len = sizeof(sa);
	sa.sin_addr.s_addr = 0;
	ck_assert_int_eq(getpeername(again, (struct sockaddr *)&sa, &len), 0);
	ck_assert_int_eq(ntohl(sa.sin_addr.s_addr), INADDR_LOOPBACK);
	close(again);
	close(listener);
}
END_TEST

START_TEST(a_child_shows_the_peer)
{
	int fd = under_connect("ok.child.test"), status;
	socklen_t len;
	struct sockaddr_storage want = under_look_up("ok.child.test", AF_INET, 80, &len);
	pid_t pid = fork();

	if (pid == 0) {
		struct sockaddr_storage is;
		socklen_t n = sizeof(is);

		_exit(getpeername(fd, (struct sockaddr *)&is, &n) == 0 && n == len &&
		                      memcmp(&is, &want, n) == 0
		              ? 0
		              : 1);
	}
	waitpid(pid, &status, 0);
	ck_assert_int_eq(status, 0);
	close(fd);
}
END_TEST

/* A program that gets the connected socket by exec still sees whom it talks to. */
/* Programs pass the size of a sockaddr_storage, and leave in it what was there. */
START_TEST(the_peer_is_shown_as_the_kernel_would)
{
	socklen_t len;
	struct sockaddr_storage ss, is;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	static const char zero[8];

	memset(&ss, 0xee, sizeof(ss));
	is = under_look_up("ok.long.test", AF_INET, 80, &len);
	memcpy(&ss, &is, offsetof(struct sockaddr_in, sin_zero));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&ss, sizeof(ss)), 0);
	len = sizeof(is);
	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&is, &len), 0);
	ck_assert_int_eq(len, sizeof(struct sockaddr_in));
	ck_assert_mem_eq(((struct sockaddr_in *)&is)->sin_zero, zero, sizeof(zero));
	close(fd);
}
END_TEST

START_TEST(an_executed_program_shows_the_peer)
{
	socklen_t len;
	struct sockaddr_storage want = under_look_up("ok.heir.test", AF_INET, 80, &len);
	int fd = under_connect("ok.heir.test"), status;
	char number[16], address[INET_ADDRSTRLEN];
	pid_t pid;

	fcntl(fd, F_SETFD, 0);
	snprintf(number, sizeof(number), "%d", fd);
	inet_ntop(AF_INET, &((struct sockaddr_in *)&want)->sin_addr, address, sizeof(address));
	pid = fork();
	if (pid == 0) {
		execl("/proc/self/exe", "test", "peer-of", number, address, (char *)NULL);
		_exit(99);
	}
	waitpid(pid, &status, 0);
	ck_assert_int_eq(status, 0);
	under_echo(fd);
	close(fd);
}
END_TEST

START_TEST(a_short_buffer_is_cut_as_the_kernel_cuts)
{
	int fd = under_connect("ok.short.test");
	struct sockaddr_in sa;
	socklen_t len = 4;

	memset(&sa, 0xee, sizeof(sa));
	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&sa, &len), 0);
	ck_assert_int_eq(len, sizeof(sa));
	ck_assert_int_eq(sa.sin_family, AF_INET);
	ck_assert_int_eq(((uint8_t *)&sa)[4], 0xee);
	ck_assert_int_eq(getpeername(fd, NULL, &len), -1);
	ck_assert_int_eq(errno, EFAULT);
	len = 0;
	ck_assert_int_eq(getpeername(fd, NULL, &len), 0);
	ck_assert_int_eq(len, sizeof(sa));
	close(fd);
}
END_TEST

static void *connect_many(void *at)
{
	int id = (int)(intptr_t)at;
	intptr_t wrong = 0;
	char name[64];

	for (int i = 0; i < CONNECTS; i++) {
		struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *ai;
		struct sockaddr_storage is;
		socklen_t len = sizeof(is);
		char want[64], got[64] = "";
		int fd, n;

		snprintf(name, sizeof(name), "ok.t%d-%d.test", id, i % 7);
		n = snprintf(want, sizeof(want), "%s#%d", name, i);
		if (getaddrinfo(name, "80", &hints, &ai) != 0) {
			wrong++;
			continue;
		}
		fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || connect(fd, ai->ai_addr, ai->ai_addrlen) < 0 ||
		    getpeername(fd, (struct sockaddr *)&is, &len) < 0 ||
		    memcmp(&is, ai->ai_addr, len) != 0 || send(fd, want, (size_t)n, 0) != n ||
		    recv(fd, got, (size_t)n, MSG_WAITALL) != n || strcmp(want, got) != 0)
			wrong++;
		close(fd);
		freeaddrinfo(ai);
	}
	return (void *)wrong;
}

START_TEST(forty_threads_connect_a_hundred_times_each)
{
	pthread_t threads[THREADS];
	intptr_t wrong = 0;
	void *each;

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, connect_many, (void *)(intptr_t)i), 0);
	/*
	 * Children that are born in the midst of it must not meet a lock that nobody will release.
	 */
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			int fd = under_connect("ok.forked.test");

			_exit(fd >= 0 ? 0 : 1);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &each);
		wrong += (intptr_t)each;
	}
	ck_assert_int_eq(wrong, 0);
}
END_TEST

START_TEST(syscall_goes_the_same_way)
{
	socklen_t len;
	struct sockaddr_storage ss = under_look_up("ok.test", AF_INET, 80, &len), peer;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(syscall(SYS_connect, fd, &ss, len), 0);
	under_echo(fd);
	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
	ck_assert_mem_eq(&peer, &ss, len);
	ck_assert_int_eq(syscall(SYS_close, fd), 0);
	ck_assert_int_eq(syscall(SYS_close, fd), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

/* Six arguments, and a number that is none. */
START_TEST(syscall_passes_all_else_on)
{
	char buf[8] = "";
	int from[2], to[2];

	ck_assert_int_eq(pipe(from), 0);
	ck_assert_int_eq(pipe(to), 0);
	ck_assert_int_eq(write(from[1], "through", 7), 7);
	ck_assert_int_eq(syscall(SYS_splice, from[0], NULL, to[1], NULL, (size_t)3, 0u), 3);
	ck_assert_int_eq(read(to[0], buf, 7), 3);
	ck_assert_str_eq(buf, "thr");
	ck_assert_int_eq(syscall(SYS_getpid), getpid());
	ck_assert_int_eq(syscall(99999), -1);
	ck_assert_int_eq(errno, ENOSYS);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(close(from[i]), 0);
		ck_assert_int_eq(close(to[i]), 0);
	}
}
END_TEST

START_TEST(there_is_no_ring)
{
	char params[120] = "";

	errno = 0;
	ck_assert_int_eq(syscall(SYS_io_uring_setup, 8, params), -1);
	ck_assert_int_eq(errno, ENOSYS);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("sockets");
	TCase *tc = tcase_create("sockets");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, duplicates_show_the_peer);
	tcase_add_test(tc, a_number_used_again_shows_its_own_peer);
	tcase_add_test(tc, a_child_shows_the_peer);
	tcase_add_test(tc, the_peer_is_shown_as_the_kernel_would);
	tcase_add_test(tc, an_executed_program_shows_the_peer);
	tcase_add_test(tc, a_short_buffer_is_cut_as_the_kernel_cuts);
	tcase_add_test(tc, syscall_goes_the_same_way);
	tcase_add_test(tc, syscall_passes_all_else_on);
	tcase_add_test(tc, there_is_no_ring);
	tcase_add_test(tc, forty_threads_connect_a_hundred_times_each);
	suite_add_tcase(s, tc);
	return s;
}

/* an_executed_program_shows_the_peer: the executed half. */
static int peer_of(int fd, const char *address)
{
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);
	char text[INET_ADDRSTRLEN];

	if (getpeername(fd, (struct sockaddr *)&sa, &len) < 0 || len != sizeof(sa))
		return 1;
	inet_ntop(AF_INET, &sa.sin_addr, text, sizeof(text));
	return strcmp(text, address) == 0 && sa.sin_port == htons(80) ? 0 : 2;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "peer-of") == 0)
		return peer_of(atoi(argv[2]), argv[3]);
	return under_main(argc, argv, UNDER_IPV4, make);
}
