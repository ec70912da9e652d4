#include "beside.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The folder of this program, without a trailing slash, links or "..". */
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

/* The folder has no links in it, so that "../" takes its last name away. */
static int look(char *buf, size_t cap, const char *folder, const char *below)
{
	size_t len = strlen(folder);
	int n;

	while (strncmp(below, "../", 3) == 0) {
		while (len > 0 && folder[--len] != '/')
			;
		below += 3;
	}
	n = snprintf(buf, cap, "%.*s/%s", (int)len, folder, below);
	if (n < 0 || (size_t)n >= cap)
		return -ENAMETOOLONG;
	return access(buf, R_OK) < 0 ? -ENOENT : 0;
}

int beside_find(const struct beside *what, char *buf, size_t cap)
{
	char folder[PATH_MAX];

	if (own_folder(folder, sizeof(folder)) == 0 &&
	    (look(buf, cap, folder, what->installed) == 0 ||
	     look(buf, cap, folder, what->built) == 0))
		return 0;
	snprintf(buf, cap, "%s", what->configured);
	return access(buf, R_OK) < 0 ? -ENOENT : 0;
}
