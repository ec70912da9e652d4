#include "confined.h"

#include <errno.h>
#include <fcntl.h>
#include <filter.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

struct row {
	const char *name;
	long number;
	long args[6];
	int err;   /* what it fails with */
	bool wide; /* the filter of sanitized builds lets it through */
};

static char text[] = "/nonexistent";
static struct rlimit limit;

#define TEXT  ((long)(intptr_t)text)
#define LIMIT ((long)(intptr_t)&limit)

static const struct row denied[] = {
	{ "execve", SYS_execve, { TEXT }, EPERM, true },
#ifdef SYS_execveat
	{ "execveat", SYS_execveat, { -1, TEXT }, EPERM, false },
#endif
	{ "clone of a process", SYS_clone, { SIGCHLD }, EPERM, true },
	{ "clone of a namespace",
	  SYS_clone,
	  { CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_NEWNET },
	  EPERM,
	  true },
#ifdef SYS_clone3
	{ "clone3", SYS_clone3, { 0 }, ENOSYS, true },
#endif
#ifdef SYS_fork
	{ "fork", SYS_fork, { 0 }, EPERM, true },
	{ "vfork", SYS_vfork, { 0 }, EPERM, true },
#endif
	{ "ptrace", SYS_ptrace, { 0 }, EPERM, true },
	{ "process_vm_writev", SYS_process_vm_writev, { 1 }, EPERM, false },
	{ "kill", SYS_kill, { 1, 0 }, EPERM, true },
	{ "tgkill of another", SYS_tgkill, { 1, 1, 0 }, EPERM, true },
	{ "rt_sigqueueinfo", SYS_rt_sigqueueinfo, { 1, 0 }, EPERM, false },
	{ "open to write", SYS_openat, { AT_FDCWD, TEXT, O_WRONLY }, EPERM, true },
	{ "open to read and write", SYS_openat, { AT_FDCWD, TEXT, O_RDWR }, EPERM, true },
	{ "open to make", SYS_openat, { AT_FDCWD, TEXT, O_RDONLY | O_CREAT, 0600 }, EPERM, true },
	{ "open to empty", SYS_openat, { AT_FDCWD, TEXT, O_RDONLY | O_TRUNC }, EPERM, true },
	{ "open a nameless file", SYS_openat, { AT_FDCWD, TEXT, O_TMPFILE | O_RDWR }, EPERM, true },
	{ "openat2", 437, { AT_FDCWD, TEXT, 0, 0 }, EPERM, false },
	{ "unlinkat", SYS_unlinkat, { AT_FDCWD, TEXT, 0 }, EPERM, false },
	{ "mkdirat", SYS_mkdirat, { AT_FDCWD, TEXT, 0 }, EPERM, false },
	{ "fchmodat", SYS_fchmodat, { AT_FDCWD, TEXT, 0 }, EPERM, false },
	{ "ftruncate", SYS_ftruncate, { 0, 0 }, EPERM, false },
	{ "mount", SYS_mount, { TEXT }, EPERM, false },
	{ "chroot", SYS_chroot, { TEXT }, EPERM, false },
	{ "unshare", SYS_unshare, { 0 }, EPERM, false },
	{ "setns", SYS_setns, { -1, 0 }, EPERM, false },
	{ "setuid", SYS_setuid, { 0 }, EPERM, false },
	{ "setresuid", SYS_setresuid, { -1, -1, -1 }, EPERM, false },
	{ "capset", SYS_capset, { 0 }, EPERM, false },
	{ "bpf", SYS_bpf, { 0 }, EPERM, false },
	{ "io_uring_setup", 425, { 1, 0 }, EPERM, false },
	{ "perf_event_open", SYS_perf_event_open, { 0 }, EPERM, false },
	{ "keyctl", SYS_keyctl, { 0 }, EPERM, false },
	{ "userfaultfd", SYS_userfaultfd, { 0 }, EPERM, false },
	{ "memfd_create", SYS_memfd_create, { TEXT, 0 }, EPERM, false },
	{ "pidfd_open", 434, { 1, 0 }, EPERM, false },
	{ "pidfd_getfd", 438, { -1, 0, 0 }, EPERM, false },
	{ "seccomp", SYS_seccomp, { 0 }, EPERM, false },
	{ "socketpair", SYS_socketpair, { AF_UNIX, SOCK_STREAM, 0, 0 }, EPERM, false },
	{ "a UNIX socket", SYS_socket, { AF_UNIX, SOCK_STREAM, 0 }, EPERM, false },
	{ "a packet socket", SYS_socket, { AF_PACKET, SOCK_RAW, 0 }, EPERM, false },
	{ "a raw socket", SYS_socket, { AF_INET, SOCK_RAW, IPPROTO_TCP }, EPERM, false },
	{ "a socket for ping", SYS_socket, { AF_INET, SOCK_DGRAM, IPPROTO_ICMP }, EPERM, false },
	{ "SCTP", SYS_socket, { AF_INET, SOCK_STREAM, IPPROTO_SCTP }, EPERM, false },
	{ "MPTCP", SYS_socket, { AF_INET6, SOCK_STREAM, 262 }, EPERM, false },
	{ "VSOCK", SYS_socket, { AF_VSOCK, SOCK_STREAM, 0 }, EPERM, false },
	{ "ALG", SYS_socket, { AF_ALG, SOCK_SEQPACKET, 0 }, EPERM, false },
	{ "netfilter", SYS_socket, { AF_NETLINK, SOCK_RAW, 12 }, EPERM, false },
	{ "mprotect to execute", SYS_mprotect, { 0, 0, PROT_EXEC | PROT_READ }, EPERM, true },
	{ "prctl of the dumpable flag", SYS_prctl, { PR_SET_DUMPABLE, 1 }, EPERM, true },
	{ "fcntl of an owner", SYS_fcntl, { 0, F_SETOWN, 1 }, EPERM, false },
	{ "ioctl of a terminal's input", SYS_ioctl, { 0, TIOCSTI, TEXT }, EPERM, false },
	{ "a new limit", SYS_prlimit64, { 0, RLIMIT_NOFILE, LIMIT, 0 }, EPERM, true },
	{ "another's niceness", SYS_setpriority, { PRIO_USER, 0, 19 }, EPERM, false },
};

