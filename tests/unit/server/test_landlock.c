#include "confined.h"

#include <errno.h>
#include <fcntl.h>
#include <landlock.h>
#include <signal.h>

#define SCOPES 6 /* the version that has them */

static const char *const open_to_read[] = { "/etc", "/dev/null", "/nonexistent/folder" };

static int opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int steps(void)
{
	int version = landlock_enter(open_to_read, 3);

	if (version < 0)
		return CONFINED_CANNOT;
	if (version != landlock_version())
		return 1;
	if (opens("/etc/passwd", O_RDONLY) != 0 || opens("/etc", O_RDONLY | O_DIRECTORY) != 0)
		return 2;
	if (opens("/dev/null", O_RDONLY) != 0 || opens("/dev/null", O_WRONLY) != -EACCES)
		return 3;
	if (opens("/dev/zero", O_RDONLY) != -EACCES || opens("/", O_RDONLY) != -EACCES)
		return 4;
	if (opens("/tmp/socksifyd-landlock", O_RDWR | O_CREAT) != -EACCES)
		return 5;
	if (version >= SCOPES && (kill(getppid(), 0) == 0 || errno != EPERM))
		return 6;
	return kill(getpid(), 0) == 0 ? 0 : 7;
}

START_TEST(what_is_named_can_be_read_and_nothing_be_written)
{
	int step = confined_run(steps);

	if (step != CONFINED_CANNOT)
		ck_assert_int_eq(step, 0);
}
END_TEST

static int nothing_steps(void)
{
	if (landlock_enter(NULL, 0) < 0)
		return CONFINED_CANNOT;
	return opens("/etc/passwd", O_RDONLY) == -EACCES ? 0 : 1;
}

START_TEST(nothing_at_all_can_be_named)
{
	int step = confined_run(nothing_steps);

	if (step != CONFINED_CANNOT)
		ck_assert_int_eq(step, 0);
}
END_TEST

UNIT_MAIN("server landlock", { what_is_named_can_be_read_and_nothing_be_written, 0 },
          { nothing_at_all_can_be_named, 0 })
