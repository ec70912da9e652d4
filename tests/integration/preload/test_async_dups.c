/*
 * Descriptors of a socket whose connect() is under way: duplicated, closed, their numbers used
 * again. And those that the library keeps meanwhile, which a program never meets.
 */
#include "async.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))

static int by_dup(int fd)
{
	return dup(fd);
}

static int by_dup2(int fd)
{
	return dup2(fd, 200);
}

static int by_dup3(int fd)
{
	return dup3(fd, 201, O_CLOEXEC);
}

static int by_dupfd(int fd)
{
	return fcntl(fd, F_DUPFD, 202);
}

static int by_dupfd_cloexec(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 203);
}

/* Over a file that is open. */
static int by_dup2_over(int fd)
{
	return dup2(fd, open("/dev/null", O_RDONLY));
}

static int by_raw_dup(int fd)
{
	return (int)syscall(SYS_dup, fd);
}

static const struct {
	int (*dup)(int fd);
	int flags;
} dups[] = {
	{ by_dup, 0 },           { by_dup2, 0 },
	{ by_dup3, FD_CLOEXEC }, { by_dupfd_cloexec, FD_CLOEXEC },
	{ by_dupfd, 0 },         { by_dup2_over, 0 },
	{ by_raw_dup, 0 },
};

START_TEST(a_duplicate_is_the_connection)
{
	int (*make)(int) = dups[_i / 4].dup;
	bool before = _i & 1, close_first = _i & 2;
	struct async a;
	int twin = -1;

	async_init(&a, "ok", AF_INET);
	if (before)
		twin = make(a.fd);
	async_connect(&a);
	under_await_requests(a.name, 1);
	if (!before)
		twin = make(a.fd);
	ck_assert_int_ge(twin, 0);
	if (close_first) {
		async_fini(&a);
		a.fd = twin;
	}
	async_check_pending(&a);
	async_release(&a);
	ck_assert_int_eq(async_bits(twin, POLLIN | POLLOUT, -1), POLLOUT);
	ck_assert_int_eq(fcntl(twin, F_GETFD), dups[_i / 4].flags);
	ck_assert_int_ne(fcntl(twin, F_GETFL) & O_NONBLOCK, 0);
	async_check_connected(&a, twin);
	if (!close_first) {
		ck_assert_int_eq(fcntl(a.fd, F_GETFD), FD_CLOEXEC);
		async_check_connected(&a, a.fd);
		/* One file still: its flags are shared. */
		fcntl(a.fd, F_SETFL, 0);
		ck_assert_int_eq(fcntl(twin, F_GETFL) & O_NONBLOCK, 0);
		close(twin);
		async_echo(a.fd);
		twin = a.fd;
	}
	close(twin);
	under_await_ended(a.name, 1);
}
END_TEST

/* One that the library did not see made is the connection, or has failed. */
START_TEST(a_duplicate_past_libc_has_an_end)
{
	struct async a;
	short bits;
	int twin;

	async_begin(&a, "ok");
	twin = by_raw_dup(a.fd);
	async_release(&a);
	ck_assert_int_eq(async_bits(a.fd, POLLOUT, -1), POLLOUT);
	bits = async_bits(twin, POLLOUT, -1);
	ck_assert_msg(bits == POLLOUT || (bits & POLLHUP), "bits 0x%x", (unsigned)bits);
	close(twin);
	async_check_connected(&a, a.fd);
	async_fini(&a);
}
END_TEST

START_TEST(a_failure_is_the_duplicates_too)
{
	struct async a;
	int twin;

	async_begin(&a, "refused");
	twin = dup(a.fd);
	async_release(&a);
	ck_assert_int_eq(async_bits(twin, POLLOUT, -1), POLLOUT | POLLERR | POLLHUP);
	ck_assert_int_eq(async_error(twin), ECONNREFUSED);
	ck_assert_int_eq(async_error(a.fd), 0);
	close(twin);
	async_fini(&a);
}
END_TEST

static void by_close(int fd)
{
	ck_assert_int_eq(close(fd), 0);
}

static void by_dup_over(int fd)
{
	int null = open("/dev/null", O_RDONLY);

	ck_assert_int_eq(dup2(null, fd), fd);
	close(null);
	close(fd);
}

static void by_close_range(int fd)
{
	ck_assert_int_eq((int)syscall(SYS_close_range, fd, fd, 0), 0);
}

static void by_raw_close(int fd)
{
	ck_assert_int_eq((int)syscall(SYS_close, fd), 0);
}

/* libc closes it within itself, where no library looks. */
static void by_fclose(int fd)
{
	ck_assert_int_eq(fclose(fdopen(fd, "r+")), 0);
}