/* The number of the first row that isn't as it says, from 1 on; 0: all are. */
static int try_denied(void)
{
	for (int i = 0; i < ROWS(denied); i++) {
		const struct row *r = &denied[i];
		const long *a = r->args;

		if (r->wide && FILTER_IS_WIDE)
			continue;
		errno = 0;
		if (syscall(r->number, a[0], a[1], a[2], a[3], a[4], a[5]) != -1 || errno != r->err)
			return i + 1;
	}
	return 0;
}

static int enter(bool nss)
{
	int err = filter_enter_server(nss);

	return err == -EINVAL || err == -ENOSYS ? CONFINED_CANNOT : err == 0 ? 0 : 78;
}

static int denied_steps(void)
{
	int status = enter(false);

	return status != 0 ? status : try_denied();
}

START_TEST(what_nobody_needs_is_an_error)
{
	int row = confined_run(denied_steps);

	if (row == CONFINED_CANNOT)
		return;
	ck_assert_msg(row == 0, "%s", row <= ROWS(denied) ? denied[row - 1].name : "the filter");
}
END_TEST

static void *in_a_thread(void *arg)
{
	void *more = malloc(1 << 20);

	*(int *)arg = more && setpriority(PRIO_PROCESS, (id_t)gettid(), 19) == 0 &&
	              try_denied() == 0;
	free(more);
	return NULL;
}

static int thread_steps(void)
{
	int good = 0, status = enter(false);
	pthread_t thread;

	if (status != 0)
		return status;
	if (pthread_create(&thread, NULL, in_a_thread, &good) != 0)
		return 1;
	if (pthread_join(thread, NULL) != 0)
		return 2;
	return good ? 0 : 3;
}

START_TEST(threads_are_made_and_are_held_too)
{
	int step = confined_run(thread_steps);

	if (step != CONFINED_CANNOT)
		ck_assert_int_eq(step, 0);
}
END_TEST

static bool can_open_socket(int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

	if (fd >= 0)
		close(fd);
	/* IPv6 may be missing here. */
	return fd >= 0 || errno == EAFNOSUPPORT;
}

