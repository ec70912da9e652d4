/*
 * Sockets that the program points at a name server, and that are in truth pointed at the loopback
 * port that stands for it (ports.h); and the way back, of the addresses that the kernel tells.
 */
#ifndef PRELOAD_POINTED_H
#define PRELOAD_POINTED_H

#include "path.h"
#include "ports.h"

/*
 * connect(), where @path is ROUTE_ANSWER and the kernel has nothing against @sa itself.
 *
 * Returns 0 or a negative errno as connect(2) has it.
 */
int pointed_connect(int fd, const struct path_socket *sock, struct path *path,
                    const struct sockaddr *sa, socklen_t len);

/*
 * Where a datagram to such a path is to be sent. Returns 0, or a negative errno: nowhere.
 */
int pointed_target(int fd, const struct path_socket *sock, struct path *path,
                   struct sockaddr_storage *to, socklen_t *len);

/* Is the socket connected to such a port? */
bool pointed_has(int fd);

/*
 * Right before a send without an address: ports_wake(), where the socket is connected to one and
 * that may be needed. Costs no system call but in a forked child.
 */
void pointed_wake(int fd);

/*
 * @sa, which the kernel has told, is to be what the program takes it for.
 *
 * @len   its true length; of the @room octets no more were written
 */
void pointed_show(struct sockaddr *sa, socklen_t *len, socklen_t room);

#endif
