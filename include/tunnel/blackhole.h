/*
 * Where parked sockets wait: a listener on loopback whose queue is full, so that the kernel drops
 * every SYN to it. A socket that is connected to it is in SYN_SENT, the one state in which the
 * kernel shows a TCP socket as nothing at all. And a port beside it that refuses.
 */
#ifndef TUNNEL_BLACKHOLE_H
#define TUNNEL_BLACKHOLE_H

#include <base/sys.h>
#include <netinet/in.h>
#include <stdbool.h>

/* One of a family. fds of -1: there is none (yet). */
struct blackhole_side {
	int listen_fd;                     /* full */
	int refuse_fd;                     /* bound, and not listening */
	struct sockaddr_in6 hole, refusal; /* AF_INET too */
	socklen_t len;
	bool tried;
};

struct blackhole {
	const struct sys *sys;
	int floor;
	struct blackhole_side v4, v6; /* numbers of descriptors may be changed by their owner */
};

/*
 * One thread at a time, in all of these.
 *
 * @floor as for sys_raise(). Opens the IPv4 side; that of IPv6 is opened at its first use.
 *
 * Returns 0, or a negative errno, with nothing open: -ENETUNREACH where loopback is down, -EAGAIN
 * where the queue won't fill.
 */
int blackhole_open(struct blackhole *b, const struct sys *sys, int floor);
void blackhole_close(struct blackhole *b);

/*
 * Begin a connect() of @fd, a non-blocking stream socket of @family, that stays pending. An
 * AF_INET6 one goes to ::1 or, where there is none, to ::ffff:127.0.0.1.
 *
 * Returns -EINPROGRESS, or the kernel's word on why not: the socket's state (-EISCONN, -EALREADY,
 * or the error of a connect before), or a way that does not exist (-EADDRNOTAVAIL, -ENETUNREACH).
 */
int blackhole_park(struct blackhole *b, int fd, int family);

/*
 * Leave @fd, an unconnected stream socket of @family, as one is whose connect() was refused:
 * POLLERR, and ECONNREFUSED from SO_ERROR, read or write, once. It becomes non-blocking.
 *
 * @mapped  an AF_INET6 socket that was connected to an IPv4 address before: Linux then loses what
 *          it sends to one of IPv6
 *
 * Returns 0, or a negative errno: it is unconnected then.
 */
int blackhole_refuse(struct blackhole *b, int fd, int family, bool mapped);

#endif
