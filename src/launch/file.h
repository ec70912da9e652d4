/* Reading files with nothing but system calls; -errno, EINTR gone on with. */
#ifndef LAUNCH_FILE_H
#define LAUNCH_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* For reading, close-on-exec; a device or a FIFO neither waits nor becomes our terminal. */
int file_open(const char *path);

/* How many octets were read, less than @len only where the file ends; 0 beyond its end. */
ssize_t file_read(int fd, void *buf, size_t len, uint64_t offset);

#endif
