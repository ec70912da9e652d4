/*
 * What no program means to do, and some do: pending sockets that are written over, shut down or
 * forked in the midst of a change, descriptors that run out, networks that are left.
 */
#include "async.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define FORKS      200
#define THREADS    3
#define SOCKETS    8
#define OWN_MAX    256 /* the program's descriptors are below, the library's above */
#define LIMIT_LESS 6   /* descriptors that a process at its limit may still open */

static struct async shared;

/* By address, which the proxy grants. Returns 0 or the errno. */
static int connect_to_address(int fd)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(80) };

	inet_pton(AF_INET, "198.51.100.7", &sin.sin_addr);
	return connect(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 ? errno : 0;
}

/* From then on the library's helper is there for a while. Returns the lowest free number. */
static int connect_once(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	connect_to_address(fd);
	async_bits(fd, POLLOUT, -1);
	close(fd);
	return fd;
}

static int await_any_end(void *at)
{
	(void)at;
	return async_bits(shared.fd, POLLOUT, -1) != 0 ? 0 : 1;
}

/* Something else stays pending, so that nothing ends by itself. */
START_TEST(a_child_is_not_left_waiting_for_what_was_replaced)
{
	struct async other;
	pid_t pid;
	int fd;

	async_begin(&other, "ok");
	async_begin(&shared, "ok");
	pid = async_fork(await_any_end, NULL);
	async_await_process_asleep(pid);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	errno = 77;
	ck_assert_int_eq(_i ? dup3(fd, shared.fd, O_CLOEXEC) : dup2(fd, shared.fd), shared.fd);
	ck_assert_int_eq(errno, 77);
	async_join(pid);
	close(fd);
	async_fini(&shared);
	async_release(&other);
	async_bits(other.fd, POLLOUT, -1);
	async_check_connected(&other, other.fd);
	async_fini(&other);
}
END_TEST

START_TEST(what_was_shut_down_connects_again_at_once)
{
	struct async a;

	async_begin(&a, "ok");
	ck_assert_int_eq(shutdown(a.fd, SHUT_RDWR), 0);
	ck_assert_int_eq(async_error(a.fd), ECONNRESET);
	ck_assert_int_eq(async_again(&a), EINPROGRESS);
	under_await_requests(a.name, 2);
	async_check_pending(&a);
	async_release(&a);
	async_bits(a.fd, POLLOUT, -1);
	async_check_connected(&a, a.fd);
	async_fini(&a);
}
END_TEST

static atomic_bool enough;

/* Without check's own functions: a lock of theirs would stay held in the children. */
static void *come_and_go(void *at)
{
	int fds[SOCKETS];

	(void)at;
	while (!atomic_load(&enough)) {
		for (int i = 0; i < SOCKETS; i++) {
			fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
			connect_to_address(fds[i]);
		}
		for (int i = 0; i < SOCKETS; i++) {
			if (i % 2)
				poll(&(struct pollfd){ .fd = fds[i], .events = POLLOUT }, 1, -1);
			close(fds[i]);
		}
	}
	return NULL;
}

static int has_its_own_alone(void *at)
{
	int fds[1024], n = async_descriptors(fds, 1024);

	(void)at;
	for (int i = 0; i < n; i++)
		if (fds[i] > OWN_MAX)
			return 1;
	return 0;
}

START_TEST(no_child_holds_its_parents_connections)
{
	pthread_t threads[THREADS];

	connect_once();
	atomic_store(&enough, false);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, come_and_go, NULL);
	for (int i = 0; i < FORKS; i++)
		async_in_child(has_its_own_alone, NULL);
	atomic_store(&enough, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}
END_TEST

/* The helper is there, and has no descriptor to dial with. */
static int connect_at_the_limit(void *at)
{
	int first = connect_once(), fds[LIMIT_LESS], n = 0;
	struct rlimit limit;

	(void)at;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = (rlim_t)first + LIMIT_LESS;
	setrlimit(RLIMIT_NOFILE, &limit);
	while (n < LIMIT_LESS && (fds[n] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) >= 0)
		n++;
	for (int i = 0; i < n; i++) {
		int err = connect_to_address(fds[i]);

		if (err != 0 && err != EINPROGRESS)
			return 1;
	}
	for (int i = 0; i < n; i++)
		if (async_bits(fds[i], POLLOUT, -1) != POLLOUT || async_error(fds[i]) != 0)
			return 2;
	return n > 0 ? 0 : 3;
}

START_TEST(at_the_limit_they_come_through)
{
	async_in_child(connect_at_the_limit, NULL);
}
END_TEST

static bool leave_network(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd, r;

	if (unshare(CLONE_NEWNET) < 0)
		return false;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	r = ioctl(fd, SIOCSIFFLAGS, &lo);
	close(fd);
	return r == 0;
}

/* Where nothing listens, the kernel's word on the place to wait must not pass for the proxy's. */
static int connect_elsewhere(void *at)
{
	int fd, err;

	(void)at;
	connect_once();
	if (!leave_network())
		return 0;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	err = connect_to_address(fd);
	return err == ECONNREFUSED && async_error(fd) == 0 ? 0 : 1;
}

START_TEST(another_network_has_no_place_to_wait)
{
	async_in_child(connect_elsewhere, NULL);
}
END_TEST

/* A handler of another library's that closes what is pending, before the fork or in the child. */
static atomic_int at_fork = -1, in_child = -1;

static void close_before_fork(void)
{
	int fd = atomic_exchange(&at_fork, -1);

	if (fd >= 0)
		close(fd);
}

static void connect_in_child(void)
{
	int fd = atomic_exchange(&in_child, -1);

	if (fd >= 0 && (connect_to_address(fd) != EINPROGRESS ||
	                async_bits(fd, POLLOUT, -1) != POLLOUT || async_error(fd) != 0))
		_exit(9);
}

START_TEST(handlers_of_fork_may_close_and_connect)
{
	struct async a, other;
	int status = -1;
	pid_t pid;

	ck_assert_int_eq(pthread_atfork(close_before_fork, NULL, connect_in_child), 0);
	async_begin(&a, "ok");
	async_begin(&other, "ok");
	at_fork = a.fd;
	in_child = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	pid = fork();
	if (pid == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	close(in_child);
	in_child = -1;
	async_release(&other);
	ck_assert_int_eq(async_bits(other.fd, POLLOUT, -1), POLLOUT);
	async_check_connected(&other, other.fd);
	async_fini(&other);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("async hostile");
	TCase *tc = async_case(s, "async hostile");

	tcase_add_loop_test(tc, a_child_is_not_left_waiting_for_what_was_replaced, 0, 2);
	tcase_add_test(tc, what_was_shut_down_connects_again_at_once);
	tcase_add_test(tc, no_child_holds_its_parents_connections);
	tcase_add_test(tc, at_the_limit_they_come_through);
	tcase_add_test(tc, another_network_has_no_place_to_wait);
	tcase_add_test(tc, handlers_of_fork_may_close_and_connect);
	return s;
}

int main(int argc, char **argv)
{
	setenv("SOCKSIFY_TIMEOUT", "20", 0);
	return under_main(argc, argv, UNDER_IPV4, make);
}
