/* One connect through the proxy, from its deadline to what is remembered of the socket. */
#ifndef PRELOAD_ATTEMPT_H
#define PRELOAD_ATTEMPT_H

#include "path.h"
#include "sockets.h"

/*
 * @fd      a TCP socket; @sock is what it is
 * @path    where to, and the proxy's addresses
 * @sa      what the program asked for, in the family that it takes the socket for
 * @before  NULL, or what was noted of a connect to the same address that was interrupted: its
 *          outcome is fetched by the first deadline, and without another interruption, so that a
 *          program which tries again after each signal gets there
 *
 * Returns 0 or a negative errno as connect(2) has it.
 */
int attempt_connect(int fd, const struct path_socket *sock, const struct path *path,
                    const struct sockaddr *sa, const struct socket_note *before);

#endif
