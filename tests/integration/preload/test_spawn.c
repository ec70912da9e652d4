/* posix_spawn and its kin: what they start finds the library and our variables, or no network. */
#include "offspring.h"
#include "under.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

typedef int spawner(int *id, const char *file, const posix_spawn_file_actions_t *actions,
                    const posix_spawnattr_t *attr, char *const argv[], char *const envp[]);

/* glibc 2.39's, as those of older ones would declare them. */
spawner pidfd_spawn __attribute__((weak)), pidfd_spawnp __attribute__((weak));

static const char *mode = "closed";
static char folder[] = "/tmp/socksify-spawn-XXXXXX";

static struct {
	const char *name;
	spawner *call;
	bool by_pidfd;
} calls[] = {
	{ "posix_spawn", posix_spawn, false },
	{ "posix_spawnp", posix_spawnp, false },
	{ "pidfd_spawn", NULL, true },
	{ "pidfd_spawnp", NULL, true },
};

#define CALLS (int)(sizeof(calls) / sizeof(calls[0]))

enum given { AS_IS, BARE, NONE, FULL, GIVEN };

static char **vector_of(enum given given)
{
	static char a[] = "A=1", *full[600];

	switch (given) {
	case AS_IS:
		return environ;
	case BARE:
		return offspring_bare();
	case NONE:
		return NULL;
	case FULL:
	case GIVEN:
		break;
	}
	for (size_t i = 0; i + 2 < sizeof(full) / sizeof(full[0]); i++)
		full[i] = a;
	full[598] = offspring_bare()[0];
	return full;
}

/* The status as wait() has it; -1 with errno where there is no child. */
static int await(int id, bool by_pidfd)
{
	siginfo_t info = { 0 };
	int status;

	if (!by_pidfd)
		return waitpid(id, &status, 0) == id ? status : -1;
	if (waitid((idtype_t)3 /* P_PIDFD */, (id_t)id, &info, WEXITED) < 0)
		return -1;
	close(id);
	return info.si_code == CLD_EXITED ? info.si_status << 8 : info.si_status;
}

static int spawn(int call, const char *file, const posix_spawn_file_actions_t *actions,
                 const char *verb, char *const envp[])
{
	char *argv[] = { (char *)(uintptr_t) "a name", (char *)(uintptr_t) "offspring",
		         (char *)(uintptr_t)verb, NULL };
	int id, err;

	if (!calls[call].call)
		return 0;
	err = calls[call].call(&id, file, actions, NULL, argv, envp);
	if (err == 0)
		return await(id, calls[call].by_pidfd);
	errno = err;
	return -1;
}

struct attempt {
	int call;
	enum given given;
	const char *verb;
};

static bool does(const void *arg)
{
	const struct attempt *a = arg;
	int status = spawn(a->call, under_self(), NULL, a->verb, vector_of(a->given));

	if (status != 0)
		fprintf(stderr, "%s, environment %d: status %x\n", calls[a->call].name, a->given,
		        status);
	return status == 0;
}

START_TEST(the_library_goes_along_whatever_is_done_to_the_environment)
{
	for (int wipe = 0; wipe < WIPES; wipe++)
		for (int given = 0; given < GIVEN; given++) {
			struct attempt a = { _i, (enum given)given, "connect" };

			ck_assert_msg(offspring_in_fork((enum offspring_wipe)wipe, does, &a),
			              "wipe %d, environment %d", wipe, given);
			a.verb = "alike";
			ck_assert_msg(offspring_in_fork((enum offspring_wipe)wipe, does, &a),
			              "wipe %d, environment %d", wipe, given);
		}
}
END_TEST

START_TEST(errno_is_left_alone)
{
	errno = 4711;
	ck_assert_int_eq(spawn(_i, under_self(), NULL, "say", environ), 0);
	ck_assert_int_eq(errno, 4711);
}
END_TEST

static const char *place(const char *name)
{
	static char path[sizeof(folder) + 64];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void expect_errno(int call, const char *file, int err)
{
	if (!calls[call].call)
		return;
	ck_assert_int_eq(spawn(call, file, NULL, "say", environ), -1);
	ck_assert_msg(errno == err, "%s(%s): %s", calls[call].name, file, strerror(errno));
}

START_TEST(what_cant_be_executed_has_libcs_errno)
{
	expect_errno(_i, place("missing"), ENOENT);
	expect_errno(_i, place("text"), ENOEXEC);
	expect_errno(_i, place("plain"), EACCES);
	expect_errno(_i, folder, EACCES);
	expect_errno(_i, "", ENOENT);
}
END_TEST

START_TEST(names_are_looked_up_in_path)
{
	char path[4 * sizeof(folder) + 64], *old = strdup(getenv("PATH"));

	snprintf(path, sizeof(path), "/nonexistent:%s/empty:%s/bad:%s", folder, folder, folder);
	setenv("PATH", path, 1);
	ck_assert_int_eq(spawn(1, "prog", NULL, "connect", offspring_bare()), 0);
	expect_errno(1, "text", ENOEXEC);
	expect_errno(1, "plain", EACCES);
	expect_errno(1, "no-such-program", ENOENT);
	unsetenv("PATH");
	expect_errno(1, "prog", ENOENT);
	ck_assert_int_eq(spawn(1, "true", NULL, "say", offspring_bare()), 0);
	/* posix_spawn() doesn't look anything up. */
	setenv("PATH", path, 1);
	expect_errno(0, "prog", ENOENT);
	setenv("PATH", old, 1);
	free(old);
}
END_TEST

START_TEST(file_actions_are_done)
{
	posix_spawn_file_actions_t fa;
	char buf[8] = "";
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, ends[1], 1);
	ck_assert_int_eq(spawn(_i, under_self(), &fa, "say", NULL), 0);
	posix_spawn_file_actions_destroy(&fa);
	close(ends[1]);
	if (calls[_i].call) {
		ck_assert_int_eq(read(ends[0], buf, 8), 4);
		ck_assert_str_eq(buf, "said");
	}
	close(ends[0]);
#if __GLIBC_PREREQ(2, 34)
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addclosefrom_np(&fa, 3);
	ck_assert_int_eq(spawn(_i, under_self(), &fa, "connect", NULL), 0);
	posix_spawn_file_actions_destroy(&fa);
#endif
}
END_TEST

