/* The filter, run here for every ABI by an interpreter of our own, and once by the kernel. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/net.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unit.h>
#include <wrapper/closed.h>

#define ALLOW       SECCOMP_RET_ALLOW
#define NOT_ALLOWED (SECCOMP_RET_ERRNO | EACCES)
#define NO_SUCH     (SECCOMP_RET_ERRNO | ENOSYS)
#define X32         0x40000000u

static const struct {
	uint32_t arch, nr;
	uint64_t family;
	uint32_t verdict;
} rows[] = {
#if defined(__x86_64__) || defined(__i386__)
	{ AUDIT_ARCH_X86_64, 41, AF_UNIX, ALLOW },
	{ AUDIT_ARCH_X86_64, 41, AF_NETLINK, ALLOW },
	{ AUDIT_ARCH_X86_64, 41, AF_INET, NOT_ALLOWED },
	{ AUDIT_ARCH_X86_64, 41, AF_INET6, NOT_ALLOWED },
	{ AUDIT_ARCH_X86_64, 41, AF_PACKET, NOT_ALLOWED },
	{ AUDIT_ARCH_X86_64, 41, AF_VSOCK, NOT_ALLOWED },
	{ AUDIT_ARCH_X86_64, 41, AF_ALG, NOT_ALLOWED },
	{ AUDIT_ARCH_X86_64, 41, AF_UNSPEC, NOT_ALLOWED },
	/* The kernel looks at the lower half alone. */
	{ AUDIT_ARCH_X86_64, 41, UINT64_C(1) << 32 | AF_UNIX, ALLOW },
	{ AUDIT_ARCH_X86_64, 41, (uint64_t)AF_UNIX << 32 | AF_INET, NOT_ALLOWED },
	{ AUDIT_ARCH_X86_64, 53, AF_UNIX, ALLOW },
	{ AUDIT_ARCH_X86_64, 53, AF_TIPC, NOT_ALLOWED },
	{ AUDIT_ARCH_X86_64, 424, 0, ALLOW },
	{ AUDIT_ARCH_X86_64, 425, 0, NO_SUCH },
	{ AUDIT_ARCH_X86_64, 426, 0, NO_SUCH },
	{ AUDIT_ARCH_X86_64, 427, 0, NO_SUCH },
	{ AUDIT_ARCH_X86_64, 428, 0, ALLOW },
	{ AUDIT_ARCH_X86_64, 0, AF_INET, ALLOW },
	{ AUDIT_ARCH_X86_64, 42, AF_INET, ALLOW },
	/* Numbers of the other class mean other things: mq_notify, munlockall. */
	{ AUDIT_ARCH_X86_64, 359, AF_INET, ALLOW },
	{ AUDIT_ARCH_X86_64, 102, SYS_SOCKET, ALLOW },
	{ AUDIT_ARCH_X86_64, X32 | 41, AF_INET, NOT_ALLOWED },
	{ AUDIT_ARCH_X86_64, X32 | 41, AF_UNIX, ALLOW },
	{ AUDIT_ARCH_X86_64, X32 | 53, AF_INET, NOT_ALLOWED },
	{ AUDIT_ARCH_X86_64, X32 | 425, 0, NO_SUCH },
	{ AUDIT_ARCH_X86_64, X32 | 1, 0, ALLOW },
	{ AUDIT_ARCH_I386, 359, AF_INET, NOT_ALLOWED },
	{ AUDIT_ARCH_I386, 359, AF_UNIX, ALLOW },
	{ AUDIT_ARCH_I386, 360, AF_UNIX, ALLOW },
	{ AUDIT_ARCH_I386, 360, AF_INET, NOT_ALLOWED },
	{ AUDIT_ARCH_I386, 102, SYS_SOCKET, NOT_ALLOWED },
	{ AUDIT_ARCH_I386, 102, SYS_SOCKETPAIR, ALLOW },
	{ AUDIT_ARCH_I386, 102, SYS_CONNECT, ALLOW },
	{ AUDIT_ARCH_I386, 425, 0, NO_SUCH },
	{ AUDIT_ARCH_I386, 41, AF_INET, ALLOW },
	{ AUDIT_ARCH_AARCH64, 198, AF_UNIX, NO_SUCH },
