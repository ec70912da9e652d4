/* One connect through the proxy, from its deadline to what is remembered of the socket. */
#ifndef PRELOAD_ATTEMPT_H
#define PRELOAD_ATTEMPT_H

#include "path.h"
#include "sockets.h"

/*
 * @fd    a TCP socket; @sock is what it is
 * @path  where to, and the proxy's addresses
 * @sa    what the program asked for, in the family that it takes the socket for
 * @late  the program asks for the outcome of a connect that was interrupted, and is not to be
 *        interrupted again
 *
 * Returns 0 or a negative errno as connect(2) has it.
 */
int attempt_connect(int fd, const struct path_socket *sock, const struct path *path,
                    const struct sockaddr *sa, bool late);

/* Remember that @fd is connected to @sa, which is in the family that the program takes it for. */
void attempt_note(int fd, int shown_family, enum socket_state state, const struct sockaddr *sa);

#endif
