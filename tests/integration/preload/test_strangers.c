/*
 * Sockets that a program has from elsewhere: made before the library was there, inherited, or in a
 * message. What they are counts.
 */
#include "alone.h"
#include "under.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/seccomp.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define INHERITED "STRANGER_"
#define PARCEL    "STRANGER_PARCEL"

#define REFUSED(call)                            \
	do {                                     \
		errno = 0;                       \
		ck_assert_int_eq(call, -1);      \
		ck_assert_int_eq(errno, EACCES); \
	} while (0)

/* Made by a program that is not under the library. */
static const struct {
	const char *name;
	int family, type, protocol;
	bool is_fine;
	const char *peer; /* it is connected to */
} others[] = {
	{ "RAW", AF_INET, SOCK_RAW, IPPROTO_UDP, false, NULL },
	{ "RAW6", AF_INET6, SOCK_RAW, IPPROTO_UDP, false, NULL },
	{ "PING", AF_INET, SOCK_DGRAM, IPPROTO_ICMP, false, NULL },
	{ "PACKET", AF_PACKET, SOCK_DGRAM, 0, false, NULL },
	{ "VSOCK", AF_VSOCK, SOCK_STREAM, 0, false, NULL },
	{ "UDP", AF_INET, SOCK_DGRAM, 0, true, NULL },
	{ "UNIX", AF_UNIX, SOCK_DGRAM, 0, true, NULL },
	{ "RAW_THERE", AF_INET, SOCK_RAW, IPPROTO_UDP, false, "192.0.2.9" },
	{ "RAW_HERE", AF_INET, SOCK_RAW, IPPROTO_UDP, false, "127.0.0.1" },
	{ "UDP_THERE", AF_INET, SOCK_DGRAM, 0, true, "192.0.2.9" },
	{ "UDP_HERE", AF_INET, SOCK_DGRAM, 0, true, "127.0.0.1" },
};

#define FIRST_JOINED 7

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

static int make_other(int i)
{
	int fd = socket(others[i].family, others[i].type, others[i].protocol);
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(4321) };

	if (others[i].peer) {
		inet_pton(AF_INET, others[i].peer, &sa.sin_addr);
		if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
			perror("connect");
	}
	return fd;
}

/* One of each kind that there may be here, and one more of them in a message. */
static bool make_others(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return false;
	for (int i = 0; i < N_OTHERS; i++)
		set_number(variable(i), make_other(i));
	set_number(PARCEL, pair[0]);
	return send_fd(pair[1], atoi(getenv(INHERITED "RAW"))) &&
	       send_fd(pair[1], atoi(getenv(INHERITED "RAW_THERE"))) &&
	       send_fd(pair[1], atoi(getenv(INHERITED "UDP_THERE")));
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

/* By each call that is hooked. */
static void check_sends_to_the_peer(int fd, bool refused)
{
	struct iovec iov = { (char[]){ "x" }, 1 };
	struct mmsghdr vec = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };

	for (int i = 0; i < 5; i++) {
		long r = -2;

		errno = 7654;
		if (i == 0)
			r = send(fd, "x", 1, 0);
		else if (i == 1)
			r = sendto(fd, "x", 1, 0, NULL, 0);
		else if (i == 2)
			r = sendmsg(fd, &vec.msg_hdr, 0);
		else if (i == 3)
			r = sendmmsg(fd, &vec, 1, 0);
#ifdef SYS_sendto
		else
			r = syscall(SYS_sendto, fd, "x", 1, 0, NULL, 0);
#endif
		if (r == -2)
			continue;
		ck_assert_int_eq(r, refused || (r == -1 && errno == ECONNREFUSED) ? -1 : 1);
		if (r == 1)
			ck_assert_int_eq(errno, 7654);
		else
			ck_assert_int_eq(errno, refused ? EACCES : ECONNREFUSED);
	}
}

START_TEST(a_send_to_the_peer_is_judged_by_the_socket)
{
	const char *peer = others[_i].peer;
	int fd = atoi(getenv(variable(_i))), twin;
	bool refused = !others[_i].is_fine || strcmp(peer, "127.0.0.1") != 0;
	union address a;
	socklen_t len = address_for(AF_INET, &a);

	if (fd < 0)
		return;
	twin = dup(fd);
	check_sends_to_the_peer(fd, refused);
	check_sends_to_the_peer(twin, refused);
	close(twin);
	/* Its number may be another socket's, or its peer another one. */
	if (!others[_i].is_fine)
		return;
	ck_assert_int_eq(connect(fd, &a.sa, len), 0);
	check_sends_to_the_peer(fd, false);
}
END_TEST

START_TEST(what_came_in_a_message_is_judged_likewise)
{
	int parcel = atoi(getenv(PARCEL)), fd = take_fd(parcel);
	union address a;
	socklen_t len = address_for(AF_INET, &a);

	REFUSED(connect(fd, &a.sa, len));
	check_sends_are_refused(fd, AF_INET);
	close(fd);
	for (int i = 0; i < 2; i++) {
		fd = take_fd(parcel);
		check_sends_to_the_peer(fd, true);
		close(fd);
	}
}
END_TEST

/* From now on whoever asks what a socket is is killed. */
static bool filter_calls(bool by_prctl)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getsockopt, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(steps) / sizeof(steps[0]), steps };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return false;
	if (by_prctl)
		return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0;
}

static int send_and_receive(bool by_prctl)
{
	int raw = atoi(getenv("STRANGER_RAW_THERE")), pair[2], fd;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || !filter_calls(by_prctl))
		return 1;
	if (send(raw, "x", 1, 0) >= 0 || errno != EACCES)
		return 4;
	if (!send_fd(pair[0], pair[1]))
		return 2;
	fd = take_fd(pair[1]);
	return send(fd, "x", 1, 0) == 1 ? 0 : 3;
}

/* As chromium's renderers are; by libc's call, and past it. */
START_TEST(a_program_that_filters_its_calls_is_not_made_to_ask)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(send_and_receive(_i));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("strangers");
	TCase *tc = tcase_create("strangers");

	tcase_add_loop_test(tc, what_a_socket_is_counts_and_not_where_it_is_from, 0, FIRST_JOINED);
	tcase_add_test(tc, what_came_in_a_message_is_judged_likewise);
	tcase_add_loop_test(tc, a_send_to_the_peer_is_judged_by_the_socket, FIRST_JOINED, N_OTHERS);
	tcase_add_loop_test(tc, a_program_that_filters_its_calls_is_not_made_to_ask, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}

int main(int argc, char **argv)
{
	if (!under_is_second_run() && (!alone_begin() || !make_others())) {
		fprintf(stderr, "no namespaces of one's own here\n");
		return 77; /* meson's "skipped" */
	}
	return under_main(argc, argv, UNDER_IPV4, make);
}
