/* Kinds of sockets that no proxy can carry. */
#include "doors.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define AF_LAST 46 /* above the last family that Linux knows */

static struct sockaddr_storage to;
static socklen_t to_len;

/* Echo requests. The kernel puts the check sum right where it has to be. */
static const unsigned char echo4[16] = { ICMP_ECHO, 0, 0xf7, 0xff };
static const unsigned char echo6[16] = { 128 };

/* Whether the kernel lacks it: a permission that is missing says that it's there. */
static bool is_lacking(int fd)
{
	return fd < 0 && (errno == EPROTONOSUPPORT || errno == ESOCKTNOSUPPORT ||
	                  errno == EAFNOSUPPORT || errno == EINVAL);
}

static int send_by(int fd, const char *address, const void *data, size_t len)
{
	if (is_lacking(fd))
		return door_lacks("this kernel has no such sockets");
	if (fd < 0)
		return -errno;
	to_len = door_address(&to, address, 0);
	return door_end(sendto(fd, data, len, 0, (struct sockaddr *)&to, to_len), DOOR_SENT);
}

static int raw4(char **args)
{
	(void)args;
	return send_by(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), WEB4, echo4, sizeof(echo4));
}

static int raw4_udp(char **args)
{
	(void)args;
	return send_by(socket(AF_INET, SOCK_RAW, IPPROTO_UDP), WEB4, echo4, sizeof(echo4));
}

static int raw4_by_syscall(char **args)
{
	(void)args;
	return send_by((int)syscall(SYS_socket, AF_INET, SOCK_RAW, IPPROTO_ICMP), WEB4, echo4,
	               sizeof(echo4));
}

static int raw4_header(char **args)
{
	struct {
		struct iphdr ip;
		unsigned char data[16];
	} packet = { .ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = 253 } };

	(void)args;
	packet.ip.daddr = 0;
	to_len = door_address(&to, WEB4, 0);
	packet.ip.daddr = ((struct sockaddr_in *)&to)->sin_addr.s_addr;
	return send_by(socket(AF_INET, SOCK_RAW, IPPROTO_RAW), WEB4, &packet, sizeof(packet));
}

static int raw6(char **args)
{
	(void)args;
	return send_by(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6), WEB6, echo6, sizeof(echo6));
}

static int ping4(char **args)
{
	(void)args;
	return send_by(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), WEB4, echo4, sizeof(echo4));
}

static int ping4_flags(char **args)
{
	(void)args;
	return send_by(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP),
	               WEB4, echo4, sizeof(echo4));
}

static int ping6(char **args)
{
	(void)args;
	return send_by(socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6), WEB6, echo6, sizeof(echo6));
}

/* Whole frames, to everybody on the link. */
static int frame_by(int fd, int kind)
{
	static const unsigned char everybody[6] = { 255, 255, 255, 255, 255, 255 };
	unsigned char frame[64] = { 255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 9 };
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_halen = 6 };

	if (fd < 0)
		return -errno;
	frame[12] = (unsigned char)(kind >> 8);
	frame[13] = (unsigned char)kind;
	ll.sll_ifindex = (int)if_nametoindex("c0");
	ll.sll_protocol = htons((uint16_t)kind);
	memcpy(ll.sll_addr, everybody, sizeof(everybody));
	return door_end(sendto(fd, frame, sizeof(frame), 0, (struct sockaddr *)&ll, sizeof(ll)),
	                DOOR_SENT);
}

static int packet_raw(char **args)
{
	(void)args;
	return frame_by(socket(AF_PACKET, SOCK_RAW, 0), 0x88b5);
}

static int packet_arp(char **args)
{
	(void)args;
	return frame_by(socket(AF_PACKET, SOCK_RAW, 0), ETHERTYPE_ARP);
}

static int packet_dgram(char **args)
{
	(void)args;
	return frame_by(socket(AF_PACKET, SOCK_DGRAM, 0), 0x88b5);
}

static int packet_by_syscall(char **args)
{
	(void)args;
	return frame_by((int)syscall(SYS_socket, AF_PACKET, SOCK_RAW, 0), 0x88b5);
}

/* As programs of long ago have it: the kernel makes an AF_PACKET socket of it. */
static int packet_of_old(char **args)
{
	struct sockaddr sa = { .sa_family = AF_INET };
	unsigned char frame[64] = { 255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 9, 0x88, 0xb5 };
	int fd = socket(AF_INET, SOCK_PACKET, htons(0x88b5));

	(void)args;
	if (fd < 0)
		return -errno;
	snprintf(sa.sa_data, sizeof(sa.sa_data), "c0");
	return door_end(sendto(fd, frame, sizeof(frame), 0, &sa, sizeof(sa)), DOOR_SENT);
}

