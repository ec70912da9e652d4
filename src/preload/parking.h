/*
 * Non-blocking connects: the program's socket is parked where the kernel itself shows it as "not
 * yet" (tunnel/blackhole.h), another socket is brought through the proxy by the helper, and then
 * takes the first one's place. A failure is such a swap, too.
 */
#ifndef PRELOAD_PARKING_H
#define PRELOAD_PARKING_H

#include "path.h"

#define PARKING_UNABLE 1 /* it can't be parked here: the blocking way is left */

/* Where a parked socket is to be brought. */
struct parking_aim {
	const struct proxy *proxy;   /* NULL: none, straight to one of the hops */
	const struct endpoint *hops; /* copied */
	size_t n_hops;
	bool unresolved;            /* the proxy's name is to be asked for first */
	const struct endpoint *dst; /* copied */
	int64_t deadline_ms;
};

/*
 * A connect() of @fd, which is non-blocking. Returns -EINPROGRESS, another negative errno that is
 * the program's to see, 0 where it stands at once, or PARKING_UNABLE with nothing changed.
 *
 * @sa  as the program gave it
 */
int parking_connect(int fd, const struct path_socket *sock, const struct parking_aim *aim,
                    const struct sockaddr *sa);

/*
 * A blocking connect() of @fd ends, and goes on behind: a stand-in is parked in the socket's place,
 * and the helper carries @d, which is under way, on from a copy. False where that can't be; nothing
 * is changed then.
 *
 * @second  -1: @fd itself is dialled; else a socket that is, the caller's to close
 */
bool parking_carry_on(int fd, const struct path_socket *sock, const struct dial *d, int second,
                      const struct endpoint *dst, const struct sockaddr *sa);

#endif
