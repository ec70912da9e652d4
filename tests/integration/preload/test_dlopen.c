/*
 * dlopen() and dlmopen(): neither RTLD_DEEPBIND nor a namespace takes anybody past the library,
 * and the caller's own RUNPATH is looked at, whatever the optimizer makes of the hook and of its
 * caller.
 */
#include "under.h"

#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLUGIN "libplugin.so"

/* Called with what dlopen() or dlmopen() gave. */
static uintptr_t connect_of(void *lib)
{
	uintptr_t (*ask)(void), found;

	ck_assert_msg(lib != NULL, "%s", dlerror());
	*(void **)&ask = dlsym(lib, "plugin_connect");
	ck_assert(ask != NULL);
	found = ask();
	ck_assert_int_eq(dlclose(lib), 0);
	return found;
}

static uintptr_t connect_of_ours(void)
{
	void *at = dlsym(RTLD_DEFAULT, "connect");
	Dl_info where;

	ck_assert_int_ne(dladdr(at, &where), 0);
	ck_assert_ptr_nonnull(strstr(where.dli_fname, "libsocksify"));
	return (uintptr_t)at;
}

START_TEST(deepbind_does_not_go_past_the_library)
{
	const uintptr_t ours = connect_of_ours();

	ck_assert_uint_eq(connect_of(dlopen(PLUGIN, RTLD_NOW)), ours);
	ck_assert_uint_eq(connect_of(dlopen(PLUGIN, RTLD_NOW | RTLD_DEEPBIND)), ours);
	ck_assert_uint_eq(connect_of(dlopen(PLUGIN, RTLD_LAZY | RTLD_GLOBAL | RTLD_DEEPBIND)),
	                  ours);
}
END_TEST

START_TEST(the_programs_own_namespace_is_as_dlopen)
{
	const uintptr_t ours = connect_of_ours();

	ck_assert_uint_eq(connect_of(dlmopen(LM_ID_BASE, PLUGIN, RTLD_NOW)), ours);
	ck_assert_uint_eq(connect_of(dlmopen(LM_ID_BASE, PLUGIN, RTLD_NOW | RTLD_DEEPBIND)), ours);
}
END_TEST

START_TEST(errors_are_the_loaders_own)
{
	ck_assert_ptr_null(dlopen("libnowhere.so", RTLD_NOW | RTLD_DEEPBIND));
	ck_assert_ptr_nonnull(strstr(dlerror(), "libnowhere.so"));
	ck_assert_ptr_null(dlmopen(LM_ID_BASE, "libnowhere.so", RTLD_NOW));
	ck_assert_ptr_nonnull(strstr(dlerror(), "libnowhere.so"));
	ck_assert_ptr_nonnull(dlopen(NULL, RTLD_NOW));
	ck_assert_ptr_nonnull(dlmopen(LM_ID_BASE, NULL, RTLD_NOW));
}
END_TEST

static int lines_of_log(void)
{
	FILE *f = fopen(getenv("SOCKSIFY_LOG_FILE"), "r");
	char line[1024];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, "dlmopen(\"" PLUGIN "\") refused") != NULL;
	if (f)
		fclose(f);
	return n;
}

START_TEST(other_namespaces_are_refused)
{
	const Lmid_t spaces[] = { LM_ID_NEWLM, 1, 15, -7 };
	const char *said;

	for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
		ck_assert_ptr_null(dlmopen(spaces[i], PLUGIN, RTLD_NOW));
		said = dlerror();
		ck_assert_ptr_nonnull(said);
		ck_assert_msg(strstr(said, PLUGIN " (libsocksify allows only LM_ID_BASE)") != NULL,
		              "%s", said);
		ck_assert_ptr_null(dlerror());
		ck_assert_int_eq(lines_of_log(), 1);
	}
	/* It was the plugin that was refused, and nothing is left of it. */
	ck_assert_ptr_null(dlopen(PLUGIN, RTLD_NOW | RTLD_NOLOAD));
	ck_assert_ptr_null(dlmopen(LM_ID_NEWLM, NULL, RTLD_NOW));
	ck_assert_ptr_nonnull(dlerror());
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("preload/dlopen");
	TCase *tcase = tcase_create("dlopen");

	tcase_add_test(tcase, deepbind_does_not_go_past_the_library);
	tcase_add_test(tcase, the_programs_own_namespace_is_as_dlopen);
	tcase_add_test(tcase, errors_are_the_loaders_own);
	tcase_add_test(tcase, other_namespaces_are_refused);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(int argc, char **argv)
{
	char log[] = "/tmp/socksify-dlopen.XXXXXX";
	int r;

	/* The build's own runs would have the plugin found anyway. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	/* The sanitizer's dlopen() is the caller that libc sees, and has no RUNPATH. */
	unsetenv("LD_LIBRARY_PATH");
#endif
	if (under_is_second_run()) {
		r = under_main(argc, argv, UNDER_IPV4, make);
		unlink(getenv("SOCKSIFY_LOG_FILE"));
		return r;
	}
	close(mkstemp(log));
	setenv("SOCKSIFY_LOG", "warn", 1);
	setenv("SOCKSIFY_LOG_FILE", log, 1);
	return under_main(argc, argv, UNDER_IPV4, make);
}
