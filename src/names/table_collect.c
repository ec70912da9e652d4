/*
 * Where tables lie, and the removal of those that nobody uses any more. A table that is not mapped
 * may be so for the instant between a program and the one that it becomes by exec, so it goes only
 * when it was found so twice running, and nobody opened it in between: the first time it is marked
 * by its time of access, and table_file.c sets both of its times when it opens one.
 */
#include <names/table.h>

#include "table_file.h"
#include <config/ascii.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NONCE_DIGITS 16

/* The folder of a user's session and what table names in it begin with; else the folder of all. */
static int own_folder(char *buf, size_t cap, const char *runtime_dir)
{
	struct stat st;
	int len;

	/* After su(1) the variable often still names the former user's folder. */
	if (!runtime_dir || runtime_dir[0] != '/' || stat(runtime_dir, &st) < 0 ||
	    !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		return -ENOENT;
	len = snprintf(buf, cap, "%s/socksify", runtime_dir);
	return len < 0 || (size_t)len >= cap ? -ENAMETOOLONG : 0;
}

static void shared_prefix(char *buf, size_t cap)
{
	snprintf(buf, cap, "socksify-%lu-", (unsigned long)geteuid());
}

int table_new_path(char *buf, size_t cap, const char *runtime_dir, uint64_t nonce)
{
	char folder[PATH_MAX], prefix[40];
	int err = own_folder(folder, sizeof(folder), runtime_dir), len;

	if (err == -ENAMETOOLONG)
		return err;
	shared_prefix(prefix, sizeof(prefix));
	len = snprintf(buf, cap, "%s/%s%016llx", err == 0 ? folder : TABLE_SHARED_FOLDER,
	               err == 0 ? "names." : prefix, (unsigned long long)nonce);
	return len < 0 || (size_t)len >= cap ? -ENAMETOOLONG : 0;
}

bool table_is_foreign(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == EACCES;
	return st.st_uid != geteuid();
}

/* A table, or the draft of one that its maker did not live to name. */
static bool is_table(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);

	if (strncmp(name, prefix, n) != 0)
		return false;
	for (size_t i = 0; i < NONCE_DIGITS; i++)
		if (ascii_hex(name[n + i]) < 0)
			return false;
	return name[n + NONCE_DIGITS] == '\0' || name[n + NONCE_DIGITS] == '.';
}

static bool is_old(const struct stat *st, int age_s)
{
	return time(NULL) - st->st_mtime > age_s;
}

/* Open a file of our own; -1 for anything else. */
static int open_own(int folder, const char *name, int flags, struct stat *st)
{
	int fd = openat(folder, name,
	                flags | O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
	                S_IRUSR | S_IWUSR);

	if (fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode) && st->st_uid == geteuid())
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Is it time, and nobody else at it. The stamp's time is set before the work is done. */
static bool claim(int folder, const char *stamp, int age_s)
{
	struct stat st;
	int fd = open_own(folder, stamp, O_EXCL | O_CREAT, &st);
	bool mine = fd >= 0;

	if (!mine) {
		fd = open_own(folder, stamp, 0, &st);
		if (fd < 0)
			return false;
		mine = flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 &&
		       is_old(&st, age_s) && futimens(fd, NULL) == 0;
	}
	close(fd);
	return mine;
}

/* With the file's lock nobody maps it, and nobody who opens it now will stay with it. */
static bool remove_or_mark(int folder, const char *name, int fd, int age_s)
{
	const struct timespec mark[2] = { { .tv_sec = 0 }, { .tv_nsec = UTIME_OMIT } };
	struct stat st, named;

	if (fstat(fd, &st) < 0 || fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
	    named.st_dev != st.st_dev || named.st_ino != st.st_ino)
		return false;
	if (st.st_atime == 0)
		return is_old(&st, age_s) && unlinkat(folder, name, 0) == 0;
	futimens(fd, mark);
	return false;
}

static bool remove_unused(int folder, const char *name, int age_s)
{
	struct stat st;
	int fd = open_own(folder, name, 0, &st);
	bool gone;

	if (fd < 0)
		return false;
	gone = flock(fd, LOCK_EX | LOCK_NB) == 0 && remove_or_mark(folder, name, fd, age_s);
	close(fd);
	return gone;
}

/* Was it done just now: what most calls find, for one system call. */
static bool is_done(const char *path, const char *stamp, int age_s)
{
	char file[PATH_MAX];
	struct stat st;

	if (snprintf(file, sizeof(file), "%s/%s", path, stamp) >= (int)sizeof(file))
		return false;
	return lstat(file, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	       !is_old(&st, age_s);
}

static int collect(const char *path, const char *prefix, const char *stamp, int age_s)
{
	const struct dirent *entry;
	int folder, n = 0;
	DIR *dir;

	if (is_done(path, stamp, age_s))
		return 0;
	folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return 0;
	if (!claim(folder, stamp, age_s)) {
		close(folder);
		return 0;
	}
	dir = fdopendir(folder);
	if (!dir) {
		close(folder);
		return 0;
	}
	while ((entry = readdir(dir)))
		if (is_table(entry->d_name, prefix) && remove_unused(folder, entry->d_name, age_s))
			n++;
	closedir(dir);
	return n;
}

int table_collect(const char *runtime_dir, int age_s)
{
	char folder[PATH_MAX], prefix[40], stamp[64];
	int n = 0;

	if (own_folder(folder, sizeof(folder), runtime_dir) == 0)
		n += collect(folder, "names.", "collected", age_s);
	shared_prefix(prefix, sizeof(prefix));
	snprintf(stamp, sizeof(stamp), "%scollected", prefix);
	return n + collect(TABLE_SHARED_FOLDER, prefix, stamp, age_s);
}
