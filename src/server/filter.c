/*
 * How it works: libseccomp makes the program for the machine at hand from names, of which those
 * that this machine or this libseccomp doesn't have are left out. Calls without a condition are
 * decided by the kernel from a bitmap, without running the program (Linux 5.11), so none of the
 * calls that a tunnel makes for its data has a condition.
 *
 * i386 reaches some socket calls by socketcall(2), whose arguments are out of a filter's sight:
 * there, conditions on socket() don't hold.
 */
#include "filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Newer than some headers. */
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif
#define CLONE_NEW_ANY                                                                  \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
	 CLONE_NEWPID | CLONE_NEWNET)

/* What open(2) may not have: O_TMPFILE comes with O_DIRECTORY in it. */
#define OPEN_TO_CHANGE (O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))

static const char *const server_calls[] = {
	/* Data: sockets, pipes, events. */
	"read",
	"write",
	"readv",
	"writev",
	"close",
	"splice",
	"pipe2",
	"accept4",
	"connect",
	"bind",
	"listen",
	"shutdown",
	"recv",
	"recvfrom",
	"recvmsg",
	"recvmmsg",
	"recvmmsg_time64",
	"send",
	"sendto",
	"sendmsg",
	"sendmmsg",
	"getsockname",
	"getpeername",
	"getsockopt",
	"setsockopt",
	"epoll_create1",
	"epoll_ctl",
	"epoll_wait",
	"epoll_pwait",
	"epoll_pwait2",
	"poll",
	"ppoll",
	"ppoll_time64",
	"select",
	"_newselect",
	"pselect6",
	"pselect6_time64",
	"eventfd2",
	"timerfd_create",
	"timerfd_settime",
	"timerfd_gettime",
	"timerfd_settime64",
	"timerfd_gettime64",
	"signalfd4",
	"dup",
	/* Memory. */
	"brk",
	"munmap",
	"mremap",
	"madvise",
	"mlock",
	"mlock2",
	"munlock",
	"mincore",
	/* Threads and signals. */
	"futex",
	"futex_time64",
	"set_robust_list",
	"rseq",
	"membarrier",
	"gettid",
	"exit",
	"exit_group",
	"sched_yield",
	"sched_getaffinity",
	"sched_getparam",
	"sched_getscheduler",
	"sched_get_priority_max",
	"sched_get_priority_min",
	"getpriority",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"sigreturn",
	"rt_sigpending",
	"rt_sigtimedwait",
	"rt_sigtimedwait_time64",
	"sigaltstack",
	"restart_syscall",
	"pause",
	"wait4",
	/* Time and chance. */
	"clock_gettime",
	"clock_gettime64",
	"clock_getres",
	"clock_getres_time64",
	"clock_nanosleep",
	"clock_nanosleep_time64",
	"nanosleep",
	"gettimeofday",
	"time",
	"times",
	"getrandom",
	/* Files, which are there already or may be read. */
	"fstat",
	"fstat64",
	"stat",
	"stat64",
	"lstat",
	"lstat64",
	"newfstatat",
	"fstatat64",
	"statx",
	"access",
	"faccessat",
	"faccessat2",
	"readlink",
	"readlinkat",
	"getcwd",
	"lseek",
	"_llseek",
	"pread64",
	"getdents",
	"getdents64",
	/* Who and where are we. */
	"getpid",
	"getppid",
	"getuid",
	"getuid32",
	"geteuid",
	"geteuid32",
	"getgid",
	"getgid32",
	"getegid",
	"getegid32",
	"getresuid",
	"getresuid32",
	"getresgid",
	"getresgid32",
	"uname",
	"sysinfo",
	"getrusage",
	"getcpu",
};

/* To report, a sanitizer starts a process that traces this one. */
static const char *const wide_calls[] = {
	"clone",
	"clone3",
	"fork",
	"vfork",
	"waitid",
	"ptrace",
	"process_vm_readv",
	"kill",
	"tgkill",
	"tkill",
	"prctl",
	"prlimit64",
	"getrlimit",
	"ugetrlimit",
	"setrlimit",
	"pipe",
	"dup2",
	"dup3",
	"openat",
	"open",
	"mmap",
	"mmap2",
	"mprotect",
	"personality",
	"rt_sigsuspend",
	"sched_setaffinity",
	"set_tid_address",
	"arch_prctl",
	"execve",
};

