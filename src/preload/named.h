/* A connect past the proxy to a name: the program has a placeholder, and a rule says direct. */
#ifndef PRELOAD_NAMED_H
#define PRELOAD_NAMED_H

#include "path.h"

/*
 * @fd    a TCP socket; @sock is what it is
 * @path  ROUTE_DIRECT, to a name
 * @sa    what the program asked for, in the family that it takes the socket for
 *
 * Returns 0 or a negative errno as connect(2) has it; -EHOSTUNREACH where the name has no address
 * that the socket can reach.
 */
int named_connect(int fd, const struct path_socket *sock, const struct path *path,
                  const struct sockaddr *sa);

#endif
