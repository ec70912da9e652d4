#include <base/symbols.h>
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <gnu/lib-names.h>
#include <stdlib.h>

/* What dlsym() says of libc's own object. */
static void *libcs(const char *name)
{
	void *handle = dlopen(LIBC_SO, RTLD_LAZY | RTLD_NOLOAD), *at;

	ck_assert_ptr_nonnull(handle);
	at = dlsym(handle, name);
	dlclose(handle);
	return at;
}

static const char *const names[] = { "connect",  "qsort",          "getaddrinfo",
	                             "dlopen",   "fcntl64",        "posix_spawn",
	                             "realpath", "pthread_create", "__libc_start_main" };

/* Some have several versions, of which the default one is meant. */
START_TEST(as_dlsym)
{
	ck_assert_ptr_eq(symbols_find(symbols_libc(), names[_i]), libcs(names[_i]));
}
END_TEST

START_TEST(what_is_not_there)
{
	/* The second is not a function, the last is what the program itself has. */
	static const char *const none[] = { "", "environ", "connect_", "conn", "symbols_find" };

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		errno = ENXIO;
		ck_assert_ptr_null(symbols_find(symbols_libc(), none[i]));
		ck_assert_int_eq(errno, ENXIO);
	}
}
END_TEST

/* The kernel's own among them, whose table nobody relocates. */
START_TEST(every_object_is_read)
{
	int n = 0;

	for (const struct link_map *map = _r_debug.r_map; map; map = map->l_next, n++)
		ck_assert_ptr_null(symbols_find(map, "no such function"));
	ck_assert_int_gt(n, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base/symbols");
	TCase *tcase = tcase_create("symbols");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, as_dlsym, 0, (int)(sizeof(names) / sizeof(names[0])));
	tcase_add_test(tcase, what_is_not_there);
	tcase_add_test(tcase, every_object_is_read);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
