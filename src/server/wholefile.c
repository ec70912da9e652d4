#include "wholefile.h"

#include "opener.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Its octets, the caller's to free; 0 or a negative errno. */
static int read_all(int fd, size_t max, char **out, size_t *len)
{
	size_t room = 0, n = 0;
	char *buf = NULL, *grown;
	ssize_t got;
	int err;

	*out = NULL;
	for (;;) {
		if (n == room) {
			room = room * 2 + 4096;
			grown = realloc(buf, room);
			if (!grown)
				break;
			buf = grown;
		}
		got = read(fd, buf + n, room - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0) {
			*out = buf;
			*len = n;
			return 0;
		}
		if (got < 0)
			break;
		n += (size_t)got;
		if (n > max) {
			errno = EFBIG;
			break;
		}
	}
	err = -errno;
	free(buf);
	return err;
}

int wholefile_read(struct opener *opener, const char *path, size_t max, char **out, size_t *len)
{
	int err, fd = opener_open(opener, path);
	struct stat st;

	if (fd < 0)
		return fd;
	err = fstat(fd, &st) < 0 ? -errno : !S_ISREG(st.st_mode) ? -EINVAL : 0;
	if (err == 0)
		err = read_all(fd, max, out, len);
	close(fd);
	return err;
}
