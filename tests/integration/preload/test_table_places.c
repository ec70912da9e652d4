/*
 * Where a session's table can't be, or stops being: folders that are read-only, absent or full,
 * files that are damaged, foreign, truncated or gone. Names work everywhere; where the table is a
 * private one, children by fork share it, executed ones don't, and a line says why.
 */
#include "alone.h"
#include "table.h"

#include <sched.h>
#include <sys/mount.h>

#define NOBODY 65534

/* What the programs of a session say by their exit status. */
enum { SHARED = 0, PRIVATE = 10, NOT_HERE = 77 };

static char self[4096];

static bool own_mounts(void)
{
	return alone_unshare(CLONE_NEWNS, true) &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static bool small_tmpfs(const char *at, const char *size, unsigned long flags)
{
	return mount("tmpfs", at, "tmpfs", flags, size) == 0;
}

/* Each in a child, before the session begins. Returns false where it can't be done here. */
static bool runtime_dir(void)
{
	return setenv("XDG_RUNTIME_DIR", folder, 1) == 0;
}

static bool no_runtime_dir(void)
{
	return unsetenv("XDG_RUNTIME_DIR") == 0;
}

static bool absent_runtime_dir(void)
{
	return setenv("XDG_RUNTIME_DIR", in_folder("absent"), 1) == 0;
}

static bool read_only_runtime_dir(void)
{
	mkdir(in_folder("ro"), 0700);
	setenv("XDG_RUNTIME_DIR", in_folder("ro"), 1);
	return own_mounts() && small_tmpfs(in_folder("ro"), "mode=700", MS_RDONLY);
}

static bool read_only_shm(void)
{
	return no_runtime_dir() && own_mounts() && small_tmpfs("/dev/shm", NULL, MS_RDONLY);
}

static bool no_shm(void)
{
	return no_runtime_dir() && own_mounts() && small_tmpfs("/dev", NULL, 0);
}

static bool no_proc(void)
{
#ifdef __SANITIZE_ADDRESS__
	return false; /* its runtime needs it */
#else
	return runtime_dir() && own_mounts() && small_tmpfs("/proc", NULL, 0);
#endif
}

static bool full_shm(void)
{
	return no_runtime_dir() && own_mounts() && small_tmpfs("/dev/shm", "size=16k", 0);
}

static bool put_file(const char *text, size_t len)
{
	const char *path = in_folder("names");
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && write(fd, text, len) == (ssize_t)len;

	close(fd);
	return runtime_dir() && setenv("SOCKSIFY_NAMES", path, 1) == 0 && ok;
}

static bool empty_file(void)
{
	return put_file("", 0);
}

static bool damaged_file(void)
{
	static char noise[20000];

	memset(noise, 0xa5, sizeof(noise));
	return put_file(noise, sizeof(noise));
}

static bool foreign_file(void)
{
	return geteuid() == 0 && put_file("", 0) && chown(in_folder("names"), NOBODY, NOBODY) == 0;
}

/* A table that was good once. */
static bool shrunk_file(void)
{
	pid_t pid;

	runtime_dir();
	setenv("SOCKSIFY_NAMES", in_folder("names"), 1);
	pid = fork();
	if (pid == 0) {
		execl(self, "test", "look-up", "ok.before.test", (char *)NULL);
		_exit(99);
	}
	return child_wait(pid) == 0 && truncate(in_folder("names"), 4096) == 0;
}

static const struct {
	bool (*prepare)(void);
	int status;
	const char *line; /* of the log, and the only one */
} places[] = {
	{ runtime_dir, SHARED, NULL },
	{ no_runtime_dir, SHARED, NULL },
	{ absent_runtime_dir, SHARED, NULL },
	{ no_proc, SHARED, NULL },
	/* Another user's is no table of this session: it begins one of its own. */
	{ foreign_file, SHARED, NULL },
	{ read_only_runtime_dir, PRIVATE, "can't be used (read-only file system)" },
	{ read_only_shm, PRIVATE, "can't be used (read-only file system)" },
	{ no_shm, PRIVATE, "can't be used (no such file or directory)" },
	{ full_shm, PRIVATE, "can't be used (no space left)" },
	{ empty_file, PRIVATE, "can't be used (damaged, or another version's)" },
	{ damaged_file, PRIVATE, "can't be used (damaged, or another version's)" },
	{ shrunk_file, PRIVATE, "can't be used (damaged, or another version's)" },
};

static void begin(void)
{
	folder_init();
	strcpy(self, under_self());
}

static void end(void)
{
	folder_fini();
}

/* This program anew, after @prepare. Returns its status. */
static int run_after(bool (*prepare)(void), const char *verb)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		new_session();
		if (!prepare())
			_exit(NOT_HERE);
		execl(self, "test", verb, self, (char *)NULL);
		_exit(99);
	}
	return child_wait(pid);
}

#define UNKNOWN "a placeholder address without a name"

/* Each program that found no table of the session's says so, and what it cost, and no more. */
static void check_log(int status, const char *line)
{
	int said = line ? log_lines(line) : 0, unknown = status == PRIVATE ? 1 : 0;

	if (log_lines(NULL) != said + unknown)
		log_show();
	ck_assert_int_eq(log_lines(UNKNOWN), unknown);
	ck_assert_int_eq(said, line ? 2 : 0);
	ck_assert_int_eq(log_lines(NULL), said + unknown);
}

START_TEST(names_work_wherever_the_table_is)
{
	int status;

	begin();
	status = run_after(places[_i].prepare, "travel");
	if (status == NOT_HERE) {
		printf("skipped: place %d: needs namespaces of one's own, or root\n", _i);
	} else {
		check_log(status, places[_i].line);
		ck_assert_msg(status == places[_i].status, "place %d: %d", _i, status);
	}
	end();
}
END_TEST

