#include "library.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY_FILE "libsocksify.so"

/* The folder of this program, without a trailing slash. */
static int own_folder(char *buf, size_t cap)
{
	ssize_t n = readlink("/proc/self/exe", buf, cap - 1);
	char *slash;

	if (n < 0)
		return -errno;
	buf[n] = '\0';
	slash = strrchr(buf, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	return 0;
}

static int found(char *buf, size_t cap, const char *folder, const char *below)
{
	char path[PATH_MAX * 2];

	snprintf(path, sizeof(path), "%s%s/" LIBRARY_FILE, folder, below);
	if (access(path, R_OK) < 0)
		return -ENOENT;
	/*
	 * Without "..": the path is shown to people, and compared by programs that are started
	 * later.
	 */
	if (!realpath(path, buf) || cap < PATH_MAX)
		return -ENOENT;
	return strpbrk(buf, " :\t\n") ? -EINVAL : 0;
}

int library_find(char *buf, size_t cap)
{
	char folder[PATH_MAX];
	int err;

	if (own_folder(folder, sizeof(folder)) == 0) {
		err = found(buf, cap, folder, SOCKSIFY_LIBDIR_FROM_BINDIR);
		if (err == -ENOENT)
			err = found(buf, cap, folder, "/../preload");
		if (err != -ENOENT)
			return err;
	}
	err = found(buf, cap, SOCKSIFY_LIBDIR, "");
	if (err == -ENOENT)
		snprintf(buf, cap, "%s/" LIBRARY_FILE, SOCKSIFY_LIBDIR);
	return err;
}
