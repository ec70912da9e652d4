/*
 * syscall(): those numbers that the other hooks stand for go to them; all else, and whatever comes
 * in the years to come, goes on as it is. Takes no lock and allocates nothing where they don't:
 * allocators call it before start-up is done.
 */
#include "real.h"
#include "stranger.h"
#include "uring.h"

#include <errno.h>
#include <linux/net.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/*
 * A call of sockets, by its number in <linux/net.h>; socketcall(), the only way to them in the
 * kernels of some machines, has these and the arguments in memory.
 *
 * Returns false where no hook stands for it.
 */
static bool call_socket(long call, const long *a, long *r)
{
	switch (call) {
	case SYS_SOCKET:
		*r = hook_socket((int)a[0], (int)a[1], (int)a[2]);
		return true;
	case SYS_SOCKETPAIR:
		*r = hook_socketpair((int)a[0], (int)a[1], (int)a[2], (int *)a[3]);
		return true;
	case SYS_SETSOCKOPT:
		*r = hook_setsockopt((int)a[0], (int)a[1], (int)a[2], (const void *)a[3],
		                     (socklen_t)a[4]);
		return true;
	case SYS_GETSOCKOPT:
		*r = hook_getsockopt((int)a[0], (int)a[1], (int)a[2], (void *)a[3],
		                     (socklen_t *)a[4]);
		return true;
	case SYS_CONNECT:
		*r = hook_connect((int)a[0], (const struct sockaddr *)a[1], (socklen_t)a[2]);
		return true;
	case SYS_GETSOCKNAME:
		*r = hook_getsockname((int)a[0], (struct sockaddr *)a[1], (socklen_t *)a[2]);
		return true;
	case SYS_GETPEERNAME:
		*r = hook_getpeername((int)a[0], (struct sockaddr *)a[1], (socklen_t *)a[2]);
		return true;
	case SYS_SEND:
		*r = hook_send((int)a[0], (const void *)a[1], (size_t)a[2], (int)a[3]);
		return true;
	case SYS_SENDTO:
		*r = hook_sendto((int)a[0], (const void *)a[1], (size_t)a[2], (int)a[3],
		                 (const struct sockaddr *)a[4], (socklen_t)a[5]);
		return true;
	case SYS_RECVFROM:
		*r = hook_recvfrom((int)a[0], (void *)a[1], (size_t)a[2], (int)a[3],
		                   (struct sockaddr *)a[4], (socklen_t *)a[5]);
		return true;
	case SYS_SENDMSG:
		*r = hook_sendmsg((int)a[0], (const struct msghdr *)a[1], (int)a[2]);
		return true;
	case SYS_RECVMSG:
		*r = hook_recvmsg((int)a[0], (struct msghdr *)a[1], (int)a[2]);
		return true;
	case SYS_RECVMMSG:
		*r = hook_recvmmsg((int)a[0], (struct mmsghdr *)a[1], (unsigned)a[2], (int)a[3],
		                   (struct timespec *)a[4]);
		return true;
	case SYS_SENDMMSG:
		*r = hook_sendmmsg((int)a[0], (struct mmsghdr *)a[1], (unsigned)a[2], (int)a[3]);
		return true;
	}
	return false;
}

/* The call of sockets that has a number of its own, or 0. */
static int socket_call_of(long number)
{
	switch (number) {
#ifdef SYS_socket
	case SYS_socket:
		return SYS_SOCKET;
	case SYS_socketpair:
		return SYS_SOCKETPAIR;
#endif
#ifdef SYS_setsockopt
	case SYS_setsockopt:
		return SYS_SETSOCKOPT;
	case SYS_getsockopt:
		return SYS_GETSOCKOPT;
#endif
#ifdef SYS_connect
	case SYS_connect:
		return SYS_CONNECT;
#endif
#ifdef SYS_getsockname
	case SYS_getsockname:
		return SYS_GETSOCKNAME;
	case SYS_getpeername:
		return SYS_GETPEERNAME;
#endif
#ifdef SYS_send
	case SYS_send:
		return SYS_SEND;
#endif
#ifdef SYS_sendto
	case SYS_sendto:
		return SYS_SENDTO;
	case SYS_recvfrom:
		return SYS_RECVFROM;
	case SYS_sendmsg:
		return SYS_SENDMSG;
	case SYS_recvmsg:
		return SYS_RECVMSG;
#endif
#ifdef SYS_recvmmsg
	case SYS_recvmmsg:
		return SYS_RECVMMSG;
#endif
#ifdef SYS_sendmmsg
	case SYS_sendmmsg:
		return SYS_SENDMMSG;
#endif
	}
	return 0;
}

long hook_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	const long args[] = { a, b, c, d, e, f };
	long r;

	if (call_socket(socket_call_of(number), args, &r))
		return r;
	switch (number) {
#ifdef SYS_socketcall
	case SYS_socketcall:
		if (b && call_socket(a, (const long *)b, &r))
			return r;
		break;
#endif
#ifdef SYS_recvmmsg_time64
	case SYS_recvmmsg_time64:
		return hook___recvmmsg64((int)a, (struct mmsghdr *)b, (unsigned)c, (int)d,
		                         (void *)e);
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
#ifdef SYS_fcntl64
	case SYS_fcntl64:
		return hook_fcntl64((int)a, (int)b, c);
#endif
	case SYS_execve:
		return hook_execve((const char *)a, (char *const *)b, (char *const *)c);
	case SYS_execveat:
		return hook_execveat((int)a, (const char *)b, (char *const *)c, (char *const *)d,
		                     (int)e);
#ifdef SYS_seccomp
	case SYS_seccomp:
		/* Before it takes effect. Without a program it only asks what the kernel knows. */
		if ((a == SECCOMP_SET_MODE_FILTER && c) || a == SECCOMP_SET_MODE_STRICT)
			stranger_stop();
		break;
#endif
	case SYS_prctl:
		return hook_prctl((int)a, (unsigned long)b, (unsigned long)c, (unsigned long)d,
		                  (unsigned long)e);
#ifdef SYS_io_uring_setup
	case SYS_io_uring_setup:
		if (uring_is_allowed())
			break;
		errno = ENOSYS;
		return -1;
#endif
	}
	return real->syscall(number, a, b, c, d, e, f);
}
