/* system(), popen() and wordexp(), which start the shell from within libc. */
#include "alone.h"
#include "offspring.h"
#include "under.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>

static const char *mode;

static void command(char *buf, size_t cap, const char *verb)
{
	snprintf(buf, cap, "'%s' offspring %s", under_self(), verb);
}

static bool by_system(const char *verb)
{
	char line[4200];

	command(line, sizeof(line), verb);
	return system(line) == 0;
}

static bool by_popen(const char *verb)
{
	char line[4200];
	FILE *f;

	command(line, sizeof(line), verb);
	f = popen(line, "re");
	return f && pclose(f) == 0;
}

/* Of a command the output is all that it tells. */
static bool by_wordexp(const char *verb)
{
	char line[4200], text[4300];
	wordexp_t words;
	bool good;

	command(line, sizeof(line), verb);
	snprintf(text, sizeof(text), "$(%s && echo good)", line);
	if (wordexp(text, &words, 0) != 0)
		return false;
	good = words.we_wordc == 1 && strcmp(words.we_wordv[0], "good") == 0;
	wordfree(&words);
	return good;
}

static const struct {
	const char *name;
	bool (*run)(const char *verb);
} calls[] = { { "system", by_system }, { "popen", by_popen }, { "wordexp", by_wordexp } };

#define CALLS (int)(sizeof(calls) / sizeof(calls[0]))

static bool does(const void *arg)
{
	const int *call = arg;

	return calls[*call].run("connect") && calls[*call].run("alike");
}

START_TEST(the_library_goes_along_whatever_is_done_to_the_environment)
{
	for (int wipe = 0; wipe < WIPES; wipe++)
		ck_assert_msg(offspring_in_fork((enum offspring_wipe)wipe, does, &_i),
		              "%s, wipe %d", calls[_i].name, wipe);
}
END_TEST

START_TEST(a_whole_environment_is_left_alone)
{
	char **before = environ;

	ck_assert(calls[_i].run("alike"));
	ck_assert_ptr_eq(environ, before);
}
END_TEST

START_TEST(statuses_are_those_of_the_command)
{
	FILE *f;

	ck_assert_int_ne(system(NULL), 0);
	ck_assert_int_eq(system("exit 5"), 5 << 8);
	ck_assert_int_eq(system("no-such-program 2>/dev/null"), 127 << 8);
	f = popen("cat > /dev/null; exit 6", "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(pclose(f), 6 << 8);
	errno = 0;
	ck_assert_ptr_null(popen("true", "nonsense"));
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

/* In kB. */
static long memory(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	long size = -1;

	while (f && size < 0 && fgets(line, sizeof(line), f))
		sscanf(line, "VmSize: %ld", &size);
	if (f)
		fclose(f);
	return size;
}

static bool clears_again_and_again(const void *arg)
{
	long before = 0;
	FILE *f;

	(void)arg;
	for (int i = 0; i < 10000; i++) {
		char name[32];

		clearenv();
#ifdef __SANITIZE_ADDRESS__
		setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0", 1);
#endif
		/* Most programs have a little of their own. */
		snprintf(name, sizeof(name), "%d", i % 100);
		setenv("NUMBER", name, 1);
		f = popen("", "re");
		if (!f || pclose(f) != 0 || !getenv("SOCKSIFY_PROXY"))
			return false;
		if (i == 1000)
			before = memory();
	}
	return memory() <= before + 512;
}

START_TEST(clearing_again_and_again_takes_no_more_memory)
{
	ck_assert(offspring_in_fork(WIPE_NOTHING, clears_again_and_again, NULL));
}
END_TEST

/* The vector that a program keeps by is not written to. */
START_TEST(what_was_given_out_stays_right)
{
	static char a[] = "A=1", b[] = "B=1";
	char *own[] = { a, offspring_bare()[0], NULL },
	     *others[] = { b, offspring_bare()[0], NULL };
	char **kept, **before = environ;

	environ = own;
	ck_assert_int_eq(system(""), 0);
	kept = environ;
	ck_assert_ptr_ne(kept, own);
	ck_assert_str_eq(getenv("A"), "1");
	environ = others;
	ck_assert_int_eq(system(""), 0);
	ck_assert_ptr_null(getenv("A"));
	environ = kept;
	ck_assert_str_eq(getenv("A"), "1");
	ck_assert_ptr_nonnull(getenv("SOCKSIFY_PROXY"));
	environ = own;
	ck_assert_int_eq(system(""), 0);
	ck_assert_ptr_eq(environ, kept);
	environ = before;
}
END_TEST

/* From here on the shell is a program that the library can't get into. */

START_TEST(a_static_shell_is_dealt_with)
{
	char buf[32] = "";
	FILE *f;

	if (strcmp(mode, "refuse") == 0) {
		ck_assert_int_eq(system("exit 5"), 127 << 8);
		errno = 0;
		ck_assert_ptr_null(popen("exit 5", "r"));
		ck_assert_int_eq(errno, EACCES);
		return;
	}
	ck_assert_int_eq(system("net"), strcmp(mode, "allow") == 0 ? 0 : 3 << 8);
	ck_assert_int_eq(system("exit 5"), 5 << 8);
	f = popen("say 'it'\\''s so'", "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(buf, sizeof(buf), f));
	ck_assert_str_eq(buf, "it's so");
	ck_assert_int_eq(pclose(f), 0);
}
END_TEST

START_TEST(a_static_shell_expands_no_words)
{
	bool allowed = strcmp(mode, "allow") == 0;
	wordexp_t words;

	ck_assert_int_eq(wordexp("$(say x)", &words, 0), allowed ? 0 : WRDE_CMDSUB);
	if (allowed)
		wordfree(&words);
	ck_assert_int_eq(wordexp("a $((1+2))", &words, 0), 0);
	ck_assert_str_eq(words.we_wordv[1], "3");
	wordfree(&words);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("preload shell");
	TCase *tc = tcase_create("shell");

	tcase_set_timeout(tc, 240);
	if (mode) {
		tcase_add_test(tc, a_static_shell_is_dealt_with);
		tcase_add_test(tc, a_static_shell_expands_no_words);
	} else {
		tcase_add_loop_test(tc, the_library_goes_along_whatever_is_done_to_the_environment,
		                    0, CALLS);
		tcase_add_loop_test(tc, a_whole_environment_is_left_alone, 0, CALLS);
		tcase_add_test(tc, statuses_are_those_of_the_command);
		tcase_add_test(tc, what_was_given_out_stays_right);
		tcase_add_test(tc, clearing_again_and_again_takes_no_more_memory);
	}
	suite_add_tcase(suite, tc);
	return suite;
}

int main(int argc, char **argv)
{
	offspring_main(argc, argv);
	if (argc == 2 && !under_is_second_run()) {
		if (!getenv("STATIC_SHELL") || !alone_unshare(CLONE_NEWNS, true) ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount(getenv("STATIC_SHELL"), "/bin/sh", NULL, MS_BIND, NULL) < 0)
			return 77;
		setenv("SOCKSIFY_EXEC", argv[1], 1);
	}
	if (argc == 2)
		mode = argv[1];
	return under_main(argc, argv, UNDER_IPV4, make);
}
