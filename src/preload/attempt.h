/* One connect through the proxy, from its deadline to what is remembered of the socket. */
#ifndef PRELOAD_ATTEMPT_H
#define PRELOAD_ATTEMPT_H

#include "path.h"

/* The path is unresolved, and the socket can't be parked while that is seen to. */
#define ATTEMPT_UNRESOLVED 1

/*
 * @fd    a TCP socket; @sock is what it is
 * @path  where to, and the proxy's addresses
 * @sa    what the program asked for, in the family that it takes the socket for
 *
 * Returns ATTEMPT_UNRESOLVED, 0 or a negative errno as connect(2) has it. After -EINPROGRESS and
 * -EINTR the connect goes on.
 */
int attempt_connect(int fd, const struct path_socket *sock, const struct path *path,
                    const struct sockaddr *sa);

#endif
