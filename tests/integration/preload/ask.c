#include "ask.h"

#include "alone.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define WATCH_VARIABLE "ASK_WATCH"
#define HEAD_LEN       12 /* of a DNS message (RFC 1035 section 4.1.1) */

const struct server servers[ASK_SERVERS] = {
	{ AF_INET, "192.0.2.53", "192.0.2.1" },
	{ AF_INET, "192.0.2.54", "192.0.2.1" },
	{ AF_INET, "127.0.0.53", "127.0.0.1" },
	{ AF_INET6, "2001:db8::53", "2001:db8::1" },
	{ AF_INET6, "::ffff:192.0.2.53", "::ffff:192.0.2.1" },
};

socklen_t ask_address(union address *a, int family, const char *ip, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	a->sa.sa_family = (sa_family_t)family;
	a->in.sin_port = htons(port);
	if (family == AF_INET6)
		ck_assert_int_eq(inet_pton(AF_INET6, ip, &a->in6.sin6_addr), 1);
	else
		ck_assert_int_eq(inet_pton(AF_INET, ip, &a->in.sin_addr), 1);
	return family == AF_INET6 ? sizeof(a->in6) : sizeof(a->in);
}

socklen_t ask_at(const struct server *s, union address *a)
{
	return ask_address(a, s->family, s->ip, 53);
}

int ask_socket(int family, int flags)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | flags, 0);
	struct timeval limit = { .tv_sec = 20 };

	if (fd < 0 && family == AF_INET6)
		return -1;
	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

int ask_join(int fd, const struct server *s)
{
	union address a;
	socklen_t len = ask_at(s, &a);

	return connect(fd, &a.sa, len) == 0 ? 0 : errno;
}

size_t ask_put(uint8_t *msg, int n)
{
	char label[64];
	size_t len = (size_t)snprintf(label, sizeof(label), "q%d", n);
	uint8_t *at = msg + HEAD_LEN;

	memset(msg, 0, HEAD_LEN);
	msg[0] = (uint8_t)(n >> 8);
	msg[1] = (uint8_t)n;
	msg[2] = 1; /* recursion desired */
	msg[5] = 1;
	*at++ = (uint8_t)len;
	memcpy(at, label, len);
	at += len;
	memcpy(at, "\7example\0\0\1\0\1", 13);
	return (size_t)(at + 13 - msg);
}

void ask_check(const uint8_t *msg, ssize_t len, int n)
{
	uint8_t want[ASK_MSG_MAX];
	size_t asked = ask_put(want, n);

	ck_assert_int_ge(len, (ssize_t)asked + 16);
	ck_assert_mem_eq(msg, want, 2);
	ck_assert_uint_eq(msg[2] & 0x80, 0x80);
	ck_assert_uint_eq(msg[3] & 15, 0);
	ck_assert_uint_eq(msg[7], 1);
	ck_assert_mem_eq(msg + HEAD_LEN, want + HEAD_LEN, asked - HEAD_LEN);
	ck_assert_uint_eq(msg[asked + 12], 198);
	ck_assert_uint_eq(msg[asked + 13] & 0xfe, 18);
}

void ask_send(int fd, enum send_way way, int n, union address *a, socklen_t len)
{
	uint8_t msg[ASK_MSG_MAX];
	size_t size = ask_put(msg, n);
	struct iovec iov = { msg, size };
	struct mmsghdr vec = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };
	struct msghdr before;
	ssize_t r = -1;

	vec.msg_hdr.msg_name = a;
	vec.msg_hdr.msg_namelen = a ? len : 0;
	before = vec.msg_hdr;
	errno = 7654;
	switch (way) {
	case BY_SENDTO:
		r = sendto(fd, msg, size, 0, (struct sockaddr *)a, a ? len : 0);
		break;
	case BY_SENDMSG:
		r = sendmsg(fd, &vec.msg_hdr, 0);
		break;
	case BY_SENDMMSG:
		ck_assert_int_eq(sendmmsg(fd, &vec, 1, 0), 1);
		r = vec.msg_len;
		break;
	case BY_SYSCALL:
#ifdef SYS_sendto
		r = syscall(SYS_sendto, fd, msg, size, 0, a, a ? len : 0);
#else
		r = sendto(fd, msg, size, 0, (struct sockaddr *)a, a ? len : 0);
#endif
		break;
	case BY_SEND:
		r = send(fd, msg, size, 0);
		break;
	case BY_WRITE:
		r = write(fd, msg, size);
		break;
	case BY_WRITEV:
		r = writev(fd, &iov, 1);
		break;
	case N_SENDS:
		break;
	}
	ck_assert_int_eq(r, size);
	ck_assert_int_eq(errno, 7654);
	ck_assert_mem_eq(&vec.msg_hdr, &before, sizeof(before));
}