static const struct {
	void (*close)(int fd);
	bool seen; /* by the library, at once */
} closes[] = {
	{ by_close, true },      { by_dup_over, true }, { by_close_range, false },
	{ by_raw_close, false }, { by_fclose, false },
};

START_TEST(a_number_used_again_is_a_new_socket)
{
	struct async a, b;

	async_begin(&a, _i % 2 ? "refused" : "ok");
	closes[_i / 2].close(a.fd);
	if (closes[_i / 2].seen)
		under_await_ended(a.name, 1);
	async_init(&b, "ok", AF_INET);
	ck_assert_int_eq(b.fd, a.fd);
	if (!closes[_i / 2].seen) {
		async_release(&a);
		under_await_ended(a.name, 1);
	}
	/* As fresh as any. */
	ck_assert_int_eq(async_bits(b.fd, POLLIN | POLLOUT, 0), POLLOUT | POLLHUP);
	ck_assert_int_eq(async_error(b.fd), 0);
	async_connect(&b);
	under_await_requests(b.name, 1);
	async_check_pending(&b);
	async_release(&a);
	async_check_pending(&b);
	async_release(&b);
	ck_assert_int_eq(async_bits(b.fd, POLLIN | POLLOUT, -1), POLLOUT);
	async_check_connected(&b, b.fd);
	async_fini(&b);
}
END_TEST

START_TEST(the_last_descriptor_ends_it)
{
	struct async a;
	int twin, third;

	async_begin(&a, "ok");
	twin = dup(a.fd);
	third = dup(twin);
	async_fini(&a);
	close(third);
	a.fd = twin;
	async_check_pending(&a);
	ck_assert_int_eq(async_again(&a), EALREADY);
	close(twin);
	under_await_ended(a.name, 1);
}
END_TEST

/* What was told of a socket once is undone by shutdown() and AF_UNSPEC, as ever. */
START_TEST(it_can_be_called_off)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct async a, b;
	int err;

	async_begin(&a, "ok");
	if (_i < 3) {
		ck_assert_int_eq(shutdown(a.fd, _i), 0);
		async_release(&a); /* not seen by the library before */
	} else {
		ck_assert_int_eq(connect(a.fd, &none, sizeof(none)), 0);
	}
	under_await_ended(a.name, 1);
	err = async_error(a.fd);
	ck_assert_msg(err == 0 || err == ECONNRESET, "errno %d", err);
	ck_assert_int_eq(async_bits(a.fd, POLLOUT, 0), POLLOUT | POLLHUP);
	async_init(&b, "ok", AF_INET);
	close(b.fd);
	b.fd = a.fd;
	async_connect(&b);
	under_await_requests(b.name, 1);
	async_check_pending(&b);
	async_release(&b);
	async_bits(b.fd, POLLOUT, -1);
	async_check_connected(&b, b.fd);
	async_fini(&b);
}
END_TEST

/* Those that are open, but for the @n of @own and those from before. */
static int hidden(int *out, int max, const int *before, int n_before, int own)
{
	int fds[512], n = async_descriptors(fds, N(fds)), found = 0;

	for (int i = 0; i < n; i++) {
		bool known = fds[i] == own;

		for (int k = 0; k < n_before; k++)
			known = known || fds[i] == before[k];
		if (!known && found < max)
			out[found++] = fds[i];
	}
	return found;
}

START_TEST(what_a_program_opens_has_the_number_that_it_would_have)
{
	struct async a;
	int next = dup(0), fd;

	close(next);
	async_begin(&a, "ok");
	ck_assert_int_eq(a.fd, next);
	fd = open("/dev/null", O_RDONLY);
	ck_assert_int_eq(fd, next + 1);
	async_release(&a);
	async_bits(a.fd, POLLOUT, -1);
	ck_assert_int_eq(dup(fd), next + 2);
	close(next + 2);
	close(fd);
	async_check_connected(&a, a.fd);
	async_fini(&a);
}
END_TEST