/* Rules */

static int allow_if(scmp_filter_ctx ctx, const char *name, unsigned n,
                    const struct scmp_arg_cmp *args)
{
	int nr = seccomp_syscall_resolve_name(name);

	if (nr == __NR_SCMP_ERROR)
		return 0;
	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, n, args);
}

static int allow_all(scmp_filter_ctx ctx, const char *const *names, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && err == 0; i++)
		err = allow_if(ctx, names[i], 0, NULL);
	return err;
}

static int allow_masked(scmp_filter_ctx ctx, const char *name, unsigned arg, uint64_t mask,
                        uint64_t value)
{
	const struct scmp_arg_cmp cmp = { arg, SCMP_CMP_MASKED_EQ, mask, value };

	return allow_if(ctx, name, 1, &cmp);
}

static int allow_values(scmp_filter_ctx ctx, const char *name, unsigned arg, const unsigned *values,
                        size_t n)
{
	int err = 0;

	/* The kernel looks at 32 bits of them; libc extends the sign or doesn't. */
	for (size_t i = 0; i < n && err == 0; i++)
		err = allow_masked(ctx, name, arg, UINT32_MAX, values[i]);
	return err;
}

static int allow_reading(scmp_filter_ctx ctx)
{
	int err = allow_masked(ctx, "openat", 2, OPEN_TO_CHANGE, O_RDONLY);

	return err < 0 ? err : allow_masked(ctx, "open", 1, OPEN_TO_CHANGE, O_RDONLY);
}

/* No raw sockets, and none of the protocols that would load a module of the kernel. */
static int allow_socket(scmp_filter_ctx ctx, int family, int type, int protocol)
{
	const struct scmp_arg_cmp args[] = {
		{ 0, SCMP_CMP_MASKED_EQ, UINT32_MAX, (unsigned)family },
		{ 1, SCMP_CMP_MASKED_EQ, UINT32_MAX & ~(unsigned)(SOCK_NONBLOCK | SOCK_CLOEXEC),
		  (unsigned)type },
		{ 2, SCMP_CMP_MASKED_EQ, UINT32_MAX, (unsigned)protocol },
	};

	return allow_if(ctx, "socket", 3, args);
}

static int allow_sockets(scmp_filter_ctx ctx, bool nss)
{
	static const struct {
		int family, type, protocol;
		bool nss;
	} rows[] = {
		{ AF_INET, SOCK_STREAM, 0, false },
		{ AF_INET, SOCK_STREAM, IPPROTO_TCP, false },
		{ AF_INET, SOCK_DGRAM, 0, false },
		{ AF_INET, SOCK_DGRAM, IPPROTO_UDP, false },
		{ AF_INET6, SOCK_STREAM, 0, false },
		{ AF_INET6, SOCK_STREAM, IPPROTO_TCP, false },
		{ AF_INET6, SOCK_DGRAM, 0, false },
		{ AF_INET6, SOCK_DGRAM, IPPROTO_UDP, false },
		/* The addresses and routes of this machine. */
		{ AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, false },
		{ AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE, false },
		/* systemd-resolved, nscd, avahi. */
		{ AF_UNIX, SOCK_STREAM, 0, true },
		{ AF_UNIX, SOCK_DGRAM, 0, true },
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && err == 0; i++)
		if (nss || !rows[i].nss)
			err = allow_socket(ctx, rows[i].family, rows[i].type, rows[i].protocol);
	return err;
}

static int allow_threads(scmp_filter_ctx ctx)
{
	int err = allow_masked(ctx, "clone", 0, CLONE_NEW_ANY | CLONE_THREAD, CLONE_THREAD);

	/* libc takes clone() then, whose flags can be seen. */
	if (err == 0)
		err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	/* raise() and abort(). */
	if (err == 0)
		err = allow_values(ctx, "tgkill", 0, (unsigned[]){ (unsigned)getpid() }, 1);
	return err;
}

