/*
 * Kinds of sockets: which may be made, and what those may do that this program got from elsewhere:
 * made before the library was there, inherited, or in a message.
 */
#include "alone.h"
#include "under.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef AF_SMC
#define AF_SMC 43
#endif
#define PROTOCOL_L2TP  115
#define PROTOCOL_MPTCP 262
#define TYPE_FLAGS     (SOCK_NONBLOCK | SOCK_CLOEXEC)
#define INHERITED      "KINDS_INHERITED_"
#define PARCEL         "KINDS_PARCEL"

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

/* Made by a program that is not under the library. */
static const struct {
	const char *name;
	int family, type, protocol;
	bool is_fine;
} others[] = {
	{ "RAW", AF_INET, SOCK_RAW, IPPROTO_UDP, false },
	{ "RAW6", AF_INET6, SOCK_RAW, IPPROTO_UDP, false },
	{ "PING", AF_INET, SOCK_DGRAM, IPPROTO_ICMP, false },
	{ "PACKET", AF_PACKET, SOCK_DGRAM, 0, false },
	{ "VSOCK", AF_VSOCK, SOCK_STREAM, 0, false },
	{ "UDP", AF_INET, SOCK_DGRAM, 0, true },
	{ "UNIX", AF_UNIX, SOCK_DGRAM, 0, true },
};

#define N_OTHERS ((int)(sizeof(others) / sizeof(others[0])))

static const char *variable(int i)
{
	static char name[64];

	snprintf(name, sizeof(name), INHERITED "%s", others[i].name);
	return name;
}

static void set_number(const char *name, int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", n);
	setenv(name, text, 1);
}

static bool send_fd(int to, int fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .room = "" };
	struct iovec iov = { (char[]){ "x" }, 1 };
	struct msghdr msg = { .msg_iov = &iov,
		              .msg_iovlen = 1,
		              .msg_control = &control,
		              .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(to, &msg, 0) == 1;
}

static int take_fd(int from)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char octet;
	struct iovec iov = { &octet, 1 };
	struct msghdr msg = { .msg_iov = &iov,
		              .msg_iovlen = 1,
		              .msg_control = &control,
		              .msg_controllen = sizeof(control) };
	int fd;

	ck_assert_int_eq(recvmsg(from, &msg, MSG_CMSG_CLOEXEC), 1);
	ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&msg));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* One of each kind that there may be here, and one more of them in a message. */
static bool make_others(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return false;
	for (int i = 0; i < N_OTHERS; i++)
		set_number(variable(i),
		           socket(others[i].family, others[i].type, others[i].protocol));
	set_number(PARCEL, pair[0]);
	return send_fd(pair[1], atoi(getenv(INHERITED "RAW")));
}

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_ll ll;
	struct sockaddr_vm vm;
	struct sockaddr_storage ss;
};

/* Loopback, which is direct, but for packet sockets. */
static socklen_t address_for(int family, union address *a)
{
	memset(a, 0, sizeof(*a));
	a->sa.sa_family = (sa_family_t)family;
	switch (family) {
	case AF_INET:
		a->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		a->in.sin_port = htons(9);
		return sizeof(a->in);
	case AF_INET6:
		a->in6.sin6_addr = in6addr_loopback;
		a->in6.sin6_port = htons(9);
		return sizeof(a->in6);
	case AF_PACKET:
		a->ll.sll_ifindex = (int)if_nametoindex("lo");
		a->ll.sll_protocol = htons(ETH_P_IP);
		a->ll.sll_halen = ETH_ALEN;
		return sizeof(a->ll);
	case AF_VSOCK:
		a->vm.svm_cid = 2;
		a->vm.svm_port = 9;
		return sizeof(a->vm);
	}
	strcpy(a->un.sun_path, "/nonexistent");
	return sizeof(a->un);
}

static void check_sends_are_refused(int fd, int family)
{
	struct iovec iov = { (char[]){ "xxxxxxxxxxxxxxxxxxxxxxxxxxxx" }, 28 };
	struct mmsghdr vec = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };
	union address a;
	socklen_t len = address_for(family, &a);

	vec.msg_hdr.msg_name = &a;
	vec.msg_hdr.msg_namelen = len;
	/* A packet socket doesn't look at the family, a raw one takes none for its own. */
	for (int i = 0; i < 3; i++) {
		REFUSED(sendto(fd, iov.iov_base, iov.iov_len, 0, &a.sa, len));
		REFUSED(sendmsg(fd, &vec.msg_hdr, 0));
		REFUSED(sendmmsg(fd, &vec, 1, 0));
#ifdef SYS_sendto
		REFUSED(syscall(SYS_sendto, fd, iov.iov_base, iov.iov_len, 0, &a.sa, len));
#endif
		a.sa.sa_family = i == 0 ? AF_UNSPEC : AF_UNIX;
	}
}

START_TEST(what_a_socket_is_counts_and_not_where_it_is_from)
{
	int fd = atoi(getenv(variable(_i)));
	union address a;
	socklen_t len = address_for(others[_i].family, &a);

	if (fd < 0)
		return; /* not here */
	if (!others[_i].is_fine) {
		REFUSED(connect(fd, &a.sa, len));
		check_sends_are_refused(fd, others[_i].family);
		errno = 0;
		connect(fd, &(struct sockaddr){ .sa_family = AF_UNSPEC }, 16);
		ck_assert_int_ne(errno, EACCES);
		return;
	}
	errno = 0;
	connect(fd, &a.sa, len);
	ck_assert_int_ne(errno, EACCES);
	errno = 0;
	sendto(fd, "x", 1, 0, &a.sa, len);
	ck_assert_int_ne(errno, EACCES);
}
END_TEST

START_TEST(so_is_one_that_came_in_a_message)
{
	int fd = take_fd(atoi(getenv(PARCEL)));
	union address a;
	socklen_t len = address_for(AF_INET, &a);

	REFUSED(connect(fd, &a.sa, len));
	check_sends_are_refused(fd, AF_INET);
	close(fd);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("kinds");
	TCase *tc = tcase_create("kinds");

	tcase_add_loop_test(tc, a_socket_is_made_or_refused_by_its_kind, 0, 6 * N_KINDS);
	tcase_add_test(tc, so_are_pairs);
	tcase_add_loop_test(tc, what_a_socket_is_counts_and_not_where_it_is_from, 0, N_OTHERS);
	tcase_add_test(tc, so_is_one_that_came_in_a_message);
	suite_add_tcase(s, tc);
	return s;
}

int main(int argc, char **argv)
{
	static char log[] = "/tmp/kinds.XXXXXX";
	int status;

	if (!under_is_second_run()) {
		if (!alone_begin() || !make_others()) {
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
