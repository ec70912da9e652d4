/* Registrations with epolls are noted: they must come along when another socket takes a place. */
#include "epolls.h"
#include "fds.h"
#include "guard.h"
#include "lock.h"
#include "parked.h"
#include "real.h"

int hook_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *ev)
{
	struct lock_guard g;
	int r;

	if (!guard_is_up() || !fds_has(fds_find(fd), FD_PARKED) || guard_ask() != GUARD_MINE)
		return epolls_control(epoll_fd, op, fd, ev, false);
	/* Not between the two steps of a move. */
	lock_take(&g, LOCK_PARKING);
	r = epolls_control(epoll_fd, op, fd, ev, parked_find(fd) != NULL);
	lock_release(&g);
	return r;
}