/* In a child of its own: whatever was open before may be the library's. */
static int use_their_numbers(void *at)
{
	int before[512], n = async_descriptors(before, N(before)), theirs[64], found;
	int null = open("/dev/null", O_RDONLY);
	struct stat st, want;
	struct async a;
	const int *how = at;

	before[n++] = null;
	async_begin(&a, "ok");
	found = hidden(theirs, N(theirs), before, n, a.fd);
	if (!under_is_direct())
		ck_assert_int_ge(found, 1);
	fstat(null, &want);
	for (int i = 0; i < found; i++) {
		if (*how == 0)
			ck_assert_int_eq(dup2(null, theirs[i]), theirs[i]);
		else if (*how == 1)
			ck_assert_int_eq(dup3(null, theirs[i], O_CLOEXEC), theirs[i]);
		else if (close(theirs[i]) < 0)
			ck_assert_int_eq(errno, EBADF);
	}
	async_check_pending(&a);
	async_release(&a);
	ck_assert_int_eq(async_bits(a.fd, POLLIN | POLLOUT, -1), POLLOUT);
	async_check_connected(&a, a.fd);
	for (int i = 0; i < found && *how < 2; i++) {
		ck_assert_int_eq(fstat(theirs[i], &st), 0);
		ck_assert_uint_eq(st.st_ino, want.st_ino);
		ck_assert_int_eq(close(theirs[i]), 0);
	}
	async_fini(&a);
	/* Nothing that the next one needs was lost. */
	async_begin(&a, "ok");
	async_release(&a);
	async_bits(a.fd, POLLOUT, -1);
	async_check_connected(&a, a.fd);
	return 0;
}

START_TEST(no_number_is_taken_from_a_program)
{
	int how = _i;

	async_in_child(use_their_numbers, &how);
}
END_TEST

/* Close all from @first on but for @keep. */
static void close_one_by_one(int first, int keep)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	for (int fd = first; fd < (int)limit.rlim_cur && fd < 65536; fd++)
		if (fd != keep)
			close(fd);
}

static void close_listed(int first, int keep)
{
	int fds[512], n = async_descriptors(fds, N(fds));

	for (int i = 0; i < n; i++)
		if (fds[i] >= first && fds[i] != keep)
			close(fds[i]);
}

#if __GLIBC_PREREQ(2, 34)
static void close_from(int first, int keep)
{
	if (keep > first)
		close_range((unsigned)first, (unsigned)keep - 1, 0);
	closefrom(keep < 0 ? first : keep + 1);
}

static void close_ranges(int first, int keep)
{
	if (keep > first)
		close_range((unsigned)first, (unsigned)keep - 1, 0);
	close_range(keep < 0 ? (unsigned)first : (unsigned)keep + 1, ~0U, 0);
}
#endif

static void (*const sweeps[])(int first, int keep) = {
	close_one_by_one,
	close_listed,
#if __GLIBC_PREREQ(2, 34)
	close_from,
	close_ranges,
#endif
};

/* On a number from @first on. */
static void begin_high(struct async *a, int first)
{
	int fd;

	async_init(a, "ok", AF_INET);
	fd = fcntl(a->fd, F_DUPFD_CLOEXEC, first);
	async_fini(a);
	a->fd = fd;
	async_connect(a);
	under_await_requests(a->name, 1);
}

/* What was open before stays: check's own file is among it. */
static int sweep(void *at)
{
	int i = *(const int *)at, fds[512], n = async_descriptors(fds, N(fds)), first = 3;
	bool keep = i % 2;
	struct async a, other, next;

	for (int k = 0; k < n; k++)
		first = fds[k] >= first ? fds[k] + 1 : first;
	begin_high(&other, first);
	begin_high(&a, first);
	sweeps[i / 2](first, keep ? a.fd : -1);
	under_await_ended(other.name, 1);
	if (keep) {
		async_check_pending(&a);
		async_release(&a);
		ck_assert_int_eq(async_bits(a.fd, POLLIN | POLLOUT, -1), POLLOUT);
		async_check_connected(&a, a.fd);
		async_fini(&a);
	}
	under_await_ended(a.name, 1);
	async_begin(&next, "ok");
	async_release(&next);
	async_bits(next.fd, POLLOUT, -1);
	async_check_connected(&next, next.fd);
	return 0;
}

START_TEST(a_program_that_closes_all_but_one_keeps_that_one)
{
	int i = _i;

	async_in_child(sweep, &i);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("async dups");
	TCase *tc = async_case(s, "async dups");

	tcase_add_loop_test(tc, a_duplicate_is_the_connection, 0, N(dups) * 4);
	tcase_add_test(tc, a_duplicate_past_libc_has_an_end);
	tcase_add_test(tc, a_failure_is_the_duplicates_too);
	tcase_add_loop_test(tc, a_number_used_again_is_a_new_socket, 0, N(closes) * 2);
	tcase_add_test(tc, the_last_descriptor_ends_it);
	tcase_add_loop_test(tc, it_can_be_called_off, 0, 4);
	tcase_add_test(tc, what_a_program_opens_has_the_number_that_it_would_have);
	tcase_add_loop_test(tc, no_number_is_taken_from_a_program, 0, 3);
	tcase_add_loop_test(tc, a_program_that_closes_all_but_one_keeps_that_one, 0, N(sweeps) * 2);
	return s;
}

int main(int argc, char **argv)
{
	setenv("SOCKSIFY_TIMEOUT", "60", 0);
	return under_main(argc, argv, UNDER_IPV4, make);
}
