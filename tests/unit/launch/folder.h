/* A folder for one test's files, and what is put there. */
#ifndef UNIT_LAUNCH_FOLDER_H
#define UNIT_LAUNCH_FOLDER_H

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unit.h>

static char folder[64];

static inline void folder_init(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%.40s/socksify-test.XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	/* Tests look at it as another user, too. */
	ck_assert_int_eq(chmod(folder, 0755), 0);
}

static inline int folder_unlink(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void folder_fini(void)
{
	nftw(folder, folder_unlink, 8, FTW_DEPTH | FTW_PHYS);
}

/* The path of a name in the folder; of the last four that were asked for. */
static inline const char *folder_path(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 4];

	ck_assert_int_lt(snprintf(path, sizeof(paths[0]), "%s/%s", folder, name),
	                 (int)sizeof(paths[0]));
	return path;
}

/* Folders in @name are made. */
static inline const char *folder_put(const char *name, const void *data, size_t len, mode_t mode)
{
	const char *path = folder_path(name);
	char part[PATH_MAX];
	int fd;

	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = part + strlen(folder) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(part, 0755);
		*slash = '/';
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
	return path;
}

/* A copy of a file, or NULL where it can't be read. */
static inline const char *folder_copy(const char *name, const char *from, mode_t mode)
{
	int fd = open(from, O_RDONLY | O_CLOEXEC);
	struct stat st;
	const char *path;
	char *data;

	if (fd < 0)
		return NULL;
	ck_assert_int_eq(fstat(fd, &st), 0);
	data = malloc((size_t)st.st_size);
	ck_assert_int_eq(read(fd, data, (size_t)st.st_size), st.st_size);
	close(fd);
	path = folder_put(name, data, (size_t)st.st_size, mode);
	free(data);
	return path;
}

#endif
