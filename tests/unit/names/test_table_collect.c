#include <errno.h>
#include <fcntl.h>
#include <names/table.h>
#include <signal.h>
#include <unit.h>

#include "folder.h"

/* An hour: what else lies in /dev/shm and is in use is younger, or mapped. */
#define AGE_S 3600

static const struct {
	bool with_dir;
	uint64_t nonce;
	const char *end;
} news[] = {
	{ true, 0, "/socksify/names.0000000000000000" },
	{ true, 0x0123456789abcdef, "/socksify/names.0123456789abcdef" },
	{ true, UINT64_MAX, "/socksify/names.ffffffffffffffff" },
	{ false, 0xabc, "-0000000000000abc" },
};

START_TEST(new_path_is_in_the_sessions_folder_or_the_shared_one)
{
	char buf[256], want[256];
	const char *dir = news[_i].with_dir ? folder : NULL;

	folder_init();
	if (dir)
		snprintf(want, sizeof(want), "%s%s", folder, news[_i].end);
	else
		snprintf(want, sizeof(want), "/dev/shm/socksify-%u%s", (unsigned)geteuid(),
		         news[_i].end);
	ck_assert_int_eq(table_new_path(buf, sizeof(buf), dir, news[_i].nonce), 0);
	ck_assert_str_eq(buf, want);
	ck_assert_int_eq(table_new_path(buf, strlen(want) + 1, dir, news[_i].nonce), 0);
	for (size_t cap = 1; cap <= strlen(want); cap++)
		ck_assert_int_eq(table_new_path(buf, cap, dir, news[_i].nonce), -ENAMETOOLONG);
	/* Nothing was made. */
	ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

static const char *const no_runtime_dirs[] = { NULL, "", "relative", "/nonexistent", "/dev/null" };

START_TEST(runtime_dir_that_is_no_folder_of_ours_is_passed_over)
{
	char buf[256];

	ck_assert_int_eq(table_new_path(buf, sizeof(buf), no_runtime_dirs[_i], 1), 0);
	ck_assert_int_eq(strncmp(buf, "/dev/shm/", 9), 0);
	if (geteuid() != 0)
		return;
	folder_init();
	ck_assert_int_eq(chown(folder, 65534, (gid_t)-1), 0);
	ck_assert_int_eq(table_new_path(buf, sizeof(buf), folder, 1), 0);
	ck_assert_int_eq(strncmp(buf, "/dev/shm/socksify-0-", 20), 0);
	folder_fini();
}
END_TEST

static void age(const char *path)
{
	struct timespec times[2] = { { .tv_sec = 1000000 }, { .tv_sec = 1000000 } };

	ck_assert_int_eq(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static char below[96];

static const char *in_folder(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", below, name);
	return path;
}

static bool exists(const char *name)
{
	struct stat st;

	return lstat(in_folder(name), &st) == 0;
}

static void begin(void)
{
	folder_init();
	snprintf(below, sizeof(below), "%s/socksify", folder);
	ck_assert_int_eq(mkdir(below, 0700), 0);
	/* What other sessions left in the shared folder goes now and does not count below. */
	table_collect(NULL, AGE_S);
}

/* Collect as a later wrapper will, when the stamp is old. */
static int collect_later(void)
{
	age(in_folder("collected"));
	return table_collect(folder, AGE_S);
}

static struct table *new_table(const char *name)
{
	int why;
	struct table *t = table_open(in_folder(name), &why);

	ck_assert_int_eq(why, 0);
	return t;
}

#define OLD    "names.0000000000000001"
#define MAPPED "names.0000000000000002"
#define YOUNG  "names.0000000000000003"

START_TEST(only_old_tables_that_nobody_maps_are_removed)
{
	struct table *mapped;

	begin();
	table_close(new_table(OLD));
	age(in_folder(OLD));
	table_close(new_table(OLD ".1234.5")); /* a draft whose maker died */
	age(in_folder(OLD ".1234.5"));
	mapped = new_table(MAPPED);
	age(in_folder(MAPPED));
	table_close(new_table(YOUNG));
	/* Twice running. */
	ck_assert_int_eq(table_collect(folder, AGE_S), 0);
	ck_assert_int_eq(collect_later(), 2);
	ck_assert(!exists(OLD));
	ck_assert(!exists(OLD ".1234.5"));
	ck_assert(exists(MAPPED));
	ck_assert(exists(YOUNG));
	ck_assert(exists("collected"));
	/* The stamp is fresh: not again so soon, whatever there is. */
	table_close(mapped);
	ck_assert_int_eq(table_collect(folder, AGE_S), 0);
	ck_assert(exists(MAPPED));
	/* And at least twice: it was mapped until now. The young one was marked, and is young. */
	ck_assert_int_eq(collect_later(), 0);
	ck_assert_int_eq(collect_later(), 1);
	ck_assert(!exists(MAPPED));
	ck_assert(exists(YOUNG));
	folder_fini();
}
END_TEST

/* A program that was in the midst of exec when its table was first found without a mapping. */
START_TEST(table_opened_since_it_was_marked_stays)
{
	uint32_t slot;
	struct table *t;

	begin();
	t = new_table(OLD);
	ck_assert_int_eq(table_put(t, "name", 4, &slot), 0);
	table_close(t);
	age(in_folder(OLD));
	ck_assert_int_eq(table_collect(folder, AGE_S), 0);
	table_close(new_table(OLD));
	/* Old by its last use, but not marked; then marked, but not old. */
	ck_assert_int_eq(collect_later(), 0);
	ck_assert_int_eq(collect_later(), 0);
	t = new_table(OLD);
	ck_assert_str_eq(table_name(t, slot, NULL), "name");
	table_close(t);
	age(in_folder(OLD));
	ck_assert_int_eq(collect_later(), 0);
	ck_assert_int_eq(collect_later(), 1);
	folder_fini();
}
END_TEST

START_TEST(table_of_a_killed_process_is_removed)
{
	pid_t pid;
	int ready[2];

	begin();
	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		new_table(OLD);
		close(ready[1]);
		close(ready[0]);
		for (;;)
			pause();
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], ready, 1), 0);
	close(ready[0]);
	age(in_folder(OLD));
	ck_assert_int_eq(table_collect(folder, AGE_S), 0);
	ck_assert(exists(OLD));
	kill(pid, SIGKILL);
	ck_assert_int_eq(child_wait(pid), -1);
	ck_assert_int_eq(collect_later(), 0);
	ck_assert_int_eq(collect_later(), 1);
	ck_assert(!exists(OLD));
	folder_fini();
}
END_TEST

