/*
 * Kinds of sockets: which may be made; and that no spelling of an address is a way past the proxy.
 */
#include "alone.h"
#include "under.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef AF_SMC
#define AF_SMC 43
#endif
#define PROTOCOL_L2TP  115
#define PROTOCOL_MPTCP 262
#define TYPE_FLAGS     (SOCK_NONBLOCK | SOCK_CLOEXEC)

static const struct kind {
	int family, type, protocol;
	const char *told; /* in the log; NULL: it passes */
} kinds[] = {
	{ AF_UNIX, SOCK_STREAM, 0, NULL },
	{ AF_UNIX, SOCK_DGRAM, 0, NULL },
	{ AF_UNIX, SOCK_SEQPACKET, 0, NULL },
	{ AF_UNIX, SOCK_RAW, 0, NULL },
	{ AF_NETLINK, SOCK_RAW, 0, NULL },
	{ AF_NETLINK, SOCK_DGRAM, 15, NULL },
	{ AF_ALG, SOCK_SEQPACKET, 0, NULL },
	{ AF_INET, SOCK_STREAM, 0, NULL },
	{ AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL },
	{ AF_INET, SOCK_STREAM, PROTOCOL_MPTCP, NULL },
	{ AF_INET, SOCK_DGRAM, 0, NULL },
	{ AF_INET, SOCK_DGRAM, IPPROTO_UDP, NULL },
	{ AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, NULL },
	{ AF_INET6, SOCK_STREAM, 0, NULL },
	{ AF_INET6, SOCK_STREAM, PROTOCOL_MPTCP, NULL },
	{ AF_INET6, SOCK_DGRAM, 0, NULL },
	/* No sockets at all. */
	{ AF_UNSPEC, SOCK_STREAM, 0, NULL },
	{ -7, SOCK_STREAM, 0, NULL },
	{ AF_INET, 99, 0, NULL },
	{ AF_INET, 0, 0, NULL },
	{ AF_INET, 9, 0, NULL },
	{ AF_INET, SOCK_STREAM, IPPROTO_UDP, NULL },
	{ AF_INET, SOCK_DGRAM, IPPROTO_TCP, NULL },
	{ AF_INET, SOCK_STREAM, -1, NULL },
	{ AF_UNIX, SOCK_STREAM, 77, NULL },
	{ AF_NETLINK, SOCK_RAW, 4711, NULL },
	/* Others. */
	{ AF_INET, SOCK_RAW, IPPROTO_ICMP, "a raw socket" },
	{ AF_INET, SOCK_RAW, IPPROTO_RAW, "a raw socket" },
	{ AF_INET, SOCK_RAW, IPPROTO_UDP, "a raw socket" },
	{ AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, "a raw socket" },
	{ AF_INET, SOCK_DGRAM, IPPROTO_ICMP, "an ICMP (ping) socket" },
	{ AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, "an ICMP (ping) socket" },
	{ AF_INET, SOCK_PACKET, ETH_P_ALL, "a packet socket" },
	{ AF_PACKET, SOCK_RAW, 0, "a packet socket" },
	{ AF_PACKET, SOCK_DGRAM, 0, "a packet socket" },
	{ AF_INET, SOCK_STREAM, IPPROTO_SCTP, "an SCTP socket" },
	{ AF_INET6, SOCK_SEQPACKET, IPPROTO_SCTP, "an SCTP socket" },
	{ AF_INET, SOCK_SEQPACKET, 0, "an SCTP socket" },
	{ AF_INET, SOCK_DCCP, IPPROTO_DCCP, "a DCCP socket" },
	{ AF_INET, SOCK_DGRAM, PROTOCOL_L2TP, "an L2TP socket" },
	{ AF_INET, SOCK_STREAM, 256, "an SMC socket" },
	{ AF_SMC, SOCK_STREAM, 0, "an SMC socket" },
	{ AF_INET, SOCK_STREAM, 250, "an internet protocol" },
	{ AF_INET, SOCK_STREAM, 4711, "an internet protocol" },
	{ AF_VSOCK, SOCK_STREAM, 0, "a VSOCK socket" },
	{ AF_TIPC, SOCK_RDM, 0, "a TIPC socket" },
	{ AF_BLUETOOTH, SOCK_RAW, 1, "a Bluetooth socket" },
	{ 44, SOCK_RAW, 0, "an XDP socket" },
	{ AF_CAN, SOCK_RAW, 1, "a CAN socket" },
	{ AF_RDS, SOCK_SEQPACKET, 0, "an RDS socket" },
	{ AF_KEY, SOCK_RAW, 2, "the address family 15" },
	{ AF_APPLETALK, SOCK_DGRAM, 0, "the address family 5" },
	{ 63, SOCK_STREAM, 0, "the address family 63" },
	/* One line for all that no kernel has yet. */
	{ 1 << 20, SOCK_STREAM, 0, "the address family 63" },
};