void ask_take(int fd, enum receive_way way, int n, const union address *from, socklen_t from_len)
{
	uint8_t msg[ASK_MSG_MAX];
	union address a = { .sa.sa_family = 0 };
	struct iovec iov = { msg, sizeof(msg) };
	struct mmsghdr vec = { .msg_hdr = { .msg_iov = &iov,
		                            .msg_iovlen = 1,
		                            .msg_name = &a,
		                            .msg_namelen = sizeof(a) } };
	socklen_t len = sizeof(a);
	ssize_t r = -1;

	errno = 7654;
	switch (way) {
	case BY_RECVFROM:
		r = recvfrom(fd, msg, sizeof(msg), 0, &a.sa, &len);
		break;
	case BY_RECVMSG:
		r = recvmsg(fd, &vec.msg_hdr, 0);
		len = vec.msg_hdr.msg_namelen;
		break;
	case BY_RECVMMSG:
		ck_assert_int_eq(recvmmsg(fd, &vec, 1, 0, NULL), 1);
		r = vec.msg_len;
		len = vec.msg_hdr.msg_namelen;
		break;
	case BY_SYSCALL_TOO:
#ifdef SYS_recvfrom
		r = syscall(SYS_recvfrom, fd, msg, sizeof(msg), 0, &a, &len);
#else
		r = recvfrom(fd, msg, sizeof(msg), 0, &a.sa, &len);
#endif
		break;
	case BY_RECV:
		r = recv(fd, msg, sizeof(msg), 0);
		break;
	case BY_READ:
		r = read(fd, msg, sizeof(msg));
		break;
	case N_RECEIVES:
		break;
	}
	ck_assert_int_gt(r, 0);
	ck_assert_int_eq(errno, 7654);
	ask_check(msg, r, n);
	if (way < BY_RECV)
		ck_assert_address(a, len, *from, from_len);
}

int ask_stream(int family, int protocol, int flags)
{
	struct timeval limit = { .tv_sec = 20 };
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | flags, protocol);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

size_t ask_put_framed(uint8_t *msg, int n)
{
	size_t len = ask_put(msg + 2, n);

	msg[0] = 0;
	msg[1] = (uint8_t)len;
	return len + 2;
}

void ask_take_framed(int fd, int n)
{
	uint8_t msg[ASK_MSG_MAX];

	ck_assert_int_eq(recv(fd, msg, 2, MSG_WAITALL), 2);
	ck_assert_uint_eq(msg[0], 0);
	ck_assert_int_eq(recv(fd, msg + 2, msg[1], MSG_WAITALL), msg[1]);
	ask_check(msg + 2, msg[1], n);
}

void ask_by_stream(int fd, const struct server *s)
{
	union address want, a;
	socklen_t want_len = ask_at(s, &want), len = sizeof(a);
	uint8_t msg[ASK_MSG_MAX];
	size_t n;

	for (int i = 0; i < 3; i++) {
		n = ask_put_framed(msg, i);
		ck_assert_int_eq(send(fd, msg, n, 0), n);
		ask_take_framed(fd, i);
	}
	ck_assert_int_eq(getpeername(fd, &a.sa, &len), 0);
	ck_assert_address(a, len, want, want_len);
	ck_assert_int_eq(ask_join(fd, s), EISCONN);
}

