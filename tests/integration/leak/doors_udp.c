/* Datagrams, multicast memberships, and broadcasts. */
#include "doors.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PORT 4433

static const char text[] = "a datagram";
static struct sockaddr_storage to;
static socklen_t to_len;

static int datagram_to(const char *address, int protocol)
{
	to_len = door_address(&to, address, PORT);
	return socket(to.ss_family, SOCK_DGRAM, protocol);
}

static int send_to(const char *address)
{
	int fd = datagram_to(address, 0);

	return door_end(sendto(fd, text, sizeof(text), 0, (struct sockaddr *)&to, to_len),
	                DOOR_SENT);
}

static int by_sendto(char **args)
{
	(void)args;
	return send_to(WEB4);
}

static int by_sendto6(char **args)
{
	(void)args;
	return send_to(WEB6);
}

static int by_sendto_mapped(char **args)
{
	(void)args;
	return send_to("::ffff:" WEB4);
}

/* Linux takes an address without a family for one of IPv4. */
static int no_family(char **args)
{
	int fd = datagram_to(WEB4, 0);

	(void)args;
	to.ss_family = AF_UNSPEC;
	return door_end(sendto(fd, text, sizeof(text), 0, (struct sockaddr *)&to, to_len),
	                DOOR_SENT);
}

/* And one of IPv4 for what it is, at a socket of IPv6. */
static int other_family(char **args)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	(void)args;
	to_len = door_address(&to, WEB4, PORT);
	return door_end(sendto(fd, text, sizeof(text), 0, (struct sockaddr *)&to, to_len),
	                DOOR_SENT);
}

static int other_family_connected(char **args)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	(void)args;
	to_len = door_address(&to, WEB4, PORT);
	if (connect(fd, (struct sockaddr *)&to, to_len) < 0)
		return -errno;
	return door_end(send(fd, text, sizeof(text), 0), DOOR_SENT);
}

/* The address is nobody's: the proxy's side alone knows who is meant. */
static int named(char **args)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *list;
	int res;

	(void)args;
	if (getaddrinfo(WEB_NAME, "4433", &hints, &list) != 0)
		return -EHOSTUNREACH;
	res = door_end(sendto(socket(list->ai_family, SOCK_DGRAM, 0), text, sizeof(text), 0,
	                      list->ai_addr, list->ai_addrlen),
	               DOOR_SENT);
	freeaddrinfo(list);
	return res;
}

/* Of this machine, and yet out by a device. */
static int home_by_a_device(char **args)
{
	int fd = datagram_to("127.0.0.1", 0);

	(void)args;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "c0", 3) < 0)
		return -errno;
	return door_end(sendto(fd, text, sizeof(text), 0, (struct sockaddr *)&to, to_len),
	                DOOR_SENT);
}

static int multicast4(char **args)
{
	(void)args;
	return send_to(MULTICAST4);
}

static int multicast6(char **args)
{
	(void)args;
	return send_to(MULTICAST6);
}

/* mDNS: names asked of the neighbours. */
static int mdns(char **args)
{
	int fd = datagram_to("224.0.0.251", 0);

	(void)args;
	door_address(&to, "224.0.0.251", 5353);
	return door_end(sendto(fd, text, sizeof(text), 0, (struct sockaddr *)&to, to_len),
	                DOOR_SENT);
}

static int broadcast(char **args)
{
	int fd = datagram_to("255.255.255.255", 0), one = 1;

	(void)args;
	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
	/* Without a device there is no route for it in the world. */
	setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "c0", 3);
	return door_end(sendto(fd, text, sizeof(text), 0, (struct sockaddr *)&to, to_len),
	                DOOR_SENT);
}

static int by_sendto_syscall(char **args)
{
	int fd = datagram_to(WEB4, 0);

	(void)args;
	return door_end(syscall(SYS_sendto, fd, text, sizeof(text), 0, &to, to_len), DOOR_SENT);
}

static struct iovec iov = { (void *)(size_t)text, sizeof(text) };

static struct msghdr message(void)
{
	return (struct msghdr){
		.msg_name = &to, .msg_namelen = to_len, .msg_iov = &iov, .msg_iovlen = 1
	};
}

static int by_sendmsg(char **args)
{
	int fd = datagram_to(WEB4, 0);
	struct msghdr msg = message();

	(void)args;
	return door_end(sendmsg(fd, &msg, 0), DOOR_SENT);
}

static int by_sendmsg_syscall(char **args)
{
	int fd = datagram_to(WEB4, 0);
	struct msghdr msg = message();

	(void)args;
	return door_end(syscall(SYS_sendmsg, fd, &msg, 0), DOOR_SENT);
}

static int by_sendmmsg(char **args)
{
	int fd = datagram_to(WEB4, 0);
	struct mmsghdr two[] = { { .msg_hdr = message() }, { .msg_hdr = message() } };

	(void)args;
	return door_end(sendmmsg(fd, two, 2, 0), DOOR_SENT);
}

