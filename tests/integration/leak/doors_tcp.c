/* Streams: every call that can begin one. */
#include "doors.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

int __connect(int fd, const struct sockaddr *sa, socklen_t len);

static struct sockaddr_storage web;
static socklen_t web_len;

/* A socket that suits the address, which is kept in web. */
static int stream_to(const char *text, int protocol)
{
	web_len = door_address(&web, text, 80);
	return socket(web.ss_family, SOCK_STREAM, protocol);
}

static int by_connect(const char *text, int family)
{
	int fd = socket(family, SOCK_STREAM, 0);

	web_len = door_address(&web, text, 80);
	return door_fetch(fd, connect(fd, (struct sockaddr *)&web, web_len));
}

static int plain(char **args)
{
	(void)args;
	return by_connect(WEB4, AF_INET);
}

static int plain6(char **args)
{
	(void)args;
	return by_connect(WEB6, AF_INET6);
}

static int v4_mapped(char **args)
{
	(void)args;
	return by_connect("::ffff:" WEB4, AF_INET6);
}

static int v4_compatible(char **args)
{
	(void)args;
	return by_connect("::" WEB4, AF_INET6);
}

static int nat64(char **args)
{
	(void)args;
	return by_connect("64:ff9b::" WEB4, AF_INET6);
}

static int by_syscall(char **args)
{
	int fd = stream_to(WEB4, 0);

	(void)args;
	return door_fetch(fd, syscall(SYS_connect, fd, &web, web_len));
}

static int all_by_syscall(char **args)
{
	int fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);

	(void)args;
	web_len = door_address(&web, WEB4, 80);
	return door_fetch(fd, syscall(SYS_connect, fd, &web, web_len));
}

static int by_other_name(char **args)
{
	int fd = stream_to(WEB4, 0);

	(void)args;
	return door_fetch(fd, __connect(fd, (struct sockaddr *)&web, web_len));
}

static int bound_to_an_address(char **args)
{
	struct sockaddr_in own = { .sin_family = AF_INET };
	int fd = stream_to(WEB4, 0);

	(void)args;
	if (bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0)
		return -errno;
	return door_fetch(fd, connect(fd, (struct sockaddr *)&web, web_len));
}

static int bound_to_a_device(char **args)
{
	int fd = stream_to(WEB4, 0);

	(void)args;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "c0", 3) < 0)
		return -errno;
	return door_fetch(fd, connect(fd, (struct sockaddr *)&web, web_len));
}

static int finish(int fd, int res)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int err = 0;
	socklen_t len = sizeof(err);

	if (res < 0 && errno == EINPROGRESS) {
		poll(&p, 1, -1);
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
		errno = err;
		res = err ? -1 : 0;
	}
	fcntl(fd, F_SETFL, 0);
	return door_fetch(fd, res);
}

static int non_blocking(char **args)
{
	int fd = stream_to(WEB4, 0);

	(void)args;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return finish(fd, connect(fd, (struct sockaddr *)&web, web_len));
}

static int non_blocking_syscall(char **args)
{
	int fd = stream_to(WEB4, 0);

	(void)args;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return finish(fd, (int)syscall(SYS_connect, fd, &web, web_len));
}

/* TCP Fast Open: the first octets go with the SYN. */
static int fastopen_sendto(char **args)
{
	int fd = stream_to(WEB4, 0);

	(void)args;
	return door_fetch_rest(fd, sendto(fd, door_request, door_request_len, MSG_FASTOPEN,
	                                  (struct sockaddr *)&web, web_len));
}

static int fastopen_syscall(char **args)
{
	int fd = stream_to(WEB4, 0);

	(void)args;
	return door_fetch_rest(fd, syscall(SYS_sendto, fd, door_request, door_request_len,
	                                   MSG_FASTOPEN, &web, web_len));
}

static struct iovec request_iov;

static struct msghdr message(void)
{
	request_iov.iov_base = (void *)(size_t)door_request;
	request_iov.iov_len = door_request_len;
	return (struct msghdr){
		.msg_name = &web,
		.msg_namelen = web_len,
		.msg_iov = &request_iov,
		.msg_iovlen = 1,
	};
}

