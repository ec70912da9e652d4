/* A folder on tmpfs for the tables of one test. */
#ifndef FOLDER_H
#define FOLDER_H

#include <dirent.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unit.h>

/* Of the default pool. */
#define POOL_SLOTS (1u << 17)

static char folder[64], table_path[96];

static inline void folder_init(void)
{
	strcpy(folder, "/dev/shm/socksify-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(table_path, sizeof(table_path), "%s/names", folder);
}

static inline int folder_remove(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static inline void folder_fini(void)
{
	nftw(folder, folder_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* The exit status of a child; -1 where a signal ended it. */
static inline int child_wait(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline int open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (dir && readdir(dir))
		n++;
	closedir(dir);
	return n;
}

#endif
