/* To this machine, by their address: and yet out by a device, or by a path of their own. */
#include "doors.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PORT    4433
#define HOME4   "127.0.0.1"
#define HOME6   "::1"
#define MAPPED  "::ffff:127.0.0.1"
#define NOWHERE "::" /* means the same */
#define DEVICE  "c0"

static const char text[] = "a datagram";
static struct sockaddr_storage to;
static socklen_t to_len;

static int datagram_to(const char *address)
{
	to_len = door_address(&to, address, PORT);
	return socket(to.ss_family, SOCK_DGRAM, 0);
}

static int send_off(int fd)
{
	return door_end(sendto(fd, text, sizeof(text), 0, (struct sockaddr *)&to, to_len),
	                DOOR_SENT);
}

static int bind_to_device(int fd)
{
	return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, DEVICE, sizeof(DEVICE));
}

static int by_a_device(const char *address)
{
	int fd = datagram_to(address);

	return bind_to_device(fd) < 0 ? -errno : send_off(fd);
}

static int device4(char **args)
{
	(void)args;
	return by_a_device("0.0.0.0");
}

static int device6(char **args)
{
	(void)args;
	return by_a_device(HOME6);
}

static int device6_nowhere(char **args)
{
	(void)args;
	return by_a_device(NOWHERE);
}

static int device_mapped(char **args)
{
	(void)args;
	return by_a_device(MAPPED);
}

static int device_by_number(char **args)
{
	int fd = datagram_to(HOME4), index = (int)if_nametoindex(DEVICE);

	(void)args;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof(index)) < 0)
		return -errno;
	return send_off(fd);
}

static int connected_then_device(const char *address)
{
	int fd = datagram_to(address);

	if (connect(fd, (struct sockaddr *)&to, to_len) < 0 || bind_to_device(fd) < 0)
		return -errno;
	return door_end(write(fd, text, sizeof(text)), DOOR_SENT);
}

static int device_afterwards(char **args)
{
	(void)args;
	return connected_then_device(HOME6);
}

static int device_afterwards_nowhere(char **args)
{
	(void)args;
	return connected_then_device(NOWHERE);
}

static int device_before_connect(char **args)
{
	int fd = datagram_to(HOME6);

	(void)args;
	if (bind_to_device(fd) < 0 || connect(fd, (struct sockaddr *)&to, to_len) < 0)
		return -errno;
	return door_end(write(fd, text, sizeof(text)), DOOR_SENT);
}

static int by_tcp(const char *address)
{
	int fd;

	to_len = door_address(&to, address, PORT);
	fd = socket(to.ss_family, SOCK_STREAM, 0);
	if (bind_to_device(fd) < 0)
		return -errno;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return door_end(connect(fd, (struct sockaddr *)&to, to_len), DOOR_SENT);
}

static int tcp_device6(char **args)
{
	(void)args;
	return by_tcp(HOME6);
}

static int tcp_device6_nowhere(char **args)
{
	(void)args;
	return by_tcp(NOWHERE);
}

static int tcp_device_mapped(char **args)
{
	(void)args;
	return by_tcp(MAPPED);
}

/* A connection within this machine, which its segments leave. */
static int tcp_device_afterwards(char **args)
{
	int listener = socket(AF_INET6, SOCK_STREAM, 0), fd = socket(AF_INET6, SOCK_STREAM, 0);

	(void)args;
	to_len = door_address(&to, HOME6, 0);
	if (bind(listener, (struct sockaddr *)&to, to_len) < 0 || listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&to, &to_len) < 0 ||
	    connect(fd, (struct sockaddr *)&to, to_len) < 0 || bind_to_device(fd) < 0)
		return -errno;
	return door_end(write(fd, text, sizeof(text)), DOOR_SENT);
}

static int by_preference(const char *address, int level, int name)
{
	uint32_t index = htonl(if_nametoindex(DEVICE));
	int fd = datagram_to(address);

	if (setsockopt(fd, level, name, &index, sizeof(index)) < 0)
		return -errno;
	return send_off(fd);
}

static int preference4(char **args)
{
	(void)args;
	return by_preference(HOME4, IPPROTO_IP, IP_UNICAST_IF);
}

static int preference6(char **args)
{
	(void)args;
	return by_preference(HOME6, IPPROTO_IPV6, IPV6_UNICAST_IF);
}

static int preference_mapped(char **args)
{
	(void)args;
	return by_preference(MAPPED, IPPROTO_IP, IP_UNICAST_IF);
}

static int preference_afterwards(char **args)
{
	uint32_t index = htonl(if_nametoindex(DEVICE));
	int fd = datagram_to(HOME6);

	(void)args;
	if (connect(fd, (struct sockaddr *)&to, to_len) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_IF, &index, sizeof(index)) < 0)
		return -errno;
	return send_off(fd);
}

