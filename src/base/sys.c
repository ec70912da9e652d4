#include <base/sys.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* glibc declares it with a transparent union, whose pointers do not fit those of struct sys. */
static int call_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	return connect(fd, sa, len);
}

static int call_fcntl(int fd, int cmd, long arg)
{
	return fcntl(fd, cmd, arg);
}

static int call_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	return bind(fd, sa, len);
}

static int call_eventfd(unsigned count, int flags)
{
	return eventfd(count, flags);
}

static int call_getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	return getsockname(fd, sa, len);
}

const struct sys sys_libc = {
	.socket = socket,
	.connect = call_connect,
	.close = close,
	.poll = poll,
	.send = send,
	.recv = recv,
	.getsockopt = getsockopt,
	.setsockopt = setsockopt,
	.fcntl = call_fcntl,
	.dup3 = dup3,
	.bind = call_bind,
	.listen = listen,
	.getsockname = call_getsockname,
	.epoll_create1 = epoll_create1,
	.epoll_ctl = epoll_ctl,
	.epoll_wait = epoll_wait,
	.eventfd = call_eventfd,
	.read = read,
	.write = write,
};

int sys_raise(const struct sys *sys, int fd, int floor)
{
	int high;

	if (fd < 0)
		return -errno;
	high = sys->fcntl(fd, F_DUPFD_CLOEXEC, floor);
	if (high < 0)
		return fd;
	sys->close(fd);
	return high;
}