static int fastopen_sendmsg(char **args)
{
	int fd = stream_to(WEB4, 0);
	struct msghdr msg = message();

	(void)args;
	return door_fetch_rest(fd, sendmsg(fd, &msg, MSG_FASTOPEN));
}

static int fastopen_sendmsg_syscall(char **args)
{
	int fd = stream_to(WEB4, 0);
	struct msghdr msg = message();

	(void)args;
	return door_fetch_rest(fd, syscall(SYS_sendmsg, fd, &msg, MSG_FASTOPEN));
}

static int fastopen_sendmmsg(char **args)
{
	int fd = stream_to(WEB4, 0), res;
	struct mmsghdr one = { .msg_hdr = message() };

	(void)args;
	res = sendmmsg(fd, &one, 1, MSG_FASTOPEN);
	return door_fetch_rest(fd, res < 0 ? -1 : (ssize_t)one.msg_len);
}

static int fastopen_sendmmsg_syscall(char **args)
{
	int fd = stream_to(WEB4, 0);
	struct mmsghdr one = { .msg_hdr = message() };
	long res;

	(void)args;
	res = syscall(SYS_sendmmsg, fd, &one, 1, MSG_FASTOPEN);
	return door_fetch_rest(fd, res < 0 ? -1 : (ssize_t)one.msg_len);
}

static int fastopen_option(char **args)
{
	int fd = stream_to(WEB4, 0), one = 1;

	(void)args;
	if (setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof(one)) < 0)
		return -errno;
	return door_fetch(fd, connect(fd, (struct sockaddr *)&web, web_len));
}

static int fastopen_option_syscall(char **args)
{
	int fd = stream_to(WEB4, 0), one = 1;

	(void)args;
	if (syscall(SYS_setsockopt, fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof(one)) < 0)
		return -errno;
	return door_fetch(fd, syscall(SYS_connect, fd, &web, web_len));
}

static int mptcp(char **args)
{
	int fd = stream_to(WEB4, IPPROTO_MPTCP);

	(void)args;
	if (fd < 0 && (errno == EPROTONOSUPPORT || errno == ENOPROTOOPT))
		return door_lacks("this kernel has no MPTCP");
	return door_fetch(fd, connect(fd, (struct sockaddr *)&web, web_len));
}

static int twice(char **args)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int fd = stream_to(WEB4, 0);

	(void)args;
	/* The proxy's side refuses this one. */
	web_len = door_address(&web, WEB4, 9);
	if (connect(fd, (struct sockaddr *)&web, web_len) == 0)
		return -EISCONN;
	connect(fd, &none, sizeof(none));
	web_len = door_address(&web, WEB4, 80);
	return door_fetch(fd, connect(fd, (struct sockaddr *)&web, web_len));
}

/* The family is read in the address, not in the socket. */
static int family_of_another(char **args)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	(void)args;
	web_len = door_address(&web, WEB4, 80);
	return door_fetch(fd, connect(fd, (struct sockaddr *)&web, web_len));
}

/* Of this machine, and yet out by a device. */
static int home_by_a_device(char **args)
{
	int fd = stream_to("127.0.0.1", 0);

	(void)args;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "c0", 3) < 0)
		return -errno;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return door_end(connect(fd, (struct sockaddr *)&web, web_len), DOOR_SENT);
}

/* No descriptor is left for whoever would want one. */
static int without_descriptors(char **args)
{
	int fd = stream_to(WEB4, 0);
	struct rlimit few = { (rlim_t)fd + 1, (rlim_t)fd + 1 };

	(void)args;
	setrlimit(RLIMIT_NOFILE, &few);
	return door_fetch(fd, connect(fd, (struct sockaddr *)&web, web_len));
}

/* Of the range that stands for names, and given to nobody. */
static int placeholder(char **args)
{
	(void)args;
	return by_connect("198.19.255.77", AF_INET);
}

/* Numbers of the x32 calls, where the kernel knows them: those of x86-64 with a bit set. */
static int by_x32_syscall(char **args)
{
	int fd = stream_to(WEB4, 0);
	long res = syscall(SYS_connect | 0x40000000, fd, &web, web_len);

	(void)args;
	if (res < 0 && errno == ENOSYS)
		return door_lacks("this kernel has no x32 calls");
	return door_fetch(fd, res);
}

