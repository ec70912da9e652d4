/*
 * The helper thread: there when it is needed, gone when it isn't, unseen by the program; and what
 * happens where there can be none.
 */
#include "alone.h"
#include "async.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The thread sanitizer has a thread of its own, and does not live long in a sandbox. */
#ifdef __SANITIZE_THREAD__
#define SANITIZED true
#else
#define SANITIZED false
#endif

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))

/* Every thread's stack holds it. */
static __thread volatile char thread_local_room[2 << 20];

/* The helper, by its name; 0: there is none. */
static pid_t find_helper(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *de;
	pid_t found = 0;

	ck_assert_ptr_nonnull(dir);
	while ((de = readdir(dir))) {
		char path[64], name[32] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%.16s/comm", de->d_name);
		f = fopen(path, "re");
		if (f && fgets(name, sizeof(name), f) && strcmp(name, "socksify\n") == 0)
			found = atoi(de->d_name);
		if (f)
			fclose(f);
	}
	closedir(dir);
	return found;
}

/* There is nothing to wait for a thread's end by. */
static void await_no_helper(void)
{
	while (find_helper())
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
}

/* The blocked signals of the other thread, as a number. */
static unsigned long long blocked(pid_t tid)
{
	char path[64], line[256];
	unsigned long long mask = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)tid);
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, "SigBlk:", 7) == 0)
			mask = strtoull(line + 7, NULL, 16);
	fclose(f);
	return mask;
}

static int see_it(void *at)
{
	struct async a;
	pid_t tid;

	(void)at;
	ck_assert_int_eq(find_helper(), 0);
	async_begin(&a, "ok");
	if (!SANITIZED)
		ck_assert_int_eq(async_threads(), 2);
	tid = find_helper();
	ck_assert_int_ne(tid, 0);
	for (int sig = 1; sig <= SIGRTMAX; sig++) {
		/* Two can't be, and two are libc's own. */
		if (sig == SIGKILL || sig == SIGSTOP || (sig > 31 && sig < SIGRTMIN))
			continue;
		ck_assert_msg(blocked(tid) >> (sig - 1) & 1, "signal %d is not blocked", sig);
	}
	ck_assert_uint_eq(blocked(getpid()), 0);
	async_release(&a);
	async_bits(a.fd, POLLOUT, -1);
	async_check_connected(&a, a.fd);
	async_fini(&a);
	return 0;
}

START_TEST(it_is_made_on_first_need_and_hears_no_signal)
{
	async_in_child(see_it, NULL);
}
END_TEST

static int leave_nothing(void *at)
{
	int before[64], after[64], n = async_descriptors(before, N(before)), m, fd;
	struct async a;

	fd = under_connect("ok.blocking.test");
	close(fd);
	ck_assert_int_eq(find_helper(), 0);
	for (int round = 0; round < 2; round++) {
		async_begin(&a, "ok");
		async_release(&a);
		async_bits(a.fd, POLLOUT, -1);
		async_fini(&a);
		await_no_helper();
		m = async_descriptors(after, N(after));
		ck_assert_int_eq(m, n);
		for (int i = 0; i < m; i++)
			ck_assert_int_eq(before[i], after[i]);
	}
	if (!at || SANITIZED)
		return 0;
	ck_assert_int_eq(async_threads(), 1);
	if (unshare(CLONE_NEWUSER) < 0) {
		ck_assert_int_ne(errno, EINVAL); /* there are threads */
		return 0;
	}
	async_begin(&a, "ok");
	async_release(&a);
	async_bits(a.fd, POLLOUT, -1);
	async_check_connected(&a, a.fd);
	return 0;
}

START_TEST(idle_it_leaves_nothing_behind)
{
	async_in_child(leave_nothing, _i ? &_i : NULL);
}
END_TEST

/* Pending, a process may end by every way at once, and its tunnels with it. */
static int end_pending(void *at)
{
	struct async a;

	(void)at;
	under_look_up("ok.end.test", AF_INET, 80, &(socklen_t){ 0 });
	strcpy(a.name, "held.ok.end.test");
	a.ss = under_look_up(a.name, AF_INET, 80, &a.len);
	a.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	async_connect(&a);
	under_await_requests(a.name, 1);
	exit(0);
}

START_TEST(a_process_ends_without_waiting_for_it)
{
	async_in_child(end_pending, NULL);
	under_await_ended("held.ok.end.test", 1);
}
END_TEST

