/* A file's octets at once, for those that are read at the start and at SIGHUP. */
#ifndef SERVER_WHOLEFILE_H
#define SERVER_WHOLEFILE_H

#include <stddef.h>

struct opener;

/*
 * Read a regular file. No descriptor stays open.
 *
 * @opener  as for opener_open()
 * @out     the caller's to free
 *
 * Returns 0; -EINVAL where it is no regular file; -EFBIG where it has over @max octets; another
 * negative errno.
 */
int wholefile_read(struct opener *opener, const char *path, size_t max, char **out, size_t *len);

#endif
