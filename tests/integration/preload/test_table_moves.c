/*
 * What a program does to itself between two look-ups, or before the first: another root, another
 * user, no descriptors, a daemon's life, exec. Names and their addresses hold as far as the session
 * goes, and a session does not go on as another user across exec.
 */
#include "table.h"

#include <grp.h>
#include <sys/prctl.h>

#define NOBODY 65534

/* The program and the library where another user can read them, too. */
static char program[160], library[160];

static void copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	char buf[65536];
	ssize_t n;

	ck_assert_int_ge(in, 0);
	ck_assert_int_ge(out, 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		ck_assert_int_eq(write(out, buf, (size_t)n), n);
	ck_assert_int_eq(n, 0);
	ck_assert_int_eq(fchmod(out, 0755), 0);
	close(in);
	close(out);
}

static void begin(void)
{
	folder_init();
	snprintf(program, sizeof(program), "%s/program", folder);
	snprintf(library, sizeof(library), "%s/libsocksify.so", folder);
	copy_file(under_self(), program);
	copy_file(getenv("LIBSOCKSIFY"), library);
	ck_assert_int_eq(mkdir(in_folder("root"), 0755), 0);
	ck_assert_int_eq(mkdir(in_folder("run"), 0700), 0);
}

static bool root_changes(void)
{
	return geteuid() != 0 || (chroot(in_folder("root")) == 0 && chdir("/") == 0);
}

static bool user_changes(void)
{
	return geteuid() != 0 || (setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 &&
	                          setuid(NOBODY) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
}

static bool root_and_user_change(void)
{
	return root_changes() && user_changes();
}

static bool descriptors_close(void)
{
	for (int fd = 0; fd < 1024; fd++)
		close(fd);
	return true;
}

static bool daemon_begins(void)
{
	umask(0);
	return setsid() >= 0 && chdir("/") == 0 && descriptors_close();
}

static bool environment_goes(void)
{
	return clearenv() == 0;
}

static const struct move {
	const char *name;
	bool (*make)(void);
	bool forks; /* into the background */
} moves[] = {
	{ "root", root_changes, false },
	{ "user", user_changes, false },
	{ "root and user", root_and_user_change, false },
	{ "descriptors", descriptors_close, false },
	{ "daemon", daemon_begins, true },
	{ "environment", environment_goes, false },
};

/* In a child that may do anything to itself. Its result goes to @out, which it keeps. */
static int move_between(const struct move *m, bool looks_up_before)
{
	uint32_t old = 0, ip = 0;
	char name[40];

	if (looks_up_before) {
		old = address_of("ok.before.test");
		if (old == 0 || visit(old) != 0)
			return 1;
	}
	if (!m->make())
		return 2;
	if (looks_up_before && (visit(old) != 0 || address_of("ok.before.test") != old))
		return 3;
	/* So many that the table must grow. */
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "ok.n%d.after.test", i);
		ip = address_of(name);
		if (ip == 0 || ip == old)
			return 4;
	}
	return visit(ip) == 0 ? 0 : 5;
}

static int run_verb(const char *verb, const char *argument, const char *runtime_dir)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		new_session();
		setenv("LD_PRELOAD", library, 1);
		if (runtime_dir)
			setenv("XDG_RUNTIME_DIR", runtime_dir, 1);
		else
			unsetenv("XDG_RUNTIME_DIR");
		execl(program, "test", verb, argument, (char *)NULL);
		_exit(99);
	}
	return child_wait(pid);
}

/* @_i  each move, after a look-up and before the first */
START_TEST(names_hold_whatever_a_program_does_to_itself)
{
	char argument[16];
	int status;

	begin();
	snprintf(argument, sizeof(argument), "%d", _i);
	status = run_verb("move", argument, in_folder("run"));
	ck_assert_msg(status == 0, "%s %s: %d", moves[_i / 2].name,
	              _i % 2 ? "before the first" : "between", status);
	ck_assert_int_eq(log_lines("no placeholder"), 0);
	folder_fini();
}
END_TEST

/* The executed half. What a daemon comes to, it writes into memory that its maker shares. */
static int move(int number)
{
	const struct move *m = &moves[number / 2];
	int *result = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid, daemon;
	int status, gone[2];
	char none;

	if (!m->forks)
		return move_between(m, number % 2 == 0);
	*result = 90;
	if (pipe2(gone, O_CLOEXEC) < 0)
		return 91;
	pid = fork();
	if (pid == 0) {
		daemon = fork();
		if (daemon == 0) {
			/* A copy that no loop of closes reaches. */
			prctl(PR_SET_PDEATHSIG, 0);
			if (fcntl(gone[1], F_DUPFD_CLOEXEC, 2000) < 0)
				_exit(92);
			*result = move_between(m, number % 2 == 0);
		}
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		return 93;
	close(gone[1]);
	/* Its end is the end of the pipe. */
	if (read(gone[0], &none, 1) != 0)
		return 94;
	return *result;
}

static int run_program(const char *verb, uint32_t ip)
{
	char text[16];
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		snprintf(text, sizeof(text), "%x", ip);
		execl("/proc/self/exe", "test", verb, text, (char *)NULL);
		_exit(99);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/*
 * Root, then nobody, then exec: the name that root looked up means nothing there, and those that
 * nobody looks up are good in a session of its own, which goes on from there.
 */
static int become_nobody(void)
{
	uint32_t old = address_of("ok.roots.test");

	if (old == 0 || run_program("visit", old) != 0)
		return 1;
	if (!user_changes())
		return 2;
	/* The same program keeps its table. */
	if (visit(old) != 0)
		return 3;
	if (run_program("visit", old) != EHOSTUNREACH)
		return 4;
	return run_program("go-on", 0);
}

static int go_on(void)
{
	uint32_t ip = address_of("ok.nobodys.test");

	if (geteuid() != NOBODY)
		return 5;
	if (ip == 0 || visit(ip) != 0)
		return 6;
	if (run_program("visit", ip) != 0)
		return 7;
	session_leave();
	return 0;
}

/* @_i 1: the table is in a folder that nobody can't enter. */
START_TEST(another_user_after_exec_has_a_session_of_its_own)
{
	if (geteuid() != 0) {
		printf("skipped: another user: needs root\n");
		return;
	}
	begin();
	ck_assert_int_eq(run_verb("become-nobody", "", _i ? in_folder("run") : NULL), 0);
	ck_assert_int_eq(log_lines("a placeholder address without a name"), 1);
	ck_assert_int_eq(log_lines(NULL), 1);
	folder_fini();
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("table moves");
	TCase *tc = tcase_create("table moves");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, names_hold_whatever_a_program_does_to_itself, 0,
	                    2 * sizeof(moves) / sizeof(moves[0]));
	tcase_add_loop_test(tc, another_user_after_exec_has_a_session_of_its_own, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}

static int executed(const char *verb, const char *argument)
{
	/* Its own folder is where it lies. */
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
	char *slash = n > 0 ? strrchr(program, '/') : NULL;

	if (slash && (size_t)(slash - program) < sizeof(folder))
		memcpy(folder, program, (size_t)(slash - program));
	if (strcmp(verb, "move") == 0)
		return move(atoi(argument));
	if (strcmp(verb, "become-nobody") == 0)
		return become_nobody();
	if (strcmp(verb, "go-on") == 0)
		return go_on();
	return visit((uint32_t)strtoul(argument, NULL, 16));
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return executed(argv[1], argv[2]);
	return under_main(argc, argv, UNDER_IPV4, make);
}
