/*
 * How to wait for a socket. The library waits as connect(2) does, signals included; the wrapper and
 * the tests merely poll. One waiter serves one connect.
 */
#ifndef TUNNEL_WAIT_H
#define TUNNEL_WAIT_H

#include <base/sys.h>

struct waiter {
	/*
	 * Wait until @fd has one of @events (POLLIN, POLLOUT), an error or a hang-up.
	 * Returns 0, -ETIMEDOUT once @deadline_ms (clock_ms()) has passed, or -EINTR.
	 */
	int (*wait)(struct waiter *w, int fd, short events, int64_t deadline_ms);
	const struct sys *sys;
};

/* Polls, and goes on after a signal. */
void waiter_init(struct waiter *w, const struct sys *sys);

#endif