/* The packet at @ip: is it one that should not be there? */
static bool is_stray(const uint8_t *ip, ssize_t len, bool loopback)
{
	size_t head = ip[0] >> 4 == 4 ? (ip[0] & 15) * 4u : 40;
	uint8_t protocol = ip[0] >> 4 == 4 ? ip[9] : ip[6];

	if (protocol != IPPROTO_UDP && protocol != IPPROTO_TCP)
		return false;
	return !loopback || len < (ssize_t)head + 4 || (ip[head + 2] == 0 && ip[head + 3] == 53);
}

void ask_packets(void)
{
	int watch = atoi(getenv(WATCH_VARIABLE));
	struct tpacket_stats stats;
	socklen_t stats_len = sizeof(stats);
	unsigned lo = if_nametoindex("lo");
	struct sockaddr_ll from;
	uint8_t ip[128];
	ssize_t n;

	while ((n = recvfrom(watch, ip, sizeof(ip), MSG_DONTWAIT, (struct sockaddr *)&from,
	                     &(socklen_t){ sizeof(from) })) >= 20)
		ck_assert(!is_stray(ip, n, (unsigned)from.sll_ifindex == lo));
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(getsockopt(watch, SOL_PACKET, PACKET_STATISTICS, &stats, &stats_len), 0);
	ck_assert_uint_eq(stats.tp_drops, 0);
	ck_assert_int_eq(alone_questions(), 0);
}

/* In place of the file that alone_begin() has put there. */
static bool name_servers(void)
{
	char path[] = "/tmp/socksify-datagram.XXXXXX";
	int fd = mkstemp(path);
	bool ok = fd >= 0 && dprintf(fd, "nameserver fe80::53%%away\n") > 0;

	for (int i = 0; ok && i < ASK_SERVERS - 1; i++)
		ok = dprintf(fd, "nameserver %s\n", servers[i].ip) > 0;
	ok = ok && fchmod(fd, 0644) == 0 && umount("/etc/resolv.conf") == 0 &&
	     mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0;
	close(fd);
	unlink(path);
	return ok;
}

/*
 * Every packet of this network, but for those on the loopback that are not for port 53: they would
 * fill the buffer.
 */
static bool watch_packets(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_IFINDEX)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, if_nametoindex("lo"), 0, 8),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x20, 0, 2),
		BPF_STMT(BPF_LDX | BPF_IMM, 40),
		BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 53, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog filter = { sizeof(code) / sizeof(code[0]), code };
	int fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL));
	char number[16];

	snprintf(number, sizeof(number), "%d", fd);
	return fd >= 0 &&
	       setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0 &&
	       setenv(WATCH_VARIABLE, number, 1) == 0;
}

/* A wire that leads away, and IPv6: where that can't be had, what needs it is left out. */
static void make_wire(void)
{
	if (system("ip -6 addr add 2001:db8::1/64 dev lo && "
	           "ip link add away type veth peer name other && "
	           "ip addr add 198.51.100.2/24 dev away && ip link set away up && "
	           "ip link set other up && "
	           "ip neigh add 198.51.100.1 lladdr 02:00:00:00:00:01 dev away nud permanent && "
	           "ip neigh add 198.51.100.77 lladdr 02:00:00:00:00:01 dev away nud permanent && "
	           "ip route add default via 198.51.100.1 dev away 2> /dev/null") != 0)
		fprintf(stderr, "no wire\n");
}

bool ask_has_wire(void)
{
	return if_nametoindex("away") != 0;
}

int ask_main(int argc, char **argv, Suite *(*make)(void))
{
	if (!under_is_second_run()) {
		if (!alone_begin() || !name_servers() || !watch_packets()) {
			fprintf(stderr, "no namespaces of one's own here\n");
			return 77; /* meson's "skipped" */
		}
		make_wire();
		setenv("SOCKSIFY_DNS", argc > 1 ? argv[1] : "answer", 1);
	}
	return under_main(argc, argv, UNDER_IPV4, make);
}