/* A socket that is connected by decree (tcp(7)): its first segment is data. */
static int by_repair(char **args)
{
	int fd = stream_to(WEB4, 0), one = 1, none = 0;

	(void)args;
	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &one, sizeof(one)) < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&web, web_len) < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &none, sizeof(none));
	return door_end(send(fd, door_request, door_request_len, MSG_DONTWAIT), DOOR_SENT);
}

/* An address that is longer than it must be. */
static int long_address(char **args)
{
	int fd = stream_to(WEB4, 0);

	(void)args;
	return door_fetch(fd, connect(fd, (struct sockaddr *)&web, sizeof(web)));
}

const struct door doors_tcp[] = {
	{ "connect", plain, ALL_SEND, DOOR_THROUGH, NULL },
	{ "connect-ipv6", plain6, ALL_SEND, DOOR_THROUGH, NULL },
	{ "connect-v4-mapped", v4_mapped, ALL_SEND, DOOR_THROUGH, NULL },
	{ "connect-v4-compatible", v4_compatible, ALL_SEND, DOOR_ANY_ERROR, NULL },
	{ "connect-nat64", nat64, ALL_SEND, DOOR_ANY_ERROR, NULL },
	{ "connect-by-syscall", by_syscall, ALL_SEND, DOOR_THROUGH, NULL },
	{ "socket-and-connect-by-syscall", all_by_syscall, ALL_SEND, DOOR_THROUGH, NULL },
	{ "connect-by-its-other-name", by_other_name, ALL_SEND, DOOR_THROUGH, NULL },
	{ "connect-when-bound", bound_to_an_address, ALL_SEND, DOOR_THROUGH, NULL },
	{ "connect-of-a-device", bound_to_a_device, ALL_SEND, DOOR_THROUGH, NULL },
	{ "connect-of-another-family", family_of_another, SENDS_NOTHING, DOOR_ANY_ERROR, NULL },
	{ "connect-with-a-long-address", long_address, ALL_SEND, DOOR_THROUGH, NULL },
	{ "connect-home-by-a-device", home_by_a_device, ALL_SEND, -EACCES, NULL },
	{ "connect-without-descriptors", without_descriptors, ALL_SEND, DOOR_ANY_ERROR, NULL },
	{ "connect-to-a-free-placeholder", placeholder, ALL_SEND, -EHOSTUNREACH, NULL },
	{ "connect-by-x32-syscall", by_x32_syscall, ALL_SEND, DOOR_ANY_ERROR, NULL },
	{ "connect-by-repair", by_repair, ROOT_SENDS, DOOR_ANY_ERROR, NULL },
	{ "connect-twice", twice, ALL_SEND, DOOR_THROUGH, NULL },
	{ "connect-non-blocking", non_blocking, ALL_SEND, DOOR_THROUGH, NULL },
	{ "connect-non-blocking-by-syscall", non_blocking_syscall, ALL_SEND, DOOR_THROUGH, NULL },
	{ "fastopen-sendto", fastopen_sendto, ALL_SEND, DOOR_THROUGH, NULL },
	{ "fastopen-sendmsg", fastopen_sendmsg, ALL_SEND, DOOR_THROUGH, NULL },
	{ "fastopen-sendmmsg", fastopen_sendmmsg, ALL_SEND, DOOR_THROUGH, NULL },
	{ "fastopen-sendto-by-syscall", fastopen_syscall, ALL_SEND, DOOR_THROUGH, NULL },
	{ "fastopen-sendmsg-by-syscall", fastopen_sendmsg_syscall, ALL_SEND, DOOR_THROUGH, NULL },
	{ "fastopen-sendmmsg-by-syscall", fastopen_sendmmsg_syscall, ALL_SEND, DOOR_THROUGH, NULL },
	{ "fastopen-option", fastopen_option, ALL_SEND, DOOR_THROUGH, NULL },
	{ "fastopen-option-by-syscall", fastopen_option_syscall, ALL_SEND, DOOR_THROUGH, NULL },
	{ "mptcp", mptcp, ALL_SEND, DOOR_THROUGH, NULL },
	{ NULL, NULL, SENDS_NOTHING, 0, NULL },
};