static int allow_memory(scmp_filter_ctx ctx)
{
#ifdef __i386__
	/* The old one has its arguments in memory; libc takes the new one. */
	static const char map[] = "mmap2";
#else
	static const char map[] = "mmap";
#endif
	int err = allow_masked(ctx, map, 2, PROT_EXEC, 0);

	return err < 0 ? err : allow_masked(ctx, "mprotect", 2, PROT_EXEC, 0);
}

static int allow_some(scmp_filter_ctx ctx)
{
	static const unsigned fcntls[] = { F_GETFD,         F_SETFD,      F_GETFL,     F_SETFL,
		                           F_DUPFD_CLOEXEC, F_SETPIPE_SZ, F_GETPIPE_SZ };
	static const unsigned ioctls[] = { FIONREAD, SIOCOUTQ,     FIONBIO,
		                           TCGETS,   SIOCGIFINDEX, SIOCGIFNAME };
	static const unsigned prctls[] = { PR_SET_NAME, PR_GET_NAME };
	/* Limits may be looked at: there is no new one. */
	const struct scmp_arg_cmp look = { 2, SCMP_CMP_EQ, 0, 0 };
	int err = allow_values(ctx, "fcntl", 1, fcntls, sizeof(fcntls) / sizeof(fcntls[0]));

	if (err == 0)
		err = allow_values(ctx, "fcntl64", 1, fcntls, sizeof(fcntls) / sizeof(fcntls[0]));
	if (err == 0)
		err = allow_values(ctx, "ioctl", 1, ioctls, sizeof(ioctls) / sizeof(ioctls[0]));
	if (err == 0)
		err = allow_values(ctx, "prctl", 0, prctls, sizeof(prctls) / sizeof(prctls[0]));
	if (err == 0)
		err = allow_values(ctx, "setpriority", 0, (unsigned[]){ PRIO_PROCESS }, 1);
	if (err == 0)
		err = allow_if(ctx, "prlimit64", 1, &look);
	return err;
}

static int allow_server(scmp_filter_ctx ctx, bool nss)
{
	int err = allow_all(ctx, server_calls, sizeof(server_calls) / sizeof(server_calls[0]));

	if (err == 0)
		err = allow_sockets(ctx, nss);
	if (err == 0)
		err = allow_some(ctx);
	/* One that was allowed as a whole has no place for conditions. */
	if (err == 0 && FILTER_IS_WIDE)
		return allow_all(ctx, wide_calls, sizeof(wide_calls) / sizeof(wide_calls[0]));
	if (err == 0)
		err = allow_reading(ctx);
	if (err == 0)
		err = allow_threads(ctx);
	return err < 0 ? err : allow_memory(ctx);
}

static int allow_opener(scmp_filter_ctx ctx, int sock)
{
	static const char *const calls[] = { "close", "exit", "exit_group", "restart_syscall" };
	static const char *const on_socket[] = { "recv", "recvfrom", "sendmsg" };
	const struct scmp_arg_cmp own = { 0, SCMP_CMP_EQ, (unsigned)sock, 0 };
	int err = allow_all(ctx, calls, sizeof(calls) / sizeof(calls[0]));

	for (size_t i = 0; i < sizeof(on_socket) / sizeof(on_socket[0]) && err == 0; i++)
		err = allow_if(ctx, on_socket[i], 1, &own);
	return err < 0 ? err : allow_reading(ctx);
}

/* The filter as a whole */

static int begin(scmp_filter_ctx *out)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));

	*out = ctx;
	if (!ctx)
		return -ENOMEM;
	/* The calls of x32 and i386 in a 64-bit process. */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* Nobody else's code runs in here: its workaround for Spectre would only cost. */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_SSB, 1);
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_API_SYSRAWRC, 1);
	return seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
}

static int finish(scmp_filter_ctx ctx, int err)
{
	if (err == 0)
		err = seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	return err;
}

int filter_enter_server(bool nss)
{
	scmp_filter_ctx ctx;
	int err = begin(&ctx);

	return finish(ctx, err == 0 ? allow_server(ctx, nss) : err);
}

int filter_enter_opener(int sock)
{
	scmp_filter_ctx ctx;
	int err = begin(&ctx);

	if (err == 0)
		err = FILTER_IS_WIDE ? allow_server(ctx, false) : allow_opener(ctx, sock);
	return finish(ctx, err);
}