/* Judged where the child finds it: what this process finds by that path is something else. */
START_TEST(relative_paths_are_of_the_folder_that_file_actions_change_to)
{
	posix_spawn_file_actions_t fa;
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), i;

	for (i = 0; i < 2; i++) {
		posix_spawn_file_actions_init(&fa);
		if (i == 0)
			posix_spawn_file_actions_addchdir_np(&fa, folder);
		else
			posix_spawn_file_actions_addfchdir_np(&fa, fd);
		ck_assert_int_eq(spawn(_i, "./prog", &fa, "connect", offspring_bare()), 0);
		ck_assert_int_eq(spawn(_i, "./prog", &fa, "alike", offspring_bare()), 0);
		if (calls[_i].call)
			ck_assert_int_eq(spawn(_i, "./missing", &fa, "say", environ), 127 << 8);
		ck_assert_int_eq(spawn(_i, place("prog"), &fa, "connect", NULL), 0);
		posix_spawn_file_actions_destroy(&fa);
	}
	close(fd);
}
END_TEST

/* What the mode makes of a static program. */
START_TEST(static_programs_get_no_network)
{
	posix_spawn_file_actions_t fa;
	int status;

	if (!getenv("STATIC_SHELL") || !calls[_i].call)
		return;
	status = spawn(_i, getenv("STATIC_SHELL"), NULL, "net", offspring_bare());
	if (strcmp(mode, "refuse") == 0) {
		ck_assert_int_eq(status, -1);
		ck_assert_int_eq(errno, EACCES);
	} else {
		ck_assert_int_eq(status, strcmp(mode, "allow") == 0 ? 0 : 3 << 8);
	}
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addchdir_np(&fa, folder);
	status = spawn(_i, "./static", &fa, "net", offspring_bare());
	if (strcmp(mode, "refuse") == 0)
		ck_assert_int_eq(status, 126 << 8);
	else
		ck_assert_int_eq(status, strcmp(mode, "allow") == 0 ? 0 : 3 << 8);
	posix_spawn_file_actions_destroy(&fa);
}
END_TEST

static void write_file(const char *name, mode_t access)
{
	int fd = open(place(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0700);

	ck_assert_int_eq(write(fd, "exit 0\n", 7), 7);
	close(fd);
	chmod(place(name), access);
}

static void make_folder(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(symlink(under_self(), place("prog")), 0);
	if (getenv("STATIC_SHELL"))
		ck_assert_int_eq(symlink(getenv("STATIC_SHELL"), place("static")), 0);
	write_file("text", 0755);
	write_file("plain", 0644);
}

static void remove_folder(void)
{
	static const char *const names[] = { "prog", "static", "text", "plain" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(place(names[i]));
	rmdir(folder);
}

static Suite *make(void)
{
	Suite *suite = suite_create("preload spawn");
	TCase *tc = tcase_create("spawn");

	calls[2].call = pidfd_spawn;
	calls[3].call = pidfd_spawnp;
	/* The library has them where libc hasn't. */
	for (int i = 2; i < CALLS; i++)
		if (calls[i].call && spawn(i, "/nonexistent", NULL, "", NULL) < 0 &&
		    errno == ENOSYS)
			calls[i].call = NULL;
	tcase_set_timeout(tc, 120);
	tcase_add_unchecked_fixture(tc, make_folder, remove_folder);
	tcase_add_loop_test(tc, the_library_goes_along_whatever_is_done_to_the_environment, 0,
	                    CALLS);
	tcase_add_loop_test(tc, errno_is_left_alone, 0, CALLS);
	tcase_add_loop_test(tc, what_cant_be_executed_has_libcs_errno, 0, CALLS);
	tcase_add_test(tc, names_are_looked_up_in_path);
	tcase_add_loop_test(tc, file_actions_are_done, 0, CALLS);
	tcase_add_loop_test(tc, relative_paths_are_of_the_folder_that_file_actions_change_to, 0,
	                    CALLS);
	tcase_add_loop_test(tc, static_programs_get_no_network, 0, CALLS);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(int argc, char **argv)
{
	offspring_main(argc, argv);
	if (argc == 2)
		mode = argv[1];
	setenv("SOCKSIFY_EXEC", mode, 1);
	return under_main(argc, argv, UNDER_IPV4, make);
}
