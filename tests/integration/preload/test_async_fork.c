/*
 * Processes that are born while a connect() is under way: it stays the parent's, who inherits a
 * pending socket gets an error and no hang, and connects as it likes.
 */
#include "async.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The thread sanitizer takes the child of a system call for another thread. */
#ifdef __SANITIZE_THREAD__
#define EVERY_KIND false
#else
#define EVERY_KIND true
#endif

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))

extern char **environ;

static struct async shared; /* begun by the parent */

static int do_nothing(void *at)
{
	(void)at;
	return 0;
}

static int close_it(void *at)
{
	(void)at;
	return close(shared.fd) == 0 ? 0 : 1;
}

static int shut_it_down(void *at)
{
	(void)at;
	close(shared.fd);
	close(shared.fd);
	return 0;
}

static int connect_own(void *at)
{
	int fd = under_connect("ok.child.test");
	struct async a;

	(void)at;
	if (fd < 0)
		return 1;
	async_echo(fd);
	async_begin(&a, "ok");
	async_release(&a);
	async_bits(a.fd, POLLOUT, -1);
	async_check_connected(&a, a.fd);
	return 0;
}

static int connect_in_grandchild(void *at)
{
	struct async a;

	async_begin(&a, "ok");
	async_in_child(connect_own, at);
	async_release(&a);
	async_bits(a.fd, POLLOUT, -1);
	async_check_connected(&a, a.fd);
	return 0;
}

static int end_by_exit(void *at)
{
	(void)at;
	exit(0);
}

static int (*const lives[])(void *) = { do_nothing,  close_it,    shut_it_down,
	                                connect_own, end_by_exit, connect_in_grandchild };

static void check_parents(const char *outcome)
{
	async_check_pending(&shared);
	async_release(&shared);
	async_bits(shared.fd, POLLOUT, -1);
	if (strcmp(outcome, "ok") == 0)
		async_check_connected(&shared, shared.fd);
	else
		ck_assert_int_eq(async_error(shared.fd), ECONNREFUSED);
	async_fini(&shared);
	under_await_ended(shared.name, 1);
}

START_TEST(the_parents_connection_lives)
{
	const char *outcome = _i % 2 ? "refused" : "ok";

	async_begin(&shared, outcome);
	async_in_child(lives[_i / 2], NULL);
	check_parents(outcome);
}
END_TEST

/* Born past libc's handlers. */
START_TEST(children_of_every_kind_connect)
{
	pid_t pid;

	async_begin(&shared, "ok");
	switch (_i) {
	case 0:
		pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		break;
	default:
#if __GLIBC_PREREQ(2, 34)
		pid = _Fork();
#else
		pid = fork();
#endif
		break;
	}
	if (pid == 0) {
		alarm(20);
		_exit(connect_own(NULL));
	}
	async_join(pid);
	check_parents("ok");
}
END_TEST

/* Sleeps until it is at its end, which must be one in error. */
static int touch_it(void *at)
{
	char octet;

	(void)at;
	async_bits(shared.fd, POLLIN | POLLOUT, -1);
	fcntl(shared.fd, F_SETFL, O_NONBLOCK);
	if (send(shared.fd, "x", 1, MSG_NOSIGNAL) >= 0)
		return 1;
	return recv(shared.fd, &octet, 1, 0) > 0 ? 2 : 0;
}

START_TEST(a_child_that_touches_it_gets_an_error)
{
	pid_t pid;

	async_begin(&shared, _i ? "refused" : "ok");
	pid = async_fork(touch_it, NULL);
	async_await_process_asleep(pid);
	check_parents(_i ? "refused" : "ok");
	async_join(pid);
}
END_TEST

/* The parent gives it up, or ends, while the child waits. */
static int begin_and_leave(void *at)
{
	pid_t pid, *out = at;

	async_begin(&shared, "ok");
	pid = fork();
	if (pid == 0) {
		alarm(20);
		_exit(touch_it(NULL));
	}
	async_await_process_asleep(pid);
	if (out) {
		async_fini(&shared);
		async_join(pid);
	}
	return 0;
}

START_TEST(a_child_that_waits_is_not_left_waiting)
{
	pid_t pid;

	async_in_child(begin_and_leave, &pid);
}
END_TEST