static int by_sendmmsg_syscall(char **args)
{
	int fd = datagram_to(WEB4, 0);
	struct mmsghdr two[] = { { .msg_hdr = message() }, { .msg_hdr = message() } };

	(void)args;
	return door_end(syscall(SYS_sendmmsg, fd, two, 2, 0), DOOR_SENT);
}

/* A message without an address, before one for loopback that hides it, and one after. */
static int sendmmsg_mixed(char **args)
{
	struct sockaddr_storage home;
	struct mmsghdr two[] = { { .msg_hdr = message() }, { .msg_hdr = message() } };
	int fd = datagram_to(WEB4, 0), res;

	(void)args;
	two[0].msg_hdr.msg_name = &home;
	two[0].msg_hdr.msg_namelen = door_address(&home, "127.0.0.1", PORT);
	two[1].msg_hdr.msg_namelen = to_len;
	res = sendmmsg(fd, two, 2, 0);
	if (res == 2)
		return DOOR_SENT;
	return door_end(sendmmsg(fd, two + 1, 1, 0), DOOR_SENT);
}

/*
 * What is connected sends by calls that no library stands before. As after an answer that nobody is
 * there, it may be the next one that is told.
 */
static int again(long first, long second)
{
	return door_end(first < 0 ? first : second, DOOR_SENT);
}

static int connected(void)
{
	int fd = datagram_to(WEB4, 0);

	return connect(fd, (struct sockaddr *)&to, to_len) < 0 ? -1 : fd;
}

static int connected_send(char **args)
{
	(void)args;
	return door_end(send(connected(), text, sizeof(text), 0), DOOR_SENT);
}

static int connected_write(char **args)
{
	(void)args;
	int fd = connected();

	return again(write(fd, text, sizeof(text)), write(fd, text, sizeof(text)));
}

static int connected_writev(char **args)
{
	(void)args;
	int fd = connected();

	return again(writev(fd, &iov, 1), writev(fd, &iov, 1));
}

static int connected_sendfile(char **args)
{
	int file = open("/proc/self/exe", O_RDONLY), fd = connected();

	(void)args;
	return again(sendfile(fd, file, NULL, 64), sendfile(fd, file, NULL, 64));
}

static int connected_splice(char **args)
{
	int ends[2], fd = connected();

	(void)args;
	if (pipe(ends) < 0 || write(ends[1], text, sizeof(text)) < 0)
		return -errno;
	return again(splice(ends[0], NULL, fd, NULL, 2, 0), splice(ends[0], NULL, fd, NULL, 2, 0));
}

static int connected_by_syscall(char **args)
{
	int fd = datagram_to(WEB4, 0);

	(void)args;
	syscall(SYS_connect, fd, &to, to_len);
	return again(syscall(SYS_write, fd, text, sizeof(text)),
	             syscall(SYS_write, fd, text, sizeof(text)));
}

static int connected_home_sent_away(char **args)
{
	struct sockaddr_storage home;
	int fd = datagram_to(WEB4, 0);
	socklen_t len = door_address(&home, "127.0.0.1", PORT);

	(void)args;
	if (connect(fd, (struct sockaddr *)&home, len) < 0)
		return -errno;
	return door_end(sendto(fd, text, sizeof(text), 0, (struct sockaddr *)&to, to_len),
	                DOOR_SENT);
}

static int probe(char **args)
{
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);

	(void)args;
	return door_end(getsockname(connected(), (struct sockaddr *)&own, &len), DOOR_ANSWERED);
}

static int udplite(char **args)
{
	int fd = datagram_to(WEB4, IPPROTO_UDPLITE);

	(void)args;
	if (fd < 0 && errno == EPROTONOSUPPORT)
		return door_lacks("this kernel has no UDP-Lite");
	return door_end(sendto(fd, text, sizeof(text), 0, (struct sockaddr *)&to, to_len),
	                DOOR_SENT);
}

/* Memberships: reports go out, to everybody on the link. */
static int join4(char **args)
{
	struct ip_mreqn group = { .imr_ifindex = (int)if_nametoindex("c0") };

	door_address(&to, args[0], 0);
	group.imr_multiaddr = ((struct sockaddr_in *)&to)->sin_addr;
	return door_end(setsockopt(socket(AF_INET, SOCK_DGRAM, 0), IPPROTO_IP, IP_ADD_MEMBERSHIP,
	                           &group, sizeof(group)),
	                DOOR_SENT);
}

static int join4_by_syscall(char **args)
{
	struct ip_mreqn group = { .imr_ifindex = (int)if_nametoindex("c0") };

	door_address(&to, args[0], 0);
	group.imr_multiaddr = ((struct sockaddr_in *)&to)->sin_addr;
	return door_end(syscall(SYS_setsockopt, socket(AF_INET, SOCK_DGRAM, 0), IPPROTO_IP,
	                        IP_ADD_MEMBERSHIP, &group, sizeof(group)),
	                DOOR_SENT);
}