static struct in6_pktinfo info6(void)
{
	return (struct in6_pktinfo){ .ipi6_ifindex = if_nametoindex(DEVICE) };
}

static int sticky(char **args)
{
	struct in6_pktinfo info = info6();
	int fd = datagram_to(HOME6);

	(void)args;
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info)) < 0)
		return -errno;
	return send_off(fd);
}

enum call { BY_SENDMSG, BY_SENDMMSG, BY_SYSCALL, CONNECTED };

/* With control data of one kind. */
static int send_with(const char *address, enum call call, int level, int type, const void *data,
                     size_t len)
{
	union {
		char octets[CMSG_SPACE(64)];
		struct cmsghdr head;
	} control = { { 0 } };
	int fd = datagram_to(address);
	struct iovec iov = { (void *)(size_t)text, sizeof(text) };
	struct mmsghdr one = { .msg_hdr = { &to, to_len, &iov, 1, &control, CMSG_SPACE(len), 0 } };

	control.head.cmsg_level = level;
	control.head.cmsg_type = type;
	control.head.cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(&control.head), data, len);
	if (call == BY_SENDMMSG)
		return door_end(sendmmsg(fd, &one, 1, 0), DOOR_SENT);
	if (call == BY_SYSCALL)
		return door_end(syscall(SYS_sendmsg, fd, &one.msg_hdr, 0), DOOR_SENT);
	if (call == CONNECTED) {
		if (connect(fd, (struct sockaddr *)&to, to_len) < 0)
			return -errno;
		one.msg_hdr.msg_name = NULL;
		one.msg_hdr.msg_namelen = 0;
	}
	return door_end(sendmsg(fd, &one.msg_hdr, 0), DOOR_SENT);
}

static int with_device4(enum call call)
{
	struct in_pktinfo info = { .ipi_ifindex = (int)if_nametoindex(DEVICE) };

	return send_with(HOME4, call, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
}

static int with_device6(const char *address, enum call call, int type)
{
	struct in6_pktinfo info = info6();

	return send_with(address, call, IPPROTO_IPV6, type, &info, sizeof(info));
}

static int message4(char **args)
{
	(void)args;
	return with_device4(BY_SENDMSG);
}

static int message4_by_sendmmsg(char **args)
{
	(void)args;
	return with_device4(BY_SENDMMSG);
}

static int message4_by_syscall(char **args)
{
	(void)args;
	return with_device4(BY_SYSCALL);
}

static int message6(char **args)
{
	(void)args;
	return with_device6(HOME6, BY_SENDMSG, IPV6_PKTINFO);
}

static int message6_nowhere(char **args)
{
	(void)args;
	return with_device6(NOWHERE, BY_SENDMMSG, IPV6_PKTINFO);
}

static int message6_old(char **args)
{
	(void)args;
	return with_device6(HOME6, BY_SENDMSG, IPV6_2292PKTINFO);
}

static int message6_connected(char **args)
{
	(void)args;
	return with_device6(HOME6, CONNECTED, IPV6_PKTINFO);
}

/* Loose: the packet goes to the web server, and says that it was for this machine. */
static size_t put_route(uint8_t route[8], uint8_t kind)
{
	struct sockaddr_storage web;

	door_address(&web, WEB4, 0);
	route[0] = IPOPT_NOP;
	route[1] = kind;
	route[2] = 7;
	route[3] = IPOPT_MINOFF;
	memcpy(route + 4, &((struct sockaddr_in *)&web)->sin_addr, 4);
	return 8;
}

static int by_route(const char *address, uint8_t kind)
{
	uint8_t route[8];
	int fd = datagram_to(address);

	if (setsockopt(fd, IPPROTO_IP, IP_OPTIONS, route, (socklen_t)put_route(route, kind)) < 0)
		return -errno;
	return send_off(fd);
}

static int route4(char **args)
{
	(void)args;
	return by_route(HOME4, IPOPT_LSRR);
}

static int route4_strict(char **args)
{
	(void)args;
	return by_route(HOME4, IPOPT_SSRR);
}

static int route_mapped(char **args)
{
	(void)args;
	return by_route(MAPPED, IPOPT_LSRR);
}

static int with_route(enum call call)
{
	uint8_t route[8];
	size_t len = put_route(route, IPOPT_LSRR);

	return send_with(HOME4, call, IPPROTO_IP, IP_RETOPTS, route, len);
}

static int message_route(char **args)
{
	(void)args;
	return with_route(BY_SENDMSG);
}

static int message_route_by_sendmmsg(char **args)
{
	(void)args;
	return with_route(BY_SENDMMSG);
}

static int message_route_connected(char **args)
{
	(void)args;
	return with_route(CONNECTED);
}

/* RFC 8754: by way of the web server. */
static int route6(char **args)
{
	uint8_t header[40] = { 0, 4, 4, 1, 1 };
	struct sockaddr_storage web;
	int fd = datagram_to(HOME6);

	(void)args;
	memcpy(header + 8, &in6addr_loopback, 16);
	door_address(&web, WEB6, 0);
	memcpy(header + 24, &((struct sockaddr_in6 *)&web)->sin6_addr, 16);
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, header, sizeof(header)) < 0)
		return errno == EINVAL ? door_lacks("this kernel takes no segments") : -errno;
	return send_off(fd);
}

