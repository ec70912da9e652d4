/* Rings of io_uring, by their system call and by liburing (plugin/uring.c). "allow" or "deny". */
#include "under.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KERNEL_SAYS "URING_KERNEL_SAYS"

static bool allowed;

static int times_told(void)
{
	FILE *f = fopen(getenv("SOCKSIFY_LOG_FILE"), "re");
	char line[512];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, "io_uring") != NULL;
	if (f)
		fclose(f);
	return n;
}

#ifdef SYS_io_uring_setup
/* Without a place for the answer. */
static int ask_kernel(void)
{
	errno = 0;
	ck_assert_int_eq(syscall(SYS_io_uring_setup, 1, NULL), -1);
	return errno;
}

START_TEST(the_system_call_is_the_kernels_or_is_not_there)
{
	ck_assert_int_eq(ask_kernel(), allowed ? atoi(getenv(KERNEL_SAYS)) : ENOSYS);
	ask_kernel();
	ck_assert_int_eq(times_told(), allowed);
}
END_TEST
#endif

/* As a program or a plugin that is linked with liburing is bound. */
static int call(const char *name, int a, int b)
{
	uintptr_t at = (uintptr_t)dlsym(RTLD_DEFAULT, name);

	ck_assert_uint_ne(at, 0);
	if (strcmp(name, "io_uring_queue_init") == 0)
		return ((int (*)(unsigned, void *, unsigned))at)(a, NULL, b);
	if (strcmp(name, "io_uring_queue_init_params") == 0)
		return ((int (*)(unsigned, void *, void *))at)(a, NULL, NULL);
	if (strcmp(name, "io_uring_queue_init_mem") == 0)
		return ((int (*)(unsigned, void *, void *, void *, size_t))at)(a, NULL, NULL, NULL,
		                                                               (size_t)b);
	return ((int (*)(unsigned, void *))at)(a, NULL);
}

static const struct {
	const char *name;
	int base, with_b;
} entries[] = {
	{ "io_uring_queue_init", 1000, 1 },
	{ "io_uring_queue_init_params", 2000, 0 },
	{ "io_uring_queue_init_mem", 3000, 1 },
	{ "io_uring_setup", 4000, 0 },
};

#define N_ENTRIES 4

START_TEST(without_liburing_there_are_no_rings)
{
	ck_assert_int_eq(call(entries[_i].name, 7, 20), -ENOSYS);
}
END_TEST

/* In everybody's scope, or in its user's alone. */
START_TEST(liburing_is_found_wherever_it_is)
{
	void *lib = dlopen("liburing.so.2", _i < N_ENTRIES ? RTLD_NOW : RTLD_NOW | RTLD_GLOBAL);
	int e = _i % N_ENTRIES, want = entries[e].base + 7 + 20 * entries[e].with_b;

	ck_assert_msg(lib != NULL, "%s", dlerror());
	ck_assert_int_eq(call(entries[e].name, 7, 20), allowed ? want : -ENOSYS);
	ck_assert_int_eq(times_told(), allowed);
	dlclose(lib);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("uring");
	TCase *tc = tcase_create("uring");

	tcase_add_loop_test(tc, without_liburing_there_are_no_rings, 0, N_ENTRIES);
	tcase_add_loop_test(tc, liburing_is_found_wherever_it_is, 0, 2 * N_ENTRIES);
#ifdef SYS_io_uring_setup
	tcase_add_test(tc, the_system_call_is_the_kernels_or_is_not_there);
#endif
	suite_add_tcase(s, tc);
	return s;
}

int main(int argc, char **argv)
{
	static char log[] = "/tmp/socksify-uring.XXXXXX";
	char text[16];
	int r;

	allowed = argc > 1 && strcmp(argv[1], "allow") == 0;
	if (under_is_second_run()) {
		r = under_main(argc, argv, UNDER_IPV4, make);
		unlink(getenv("SOCKSIFY_LOG_FILE"));
		return r;
	}
#ifdef SYS_io_uring_setup
	if (syscall(SYS_io_uring_setup, 1, NULL) < 0) {
		snprintf(text, sizeof(text), "%d", errno);
		setenv(KERNEL_SAYS, text, 1);
	}
#endif
	if (close(mkstemp(log)) < 0)
		return 99;
	setenv("SOCKSIFY_LOG", "warn", 1);
	setenv("SOCKSIFY_LOG_FILE", log, 1);
	setenv("SOCKSIFY_IO_URING", allowed ? "allow" : "deny", 1);
	return under_main(argc, argv, UNDER_IPV4, make);
}
