#include "confined.h"

#include <errno.h>
#include <fcntl.h>
#include <landlock.h>
#include <opener.h>
#include <sys/stat.h>

/* A folder with two files; landlock closes all of it, but to the helper. */
static struct {
	char folder[64], one[96], two[96], three[96];
	struct opener *opener;
} made;

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void made_init(bool confine)
{
	snprintf(made.folder, sizeof(made.folder), "/tmp/socksifyd-opener.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(made.folder));
	snprintf(made.one, sizeof(made.one), "%s/one", made.folder);
	snprintf(made.two, sizeof(made.two), "%s/two", made.folder);
	snprintf(made.three, sizeof(made.three), "%s/three", made.folder);
	put(made.one, "1");
	put(made.three, "3");
	ck_assert_int_eq(
		opener_new(&made.opener, (const char *const[]){ made.one, made.two }, 2, confine),
		0);
}

static void made_fini(void)
{
	opener_free(made.opener);
	unlink(made.one);
	unlink(made.two);
	unlink(made.three);
	rmdir(made.folder);
}

static bool reads(const char *path, char expected)
{
	int fd = opener_open(made.opener, path), flags;
	char got = 0;

	if (fd < 0)
		return false;
	flags = fcntl(fd, F_GETFD);
	if (read(fd, &got, 1) != 1)
		got = 0;
	close(fd);
	return got == expected && (flags & FD_CLOEXEC);
}

static int steps(void)
{
	struct stat st;
	int next = dup(0);

	close(next);
	if (landlock_enter(NULL, 0) < 0)
		return CONFINED_CANNOT;
	if (open(made.one, O_RDONLY) >= 0 || errno != EACCES)
		return 1;
	for (int i = 0; i < 100; i++)
		if (!reads(made.one, '1'))
			return 2;
	/* Not there, and not named. */
	if (opener_open(made.opener, made.two) != -ENOENT)
		return 3;
	if (opener_open(made.opener, made.three) != -EACCES ||
	    opener_open(NULL, made.one) != -EACCES)
		return 4;
	if (opener_stat(made.opener, made.one, &st) != 0 || st.st_size != 1 ||
	    opener_stat(made.opener, made.two, &st) != -ENOENT)
		return 5;
	/* No descriptor is left over. */
	return dup(0) == next ? 0 : 6;
}

START_TEST(named_files_are_opened_and_no_others)
{
	int step;

	made_init(_i);
	step = confined_run(steps);
	made_fini();
	if (step != CONFINED_CANNOT)
		ck_assert_int_eq(step, 0);
}
END_TEST

START_TEST(what_can_be_opened_needs_no_helper)
{
	char path[] = "/dev/null";
	struct stat st;
	int fd = opener_open(NULL, path);

	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(opener_open(NULL, "/nonexistent/file"), -ENOENT);
	ck_assert_int_eq(opener_stat(NULL, path, &st), 0);
	ck_assert_int_eq(opener_stat(NULL, "/nonexistent/file", &st), -ENOENT);
}
END_TEST

UNIT_MAIN("server opener", { named_files_are_opened_and_no_others, 2 },
          { what_can_be_opened_needs_no_helper, 0 })
