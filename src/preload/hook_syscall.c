/*
 * syscall(): those numbers that the other hooks stand for go to them; all else, and whatever comes
 * in the years to come, goes on as it is. Takes no lock and allocates nothing where they don't:
 * allocators call it before start-up is done.
 */
#include "real.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

long hook_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	switch (number) {
#ifdef SYS_connect
	case SYS_connect:
		return hook_connect((int)a, (const struct sockaddr *)b, (socklen_t)c);
#endif
	case SYS_epoll_ctl:
		return hook_epoll_ctl((int)a, (int)b, (int)c, (struct epoll_event *)d);
	case SYS_close:
		return hook_close((int)a);
#ifdef SYS_close_range
	case SYS_close_range:
		return hook_close_range((unsigned)a, (unsigned)b, (int)c);
#endif
	case SYS_dup:
		return hook_dup((int)a);
#ifdef SYS_dup2
	case SYS_dup2:
		return hook_dup2((int)a, (int)b);
#endif
	case SYS_dup3:
		return hook_dup3((int)a, (int)b, (int)c);
#ifdef SYS_fcntl
	case SYS_fcntl:
		return hook_fcntl((int)a, (int)b, c);
#endif
#ifdef SYS_io_uring_setup
	case SYS_io_uring_setup:
		/* A ring connects, and registers with epolls, past all hooks. */
		errno = ENOSYS;
		return -1;
#endif
	}
	return real->syscall(number, a, b, c, d, e, f);
}