static int socket_steps(void)
{
	int status = enter(true);

	if (status != 0)
		return status;
	if (!can_open_socket(AF_INET, SOCK_STREAM, 0) ||
	    !can_open_socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) ||
	    !can_open_socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP))
		return 1;
	if (!can_open_socket(AF_INET, SOCK_DGRAM, 0) ||
	    !can_open_socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDP))
		return 2;
	if (!can_open_socket(AF_NETLINK, SOCK_RAW, 0))
		return 3;
	/* For NSS alone. */
	return can_open_socket(AF_UNIX, SOCK_STREAM, 0) ? 0 : 4;
}

START_TEST(sockets_of_the_server_can_be_had)
{
	int step = confined_run(socket_steps);

	if (step != CONFINED_CANNOT)
		ck_assert_int_eq(step, 0);
}
END_TEST

static int data_steps(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct itimerspec soon = { .it_value = { .tv_nsec = 1 } };
	struct rlimit rl;
	struct stat st;
	sigset_t set;
	char octet;
	int pipes[2], more[2], loop, fd, status = enter(false);

	if (status != 0)
		return status;
	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) < 0 || pipe2(more, O_CLOEXEC | O_NONBLOCK) < 0 ||
	    fcntl(pipes[0], F_SETPIPE_SZ, 8192) < 0 || fcntl(pipes[0], F_GETPIPE_SZ) < 8192)
		return 1;
	if (write(pipes[1], "x", 1) != 1 || ioctl(pipes[0], FIONREAD, &fd) < 0 || fd != 1 ||
	    splice(pipes[0], NULL, more[1], NULL, 1, SPLICE_F_NONBLOCK) != 1 ||
	    read(more[0], &octet, 1) != 1)
		return 2;
	loop = epoll_create1(EPOLL_CLOEXEC);
	if (loop < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, pipes[0], &ev) < 0 ||
	    epoll_wait(loop, &ev, 1, 0) != 0)
		return 3;
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (fd < 0 || timerfd_settime(fd, 0, &soon, NULL) < 0 || eventfd(0, EFD_CLOEXEC) < 0)
		return 4;
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || stat("/dev/null", &st) < 0 || close(fd) < 0)
		return 5;
	if (getrandom(&octet, 1, 0) != 1 || getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return 6;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	/* To itself it may send signals: abort(3) has to work. */
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || raise(SIGUSR1) != 0 || sigpending(&set) < 0 ||
	    !sigismember(&set, SIGUSR1))
		return 7;
	if (setsockopt(pipes[0], SOL_SOCKET, SO_KEEPALIVE, &fd, sizeof(fd)) == 0 ||
	    errno != ENOTSOCK)
		return 8;
	return 0;
}

START_TEST(what_tunnels_need_is_there)
{
	int step = confined_run(data_steps);

	if (step != CONFINED_CANNOT)
		ck_assert_int_eq(step, 0);
}
END_TEST

static int opener_steps(void)
{
	int pair[2], fd;
	char octet;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		return 1;
	if (filter_enter_opener(pair[0]) < 0)
		return CONFINED_CANNOT;
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || close(fd) < 0)
		return 2;
	if (FILTER_IS_WIDE)
		return 0;
	if (recv(pair[1], &octet, 1, MSG_DONTWAIT) >= 0 || errno != EPERM)
		return 3;
	if (recv(pair[0], &octet, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN)
		return 4;
	if (open("/dev/null", O_WRONLY) >= 0 || errno != EPERM)
		return 5;
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EPERM || write(1, "", 0) >= 0 ||
	    errno != EPERM)
		return 6;
	return 0;
}

START_TEST(the_opener_has_little)
{
	int step = confined_run(opener_steps);

	if (step != CONFINED_CANNOT)
		ck_assert_int_eq(step, 0);
}
END_TEST

UNIT_MAIN("server filter", { what_nobody_needs_is_an_error, 0 },
          { threads_are_made_and_are_held_too, 0 }, { sockets_of_the_server_can_be_had, 0 },
          { what_tunnels_need_is_there, 0 }, { the_opener_has_little, 0 })
