/*
 * The files of the command line, which are read again when they change, or at SIGHUP: by then the
 * server may have no right to open them any more. A helper process that has, opens these files
 * and no others, and hands the descriptors over.
 */
#ifndef SERVER_OPENER_H
#define SERVER_OPENER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#define OPENER_FILES_MAX 8

struct opener;

/*
 * Start the helper. Before there are threads, secrets in memory, or privileges given away.
 *
 * @paths    borrowed for good; it opens these, asked for in the same words, but for those in /proc
 *           and /dev, which mean another file to it
 * @confine  with a filter of system calls
 *
 * Returns 0 or a negative errno.
 */
int opener_new(struct opener **out, const char *const *paths, size_t n, bool confine);
/* Ends the helper; it ends by itself when the server is killed. NULL is fine. */
void opener_free(struct opener *o);

/*
 * Open a file to read it, never waiting for a FIFO's other end: by ourselves, and where that is
 * denied, by the helper. Any thread may.
 *
 * @o  NULL: by ourselves alone
 *
 * Returns a descriptor, or a negative errno.
 */
int opener_open(struct opener *o, const char *path);

/* stat(2) in the same way. 0 or a negative errno. */
int opener_stat(struct opener *o, const char *path, struct stat *st);

#endif
