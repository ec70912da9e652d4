#include "async.h"

#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEST_SECONDS 120

/* Where it hangs, for addr2line. */
static void hangs(int sig)
{
	static const char text[] = "this test has no end:\n";
	void *frames[64];

	(void)sig;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) > 0)
		backtrace_symbols_fd(frames, backtrace(frames, 64), STDERR_FILENO);
	_exit(98);
}

static void start_alarm(void)
{
	const char *seconds = getenv("UNDER_SECONDS");
	void *frame;

	backtrace(&frame, 1); /* loads what it needs now, and not in the handler */
	signal(SIGALRM, hangs);
	alarm(seconds ? (unsigned)atoi(seconds) : TEST_SECONDS);
}

static pid_t testing;

static void arm(void)
{
	testing = getpid();
	start_alarm();
}

static void disarm(void)
{
	alarm(0);
	/* Without CK_FORK a check that fails in a child of the test's comes here by longjmp(). */
	if (getpid() != testing)
		_exit(97);
}

TCase *async_case(Suite *s, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, TEST_SECONDS + 10);
	tcase_add_checked_fixture(tc, arm, disarm);
	suite_add_tcase(s, tc);
	return tc;
}

void async_init(struct async *a, const char *outcome, int family)
{
	static int count;

	snprintf(a->name, sizeof(a->name), "held.%s.n%d-%d.test", outcome,
	         __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED), (int)getpid());
	a->ss = under_look_up(a->name, family, 80, &a->len);
	a->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(a->fd, 0);
}

int async_again(const struct async *a)
{
	return connect(a->fd, (const struct sockaddr *)&a->ss, a->len) < 0 ? errno : 0;
}

void async_connect(struct async *a)
{
	ck_assert_int_eq(async_again(a), EINPROGRESS);
}

void async_begin(struct async *a, const char *outcome)
{
	async_init(a, outcome, AF_INET);
	async_connect(a);
	under_await_requests(a->name, 1);
}

void async_release(const struct async *a)
{
	under_release(a->name);
}

void async_fini(struct async *a)
{
	ck_assert_int_eq(close(a->fd), 0);
}

int async_error(int fd)
{
	int err = -1;

	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &(socklen_t){ sizeof(err) }),
	                 0);
	return err;
}

short async_bits(int fd, short events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	ck_assert_int_eq(poll(&p, 1, timeout_ms), p.revents != 0);
	return p.revents;
}

void async_check_pending(const struct async *a)
{
	struct sockaddr_storage ss;
	char octet;

	ck_assert_int_eq(async_bits(a->fd, ASYNC_ALL, 0), 0);
	ck_assert_int_eq(async_error(a->fd), 0);
	ck_assert_int_eq(send(a->fd, "x", 1, MSG_NOSIGNAL), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(recv(a->fd, &octet, 1, 0), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(getpeername(a->fd, (struct sockaddr *)&ss, &(socklen_t){ sizeof(ss) }),
	                 -1);
	ck_assert_int_eq(errno, ENOTCONN);
}

/* All of @n octets, whatever O_NONBLOCK says. */
static void receive(int fd, char *buf, size_t n)
{
	while (n > 0) {
		ssize_t got;

		async_bits(fd, POLLIN, -1);
		got = recv(fd, buf, n, 0);
		ck_assert_int_gt(got, 0);
		buf += got;
		n -= (size_t)got;
	}
}

void async_echo(int fd)
{
	char buf[6] = "";

	ck_assert_int_eq(send(fd, "hello", 5, MSG_NOSIGNAL), 5);
	receive(fd, buf, 5);
	ck_assert_str_eq(buf, "hello");
}

void async_check_connected(const struct async *a, int fd)
{
	struct sockaddr_storage is = { 0 };
	socklen_t len = sizeof(is);

	ck_assert_int_eq(async_error(fd), 0);
	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&is, &len), 0);
	ck_assert_int_eq(len, a->len);
	ck_assert_mem_eq(&is, &a->ss, len);
	async_echo(fd);
}

/* The letter in the third field of a stat file; the second is a name in parentheses. */
static void await_state(const char *path)
{
	char text[256];

	for (;;) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
		char *end;

		if (fd >= 0)
			close(fd);
		ck_assert_int_gt(n, 0);
		text[n] = '\0';
		end = strrchr(text, ')');
		ck_assert_ptr_nonnull(end);
		if (end[2] == 'S')
			return;
		sched_yield();
	}
}

void async_await_asleep(pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	await_state(path);
}

void async_await_process_asleep(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	await_state(path);
}

pid_t async_fork(int (*body)(void *at), void *at)
{
	pid_t pid = fork();

	if (pid == 0) {
		start_alarm(); /* alarms are not inherited */
		_exit(body(at));
	}
	ck_assert_int_ge(pid, 0);
	return pid;
}

void async_join(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "the child ended by signal %d", WTERMSIG(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}

/* Numbers among the names in @path, but for that of the listing itself. */
static int list_numbers(const char *path, int *out, int max)
{
	DIR *dir = opendir(path);
	struct dirent *de;
	int n = 0;

	ck_assert_ptr_nonnull(dir);
	while ((de = readdir(dir)) && n < max)
		if (de->d_name[0] != '.' && atoi(de->d_name) != dirfd(dir))
			out[n++] = atoi(de->d_name);
	closedir(dir);
	return n;
}

int async_descriptors(int *fds, int max)
{
	return list_numbers("/proc/self/fd", fds, max);
}

int async_threads(void)
{
	int tids[64];

	return list_numbers("/proc/self/task", tids, 64);
}
