/* Targets that the library can't get into, by each function of the exec family. */
#include "exec.h"

#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>

static void execute_as_nobody(void)
{
	if (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
	    access(library, R_OK) < 0 || access(plan.file, X_OK) < 0)
		_exit(SKIPPED);
	execute();
}

/* @_i  each call, as this user and as nobody */
/* A file that nobody was told of. */
static const char *own_static(int i)
{
	char name[32];

	snprintf(name, sizeof(name), "static-%d", i);
	return copy(name, shown_static, 0755);
}

START_TEST(static_program_is_treated_as_is_wanted)
{
	enum call call = (enum call)(_i / 2);
	bool as_nobody = _i % 2;

	if (!shown_static || (as_nobody && geteuid() != 0))
		return;
	log_empty();
	ck_assert_int_eq(chmod(log_path, 0666), 0);
	plan.call = call;
	plan.file = own_static(_i);
	plan.argv = args;
	plan.envp = environ;
	run(as_nobody ? execute_as_nobody : execute);
	if (said.status == SKIPPED)
		return;
	ck_assert_int_eq(log_lines("is static: the library can't get into it"), 1);
	if (is_mode("refuse")) {
		ck_assert_int_eq(said.status, FAILED + EACCES);
		return;
	}
	ck_assert_int_eq(said.status, 0);
	ck_assert_msg(strncmp(said.text, ARGS, strlen(ARGS)) == 0, "%s", said.text);
	check_said_of("socket", is_mode("allow") ? "ok" : "EACCES");
	check_said_of("exe", plan.file);
	check_said_of("preload", library);
	check_said("\nfiles 0\n");
}
END_TEST

static void execute_memory(void)
{
	int fd = memfd_create("x", plan.call == FEXECVE ? MFD_CLOEXEC : 0);

	if (copy_into(fd, shown_static) < 0)
		_exit(98);
	fexecve(fd, args, environ);
}

/* @_i  not close-on-exec: the program has the file open */
START_TEST(static_program_in_memory_runs_closed)
{
	if (!shown_static || !is_mode("closed"))
		return;
	plan.call = _i ? EXECVEAT : FEXECVE;
	run(execute_memory);
	ck_assert_int_eq(said.status, 0);
	ck_assert_msg(strncmp(said.text, ARGS, strlen(ARGS)) == 0, "%s", said.text);
	check_said("\nsocket EACCES\n");
	check_said(_i ? "\nfiles 1\n" : "\nfiles 0\n");
	check_said("\nexe /memfd:x (deleted)\n");
}
END_TEST

/* What a descriptor is called, and is it close-on-exec. */
static const struct {
	const char *folder;
	bool is_lent;
} names[] = {
	{ "/proc/self/fd/", true },
	{ "/proc/self/fd/", false },
	{ "/dev/fd/", true },
	{ "/dev/fd/", false },
	{ "/proc/thread-self/fd/", true },
	{ "/proc/thread-self/fd/", false },
	{ "/proc/self/fd/../fd/", false },
};

static size_t name_at;
static bool is_spawned;

static void execute_memory_by_name(void)
{
	int fd = memfd_create("x", names[name_at].is_lent ? MFD_CLOEXEC : 0), status;
	char path[64];
	pid_t pid;

	if (copy_into(fd, plan.file) < 0)
		_exit(98);
	snprintf(path, sizeof(path), "%s%d", names[name_at].folder, fd);
	if (!is_spawned) {
		execve(path, args, environ);
		return;
	}
	errno = posix_spawn(&pid, path, NULL, NULL, args, environ);
	if (errno != 0)
		return;
	if (fcntl(fd, F_GETFD) != (names[name_at].is_lent ? FD_CLOEXEC : 0))
		_exit(97);
	waitpid(pid, &status, 0);
	_exit(WEXITSTATUS(status));
}

/* @_i  by execve(), or by posix_spawn() */
START_TEST(static_program_in_memory_has_names)
{
	const char *const files[] = { shown, shown_static };

	if (!is_mode("closed"))
		return;
	is_spawned = _i;
	for (size_t i = 0; i < 2 && files[i]; i++) {
		plan.file = files[i];
		for (name_at = 0; name_at < sizeof(names) / sizeof(names[0]); name_at++) {
			run(execute_memory_by_name);
			ck_assert_msg(said.status == 0, "%zu: %d", name_at, said.status);
			ck_assert_msg(strncmp(said.text, ARGS, strlen(ARGS)) == 0, "%s", said.text);
			check_said(i ? "\nsocket EACCES\n" : "\nsocket ok\n");
			check_said(names[name_at].is_lent ? "\nfiles 0\n" : "\nfiles 1\n");
			check_said("\nexe /memfd:x (deleted)\n");
		}
	}
}
END_TEST

static void execute_without_descriptors(void)
{
	struct rlimit few;

	getrlimit(RLIMIT_NOFILE, &few);
	few.rlim_cur = 40;
	setrlimit(RLIMIT_NOFILE, &few);
	while (fcntl(1, F_DUPFD_CLOEXEC, 3) >= 0)
		;
	/* For what call_with() opens. */
	if (plan.call == FEXECVE)
		close(20);
	execute();
}

