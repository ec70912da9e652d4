/*
 * dlsym() and dlvsym() of libc's own objects give the library's functions, as Python's ctypes and
 * its like ask for them; all other look-ups are what they are without the library.
 */
#include "plugin/version.h"
#include "under.h"

#include <arpa/inet.h>
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define INTERPOSED "interposed" /* argument of a run with another preload */

typedef int connect_function(int fd, const struct sockaddr *sa, socklen_t len);

/* The file name of the object that @at lies in. */
static const char *object_of(const void *at)
{
	static char name[256];
	Dl_info where;

	ck_assert_int_ne(dladdr(at, &where), 0);
	snprintf(name, sizeof(name), "%s", strrchr(where.dli_fname, '/') + 1);
	return name;
}

static bool is_ours(const void *at)
{
	return strncmp(object_of(at), "libsocksify", strlen("libsocksify")) == 0;
}

static void *libc(void)
{
	void *handle = dlopen("libc.so.6", RTLD_LAZY);

	ck_assert_ptr_nonnull(handle);
	return handle;
}

static int connect_by(connect_function *fn, const char *name)
{
	socklen_t len;
	struct sockaddr_storage to = under_look_up(name, AF_INET, 80, &len);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fn(fd, (const struct sockaddr *)&to, len) == 0)
		return fd;
	close(fd);
	return -1;
}

static const char *const names[] = { "connect",     "__connect",   "sendto",        "sendmsg",
	                             "getpeername", "getaddrinfo", "gethostbyname", "getnameinfo",
	                             "close",       "syscall",     "dlopen",        "dlmopen",
	                             "dlsym",       "dlvsym",      "getsockopt",    "fcntl" };

START_TEST(libcs_functions_are_the_librarys)
{
	void *at = dlsym(libc(), names[_i]);

	ck_assert_ptr_nonnull(at);
	ck_assert_msg(is_ours(at), "%s is of %s", names[_i], object_of(at));
	at = dlsym(dlopen(NULL, RTLD_LAZY), names[_i]);
	ck_assert_msg(is_ours(at), "%s is of %s", names[_i], object_of(at));
}
END_TEST

START_TEST(those_of_a_version_too)
{
	void *at = dlvsym(libc(), "connect", FIRST_VERSION);

	ck_assert_msg(at && is_ours(at), "%s", at ? object_of(at) : dlerror());
	/* The library has no versions: by one the loader would find libc's. */
	at = dlvsym(RTLD_DEFAULT, "connect", FIRST_VERSION);
	ck_assert_msg(at && is_ours(at), "%s", at ? object_of(at) : dlerror());
	at = dlvsym(RTLD_NEXT, "connect", FIRST_VERSION);
	ck_assert_msg(at && is_ours(at), "%s", at ? object_of(at) : dlerror());
	ck_assert_ptr_null(dlvsym(RTLD_DEFAULT, "connect", "GLIBC_1.0"));
	ck_assert_ptr_nonnull(strstr(dlerror(), "GLIBC_1.0"));
	ck_assert_ptr_null(dlvsym(libc(), "connect", "GLIBC_1.0"));
	ck_assert_ptr_nonnull(strstr(dlerror(), "GLIBC_1.0"));
	at = dlvsym(libc(), "lfind", FIRST_VERSION);
	ck_assert_str_eq(object_of(at), "libc.so.6");
}
END_TEST

/* As a program that is linked with a library of its own finds libc's by it. */
START_TEST(libcs_functions_behind_another_library)
{
	void *lib = dlopen("libplugin.so", RTLD_LAZY);

	ck_assert_ptr_nonnull(lib);
	ck_assert(is_ours(dlsym(lib, "connect")));
	ck_assert_int_eq(dlclose(lib), 0);
}
END_TEST

