/* Programs that this one starts: each function of the exec family, with each environment. */
#include "exec.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define OTHER "libm.so.6" /* a library that does nothing when it is loaded */

/* "OURS" in these stands for the library's path. NULL: there is no LD_PRELOAD. */
static const struct environment {
	bool is_null, is_empty;
	const char *preload, *want;
} environments[] = {
	{ true, true, NULL, "OURS" },
	{ false, true, NULL, "OURS" },
	{ false, false, NULL, "OURS" },
	{ false, false, "", "OURS" },
	{ false, false, "OURS", "OURS" },
	{ false, false, OTHER, OTHER ":OURS" },
	{ false, false, OTHER ":OURS", OTHER ":OURS" },
	{ false, false, "OURS " OTHER, "OURS " OTHER },
	{ false, false, "OURS:OURS", "OURS" },
	{ false, false, "OURS:" OTHER ":OURS", "OURS:" OTHER },
	/* Of another place, that is not there; by a name that no loader finds. */
	{ false, false, OTHER ":/no/such/libsocksify.so", OTHER ":OURS" },
	{ false, false, "libsocksify.so:" OTHER, "OURS:" OTHER },
	{ false, false, "./libsocksify.so", "OURS" },
};

#define ENVIRONMENTS ((int)(sizeof(environments) / sizeof(environments[0])))

static const char *with_ours(const char *text)
{
	static char out[8192];
	size_t len = 0;

	while (*text) {
		if (strncmp(text, "OURS", 4) == 0) {
			len += (size_t)snprintf(out + len, sizeof(out) - len, "%s", library);
			text += 4;
		} else {
			out[len++] = *text++;
		}
	}
	out[len] = '\0';
	return out;
}

static char **make(const struct environment *e)
{
	static char preload[8300], other[] = "OTHER=1";
	static char *vector[3];
	size_t n = 0;

	if (e->is_null)
		return NULL;
	if (!e->is_empty)
		vector[n++] = other;
	if (e->preload) {
		snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", with_ours(e->preload));
		vector[n++] = preload;
	}
	vector[n] = NULL;
	return vector;
}

static void check_preloaded(const struct environment *e)
{
	check_said_of("preload", with_ours(e->want));
	check_said(e->is_empty ? "\npreloads 1 names 1 others 0\n"
	                       : "\npreloads 1 names 1 others 1\n");
	check_said_of("proxy", getenv("SOCKSIFY_PROXY"));
	check_said("\nmapped 1\n");
	check_said_of("exe", shown);
}

START_TEST(library_and_variables_go_along)
{
	enum call call = (enum call)(_i / ENVIRONMENTS);
	const struct environment *e = &environments[_i % ENVIRONMENTS];

	/* It wants one, and says EINVAL. */
	if (call == FEXECVE && e->is_null)
		return;
	run_plan(call, shown, args, make(e));
	ck_assert_msg(strncmp(said.text, ARGS, strlen(ARGS)) == 0, "%s", said.text);
	check_preloaded(e);
	check_said("\nfiles 0\n");
}
END_TEST

/* The environment is that of the second run, with more than one LD_PRELOAD. */
static void execute_with_two(void)
{
	char text[8300], *envp[] = { (char[]){ "LD_PRELOAD=" OTHER }, text, NULL };

	snprintf(text, sizeof(text), "LD_PRELOAD=%s", with_ours("OURS:OURS"));
	execve(shown, args, envp);
}

START_TEST(loader_takes_the_last_of_two)
{
	run(execute_with_two);
	check_said("\npreloads 2 names 1 others 0\n");
	check_said("\nmapped 1\n");
}
END_TEST

static void execute_audited_twice(void)
{
	char audit[] = "LD_AUDIT=/no/such/audit.so", other[] = "OTHER=1";
	char *const envp[] = { audit, other, NULL };
	pid_t pid = fork();

	if (pid > 0)
		waitpid(pid, NULL, 0);
	execve(plan.file, args, envp);
}

START_TEST(audit_libraries_stay_behind)
{
	const char *files[] = { shown, shown_static };

#ifdef __SANITIZE_ADDRESS__
	files[1] = NULL; /* the wrapper needs options of the sanitizer's, as the test does */
#endif
	log_empty();
	for (size_t i = 0; i < 2 && files[i]; i++) {
		plan.file = files[i];
		run(execute_audited_twice);
		check_said("\naudit -\n");
		check_said(" names 1 others 1\n");
		check_said_of("preload", library);
	}
	ck_assert_int_eq(log_lines("LD_AUDIT"), 1);
}
END_TEST