static int stream_of(int family, int type, int protocol, const char *address)
{
	int fd = socket(family, type | SOCK_NONBLOCK, protocol);

	if (is_lacking(fd))
		return door_lacks("this kernel has no such sockets");
	to_len = door_address(&to, address, 80);
	return fd < 0 ? -errno : door_end(connect(fd, (struct sockaddr *)&to, to_len), DOOR_SENT);
}

static int sctp_stream(char **args)
{
	(void)args;
	return stream_of(AF_INET, SOCK_STREAM, IPPROTO_SCTP, WEB4);
}

static int sctp_packets(char **args)
{
	(void)args;
	return stream_of(AF_INET6, SOCK_SEQPACKET, IPPROTO_SCTP, WEB6);
}

static int dccp(char **args)
{
	(void)args;
	return stream_of(AF_INET, SOCK_DCCP, IPPROTO_DCCP, WEB4);
}

static int smc(char **args)
{
	(void)args;
	return stream_of(43, SOCK_STREAM, 0, WEB4);
}

static int vsock(char **args)
{
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	(void)args;
	if (is_lacking(fd))
		return door_lacks("this kernel has no VSOCK");
	return door_end(fd, DOOR_SENT);
}

/* All the others at once, in each type: the first that isn't refused tells. */
static int families(char **args)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_RDM };

	(void)args;
	for (int family = AF_UNSPEC + 1; family <= AF_LAST; family++) {
		if (family == AF_UNIX || family == AF_NETLINK || family == AF_ALG ||
		    family == AF_INET || family == AF_INET6)
			continue;
		for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
			int fd = socket(family, types[i], 0);

			if (fd >= 0 || errno != EACCES) {
				printf("family %d, type %d: ", family, types[i]);
				return door_end(fd, DOOR_SENT);
			}
			fd = (int)syscall(SYS_socket, family, types[i], 0);
			if (fd >= 0 || errno != EACCES) {
				printf("family %d, type %d, by syscall(): ", family, types[i]);
				return door_end(fd, DOOR_SENT);
			}
		}
	}
	return -EACCES;
}

static int pairs(char **args)
{
	int ends[2];

	(void)args;
	return door_end(socketpair(AF_TIPC, SOCK_STREAM, 0, ends), DOOR_SENT);
}

/* What stays on the machine must stay open, too. */
static int harmless(char **args)
{
	int ends[2];

	(void)args;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 || socket(AF_UNIX, SOCK_DGRAM, 0) < 0 ||
	    socket(AF_NETLINK, SOCK_RAW, 0) < 0 ||
	    syscall(SYS_socket, AF_NETLINK, SOCK_DGRAM, 0) < 0)
		return -errno;
	if (socket(AF_ALG, SOCK_SEQPACKET, 0) < 0 && errno == EACCES)
		return -errno;
	return DOOR_ANSWERED;
}

const struct door doors_kinds[] = {
	{ "raw-icmp", raw4, ROOT_SENDS, -EACCES, NULL },
	{ "raw-udp", raw4_udp, ROOT_SENDS, -EACCES, NULL },
	{ "raw-by-syscall", raw4_by_syscall, ROOT_SENDS, -EACCES, NULL },
	{ "raw-with-headers", raw4_header, ROOT_SENDS, -EACCES, NULL },
	{ "raw-icmp-ipv6", raw6, ROOT_SENDS, -EACCES, NULL },
	{ "ping-socket", ping4, ALL_SEND, -EACCES, NULL },
	{ "ping-socket-with-flags", ping4_flags, ALL_SEND, -EACCES, NULL },
	{ "ping-socket-ipv6", ping6, ALL_SEND, -EACCES, NULL },
	{ "packet-raw", packet_raw, ROOT_SENDS, -EACCES, NULL },
	{ "packet-raw-arp", packet_arp, ROOT_SENDS, -EACCES, NULL },
	{ "packet-datagram", packet_dgram, ROOT_SENDS, -EACCES, NULL },
	{ "packet-by-syscall", packet_by_syscall, ROOT_SENDS, -EACCES, NULL },
	{ "packet-of-old", packet_of_old, ROOT_SENDS, -EACCES, NULL },
	{ "sctp", sctp_stream, ALL_SEND, -EACCES, NULL },
	{ "sctp-seqpacket", sctp_packets, ALL_SEND, -EACCES, NULL },
	{ "dccp", dccp, ALL_SEND, -EACCES, NULL },
	{ "smc", smc, ALL_SEND, -EACCES, NULL },
	{ "vsock", vsock, SENDS_NOTHING, -EACCES, NULL },
	{ "other-families", families, SENDS_NOTHING, -EACCES, NULL },
	{ "pair-of-another-family", pairs, SENDS_NOTHING, -EACCES, NULL },
	{ "harmless-families", harmless, SENDS_NOTHING, DOOR_ANSWERED, NULL },
	{ NULL, NULL, SENDS_NOTHING, 0, NULL },
};
