/* Whose socket it is, asked of the kernel by sock_diag(7). */
#ifndef PRELOAD_DIAG_H
#define PRELOAD_DIAG_H

#include <base/endpoint.h>
#include <stdbool.h>
#include <sys/types.h>

/* A socket to ask by, or a negative errno. */
int diag_open(void);

/*
 * The user of the socket at @from that talks to @to, a loopback address (both unmapped): of TCP the
 * connected one, of UDP the one that an answer from @to would reach. Takes microseconds, however
 * many sockets there are; waits for nobody.
 *
 * Returns 0, or a negative errno: -ENOENT where there is none, or the kernel can't look for it.
 */
int diag_find_user(int fd, bool stream, const struct endpoint *from, const struct endpoint *to,
                   uid_t *user);

#endif