const struct door doors_stray[] = {
	{ "home-unspecified-by-a-device", device4, SENDS_NOTHING, -EACCES, NULL },
	{ "home-ipv6-by-a-device", device6, ALL_SEND, -EACCES, NULL },
	{ "home-ipv6-unspecified-by-a-device", device6_nowhere, ALL_SEND, -EACCES, NULL },
	{ "home-v4-mapped-by-a-device", device_mapped, ALL_SEND, -EACCES, NULL },
	{ "home-by-the-number-of-a-device", device_by_number, ALL_SEND, -EACCES, NULL },
	{ "home-ipv6-connected-by-a-device", device_before_connect, ALL_SEND, -EACCES, NULL },
	{ "home-ipv6-by-a-device-afterwards", device_afterwards, ALL_SEND, -EACCES, NULL },
	{ "home-ipv6-unspecified-by-a-device-afterwards", device_afterwards_nowhere, ALL_SEND,
	  -EACCES, NULL },
	{ "home-tcp-ipv6-by-a-device", tcp_device6, ALL_SEND, -EACCES, NULL },
	{ "home-tcp-ipv6-unspecified-by-a-device", tcp_device6_nowhere, ALL_SEND, -EACCES, NULL },
	{ "home-tcp-v4-mapped-by-a-device", tcp_device_mapped, ALL_SEND, -EACCES, NULL },
	{ "home-tcp-ipv6-by-a-device-afterwards", tcp_device_afterwards, ALL_SEND, -EACCES, NULL },
	{ "home-by-a-preference", preference4, ALL_SEND, -EACCES, NULL },
	{ "home-ipv6-by-a-preference", preference6, ALL_SEND, -EACCES, NULL },
	{ "home-v4-mapped-by-a-preference", preference_mapped, ALL_SEND, -EACCES, NULL },
	{ "home-ipv6-by-a-preference-afterwards", preference_afterwards, ALL_SEND, -EACCES, NULL },
	{ "home-ipv6-by-a-sticky-device", sticky, ALL_SEND, -EACCES, NULL },
	{ "home-by-a-message-with-a-device", message4, ALL_SEND, -EACCES, NULL },
	{ "home-by-a-message-with-a-device-sendmmsg", message4_by_sendmmsg, ALL_SEND, -EACCES,
	  NULL },
	{ "home-by-a-message-with-a-device-syscall", message4_by_syscall, ALL_SEND, -EACCES, NULL },
	{ "home-ipv6-by-a-message-with-a-device", message6, ALL_SEND, -EACCES, NULL },
	{ "home-ipv6-unspecified-by-a-message-with-a-device", message6_nowhere, ALL_SEND, -EACCES,
	  NULL },
	{ "home-ipv6-by-a-message-with-a-device-rfc-2292", message6_old, ALL_SEND, -EACCES, NULL },
	{ "home-ipv6-connected-by-a-message-with-a-device", message6_connected, ALL_SEND, -EACCES,
	  NULL },
	{ "home-by-a-source-route", route4, ROOT_SENDS, -EACCES, NULL },
	{ "home-by-a-strict-source-route", route4_strict, SENDS_NOTHING, -EACCES, NULL },
	{ "home-v4-mapped-by-a-source-route", route_mapped, ROOT_SENDS, -EACCES, NULL },
	{ "home-by-a-message-with-a-source-route", message_route, ROOT_SENDS, -EACCES, NULL },
	{ "home-by-a-message-with-a-source-route-sendmmsg", message_route_by_sendmmsg, ROOT_SENDS,
	  -EACCES, NULL },
	{ "home-connected-by-a-message-with-a-source-route", message_route_connected, SENDS_NOTHING,
	  -EACCES, NULL },
	{ "home-ipv6-by-a-routing-header", route6, ALL_SEND, -EACCES, NULL },
	{ NULL, NULL, SENDS_NOTHING, 0, NULL },
};