#elif defined(__aarch64__)
	{ AUDIT_ARCH_AARCH64, 198, AF_UNIX, ALLOW },
	{ AUDIT_ARCH_AARCH64, 198, AF_INET, NOT_ALLOWED },
	{ AUDIT_ARCH_AARCH64, 199, AF_UNIX, ALLOW },
	{ AUDIT_ARCH_AARCH64, 425, 0, NO_SUCH },
	{ AUDIT_ARCH_ARM, 281, AF_INET, NOT_ALLOWED },
	{ AUDIT_ARCH_ARM, 102, SYS_SOCKET, NOT_ALLOWED },
	{ AUDIT_ARCH_X86_64, 41, AF_UNIX, NO_SUCH },
#endif
	{ 0, 0, AF_UNIX, NO_SUCH },
};

static uint32_t load(const struct seccomp_data *data, uint32_t at)
{
	uint32_t v;

	ck_assert_uint_le(at, sizeof(*data) - sizeof(v));
	ck_assert_uint_eq(at % 4, 0);
	memcpy(&v, (const uint8_t *)data + at, sizeof(v));
	return v;
}

static uint32_t run(const struct sock_filter *filter, size_t len, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (size_t i = 0; i < len; i++) {
		const struct sock_filter *f = &filter[i];
		bool taken = false;

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			a = load(data, f->k);
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= f->k;
			continue;
		case BPF_RET | BPF_K:
			return f->k;
		case BPF_JMP | BPF_JEQ | BPF_K:
			taken = a == f->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			taken = a >= f->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			taken = a > f->k;
			break;
		default:
			ck_abort_msg("instruction %zu is of an unknown code %#x", i, f->code);
		}
		i += taken ? f->jt : f->jf;
	}
	ck_abort_msg("the filter's end was passed");
	return 0;
}

START_TEST(every_abi_is_closed)
{
	struct seccomp_data data = { .arch = rows[_i].arch, .nr = (int)rows[_i].nr };
	struct sock_filter filter[64];
	size_t len = closed_filter(filter, 64);

	if (len == 0)
		return;
	data.args[0] = rows[_i].family;
	ck_assert_uint_eq(run(filter, len, &data), rows[_i].verdict);
}
END_TEST

START_TEST(filter_that_does_not_fit_is_none)
{
	struct sock_filter filter[64];
	size_t len = closed_filter(filter, 64);

	for (size_t cap = 0; cap < len; cap++) {
		struct sock_filter *tight = malloc(cap * sizeof(*tight) + 1);

		ck_assert_uint_eq(closed_filter(tight, cap), 0);
		free(tight);
	}
}
END_TEST

static bool is_refused(int family, int type)
{
	return socket(family, type, 0) == -1 && errno == EACCES;
}

/* Which fact fails, from 1 on; 0 if all hold. */
static int live_closed(void)
{
	int pair[2], status;
	pid_t child;

	if (closed_enter() < 0)
		return 77;
	if (!is_refused(AF_INET, SOCK_STREAM) || !is_refused(AF_INET, SOCK_DGRAM))
		return 1;
	if (!is_refused(AF_INET6, SOCK_STREAM) || !is_refused(AF_PACKET, SOCK_RAW))
		return 2;
	/* By its own number: libc's socket() may be a socketcall(), whose family nobody sees. */
	if (syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return 3;
	if (syscall(SYS_io_uring_setup, 1, NULL) != -1 || errno != ENOSYS)
		return 4;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 5;
	child = fork();
	if (child == 0)
		_exit(!is_refused(AF_INET, SOCK_STREAM));
	if (waitpid(child, &status, 0) != child || status != 0)
		return 6;
	/* Closed within closed. */
	return closed_enter() < 0 ? 7 : 0;
}

START_TEST(kernel_takes_the_filter)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(live_closed());
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) != 77)
		ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

UNIT_MAIN("wrapper/closed", { every_abi_is_closed, ROWS(rows) },
          { filter_that_does_not_fit_is_none, 0 }, { kernel_takes_the_filter, 0 })
