/* syscall(): what has a hook is judged as the hook does, all else goes on whole. */
#include "under.h"

#include <errno.h>
#include <linux/futex.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

START_TEST(a_number_that_nobody_knows_is_the_kernels)
{
	static const long numbers[] = { 0x7ffe, 0xffff, -1 };

	errno = 0;
	ck_assert_int_eq(syscall(numbers[_i], 1, 2, 3, 4, 5, 6), -1);
	ck_assert_int_eq(errno, ENOSYS);
}
END_TEST

START_TEST(errno_is_untouched_on_success)
{
	errno = 7654;
	ck_assert_int_eq(syscall(SYS_getpid), getpid());
	ck_assert_int_eq(errno, 7654);
}
END_TEST

/* Each of mmap()'s six counts. */
START_TEST(six_arguments_arrive)
{
#ifdef SYS_mmap2
	long number = SYS_mmap2, offset = 1;
#else
	long number = SYS_mmap, offset = sysconf(_SC_PAGESIZE);
#endif
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int fd = (int)syscall(SYS_memfd_create, "six", MFD_CLOEXEC);
	char *room = mmap(NULL, 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *at;

	ck_assert_int_ge(fd, 0);
	ck_assert(room != MAP_FAILED);
	ck_assert_int_eq(ftruncate(fd, (off_t)(3 * page)), 0);
	ck_assert_int_eq(pwrite(fd, "second", 6, (off_t)page), 6);
	at = (char *)syscall(number, room + page, page, PROT_READ, MAP_SHARED | MAP_FIXED, fd,
	                     offset);
	ck_assert_ptr_eq(at, room + page);
	ck_assert_mem_eq(at, "second", 6);
	munmap(room, 2 * page);
	close(fd);
}
END_TEST

#ifdef SYS_futex
/* The sixth alone makes the difference. */
START_TEST(the_sixth_argument_is_told_apart)
{
	static const struct {
		unsigned bits;
		int err;
	} rows[] = { { 1, EAGAIN }, { 0, EINVAL } };
	uint32_t word = 0;

	errno = 0;
	ck_assert_int_eq(syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 1, NULL, NULL, rows[_i].bits),
	                 -1);
	ck_assert_int_eq(errno, rows[_i].err);
}
END_TEST
#endif

#ifdef SYS_socket
/* TCP_FASTOPEN_CONNECT, which the library takes and drops. */
START_TEST(options_are_the_hooks)
{
	int fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), value = 1;
	socklen_t len = sizeof(value);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(
		syscall(SYS_setsockopt, fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &value, len), 0);
	ck_assert_int_eq(
		syscall(SYS_getsockopt, fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &value, &len), 0);
	ck_assert_int_eq(value, 0);
	value = 1;
	ck_assert_int_eq(syscall(SYS_setsockopt, fd, IPPROTO_TCP, TCP_NODELAY, &value, len), 0);
	value = 0;
	ck_assert_int_eq(syscall(SYS_getsockopt, fd, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
	ck_assert_int_ne(value, 0);
	close(fd);
}
END_TEST

START_TEST(a_connection_made_by_numbers_alone_goes_to_the_proxy)
{
	socklen_t len;
	struct sockaddr_storage ss = under_look_up("ok.test", AF_INET, 80, &len);
	int fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), n;

	n = under_requests("ok.test");
	ck_assert_int_eq(syscall(SYS_connect, fd, &ss, len), 0);
	ck_assert_int_eq(under_requests("ok.test"), n + 1);
	under_echo(fd);
	ck_assert_int_eq(syscall(SYS_close, fd), 0);
}
END_TEST
#endif

static Suite *make(void)
{
	Suite *s = suite_create("syscall");
	TCase *tc = tcase_create("syscall");

	tcase_add_loop_test(tc, a_number_that_nobody_knows_is_the_kernels, 0, 3);
	tcase_add_test(tc, errno_is_untouched_on_success);
	tcase_add_test(tc, six_arguments_arrive);
#ifdef SYS_futex
	tcase_add_loop_test(tc, the_sixth_argument_is_told_apart, 0, 2);
#endif
#ifdef SYS_socket
	tcase_add_test(tc, options_are_the_hooks);
	tcase_add_test(tc, a_connection_made_by_numbers_alone_goes_to_the_proxy);
#endif
	suite_add_tcase(s, tc);
	return s;
}

int main(int argc, char **argv)
{
	return under_main(argc, argv, UNDER_IPV4, make);
}
