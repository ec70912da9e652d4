/*
 * What tests of a table's file share: a table opened, and processes that do something to
 * themselves.
 */
#ifndef TABLES_H
#define TABLES_H

#include "folder.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <names/direct.h>
#include <names/peers.h>
#include <names/pool.h>
#include <names/table.h>
#include <stddef.h>
#include <sys/prctl.h>

#define DIRECT_SIZE (63 * 4096)

/* Head's page and slots, buckets, peers, direct addresses, records, end. */
#define FILE_SIZE \
	(4096 + POOL_SLOTS * 4 + 16384 * 4 + PEERS_KNOWN * 48 + DIRECT_SIZE + (16 << 20) + 4096)

#define NOBODY 65534

/*
 * Sanitizers need more address space than RLIMIT_AS would leave them, and system calls of their
 * own.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static inline bool skip(const char *fact, const char *reason)
{
	printf("skipped: %s: %s\n", fact, reason);
	return true;
}

static inline int why_private(const char *path)
{
	int why = 99, before = open_descriptors();
	struct table *t = table_open(path, &why);
	uint32_t slot;

	ck_assert_ptr_nonnull(t);
	ck_assert_int_eq(open_descriptors(), before);
	/* Private or not, it works. */
	ck_assert_int_eq(table_put(t, "name", 4, &slot), 0);
	ck_assert_str_eq(table_name(t, slot, NULL), "name");
	table_close(t);
	return why;
}

static inline void make_table(void)
{
	ck_assert_int_eq(why_private(table_path), 0);
}

/* Run @body in a child, with what it does to itself. */
static inline int in_child(int (*body)(void))
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(body());
	return child_wait(pid);
}

static inline int open_quietly(void)
{
	int why = 99;
	struct table *t = table_open(table_path, &why);
	uint32_t slot;

	return t && table_put(t, "name", 4, &slot) == 0 ? -why : 99;
}

/*
 * Let one system call fail with @err where the argument @arg has all bits of @mask, or equals it.
 */
static inline void deny(int nr, int arg, uint32_t mask, bool equal, int err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		         (uint32_t)(offsetof(struct seccomp_data, args) + 8 * (size_t)arg)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, equal ? UINT32_MAX : mask),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mask, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog prog = { ROWS(code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		_exit(98);
}

/* The address number @i of 192.0.2.0's neighbours. */
static inline struct endpoint address_of(uint32_t i)
{
	const uint8_t ip[4] = { (uint8_t)(10 + (i >> 24)), (uint8_t)(i >> 16), (uint8_t)(i >> 8),
		                (uint8_t)i };
	struct endpoint ep;

	endpoint_set_ipv4(&ep, ip, 443);
	return ep;
}

static inline int put_many(struct table *t, int from, int to)
{
	char name[40];
	uint32_t slot;
	int err = 0;

	for (int i = from; i < to && err == 0; i++)
		err = table_put(t, name, (size_t)sprintf(name, "host%d.example.org", i), &slot);
	for (int i = from; i < to && err == 0; i++) {
		slot = table_find(t, name, (size_t)sprintf(name, "host%d.example.org", i));
		if (!table_name(t, slot, NULL) || strcmp(table_name(t, slot, NULL), name) != 0)
			err = -EIO;
	}
	return err;
}

#endif