static int join4_of_a_source(char **args)
{
	struct group_source_req group = { .gsr_interface = if_nametoindex("c0") };

	door_address(&group.gsr_group, args[0], 0);
	door_address(&group.gsr_source, WEB4, 0);
	return door_end(setsockopt(socket(AF_INET, SOCK_DGRAM, 0), IPPROTO_IP,
	                           MCAST_JOIN_SOURCE_GROUP, &group, sizeof(group)),
	                DOOR_SENT);
}

static int join_by_stream(char **args)
{
	struct group_req group = { .gr_interface = if_nametoindex("c0") };

	door_address(&group.gr_group, args[0], 0);
	return door_end(setsockopt(socket(AF_INET, SOCK_STREAM, 0), IPPROTO_IP, MCAST_JOIN_GROUP,
	                           &group, sizeof(group)),
	                DOOR_SENT);
}

static int join6(char **args)
{
	struct ipv6_mreq group = { .ipv6mr_interface = if_nametoindex("c0") };

	door_address(&to, args[1], 0);
	group.ipv6mr_multiaddr = ((struct sockaddr_in6 *)&to)->sin6_addr;
	return door_end(setsockopt(socket(AF_INET6, SOCK_DGRAM, 0), IPPROTO_IPV6, IPV6_JOIN_GROUP,
	                           &group, sizeof(group)),
	                DOOR_SENT);
}

const struct door doors_udp[] = {
	{ "udp-sendto", by_sendto, ALL_SEND, -EACCES, NULL },
	{ "udp-sendto-ipv6", by_sendto6, ALL_SEND, -EACCES, NULL },
	{ "udp-sendto-v4-mapped", by_sendto_mapped, ALL_SEND, -EACCES, NULL },
	{ "udp-sendto-by-syscall", by_sendto_syscall, ALL_SEND, -EACCES, NULL },
	{ "udp-sendmsg", by_sendmsg, ALL_SEND, -EACCES, NULL },
	{ "udp-sendmsg-by-syscall", by_sendmsg_syscall, ALL_SEND, -EACCES, NULL },
	{ "udp-sendmmsg", by_sendmmsg, ALL_SEND, -EACCES, NULL },
	{ "udp-sendmmsg-by-syscall", by_sendmmsg_syscall, ALL_SEND, -EACCES, NULL },
	{ "udp-sendmmsg-mixed", sendmmsg_mixed, ALL_SEND, -EACCES, NULL },
	{ "udp-connected-send", connected_send, ALL_SEND, -EACCES, NULL },
	{ "udp-connected-write", connected_write, ALL_SEND, DOOR_ANY_ERROR, NULL },
	{ "udp-connected-writev", connected_writev, ALL_SEND, DOOR_ANY_ERROR, NULL },
	{ "udp-connected-sendfile", connected_sendfile, ALL_SEND, DOOR_ANY_ERROR, NULL },
	{ "udp-connected-splice", connected_splice, ALL_SEND, DOOR_ANY_ERROR, NULL },
	{ "udp-connected-by-syscall", connected_by_syscall, ALL_SEND, DOOR_ANY_ERROR, NULL },
	{ "udp-connected-home-sent-away", connected_home_sent_away, SENDS_NOTHING, -EACCES, NULL },
	{ "udp-connect-probes", probe, SENDS_NOTHING, DOOR_ANSWERED, NULL },
	{ "udp-sendto-without-a-family", no_family, ALL_SEND, -EACCES, NULL },
	{ "udp-sendto-of-another-family", other_family, ALL_SEND, -EACCES, NULL },
	{ "udp-connected-of-another-family", other_family_connected, ALL_SEND, -EACCES, NULL },
	{ "udp-sendto-by-name", named, ALL_ASK, -EACCES, NULL },
	{ "udp-home-by-a-device", home_by_a_device, ALL_SEND, -EACCES, NULL },
	{ "udp-lite", udplite, ALL_SEND, -EACCES, NULL },
	{ "multicast-send", multicast4, ALL_SEND, -EACCES, NULL },
	{ "multicast-send-ipv6", multicast6, ALL_SEND, -EACCES, NULL },
	{ "multicast-dns", mdns, ALL_SEND, -EACCES, NULL },
	{ "multicast-join", join4, ALL_SEND, -EACCES, "group" },
	{ "multicast-join-by-syscall", join4_by_syscall, ALL_SEND, -EACCES, "group" },
	{ "multicast-join-of-a-source", join4_of_a_source, ALL_SEND, -EACCES, "group" },
	{ "multicast-join-by-a-stream", join_by_stream, SENDS_NOTHING, -EACCES, "group" },
	{ "multicast-join-ipv6", join6, ALL_SEND, -EACCES, "group" },
	{ "broadcast", broadcast, ALL_SEND, -EACCES, NULL },
	{ NULL, NULL, SENDS_NOTHING, 0, NULL },
};
