/* What a program does with a socket that is parked, and must not see that it is. */
#ifndef PRELOAD_WAITING_H
#define PRELOAD_WAITING_H

#include "fds.h"
#include "guard.h"

#include <stdbool.h>
#include <sys/socket.h>

/*
 * Is @fd parked? One load where the guard is down; a hint otherwise, which the functions below
 * verify.
 */
static inline bool waiting_has(int fd)
{
	return guard_is_up() && fds_has(fds_find(fd), FD_PARKED);
}

/*
 * connect() again, of one that is parked, to an address that is not AF_UNSPEC. True where it is:
 * @err says -EALREADY or, where the socket is not non-blocking any more, how waiting for it ended.
 */
bool waiting_again(int fd, int *err);

/* By connect(AF_UNSPEC): nothing waits for it any more, its options are as they were. */
void waiting_dissolve(int fd);

/*
 * What a parked socket does not bear (options.h), and its local address, are asked of the one that
 * is dialled. False where @fd is not parked, or the option is the parked one's to keep.
 */
bool waiting_setsockopt(int fd, int level, int name, const void *val, socklen_t len, int *r);
bool waiting_getsockopt(int fd, int level, int name, void *val, socklen_t *len, int *r);
bool waiting_getsockname(int fd, struct sockaddr *sa, socklen_t *len, int *r);

#endif