#define N_KINDS ((int)(sizeof(kinds) / sizeof(kinds[0])))

static int by_socket(int family, int type, int protocol)
{
	return socket(family, type, protocol);
}

static int by_syscall(int family, int type, int protocol)
{
#ifdef SYS_socket
	return (int)syscall(SYS_socket, family, type, protocol);
#else
	return socket(family, type, protocol);
#endif
}

static int by_alias(int family, int type, int protocol)
{
	uintptr_t at = (uintptr_t)dlsym(RTLD_DEFAULT, "__socket");

	ck_assert_uint_ne(at, 0);
	return ((int (*)(int, int, int))at)(family, type, protocol);
}

static int (*const makers[])(int, int, int) = { by_socket, by_syscall, by_alias };

/* What the log has of @text. */
static int times_told(const char *text)
{
	FILE *f = fopen(getenv("SOCKSIFY_LOG_FILE"), "re");
	char line[512];
	int n = 0;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, text) != NULL;
	fclose(f);
	return n;
}

#define REFUSED(call)                            \
	do {                                     \
		errno = 0;                       \
		ck_assert_int_eq(call, -1);      \
		ck_assert_int_eq(errno, EACCES); \
	} while (0)

/* A kernel may lack a kind, but says so otherwise. */
START_TEST(a_socket_is_made_or_refused_by_its_kind)
{
	const struct kind *k = &kinds[_i / 6];
	int flags = _i / 3 % 2 ? TYPE_FLAGS : 0, fd;

	errno = 7654;
	fd = makers[_i % 3](k->family, k->type | flags, k->protocol);
	if (k->told) {
		ck_assert_int_eq(fd, -1);
		ck_assert_int_eq(errno, EACCES);
		ck_assert_int_eq(times_told(k->told), 1);
		return;
	}
	ck_assert_int_eq(errno == 7654, fd >= 0);
	ck_assert_int_ne(errno, EACCES);
	if (fd < 0)
		return;
	ck_assert_int_eq(!!(fcntl(fd, F_GETFD) & FD_CLOEXEC), flags != 0);
	ck_assert_int_eq(!!(fcntl(fd, F_GETFL) & O_NONBLOCK), flags != 0);
	close(fd);
}
END_TEST

START_TEST(so_are_pairs)
{
	static const int refused[][2] = { { AF_TIPC, SOCK_STREAM }, { AF_PACKET, SOCK_RAW } };
	int fds[2] = { 71, 72 };

	errno = 7654;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | TYPE_FLAGS, 0, fds), 0);
	ck_assert_int_eq(errno, 7654);
	ck_assert_int_eq(write(fds[0], "x", 1), 1);
	ck_assert_int_eq(read(fds[1], &(char){ 0 }, 1), 1);
	close(fds[0]);
	close(fds[1]);
	fds[0] = 71;
	for (int i = 0; i < 2; i++) {
		REFUSED(socketpair(refused[i][0], refused[i][1] | SOCK_CLOEXEC, 0, fds));
#ifdef SYS_socketpair
		REFUSED(syscall(SYS_socketpair, refused[i][0], refused[i][1], 0, fds));
#endif
		ck_assert_int_eq(fds[0], 71);
	}
	ck_assert_int_eq(socketpair(AF_INET, SOCK_STREAM, 0, fds), -1);
	ck_assert_int_eq(errno, EOPNOTSUPP);
}
END_TEST

/* Destinations that are no more than an address. */
static const struct {
	int family;
	const char *ip;
} mapped[] = {
	{ AF_INET, "198.51.100.7" },
	{ AF_INET6, "::ffff:198.51.100.7" },
	{ AF_INET6, "::198.51.100.7" },
	{ AF_INET6, "::127.0.0.1" },
	{ AF_INET6, "64:ff9b::198.51.100.7" },
	{ AF_INET6, "2002:c633:6407::1" },
	{ AF_INET, "255.255.255.255" },
	{ AF_INET, "224.0.0.251" },
	{ AF_INET6, "ff02::fb" },
	{ AF_INET6, "::ffff:224.0.0.251" },
};

