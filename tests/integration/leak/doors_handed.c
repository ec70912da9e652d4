/*
 * Sockets that were made before the library was there: by a constructor, by whoever started the
 * program, or by another process that hands them over. And system calls past any library.
 */
#include "doors.h"
#include "early.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* Their order, as leak.py has it. */
enum {
	HANDED_TCP,
	HANDED_UDP,
	HANDED_CONNECTED,
	HANDED_HOME,
	HANDED_ROUTED,
	HANDED_ROUTED_TCP,
	HANDED_RAW,
	HANDED_PACKET,
	HANDED_COUNT
};

static const unsigned char echo4[16] = { 8, 0, 0xf7, 0xff };

/* Numbers, or the path of a UNIX socket where they are to be had. */
static int handed(char **args, int which)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(HANDED_COUNT * sizeof(int))];
	} control;
	char octet;
	struct iovec iov = { &octet, 1 };
	struct msghdr msg = { .msg_iov = &iov,
		              .msg_iovlen = 1,
		              .msg_control = &control,
		              .msg_controllen = sizeof(control) };
	int fd, fds[HANDED_COUNT];

	if (!strchr(args[0], '/'))
		return atoi(args[which]);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", args[0]);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || recvmsg(fd, &msg, 0) != 1 ||
	    control.head.cmsg_len != CMSG_LEN(sizeof(fds)))
		return -1;
	memcpy(fds, CMSG_DATA(&control.head), sizeof(fds));
	return fds[which];
}

static int use_tcp(int fd)
{
	struct sockaddr_storage web;
	socklen_t len = door_address(&web, WEB4, 80);

	return door_fetch(fd, connect(fd, (struct sockaddr *)&web, len));
}

static int use_udp(int fd, const void *data, size_t n)
{
	struct sockaddr_storage web;
	socklen_t len = door_address(&web, WEB4, 4433);

	return door_end(sendto(fd, data, n, 0, (struct sockaddr *)&web, len), DOOR_SENT);
}

static int handed_tcp(char **args)
{
	return use_tcp(handed(args, HANDED_TCP));
}

static int handed_udp(char **args)
{
	return use_udp(handed(args, HANDED_UDP), "a datagram", 10);
}

static int handed_connected(char **args)
{
	return door_end(send(handed(args, HANDED_CONNECTED), "a datagram", 10, 0), DOOR_SENT);
}

static int handed_connected_write(char **args)
{
	return door_end(write(handed(args, HANDED_CONNECTED), "a datagram", 10), DOOR_SENT);
}

/* To this machine, by a device. */
static int handed_home(char **args)
{
	return door_end(send(handed(args, HANDED_HOME), "a datagram", 10, 0), DOOR_SENT);
}

/* To this machine, by way of the web server. */
static int handed_routed(char **args)
{
	struct sockaddr_storage home;
	socklen_t len = door_address(&home, "127.0.0.1", 4433);

	return door_end(sendto(handed(args, HANDED_ROUTED), "a datagram", 10, 0,
	                       (struct sockaddr *)&home, len),
	                DOOR_SENT);
}

/* To somebody who listens on this machine. */
static int handed_routed_tcp(char **args)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd = handed(args, HANDED_ROUTED_TCP);
	struct sockaddr_storage home;
	socklen_t len = door_address(&home, "127.0.0.1", 0);

	if (listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&home, &(socklen_t){ sizeof(home) }) < 0)
		return -errno;
	((struct sockaddr_in *)&home)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return door_end(connect(fd, (struct sockaddr *)&home, len), DOOR_SENT);
}

static int handed_raw(char **args)
{
	return use_udp(handed(args, HANDED_RAW), echo4, sizeof(echo4));
}

static int handed_packet(char **args)
{
	unsigned char frame[64] = { 255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 9, 0x88, 0xb5 };
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_halen = 6 };

	ll.sll_ifindex = (int)if_nametoindex("c0");
	return door_end(sendto(handed(args, HANDED_PACKET), frame, sizeof(frame), 0,
	                       (struct sockaddr *)&ll, sizeof(ll)),
	                DOOR_SENT);
}