/* The kernel needs none, and neither does what becomes of it, where those are close-on-exec. */
START_TEST(no_descriptor_needs_to_be_free)
{
	static const enum call calls[] = { EXECVE, EXECV, EXECVP, FEXECVE, EXECVEAT };
	const char *const files[] = { shown, shown_static };

	if (!is_mode("closed"))
		return;
	for (size_t i = 0; i < 2 && files[i]; i++) {
		plan.call = calls[_i];
		plan.file = files[i];
		plan.argv = args;
		plan.envp = environ;
		run(execute_without_descriptors);
		ck_assert_msg(said.status == 0, "%d", said.status);
		ck_assert_msg(strncmp(said.text, ARGS, strlen(ARGS)) == 0, "%s", said.text);
		check_said(i ? "\nsocket EACCES\n" : "\nsocket ok\n");
		check_said_of("exe", plan.file);
		check_said("\nfiles 0\n");
	}
}
END_TEST

static void execute_relative(void)
{
	if (chdir(folder) < 0)
		_exit(98);
	execute();
}

START_TEST(relative_names_stay_relative)
{
	char text[4200];

	if (!shown_static || !is_mode("closed"))
		return;
	copy("relative", shown_static, 0755);
	snprintf(text, sizeof(text), "#!relative x\n");
	put("relative-script", text, 0755);
	plan.call = EXECVE;
	plan.argv = args;
	plan.envp = environ;
	plan.file = "relative";
	run(execute_relative);
	ck_assert_msg(strncmp(said.text, ARGS, strlen(ARGS)) == 0, "%s", said.text);
	check_said("\nsocket EACCES\n");
	plan.file = "./relative-script";
	run(execute_relative);
	ck_assert_msg(strncmp(said.text, "relative|x|./relative-script|one|", 33) == 0, "%s",
	              said.text);
	check_said("\nsocket EACCES\n");
}
END_TEST

static void execute_often(void)
{
	for (volatile int i = 0; i < 4; i++) {
		pid_t pid = i < 2 ? fork() : vfork();

		if (pid == 0) {
			execve(plan.file, args, environ);
			_exit(FAILED);
		}
		waitpid(pid, NULL, 0);
	}
	_exit(0);
}

START_TEST(file_is_told_of_once)
{
	if (!shown_static)
		return;
	log_empty();
	plan.file = own_static(-1);
	run(execute_often);
	ck_assert_int_eq(log_lines("is static"), 1);
}
END_TEST

START_TEST(program_that_gains_privileges_is_refused)
{
	const char *path;

	if (geteuid() != 0)
		return;
	path = copy("gains", shown, 0755);
	ck_assert_int_eq(chmod(path, 04755), 0);
	log_empty();
	ck_assert_int_eq(chmod(log_path, 0666), 0);
	plan.call = EXECVE;
	plan.file = path;
	plan.argv = args;
	plan.envp = environ;
	run(execute_as_nobody);
	if (said.status == SKIPPED)
		return;
	if (is_mode("allow")) {
		ck_assert_int_eq(said.status, 0);
		check_said("\nmapped 0\n");
		ck_assert_int_eq(log_lines("past the proxy"), 1);
		return;
	}
	/* A folder of a file system that is mounted without set-uid. */
	if (said.status == 0)
		return;
	ck_assert_int_eq(said.status, FAILED + EACCES);
	ck_assert_int_eq(log_lines("is set-uid"), 1);
	ck_assert_int_eq(log_lines("run 'sudo socksify "), 1);
}
END_TEST

static void execute_in_chroot(void)
{
	if (chroot(in_folder("root")) < 0 || chdir("/") < 0)
		_exit(SKIPPED);
	execute();
}

START_TEST(chroot_without_the_wrapper_refuses)
{
	char path[512];

	if (!shown_static || geteuid() != 0 || !is_mode("closed"))
		return;
	mkdir(in_folder("root"), 0755);
	mkdir(in_folder("root/tmp"), 0755);
	snprintf(path, sizeof(path), "%s/root%s", folder, folder);
	mkdir(path, 0755);
	copy("root/static", shown_static, 0755);
	plan.call = EXECVE;
	plan.file = "/static";
	plan.argv = args;
	plan.envp = environ;
	run(execute_in_chroot);
	if (said.status == SKIPPED)
		return;
	ck_assert_int_eq(said.status, FAILED + EACCES);
	snprintf(path, sizeof(path), "%s/root%s", folder, log_path);
	strcpy(log_path, path);
	ck_assert_int_eq(log_lines("no socksify is there"), 1);
	snprintf(log_path, sizeof(log_path), "%s/log", folder);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("exec targets");
	TCase *tc = tcase_create("exec targets");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, static_program_is_treated_as_is_wanted, 0, CALLS * 2);
	tcase_add_loop_test(tc, static_program_in_memory_runs_closed, 0, 2);
	tcase_add_loop_test(tc, static_program_in_memory_has_names, 0, 2);
	tcase_add_loop_test(tc, no_descriptor_needs_to_be_free, 0, 5);
	tcase_add_test(tc, relative_names_stay_relative);
	tcase_add_test(tc, file_is_told_of_once);
	tcase_add_test(tc, program_that_gains_privileges_is_refused);
	tcase_add_test(tc, chroot_without_the_wrapper_refuses);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(int argc, char **argv)
{
	return exec_main(argc, argv, make_suite);
}