/* Waiting or not: the tunnel must be there in the end. */
static int connect_somehow(void)
{
	static const struct {
		const char *name;
		int err;
	} rows[] = { { "ok.somehow.test", 0 },
		     { "refused.somehow.test", ECONNREFUSED },
		     { "slow.somehow.test", 0 },
		     { "unreach.somehow.test", EHOSTUNREACH } };

	for (int i = 0; i < N(rows) * 2; i++) {
		int err = 0, want = rows[i / 2].err;
		struct async a = { .fd = socket(i % 2 ? AF_INET6 : AF_INET,
			                        SOCK_STREAM | SOCK_NONBLOCK, 0) };

		a.ss = under_look_up(rows[i / 2].name, i % 2 ? AF_INET6 : AF_INET, 80, &a.len);
		if (a.fd < 0)
			continue; /* no IPv6 */
		err = async_again(&a);
		if (err == EINPROGRESS) {
			async_bits(a.fd, POLLOUT, -1);
			err = async_error(a.fd);
		}
		ck_assert_msg(err == want, "%s: errno %d, not %d", rows[i / 2].name, err, want);
		if (want == 0)
			async_check_connected(&a, a.fd);
		close(a.fd);
	}
	return 0;
}

static int without_threads(void *at)
{
	(void)at;
	if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
		return 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &(struct rlimit){ 0, 0 }), 0);
	return connect_somehow();
}

START_TEST(without_a_thread_connects_wait)
{
	async_in_child(without_threads, NULL);
}
END_TEST

static const struct {
	long nr[3];
	int err;
} denials[] = {
	{ { SYS_clone3, SYS_clone, -1 }, EPERM }, { { SYS_clone3, SYS_clone, -1 }, EAGAIN },
	{ { SYS_clone3, -1, -1 }, ENOSYS }, /* as containers do */
	{ { SYS_epoll_create1, -1, -1 }, EPERM }, { { SYS_eventfd2, -1, -1 }, EPERM },
	{ { SYS_listen, -1, -1 }, EPERM },        { { SYS_bind, -1, -1 }, EACCES },
	{ { SYS_prctl, -1, -1 }, EPERM },         { { SYS_openat, -1, -1 }, EACCES },
};

static int in_a_sandbox(void *at)
{
	int which = *(const int *)at, n = 0;
	struct sock_filter filter[16];
	struct sock_fprog program = { .filter = filter };

	under_look_up("ok.somehow.test", AF_INET, 80, &(socklen_t){ 0 });
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	                                           offsetof(struct seccomp_data, nr));
	for (int i = 0; i < 3; i++) {
		if (denials[which].nr[i] < 0)
			continue;
		filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
		                                           (unsigned)denials[which].nr[i], 0, 1);
		filter[n++] = (struct sock_filter)BPF_STMT(
			BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)denials[which].err);
	}
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = (unsigned short)n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return 0; /* no such filters here */
	return connect_somehow();
}

START_TEST(in_a_sandbox_connects_end_all_the_same)
{
	int which = _i;

	async_in_child(in_a_sandbox, &which);
}
END_TEST

/* No number is free; or none above the program's own. */
static int without_descriptors(void *at)
{
	int room = *(const int *)at, full[4096], n = 0, err;
	struct async a, b;
	struct rlimit limit;

	async_begin(&a, "ok");
	async_init(&b, "ok", AF_INET);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = (rlim_t)b.fd + 40;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while (n < N(full) && (full[n] = dup(0)) >= 0)
		n++;
	ck_assert_int_eq(errno, EMFILE);
	for (int i = 0; i < room; i++)
		close(full[--n]);
	b.len = 0;
	b.ss = (struct sockaddr_storage){ .ss_family = AF_INET };
	b.len = sizeof(struct sockaddr_in);
	((struct sockaddr_in *)&b.ss)->sin_port = htons(80);
	((struct sockaddr_in *)&b.ss)->sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1 */
	err = async_again(&b);
	if (err == EINPROGRESS) {
		/* It may wait for a number. */
		while (n > 0)
			close(full[--n]);
		async_bits(b.fd, POLLOUT, -1);
		err = async_error(b.fd);
	}
	ck_assert_msg(err == 0 || err == EMFILE || err == ENFILE || err == ENOBUFS, "errno %d",
	              err);
	while (n > 0)
		close(full[--n]);
	async_check_pending(&a);
	async_release(&a);
	ck_assert_int_eq(async_bits(a.fd, POLLIN | POLLOUT, -1), POLLOUT);
	async_check_connected(&a, a.fd);
	async_fini(&a);
	if (err)
		err = async_again(&b);
	if (err == EINPROGRESS) {
		async_bits(b.fd, POLLOUT, -1);
		err = async_error(b.fd);
	}
	ck_assert_int_eq(err, 0);
	async_check_connected(&b, b.fd);
	return 0;
}