#define N_STREAMS   6 /* those that TCP takes */
#define N_ADDRESSES 10

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static socklen_t mapped_address(int i, union address *a)
{
	memset(a, 0, sizeof(*a));
	a->sa.sa_family = (sa_family_t)mapped[i].family;
	a->in.sin_port = htons(4444); /* in the same place for IPv6 */
	if (mapped[i].family == AF_INET6) {
		ck_assert_int_eq(inet_pton(AF_INET6, mapped[i].ip, &a->in6.sin6_addr), 1);
		return sizeof(a->in6);
	}
	ck_assert_int_eq(inet_pton(AF_INET, mapped[i].ip, &a->in.sin_addr), 1);
	return sizeof(a->in);
}

/* There is no way to any of them but the proxy. */
START_TEST(streams_go_to_the_proxy_whatever_the_address)
{
	static const int protocols[] = { IPPROTO_TCP, PROTOCOL_MPTCP };
	union address a;
	socklen_t len = mapped_address(_i / 2, &a);
	int fd = socket(mapped[_i / 2].family, SOCK_STREAM | SOCK_CLOEXEC, protocols[_i % 2]);

	if (fd < 0)
		return; /* a kernel without */
	ck_assert_int_eq(connect(fd, &a.sa, len), 0);
	under_echo(fd);
	close(fd);
}
END_TEST

START_TEST(datagrams_are_refused_whatever_the_address)
{
	static const int protocols[] = { IPPROTO_UDP, IPPROTO_UDPLITE };
	struct iovec iov = { (char[]){ "x" }, 1 };
	union address a;
	struct mmsghdr vec = { .msg_hdr = { .msg_name = &a,
		                            .msg_namelen = mapped_address(_i / 2, &a),
		                            .msg_iov = &iov,
		                            .msg_iovlen = 1 } };
	int fd = socket(mapped[_i / 2].family, SOCK_DGRAM | SOCK_CLOEXEC, protocols[_i % 2]);
	uintptr_t alias = (uintptr_t)dlsym(RTLD_DEFAULT, "__sendmmsg");
	char told[128];

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &(int){ 1 }, sizeof(int));
	REFUSED(sendto(fd, "x", 1, 0, &a.sa, vec.msg_hdr.msg_namelen));
	REFUSED(sendmsg(fd, &vec.msg_hdr, 0));
	REFUSED(sendmmsg(fd, &vec, 1, 0));
	REFUSED(((int (*)(int, struct mmsghdr *, unsigned, int))alias)(fd, &vec, 1, 0));
#ifdef SYS_sendto
	REFUSED(syscall(SYS_sendto, fd, "x", 1, 0, &a, vec.msg_hdr.msg_namelen));
	REFUSED(syscall(SYS_sendmsg, fd, &vec.msg_hdr, 0));
	REFUSED(syscall(SYS_sendmmsg, fd, &vec, 1, 0));
#endif
	if (mapped[_i / 2].family == AF_INET) { /* IPv6 has more than one spelling */
		snprintf(told, sizeof(told), " %s:4444 refused", mapped[_i / 2].ip);
		ck_assert_int_eq(times_told(told), 1);
	}
	close(fd);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("kinds");
	TCase *tc = tcase_create("kinds");

	tcase_add_loop_test(tc, a_socket_is_made_or_refused_by_its_kind, 0, 6 * N_KINDS);
	tcase_add_test(tc, so_are_pairs);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, streams_go_to_the_proxy_whatever_the_address, 0, 2 * N_STREAMS);
	tcase_add_loop_test(tc, datagrams_are_refused_whatever_the_address, 0, 2 * N_ADDRESSES);
	suite_add_tcase(s, tc);
	return s;
}

int main(int argc, char **argv)
{
	static char log[] = "/tmp/kinds.XXXXXX";
	int status;

	if (!under_is_second_run()) {
		if (!alone_begin()) {
			fprintf(stderr, "no namespaces of one's own here\n");
			return 77; /* meson's "skipped" */
		}
		if (close(mkstemp(log)) < 0)
			return 99;
		setenv("SOCKSIFY_LOG", "warn", 1);
		setenv("SOCKSIFY_LOG_FILE", log, 1);
	}
	status = under_main(argc, argv, UNDER_IPV4, make);
	if (under_is_second_run())
		unlink(getenv("SOCKSIFY_LOG_FILE"));
	return status;
}