static const char *const strangers[] = { "names",
	                                 "names.",
	                                 "names.000000000000001",
	                                 "names.00000000000000001",
	                                 "names.000000000000000g",
	                                 "xnames.0000000000000001",
	                                 "names.0000000000000001x" };

START_TEST(other_files_are_left_alone)
{
	int fd;

	begin();
	fd = open(in_folder(strangers[_i]), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	age(in_folder(strangers[_i]));
	ck_assert_int_eq(mkdir(in_folder("names.000000000000000a"), 0700), 0);
	age(in_folder("names.000000000000000a"));
	ck_assert_int_eq(symlink("/etc/passwd", in_folder("names.000000000000000b")), 0);
	age(in_folder("names.000000000000000b"));
	ck_assert_int_eq(mkfifo(in_folder("names.000000000000000c"), 0600), 0);
	age(in_folder("names.000000000000000c"));
	ck_assert_int_eq(table_collect(folder, AGE_S), 0);
	ck_assert_int_eq(collect_later(), 0);
	ck_assert(exists(strangers[_i]));
	ck_assert(exists("names.000000000000000a"));
	ck_assert(exists("names.000000000000000b"));
	ck_assert(exists("names.000000000000000c"));
	folder_fini();
}
END_TEST

START_TEST(foreign_files_are_left_alone)
{
	if (geteuid() != 0) {
		printf("skipped: foreign_files: needs root\n");
		return;
	}
	begin();
	table_close(new_table(OLD));
	ck_assert_int_eq(chown(in_folder(OLD), 65534, (gid_t)-1), 0);
	age(in_folder(OLD));
	ck_assert_int_eq(table_collect(folder, AGE_S), 0);
	ck_assert_int_eq(collect_later(), 0);
	ck_assert(exists(OLD));
	/* A stamp that is not ours: somebody else decides when, so never. */
	ck_assert_int_eq(chown(in_folder(OLD), 0, (gid_t)-1), 0);
	ck_assert_int_eq(chown(in_folder("collected"), 65534, (gid_t)-1), 0);
	age(in_folder("collected"));
	ck_assert_int_eq(table_collect(folder, AGE_S), 0);
	ck_assert(exists(OLD));
	folder_fini();
}
END_TEST

START_TEST(another_users_table_is_told)
{
	int fd;

	folder_init();
	ck_assert(!table_is_foreign(table_path));
	fd = open(table_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert(!table_is_foreign(table_path));
	if (fchown(fd, 65534, 65534) == 0) /* only root can give a file away */
		ck_assert_int_eq(table_is_foreign(table_path), geteuid() != 65534);
	close(fd);
	folder_fini();
}
END_TEST

START_TEST(nothing_there_is_nothing_to_do)
{
	int before;

	begin();
	before = open_descriptors();
	ck_assert_int_eq(rmdir(below), 0);
	ck_assert_int_eq(table_collect(folder, AGE_S), 0);
	ck_assert_int_eq(table_collect("/nonexistent", AGE_S), 0);
	ck_assert_int_eq(table_collect(NULL, AGE_S), 0);
	ck_assert_int_eq(open_descriptors(), before);
	ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/*
 * Opening and collecting at the same time: whoever opened it shares it with those who come later.
 */
START_TEST(table_that_is_being_opened_is_not_lost)
{
	pid_t pid;

	begin();
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 400; i++) {
			unlink(in_folder("collected"));
			if (exists(OLD))
				utimensat(AT_FDCWD, in_folder(OLD), (struct timespec[2]){ 0 },
				          0); /* marked and old */
			table_collect(folder, AGE_S);
		}
		_exit(0);
	}
	for (int i = 0; i < 400; i++) {
		int why = 0;
		struct table *t = table_open(in_folder(OLD), &why), *other;
		uint32_t slot;

		ck_assert_int_eq(why, 0);
		ck_assert_int_eq(table_put(t, "name", 4, &slot), 0);
		other = table_open(in_folder(OLD), &why);
		ck_assert_int_eq(why, 0);
		ck_assert_uint_eq(table_find(other, "name", 4), slot);
		table_close(t);
		table_close(other);
	}
	ck_assert_int_eq(child_wait(pid), 0);
	folder_fini();
}
END_TEST

UNIT_MAIN("names/table_collect",
          { new_path_is_in_the_sessions_folder_or_the_shared_one, ROWS(news) },
          { runtime_dir_that_is_no_folder_of_ours_is_passed_over, ROWS(no_runtime_dirs) },
          { only_old_tables_that_nobody_maps_are_removed, 0 },
          { table_opened_since_it_was_marked_stays, 0 },
          { table_of_a_killed_process_is_removed, 0 },
          { other_files_are_left_alone, ROWS(strangers) }, { foreign_files_are_left_alone, 0 },
          { another_users_table_is_told, 0 }, { nothing_there_is_nothing_to_do, 0 },
          { table_that_is_being_opened_is_not_lost, 0 })
