/*
 * With _GNU_SOURCE glibc declares the calls that take an address with a transparent union, whose
 * pointers do not fit those of struct sys: hence a function of our own around each of the four.
 */
#include <base/sys.h>
#include <fcntl.h>
#include <unistd.h>

static int call_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	return connect(fd, sa, len);
}

static int call_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	return bind(fd, sa, len);
}

static int call_getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	return getsockname(fd, sa, len);
}

static int call_getpeername(int fd, struct sockaddr *sa, socklen_t *len)
{
	return getpeername(fd, sa, len);
}

const struct sys sys_libc = {
	.socket = socket,
	.connect = call_connect,
	.bind = call_bind,
	.close = close,
	.poll = poll,
	.send = send,
	.recv = recv,
	.getsockopt = getsockopt,
	.setsockopt = setsockopt,
	.getsockname = call_getsockname,
	.getpeername = call_getpeername,
	.fcntl = fcntl,
	.dup3 = dup3,
};