START_TEST(they_go_through_the_proxy)
{
	connect_function *fn;
	int fd;

	*(void **)&fn = dlsym(libc(), "connect");
	fd = connect_by(fn, "ok.dlsym");
	ck_assert_int_ge(fd, 0);
	under_echo(fd);
	close(fd);
	errno = 0;
	ck_assert_int_eq(connect_by(fn, "refused.dlsym"), -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
}
END_TEST

/* Names that a library has for itself, and what no hook stands for. */
START_TEST(other_functions_are_found_as_ever)
{
	void *own = dlopen("libown.so", RTLD_LAZY);
	int (*fn)(void);

	ck_assert_msg(own != NULL, "%s", dlerror());
	*(void **)&fn = dlsym(own, "connect");
	ck_assert_int_eq(fn(), 4711);
	*(void **)&fn = dlsym(own, "send");
	ck_assert_int_eq(fn(), 4712);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	/* What it does not have itself it has by libc, and before that by a sanitizer. */
	ck_assert(is_ours(dlsym(own, "getaddrinfo")));
#endif
	ck_assert_int_eq(dlclose(own), 0);
	ck_assert_str_eq(object_of(dlsym(libc(), "lfind")), "libc.so.6");
	ck_assert_str_eq(object_of(dlsym(RTLD_DEFAULT, "lfind")), "libc.so.6");
	ck_assert(is_ours(dlsym(RTLD_DEFAULT, "connect")));
	ck_assert(is_ours(dlsym(RTLD_NEXT, "connect")));
}
END_TEST

START_TEST(errors_are_the_loaders_own)
{
	static const char *const none[] = { "connect_", "", "conn",
		                            "__libc_no_such_function_at_all" };
	void *at;

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		ck_assert_ptr_null(dlsym(libc(), none[i]));
		ck_assert_ptr_nonnull(strstr(dlerror(), "undefined symbol"));
		ck_assert_ptr_null(dlsym(RTLD_NEXT, none[i]));
		ck_assert_ptr_nonnull(dlerror());
	}
	errno = ENXIO;
	at = dlsym(libc(), "connect");
	ck_assert_int_eq(errno, ENXIO);
	ck_assert_ptr_nonnull(at);
	ck_assert_ptr_null(dlerror());
}
END_TEST

static const char *counter; /* in the other preload, of its calls */

/* With another preload before or behind the library. */
START_TEST(connects_of_all_kinds_go_through_both)
{
	connect_function *fn;
	const int *calls;
	int fd = under_connect("ok.interposed");

	ck_assert_int_ge(fd, 0);
	under_echo(fd);
	close(fd);
	*(void **)&fn = dlsym(libc(), "connect");
	ck_assert(is_ours(*(void **)&fn));
	fd = connect_by(fn, "ok.interposed");
	ck_assert_int_ge(fd, 0);
	under_echo(fd);
	close(fd);
	calls = dlsym(RTLD_DEFAULT, counter);
	ck_assert_ptr_nonnull(calls);
	ck_assert_int_gt(*calls, 0);
	ck_assert_int_lt(*calls, 100);
}
END_TEST

static void run_interposed(const char *first, const char *second, const char *calls)
{
	char preload[8192];
	int status;
	pid_t pid;

	snprintf(preload, sizeof(preload), "%s:%s", first, second);
	pid = fork();
	if (pid == 0) {
		setenv("LD_PRELOAD", preload, 1);
		execl(under_self(), "preload-dlsym", INTERPOSED, calls, (char *)NULL);
		_exit(99);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(status == 0, "%s: status %#x", preload, (unsigned)status);
}

START_TEST(other_preloads_keep_their_place)
{
	const char *own = getenv("LIBSOCKSIFY"), *dir = getenv("PLUGINS");
	char behind[4096], wrapper[4096];

	snprintf(behind, sizeof(behind), "%s/libbehind.so", dir);
	snprintf(wrapper, sizeof(wrapper), "%s/libwrapper.so", dir);
	run_interposed(own, behind, "behind_calls");
	run_interposed(behind, own, "behind_calls");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	/* The sanitizer's RTLD_NEXT would be the wrapper's, and find the sanitizer itself. */
	run_interposed(own, wrapper, "wrapper_calls");
	run_interposed(wrapper, own, "wrapper_calls");
#endif
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("preload/dlsym");
	TCase *tcase = tcase_create("dlsym");

	tcase_add_loop_test(tcase, libcs_functions_are_the_librarys, 0,
	                    (int)(sizeof(names) / sizeof(names[0])));
	tcase_add_test(tcase, those_of_a_version_too);
	tcase_add_test(tcase, libcs_functions_behind_another_library);
	tcase_add_test(tcase, they_go_through_the_proxy);
	tcase_add_test(tcase, other_functions_are_found_as_ever);
	tcase_add_test(tcase, errors_are_the_loaders_own);
	tcase_add_test(tcase, other_preloads_keep_their_place);
	suite_add_tcase(suite, tcase);
	return suite;
}

static Suite *make_interposed(void)
{
	Suite *suite = suite_create("preload/dlsym with another preload");
	TCase *tcase = tcase_create("interposed");

	tcase_add_test(tcase, connects_of_all_kinds_go_through_both);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], INTERPOSED) == 0) {
		counter = argv[2];
		return under_main(argc, argv, UNDER_IPV4, make_interposed);
	}
	return under_main(argc, argv, UNDER_IPV4, make);
}