static void wipe_and_execute(void)
{
	clearenv();
	execl(shown, "zero", "one", "two three", (char *)NULL);
}

START_TEST(program_that_wipes_its_environment_is_followed)
{
	run(wipe_and_execute);
	check_said("\nmapped 1\n");
	check_said_of("proxy", getenv("SOCKSIFY_PROXY"));
}
END_TEST

/* A child of vfork has all that its parent has. */
START_TEST(child_of_vfork_leaves_nothing_behind)
{
	static char *const empty[] = { NULL };
	char **before = environ;
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	for (volatile int round = 0; round < 2; round++) {
		errno = 0;
		pid = vfork();
		if (pid == 0) {
			dup2(fds[1], 1);
			if (round == 0)
				execve("/no/such/program", args, empty);
			execve(shown, args, empty);
			_exit(99);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
		ck_assert_ptr_eq(environ, before);
		n = read(fds[0], said.text, sizeof(said.text) - 1);
		ck_assert_int_gt(n, 0);
		said.text[n] = '\0';
		check_said("\nmapped 1\n");
	}
	close(fds[0]);
	close(fds[1]);
}
END_TEST

#define LARGE 100000

static char any_variable[] = "X=";

/* Without and with a large environment. */
static char *no_variable[] = { NULL }, *many_variables[LARGE + 1];
static char **given;

static int execute_on_small_stack(void *arg)
{
	int *fds = arg;

	dup2(fds[1], 1);
	execve(shown, args, given);
	_exit(99);
}

/* As much as Java's helper and Python's have, and others by clone(2). */
START_TEST(stack_of_64_kib_is_enough)
{
	const size_t size = 64 << 10;
	char *stack = mmap(NULL, size + 4096, PROT_READ | PROT_WRITE,
	                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	for (int i = 0; i < LARGE; i++)
		many_variables[i] = any_variable;
	given = _i ? many_variables : no_variable;
	ck_assert_ptr_ne(stack, MAP_FAILED);
	ck_assert_int_eq(mprotect(stack, 4096, PROT_NONE), 0);
	ck_assert_int_eq(pipe(fds), 0);
	pid = clone(execute_on_small_stack, stack + 4096 + size, CLONE_VM | CLONE_VFORK | SIGCHLD,
	            fds);
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	n = read(fds[0], said.text, sizeof(said.text) - 1);
	ck_assert_int_gt(n, 0);
	said.text[n] = '\0';
	check_said("\nmapped 1\n");
	close(fds[0]);
	close(fds[1]);
	munmap(stack, size + 4096);
}
END_TEST

/* A file, and what the kernel says to it. */
static const struct {
	const char *file; /* in the folder, unless it begins with a slash */
	const char *text;
	mode_t mode;
	int err;
} failures[] = {
	{ "missing", NULL, 0, ENOENT },
	{ "no/such/folder", NULL, 0, ENOENT },
	{ "plain", "text", 0600, EACCES },
	{ "plain/below", NULL, 0, ENOTDIR },
	{ "noexec", "text", 0700, ENOEXEC },
	{ "empty", "", 0700, ENOEXEC },
	{ "bad-script", "#!/no/such/interpreter\n", 0700, ENOENT },
	{ "/tmp", NULL, 0, EACCES },
	{ "/", NULL, 0, EACCES },
	{ "", NULL, 0, ENOENT },
};

#define FAILURES ((int)(sizeof(failures) / sizeof(failures[0])))

START_TEST(failure_is_the_kernels)
{
	static const enum call calls[] = { EXECVE, EXECVEAT, SYSCALL_EXECVE, EXECV };
	char *empty[] = { NULL };
	const char *file = failures[_i].file;
	char path[256];

	if (file[0] && file[0] != '/') {
		snprintf(path, sizeof(path), "%s", in_folder(file));
		if (failures[_i].text)
			put(file, failures[_i].text, failures[_i].mode);
		file = path;
	}
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		run_plan(calls[i], file, args, empty);
		ck_assert_int_eq(said.status, FAILED + failures[_i].err);
	}
}
END_TEST

/* What headers call never NULL is, here. */
__attribute__((no_sanitize("undefined"))) static void execute_nothing(void)
{
	const char *volatile file = NULL;

	if (execve(file, args, environ) == 0 || errno != EFAULT)
		_exit(1);
	if (syscall(SYS_execve, 1L, args, environ) == 0 || errno != EFAULT)
		_exit(2);
	if (fexecve(-1, args, environ) == 0 || errno != EINVAL)
		_exit(3);
	if (fexecve(200, args, environ) == 0 || errno != EBADF)
		_exit(4);
	if (execveat(200, "x", args, environ, 0) == 0 || errno != EBADF)
		_exit(5);
	if (execveat(AT_FDCWD, "", args, environ, 0) == 0 || errno != ENOENT)
		_exit(6);
	if (execvp("", args) == 0 || errno != ENOENT)
		_exit(7);
	if (symlink(shown, in_folder("link")) < 0 ||
	    execveat(AT_FDCWD, in_folder("link"), args, environ, AT_SYMLINK_NOFOLLOW) == 0 ||
	    errno != ELOOP)
		_exit(8);
	_exit(0);
}

START_TEST(calls_that_make_no_sense_fail_as_they_would)
{
	run(execute_nothing);
	ck_assert_int_eq(said.status, 0);
}
END_TEST

__attribute__((no_sanitize("undefined"))) static void execute_without_arguments(void)
{
	char *const none[] = { NULL }, *const *volatile nothing = NULL;

	/* Linux 5.18 makes one that is empty. */
	if (plan.call == EXECVE)
		execve(plan.file, none, environ);
	else
		execve(plan.file, (char **)(uintptr_t)nothing, environ);
}

START_TEST(no_arguments_are_no_harm)
{
	plan.call = (enum call)(_i % 2);
	plan.file = _i < 2 ? shown : shown_static;
	if (!plan.file || (_i >= 2 && is_mode("refuse")))
		return;
	run(execute_without_arguments);
	ck_assert_msg(said.text[0] == '|' || said.text[0] == '\n', "%s", said.text);
	check_said_of("exe", plan.file);
}
END_TEST

START_TEST(interpreter_gets_the_library)
{
	static const enum call calls[] = { EXECVE, EXECVP, EXECVEAT, EXECVEAT_DIR };
	char text[4200], want[4600], *empty[] = { NULL };
	const char *path;

	snprintf(text, sizeof(text), "#!%s an argument\n", shown);
	path = put("script", text, 0755);
	/* A script of a folder that is close-on-exec can't be opened by its interpreter. */
	if (calls[_i] == EXECVEAT_DIR) {
		run_plan(EXECVEAT_DIR, path, args, empty);
		ck_assert_int_eq(said.status, FAILED + ENOENT);
		return;
	}
	run_plan(calls[_i], path, args, empty);
	snprintf(want, sizeof(want), "%s|an argument|%s|one|two three|\n", shown, path);
	ck_assert_msg(strncmp(said.text, want, strlen(want)) == 0, "%s", said.text);
	check_said("\nmapped 1\n");
}
END_TEST

static void search_and_execute(void)
{
	if (chdir(folder) < 0)
		_exit(98);
	if (plan.envp)
		setenv("PATH", plan.envp[0], 1);
	else
		unsetenv("PATH");
	if (plan.call == EXECVPE)
		execvpe(plan.file, plan.argv, (char *[]){ NULL });
	else
		execvp(plan.file, plan.argv);
}

static const struct {
	const char *path, *file;
	int err; /* or 0, and it is found */
} searches[] = {
	{ "/no/such:FOLDER:/bin", "found", 0 },
	{ "/no/such::/bin", "found", 0 },
	{ "FOLDER/plain:FOLDER", "found", 0 },
	{ "/bin", "found", ENOENT },
	{ NULL, "found", ENOENT },
	{ "FOLDER", "unreadable-nobody", EACCES },
	{ "/bin", "./found", 0 },
	{ "", "found", 0 },
};

#define SEARCHES ((int)(sizeof(searches) / sizeof(searches[0])))

START_TEST(name_is_looked_for_as_execvp_does)
{
	static const enum call calls[] = { EXECVP, EXECVPE };
	const char *from = searches[_i].path;
	char path[4096] = "", *variable = path;
	size_t len = 0;

	ck_assert(symlink(shown, in_folder("found")) == 0 || errno == EEXIST);
	put("unreadable-nobody", "text", 0644);
	for (; from && *from; from++) {
		if (strncmp(from, "FOLDER", 6) == 0) {
			len += (size_t)snprintf(path + len, sizeof(path) - len, "%s", folder);
			from += 5;
		} else {
			path[len++] = *from;
			path[len] = '\0';
		}
	}
	for (size_t i = 0; i < 2; i++) {
		plan.call = calls[i];
		plan.file = searches[_i].file;
		plan.argv = args;
		plan.envp = searches[_i].path ? &variable : NULL;
		run(search_and_execute);
		if (searches[_i].err) {
			ck_assert_int_eq(said.status, FAILED + searches[_i].err);
			continue;
		}
		ck_assert_msg(strncmp(said.text, ARGS, strlen(ARGS)) == 0, "%s", said.text);
		check_said("\nmapped 1\n");
		check_said_of("exe", shown);
	}
}
END_TEST

START_TEST(text_without_an_interpreter_is_the_shells)
{
	static const enum call calls[] = { EXECVP, EXECLP, EXECVPE, EXECVE, EXECV };
	char text[4600];
	const char *path;

#ifdef __SANITIZE_ADDRESS__
	return; /* the shell is not built for it */
#endif
	snprintf(text, sizeof(text),
	         "echo \"$0 $#\"\nunset LD_PRELOAD SOCKSIFY_PROXY\nexec '%s' \"$@\"\n", shown);
	path = put("text", text, 0755);
	run_plan(calls[_i], path, args, environ);
	if (_i >= 3) {
		ck_assert_int_eq(said.status, FAILED + ENOEXEC);
		return;
	}
	snprintf(text, sizeof(text), "%s 2\n%s|one|two three|\n", path, shown);
	ck_assert_msg(strncmp(said.text, text, strlen(text)) == 0, "%s", said.text);
	check_said("\nmapped 1\n");
}
END_TEST

static void execute_too_much(void)
{
	const struct rlimit small = { 1 << 20, 1 << 20 };
	static char large[200 << 10];
	char *many[] = { large, NULL };

	memset(large, 'x', sizeof(large) - 1);
	/* One string of 128 KiB is too long as it is. */
	if (plan.call == EXECVE)
		execve(shown, args, many);
	setrlimit(RLIMIT_STACK, &small);
	large[100 << 10] = '\0';
	execve(shown, args, (char *[]){ large, large, large, NULL });
}

START_TEST(too_long_an_environment_is_e2big)
{
	log_empty();
	plan.call = _i ? EXECV : EXECVE;
	run(execute_too_much);
	ck_assert_int_eq(said.status, FAILED + E2BIG);
	ck_assert_int_eq(log_lines("too long, with the variables"), _i ? 1 : 2);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("exec");
	TCase *tc = tcase_create("exec");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, library_and_variables_go_along, 0, CALLS * ENVIRONMENTS);
	tcase_add_test(tc, loader_takes_the_last_of_two);
	tcase_add_test(tc, audit_libraries_stay_behind);
	tcase_add_test(tc, program_that_wipes_its_environment_is_followed);
	tcase_add_test(tc, child_of_vfork_leaves_nothing_behind);
#ifndef __SANITIZE_ADDRESS__
	tcase_add_loop_test(tc, stack_of_64_kib_is_enough, 0, 2);
#endif
	tcase_add_loop_test(tc, failure_is_the_kernels, 0, FAILURES);
	tcase_add_test(tc, calls_that_make_no_sense_fail_as_they_would);
	tcase_add_loop_test(tc, no_arguments_are_no_harm, 0, 4);
	tcase_add_loop_test(tc, interpreter_gets_the_library, 0, 4);
	tcase_add_loop_test(tc, name_is_looked_for_as_execvp_does, 0, SEARCHES);
	tcase_add_loop_test(tc, text_without_an_interpreter_is_the_shells, 0, 5);
	tcase_add_loop_test(tc, too_long_an_environment_is_e2big, 0, 2);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(int argc, char **argv)
{
	return exec_main(argc, argv, make_suite);
}
