#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int file_open(const char *path)
{
	int fd;

	do {
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	} while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

ssize_t file_read(int fd, void *buf, size_t len, uint64_t offset)
{
	uint8_t *at = buf;
	size_t done = 0;

	/* Offsets come from the file that is read, and may be anything. */
	if (offset > (uint64_t)INT64_MAX - len)
		return 0;
	while (done < len) {
		ssize_t n = pread(fd, at + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}