START_TEST(without_descriptors_nothing_is_lost)
{
	int room = _i;

	async_in_child(without_descriptors, &room);
}
END_TEST

/* The end of one that was pending finds no number free. */
static int end_without_descriptors(void *at)
{
	int full[4096], n = 0, control;
	struct rlimit limit;
	struct async a;

	async_begin(&a, at ? "refused" : "ok");
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = (rlim_t)a.fd + 40;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	control = dup(0);
	while (n < N(full) && (full[n] = dup(0)) >= 0)
		n++;
	close(control); /* for the order alone; its answer comes after it was carried out */
	async_release(&a);
	ck_assert_int_ge(dup(0), 0);
	ck_assert_int_eq(async_bits(a.fd, POLLOUT, -1) & POLLOUT, POLLOUT);
	if (at)
		ck_assert_int_eq(async_error(a.fd), ECONNREFUSED);
	else
		async_check_connected(&a, a.fd);
	return 0;
}

START_TEST(an_end_needs_no_descriptor)
{
	async_in_child(end_without_descriptors, _i ? &_i : NULL);
}
END_TEST

/* Up to the last that there may be. */
START_TEST(high_numbers_work)
{
	struct rlimit limit, most;
	struct async a;
	int fd;

	getrlimit(RLIMIT_NOFILE, &limit);
	most = limit;
	most.rlim_cur = most.rlim_max;
	setrlimit(RLIMIT_NOFILE, &most);
	async_init(&a, "ok", AF_INET);
	fd = dup2(a.fd, _i == 0 ? 1500 : _i == 1 ? 4100 : (int)most.rlim_cur - 1);
	if (fd >= 0) {
		async_fini(&a);
		a.fd = fd;
		async_connect(&a);
		under_await_requests(a.name, 1);
		async_check_pending(&a);
		async_release(&a);
		ck_assert_int_eq(async_bits(a.fd, POLLIN | POLLOUT, -1), POLLOUT);
		async_check_connected(&a, a.fd);
	}
	async_fini(&a);
	setrlimit(RLIMIT_NOFILE, &limit);
}
END_TEST

static bool is_alone;

static bool write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* Only the network of the test is without IPv6. */
START_TEST(without_ipv6_its_sockets_connect)
{
	if (!write_to("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1"))
		return;
	write_to("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "1");
	connect_somehow();
	for (int i = 0; i < 2; i++) {
		struct async a;

		async_init(&a, i ? "refused" : "ok", AF_INET6);
		async_connect(&a);
		async_check_pending(&a);
		async_release(&a);
		async_bits(a.fd, POLLOUT, -1);
		if (i)
			ck_assert_int_eq(async_error(a.fd), ECONNREFUSED);
		else
			async_check_connected(&a, a.fd);
		async_fini(&a);
	}
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("async helper");
	TCase *tc = async_case(s, "async helper");

	thread_local_room[0] = 1;
	if (is_alone) {
		tcase_add_test(tc, without_ipv6_its_sockets_connect);
		return s;
	}
	tcase_add_test(tc, it_is_made_on_first_need_and_hears_no_signal);
	tcase_add_loop_test(tc, idle_it_leaves_nothing_behind, 0, 2);
	tcase_add_test(tc, a_process_ends_without_waiting_for_it);
	tcase_add_test(tc, without_a_thread_connects_wait);
	if (!SANITIZED)
		tcase_add_loop_test(tc, in_a_sandbox_connects_end_all_the_same, 0, N(denials));
	tcase_add_loop_test(tc, without_descriptors_nothing_is_lost, 0, 6);
	tcase_add_loop_test(tc, an_end_needs_no_descriptor, 0, 2);
	tcase_add_loop_test(tc, high_numbers_work, 0, 3);
	return s;
}

int main(int argc, char **argv)
{
	is_alone = argc > 1 && strcmp(argv[1], "alone") == 0;
	if (is_alone && !under_is_second_run() && !alone_begin()) {
		fprintf(stderr, "no namespaces of one's own here\n");
		return 77; /* meson's "skipped" */
	}
	setenv("SOCKSIFY_TIMEOUT", "60", 0);
	return under_main(argc, argv, UNDER_IPV4, make);
}
