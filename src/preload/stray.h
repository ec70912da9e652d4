/*
 * Strays: what goes to this machine (loopback, and the unspecified address, which means the same)
 * is direct; but Linux sends it out by a device other than lo where the socket, or the call,
 * chooses one.
 */
#ifndef PRELOAD_STRAY_H
#define PRELOAD_STRAY_H

#include "path.h"

/*
 * Would what is direct, since it goes to this machine, go out by a device that the socket has
 * chosen? @p is made ready for path_refuse() then. Two system calls where it goes to this machine.
 */
bool stray_is(int fd, const struct path_socket *sock, struct path *p);

/* Would TCP to a proxy on this machine? */
bool stray_is_proxy(int fd, struct path *p);

/* Would it, dialled to one after the other of these? */
bool stray_is_dialled(int fd, const struct endpoint *hops, size_t n);

/* The same of one address that is found for a name. */
bool stray_is_address(int fd, const struct path_socket *sock, const struct endpoint *ep);

/* Has a datagram socket, from elsewhere, such a peer? As stray_is(), and fills @p's destination. */
bool stray_has_peer(int fd, const struct path_socket *sock, const struct endpoint *peer,
                    struct path *p);

/* Does control data choose a device for its message? */
bool stray_is_in(const struct msghdr *msg);

/*
 * Of such a message to this machine: 0, or a negative errno. What else it may be is judged before.
 */
int stray_judge_message(int fd, const struct path_socket *sock, const struct msghdr *msg);

/*
 * Of setsockopt(2): a device for a socket that is connected to this machine, or one that can't be
 * looked at later. 0, or a negative errno.
 */
int stray_judge_option(int fd, int level, int name, const void *val, socklen_t len);

/* Of the socket that is dialled to these for another one. 0, or a negative errno. */
int stray_judge_dialled(int level, int name, const void *val, socklen_t len,
                        const struct endpoint *hops, size_t n);

#endif
