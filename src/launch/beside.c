#include <errno.h>
#include <fcntl.h>
#include <launch/beside.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int beside_folder(const char *path, char *buf, size_t cap)
{
	char link[32], *slash;
	ssize_t n;
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, buf, cap - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return (int)n;
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

int beside_find(const struct beside *what, const char *folder, char *buf, size_t cap)
{
	if (folder && (look(buf, cap, folder, what->installed) == 0 ||
	               look(buf, cap, folder, what->built) == 0))
		return 0;
	snprintf(buf, cap, "%s", what->configured);
	return access(buf, R_OK) < 0 ? -ENOENT : 0;
}
