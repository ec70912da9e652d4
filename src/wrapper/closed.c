/*
 * How it works: a system call's number means something only together with its ABI, and one kernel
 * has several: a 64-bit program may call the 32-bit ones, by int $0x80 even from a 64-bit process.
 * The filter is put together from a table with a row for each ABI of this machine; calls of an ABI
 * that is in no row all get ENOSYS.
 */
#include "closed.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/net.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define NONE UINT32_MAX /* this ABI has no such call */

/* io_uring_setup, _enter, _register: the same for every machine but alpha. */
#define URING_FIRST 425
#define URING_LAST  427

#define FILTER_MAX 64

struct abi {
	uint32_t arch; /* AUDIT_ARCH_* */
	uint32_t socket, socketpair;
	uint32_t socketcall; /* its first argument says which call is meant; NONE */
	uint32_t number;     /* the bits of a call's number that count */
};

static const struct abi abis[] = {
#if defined(__x86_64__) || defined(__i386__)
	/* With bit 30 the x32 ABI is meant, whose calls have the same numbers here. */
	{ AUDIT_ARCH_X86_64, 41, 53, NONE, ~UINT32_C(0x40000000) },
	{ AUDIT_ARCH_I386, 359, 360, 102, UINT32_MAX },
#elif (defined(__aarch64__) && defined(__AARCH64EL__)) || (defined(__arm__) && defined(__ARMEL__))
	{ AUDIT_ARCH_AARCH64, 198, 199, NONE, UINT32_MAX },
	{ AUDIT_ARCH_ARM, 281, 288, 102, UINT32_MAX },
#elif defined(__riscv) && __riscv_xlen == 64
	{ AUDIT_ARCH_RISCV64, 198, 199, NONE, UINT32_MAX },
	{ AUDIT_ARCH_RISCV32, 198, 199, NONE, UINT32_MAX },
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
	{ AUDIT_ARCH_PPC64LE, 326, 333, 102, UINT32_MAX },
#elif defined(__s390x__)
	{ AUDIT_ARCH_S390X, 359, 360, 102, UINT32_MAX },
	{ AUDIT_ARCH_S390, 359, 360, 102, UINT32_MAX },
#endif
	{ 0, 0, 0, 0, 0 },
};

/* What does not fit is counted, so that the end shows it. */
struct program {
	struct sock_filter *buf;
	size_t cap, len;
};

static void put(struct program *p, struct sock_filter one)
{
	if (p->len < p->cap)
		p->buf[p->len] = one;
	p->len++;
}

static void put_load(struct program *p, size_t offset)
{
	put(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

/* The next instruction where the accumulator is @value, else @skip further ones are skipped. */
static void put_unless(struct program *p, uint32_t value, uint8_t skip)
{
	put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip));
}

static void put_return(struct program *p, uint32_t what)
{
	put(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what));
}

/* An int argument: the lower half of 64 bits, the only one that the kernel looks at. */
static size_t argument(unsigned i)
{
	size_t at = offsetof(struct seccomp_data, args) + i * sizeof(uint64_t);

	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? at : at + sizeof(uint32_t);
}

/* A call whose first argument must be one of two values, in 6 instructions that end the matter. */
static void put_family_call(struct program *p, uint32_t number)
{
	put_unless(p, number, 5);
	put_load(p, argument(0));
	put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 1, 0));
	put_unless(p, AF_NETLINK, 1);
	put_return(p, SECCOMP_RET_ALLOW);
	put_return(p, SECCOMP_RET_ERRNO | EACCES);
}

/*
 * One call for all: the family stands in memory, where a filter can't look, so that socket() of
 * any family is refused.
 */
static void put_socketcall(struct program *p, uint32_t number)
{
	put_unless(p, number, 4);
	put_load(p, argument(0));
	put_unless(p, SYS_SOCKET, 1);
	put_return(p, SECCOMP_RET_ERRNO | EACCES);
	put_return(p, SECCOMP_RET_ALLOW);
}

static void put_abi(struct program *p, const struct abi *abi)
{
	size_t jump;

	put_load(p, offsetof(struct seccomp_data, arch));
	jump = p->len;
	put_unless(p, abi->arch, 0);
	put_load(p, offsetof(struct seccomp_data, nr));
	if (abi->number != UINT32_MAX)
		put(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, abi->number));
	put_family_call(p, abi->socket);
	put_family_call(p, abi->socketpair);
	if (abi->socketcall != NONE)
		put_socketcall(p, abi->socketcall);
	put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, URING_FIRST, 0, 2));
	put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, URING_LAST, 1, 0));
	put_return(p, SECCOMP_RET_ERRNO | ENOSYS);
	put_return(p, SECCOMP_RET_ALLOW);
	/* Of another ABI: the next row. */
	if (jump < p->cap)
		p->buf[jump].jf = (uint8_t)(p->len - jump - 1);
}

size_t closed_filter(struct sock_filter *buf, size_t cap)
{
	struct program p = { buf, cap, 0 };

	if (abis[0].arch == 0)
		return 0;
	for (const struct abi *abi = abis; abi->arch; abi++)
		put_abi(&p, abi);
	put_return(&p, SECCOMP_RET_ERRNO | ENOSYS);
	return p.len <= cap ? p.len : 0;
}

int closed_enter(void)
{
	struct sock_filter filter[FILTER_MAX];
	struct sock_fprog prog = { .filter = filter };
	size_t len = closed_filter(filter, FILTER_MAX);

	if (len == 0)
		return -EOPNOTSUPP;
	prog.len = (unsigned short)len;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		return -errno;
	return 0;
}
