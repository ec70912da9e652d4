/*
 * dlopen(): RTLD_DEEPBIND takes nobody past the library, and the caller's own RUNPATH is looked at,
 * whatever the optimizer makes of the hook.
 */
#include "under.h"

#include <check.h>
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uintptr_t connect_of_plugin(int flags)
{
	void *lib = dlopen("libplugin.so", flags);
	uintptr_t (*ask)(void), found;

	ck_assert_msg(lib != NULL, "%s", dlerror());
	*(void **)&ask = dlsym(lib, "plugin_connect");
	ck_assert(ask != NULL);
	found = ask();
	ck_assert_int_eq(dlclose(lib), 0);
	return found;
}

START_TEST(deepbind_does_not_go_past_the_library)
{
	void *at = dlsym(RTLD_DEFAULT, "connect");
	const uintptr_t ours = (uintptr_t)at;
	Dl_info where;

	ck_assert_int_ne(dladdr(at, &where), 0);
	ck_assert_ptr_nonnull(strstr(where.dli_fname, "libsocksify"));
	ck_assert_uint_eq(connect_of_plugin(RTLD_NOW), ours);
	ck_assert_uint_eq(connect_of_plugin(RTLD_NOW | RTLD_DEEPBIND), ours);
	ck_assert_uint_eq(connect_of_plugin(RTLD_LAZY | RTLD_GLOBAL | RTLD_DEEPBIND), ours);
}
END_TEST

START_TEST(errors_are_the_loaders_own)
{
	ck_assert_ptr_null(dlopen("libnowhere.so", RTLD_NOW | RTLD_DEEPBIND));
	ck_assert_ptr_nonnull(strstr(dlerror(), "libnowhere.so"));
	ck_assert_ptr_nonnull(dlopen(NULL, RTLD_NOW));
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("preload/dlopen");
	TCase *tcase = tcase_create("dlopen");

	tcase_add_test(tcase, deepbind_does_not_go_past_the_library);
	tcase_add_test(tcase, errors_are_the_loaders_own);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(int argc, char **argv)
{
	/* The build's own runs would have the plugin found anyway. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	/* The sanitizer's dlopen() is the caller that libc sees, and has no RUNPATH. */
	unsetenv("LD_LIBRARY_PATH");
#endif
	return under_main(argc, argv, UNDER_IPV4, make);
}