/* The parent has ended, and nobody is left to tell. @at: a pipe that its child holds to its end. */
static int begin_and_end(void *at)
{
	int *fds = at, r;

	async_begin(&shared, "ok");
	if (fork() == 0) {
		alarm(20);
		r = touch_it(NULL);
		_exit(write(fds[1], &r, sizeof(r)) == sizeof(r) ? 0 : 1);
	}
	return 0;
}

START_TEST(a_child_that_is_left_alone_comes_to_an_end)
{
	int fds[2], r = -1;

	ck_assert_int_eq(pipe(fds), 0);
	async_in_child(begin_and_end, fds);
	close(fds[1]);
	ck_assert_int_eq(read(fds[0], &r, sizeof(r)), sizeof(r));
	ck_assert_int_eq(r, 0);
	close(fds[0]);
}
END_TEST

static int wait_for_end(void *at)
{
	const int *fds = at;
	char octet;

	close(fds[1]);
	close(shared.fd);
	return read(fds[0], &octet, 1) == 0 ? 0 : 1;
}

/* A child that lives long, and has closed what it inherited, keeps nothing open. */
START_TEST(end_of_file_does_not_wait_for_a_child)
{
	int fds[2];
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	async_begin(&shared, "ok");
	pid = async_fork(wait_for_end, fds);
	async_await_process_asleep(pid);
	if (_i) {
		async_release(&shared);
		async_bits(shared.fd, POLLOUT, -1);
		async_check_connected(&shared, shared.fd);
	}
	async_fini(&shared);
	under_await_ended(shared.name, 1);
	close(fds[1]);
	async_join(pid);
	close(fds[0]);
}
END_TEST

/* vfork() borrows the parent's memory, and not its descriptors. */
__attribute__((noinline)) static pid_t vforked(int what, char *const argv[])
{
	const char *self = under_self();
	pid_t pid = vfork();

	if (pid != 0)
		return pid;
	switch (what) {
	case 0:
		close(shared.fd);
		break;
	case 1:
		dup2(0, shared.fd);
		break;
	case 2:
		dup2(shared.fd, 1);
		break;
	case 3:
		for (int fd = 3; fd < 256; fd++)
			close(fd);
		break;
	default:
		fcntl(shared.fd, F_SETFL, 0);
		fcntl(shared.fd, F_SETFL, O_NONBLOCK);
		break;
	}
	execve(self, argv, environ);
	_exit(98);
}

START_TEST(a_vforked_child_harms_nothing)
{
	char *argv[] = { (char[]){ "test" }, (char[]){ "nothing" }, NULL };
	struct async other;

	async_begin(&shared, "ok");
	async_begin(&other, "ok");
	async_join(vforked(_i, argv));
	async_check_pending(&other);
	async_release(&other);
	async_bits(other.fd, POLLOUT, -1);
	async_check_connected(&other, other.fd);
	async_fini(&other);
	check_parents("ok");
}
END_TEST