static int use_early_tcp(char **args)
{
	(void)args;
	return use_tcp(early_tcp);
}

static int use_early_udp(char **args)
{
	(void)args;
	return use_udp(early_udp, "a datagram", 10);
}

static int use_early_connect(char **args)
{
	(void)args;
	errno = early_errno;
	return door_fetch(early_fd, early_res);
}

static void at_end(void)
{
	_exit(use_tcp(socket(AF_INET, SOCK_STREAM, 0)) == DOOR_THROUGH ? 0 : 1);
}

static int use_late(char **args)
{
	pid_t pid = fork();

	(void)args;
	if (pid == 0) {
		early_at_end = at_end;
		exit(2);
	}
	return door_of_child(pid);
}

#ifdef __x86_64__
static long kernel(long number, long a, long b, long c)
{
	long res;

	__asm__ volatile("syscall"
	                 : "=a"(res)
	                 : "a"(number), "D"(a), "S"(b), "d"(c)
	                 : "rcx", "r11", "memory");
	return res;
}
#endif

static int by_assembler(char **args)
{
	(void)args;
#ifdef __x86_64__
	struct sockaddr_storage web;
	socklen_t len = door_address(&web, WEB4, 80);
	long fd = kernel(SYS_socket, AF_INET, SOCK_STREAM, 0), res;

	if (fd < 0)
		return (int)fd;
	res = kernel(SYS_connect, fd, (long)&web, len);
	errno = res < 0 ? (int)-res : 0;
	return door_fetch((int)fd, res);
#else
	return door_lacks("written for x86-64 alone");
#endif
}

const struct door doors_handed[] = {
	{ "early-tcp", use_early_tcp, ALL_SEND, DOOR_THROUGH, NULL },
	{ "early-udp", use_early_udp, ALL_SEND, -EACCES, NULL },
	{ "connect-of-a-constructor", use_early_connect, ALL_SEND, DOOR_THROUGH, NULL },
	{ "connect-of-a-destructor", use_late, ALL_SEND, DOOR_THROUGH, NULL },
	{ "inherited-tcp", handed_tcp, ALL_SEND, DOOR_THROUGH, "inherits" },
	{ "inherited-udp", handed_udp, ALL_SEND, -EACCES, "inherits" },
	{ "inherited-connected-udp", handed_connected, ALL_SEND, -EACCES, "inherits" },
	{ "inherited-connected-udp-write", handed_connected_write, ALL_SEND, DOOR_SENT,
	  "inherits-limit" },
	{ "inherited-home-by-a-device", handed_home, ALL_SEND, -EACCES, "inherits" },
	{ "inherited-home-by-a-source-route", handed_routed, ALL_SEND, DOOR_SENT, "inherits" },
	{ "inherited-home-tcp-by-a-source-route", handed_routed_tcp, ALL_SEND, DOOR_SENT,
	  "inherits" },
	{ "inherited-raw", handed_raw, ALL_SEND, -EACCES, "inherits" },
	{ "inherited-packet", handed_packet, ALL_SEND, -EACCES, "inherits" },
	{ "received-tcp", handed_tcp, ALL_SEND, DOOR_THROUGH, "receives" },
	{ "received-udp", handed_udp, ALL_SEND, -EACCES, "receives" },
	{ "received-connected-udp", handed_connected, ALL_SEND, -EACCES, "receives" },
	{ "received-connected-udp-write", handed_connected_write, ALL_SEND, DOOR_SENT,
	  "receives-limit" },
	{ "received-home-by-a-device", handed_home, ALL_SEND, -EACCES, "receives" },
	{ "received-home-by-a-source-route", handed_routed, ALL_SEND, DOOR_SENT, "receives" },
	{ "received-home-tcp-by-a-source-route", handed_routed_tcp, ALL_SEND, DOOR_SENT,
	  "receives" },
	{ "received-raw", handed_raw, ALL_SEND, -EACCES, "receives" },
	{ "received-packet", handed_packet, ALL_SEND, -EACCES, "receives" },
	{ "assembler", by_assembler, ALL_SEND, -EACCES, "beyond" },
	{ NULL, NULL, SENDS_NOTHING, 0, NULL },
};