/* In a child, by fork alone or by exec as well: what comes of a connect to an address. */
static int visit_elsewhere(const char *program, uint32_t ip)
{
	char text[16];
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (!program)
			_exit(visit(ip));
		snprintf(text, sizeof(text), "%x", ip);
		execl(program, "test", "visit", text, (char *)NULL);
		_exit(99);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The executed half of names_work_wherever_the_table_is. */
static int travel(const char *program)
{
	uint32_t ip = address_of("ok.first.test"), later, err;

	if (ip == 0 || visit(ip) != 0)
		return 1;
	if (visit_elsewhere(NULL, ip) != 0)
		return 2;
	later = address_of("ok.later.test");
	if (later == 0 || later == ip || visit(later) != 0 || address_of("ok.first.test") != ip)
		return 3;
	err = (uint32_t)visit_elsewhere(program, later);
	session_leave();
	if (err == EHOSTUNREACH)
		return PRIVATE;
	return err == 0 ? SHARED : 4;
}

static bool little_shm(void)
{
	return no_runtime_dir() && own_mounts() && small_tmpfs("/dev/shm", "size=200k", 0);
}

/* The executed half: names until the file system has no page left. */
static int use_up(void)
{
	uint32_t first = address_of("ok.n0.little.test"), n = 1, failed = 0;
	struct addrinfo *ai;
	char name[40];

	/* Some still find all that they need, when others no longer do. */
	while (failed < 64) {
		snprintf(name, sizeof(name), "ok.n%u.little.test", n++);
		failed = address_of(name) ? 0 : failed + 1;
		if (n > 100000)
			return 1;
	}
	if (n < 200)
		return 2;
	if (getaddrinfo("ok.one-more.little.test", "80", NULL, &ai) != EAI_AGAIN)
		return 3;
	/* Those that have an address keep it, in other programs too. */
	if (address_of("ok.n0.little.test") != first || visit(first) != 0)
		return 4;
	return visit_elsewhere("/proc/self/exe", first) == 0 ? 0 : 5;
}

START_TEST(tmpfs_that_fills_is_eai_again_and_no_signal)
{
	int status;

	begin();
	status = run_after(little_shm, "use-up");
	if (status == NOT_HERE) {
		printf("skipped: a small tmpfs: needs namespaces of one's own\n");
	} else {
		ck_assert_int_eq(status, 0);
		ck_assert_int_ge(log_lines(NULL), 65);
		ck_assert_int_eq(log_lines("no memory for the table of names"), log_lines(NULL));
		ck_assert_int_eq(log_lines("\"ok.one-more.little.test\""), 1);
	}
	end();
}
END_TEST

/* The executed half: the session's file is emptied under its program. */
static int lose_file(bool gone)
{
	const char *path = getenv("SOCKSIFY_NAMES");
	uint32_t old = address_of("ok.old.test"), ip;

	if (!path || old == 0 || visit(old) != 0)
		return 1;
	if (gone ? unlink(path) < 0 : truncate(path, 0) < 0)
		return 2;
	/* A file that has only lost its name is there for those who have it. */
	if (visit(old) != (gone ? 0 : EHOSTUNREACH))
		return 3;
	for (int i = 0; i < 3000; i++) {
		char name[40];

		snprintf(name, sizeof(name), "ok.n%d.new.test", i);
		ip = address_of(name);
		if (ip == 0 || (i % 1000 == 0 && visit(ip) != 0))
			return 4;
	}
	if (visit_elsewhere(NULL, ip) != 0)
		return 5;
	return visit_elsewhere("/proc/self/exe", ip) == EHOSTUNREACH ? 0 : 6;
}

static bool is_told_of_truncation(void)
{
	void *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool yes = page != MAP_FAILED && madvise(page, 4096, 22 /* MADV_POPULATE_READ */) == 0;

	munmap(page, 4096);
	return yes;
}

/* @_i 1: removed, 0: truncated. */
START_TEST(program_that_loses_its_file_goes_on)
{
	if (_i == 0 && !is_told_of_truncation()) {
		printf("skipped: truncation: needs Linux 5.14\n");
		return;
	}
	begin();
	ck_assert_int_eq(run_after(runtime_dir, _i ? "be-removed" : "be-truncated"), 0);
	ck_assert_int_eq(log_lines("was truncated"), _i ? 0 : 1);
	/* The executed child finds what is there now. */
	ck_assert_int_eq(log_lines("damaged, or another version's"), _i ? 0 : 1);
	ck_assert_int_eq(log_lines(UNKNOWN), _i ? 1 : 2);
	ck_assert_int_eq(log_lines(NULL), _i ? 1 : 4);
	end();
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("table places");
	TCase *tc = tcase_create("table places");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, names_work_wherever_the_table_is, 0,
	                    sizeof(places) / sizeof(places[0]));
	tcase_add_test(tc, tmpfs_that_fills_is_eai_again_and_no_signal);
	tcase_add_loop_test(tc, program_that_loses_its_file_goes_on, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}

static int executed(const char *verb, const char *argument)
{
	if (strcmp(verb, "travel") == 0)
		return travel(argument);
	if (strcmp(verb, "look-up") == 0)
		return address_of(argument) != 0 ? 0 : 1;
	if (strcmp(verb, "visit") == 0)
		return visit((uint32_t)strtoul(argument, NULL, 16));
	if (strcmp(verb, "use-up") == 0)
		return use_up();
	return lose_file(strcmp(verb, "be-removed") == 0);
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return executed(argv[1], argv[2]);
	return under_main(argc, argv, UNDER_IPV4, make);
}
