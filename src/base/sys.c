#include <base/sys.h>
#include <fcntl.h>
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
};