START_TEST(a_spawned_child_harms_nothing)
{
	char *argv[] = { (char[]){ "test" }, (char[]){ "nothing" }, NULL };
	posix_spawn_file_actions_t acts;
	pid_t pid;

	async_begin(&shared, "ok");
	posix_spawn_file_actions_init(&acts);
	posix_spawn_file_actions_adddup2(&acts, 0, shared.fd);
	posix_spawn_file_actions_addclose(&acts, shared.fd);
	ck_assert_int_eq(posix_spawn(&pid, under_self(), &acts, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&acts);
	async_join(pid);
	ck_assert_int_eq(system("exit 0"), 0);
	check_parents("ok");
}
END_TEST

static int replace_itself(void *at)
{
	char fd[16];

	async_begin(&shared, "ok");
	if (at)
		fcntl(shared.fd, F_SETFD, 0);
	snprintf(fd, sizeof(fd), "%d", shared.fd);
	execl(under_self(), "test", at ? "heir" : "orphan", fd, shared.name, (char *)NULL);
	return 97;
}

/* Its handshake ends with the program that began it; an heir of the socket may close it. */
START_TEST(exec_ends_it)
{
	async_in_child(replace_itself, _i ? &_i : NULL);
}
END_TEST

static int exec_fd;
static const char *exec_name;

START_TEST(a_new_program_starts_afresh)
{
	under_await_ended(exec_name, 1);
	if (exec_fd >= 0) {
		ck_assert_int_ge(fcntl(exec_fd, F_GETFD), 0);
		ck_assert_int_eq(send(exec_fd, "x", 1, MSG_NOSIGNAL), -1);
		close(exec_fd);
	}
	ck_assert_int_eq(connect_own(NULL), 0);
}
END_TEST

static int own_files(void)
{
	int fds[64], n = async_descriptors(fds, N(fds)), sockets = 0;

	for (int i = 0; i < n; i++)
		sockets += getsockopt(fds[i], SOL_SOCKET, SO_TYPE, &(int){ 0 },
		                      &(socklen_t){ 4 }) == 0;
	return sockets;
}

START_TEST(no_descriptor_of_ours_passes_an_exec)
{
	ck_assert_int_eq(own_files(), exec_fd >= 0 ? 1 : 0);
}
END_TEST

static Suite *make_heir(void)
{
	Suite *s = suite_create("heir");
	TCase *tc = async_case(s, "heir");

	tcase_add_test(tc, no_descriptor_of_ours_passes_an_exec);
	tcase_add_test(tc, a_new_program_starts_afresh);
	return s;
}

static void pass(int through, int fd)
{
	char room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct msghdr msg = { .msg_iov = &(struct iovec){ (char[]){ "x" }, 1 },
		              .msg_iovlen = 1,
		              .msg_control = room,
		              .msg_controllen = sizeof(room) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	ck_assert_int_eq(sendmsg(through, &msg, 0), 1);
}

static int receive_and_touch(void *at)
{
	const int *pair = at;
	char octet, room[CMSG_SPACE(sizeof(int))];
	struct msghdr msg = { .msg_iov = &(struct iovec){ &octet, 1 },
		              .msg_iovlen = 1,
		              .msg_control = room,
		              .msg_controllen = sizeof(room) };

	close(pair[0]);
	if (recvmsg(pair[1], &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		return 9;
	memcpy(&shared.fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	if (write(pair[1], "!", 1) != 1)
		return 8;
	return touch_it(NULL);
}

START_TEST(a_pending_socket_that_is_sent_away_ends_in_an_error)
{
	int pair[2];
	char octet;
	pid_t pid;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pid = async_fork(receive_and_touch, pair);
	close(pair[1]);
	async_begin(&shared, "ok");
	pass(pair[0], shared.fd);
	ck_assert_int_eq(recv(pair[0], &octet, 1, 0), 1);
	if (_i == 0) {
		check_parents("ok");
	} else {
		/* The sender keeps none. */
		async_fini(&shared);
		under_await_ended(shared.name, 1);
	}
	async_join(pid);
	close(pair[0]);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("async fork");
	TCase *tc = async_case(s, "async fork");

	tcase_add_loop_test(tc, the_parents_connection_lives, 0, N(lives) * 2);
	if (EVERY_KIND)
		tcase_add_loop_test(tc, children_of_every_kind_connect, 0, 2);
	tcase_add_loop_test(tc, a_child_that_touches_it_gets_an_error, 0, 2);
	tcase_add_test(tc, a_child_that_waits_is_not_left_waiting);
	tcase_add_loop_test(tc, end_of_file_does_not_wait_for_a_child, 0, 2);
	tcase_add_loop_test(tc, a_vforked_child_harms_nothing, 0, 5);
	tcase_add_test(tc, a_spawned_child_harms_nothing);
	tcase_add_loop_test(tc, exec_ends_it, 0, 2);
	tcase_add_loop_test(tc, a_pending_socket_that_is_sent_away_ends_in_an_error, 0, 2);
	return s;
}

/* Where the deadline is short: what the kernel holds must not outlast it by much. */
static Suite *make_short(void)
{
	Suite *s = suite_create("async fork");

	tcase_add_test(async_case(s, "short"), a_child_that_is_left_alone_comes_to_an_end);
	return s;
}

int main(int argc, char **argv)
{
	bool is_short = argc == 2 && strcmp(argv[1], "short") == 0;

	if (argc == 2 && strcmp(argv[1], "nothing") == 0)
		return 0;
	setenv("SOCKSIFY_TIMEOUT", is_short ? "0.5" : "60", 0);
	if (argc == 4) {
		exec_fd = strcmp(argv[1], "heir") == 0 ? atoi(argv[2]) : -1;
		exec_name = argv[3];
		return under_main(argc, argv, UNDER_IPV4, make_heir);
	}
	return under_main(argc, argv, UNDER_IPV4, is_short ? make_short : make);
}
