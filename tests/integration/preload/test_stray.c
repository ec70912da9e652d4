/* What goes to this machine does not leave it, whatever device or path the program chooses. */
#include "ask.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define PORT           4433
#define LOOPBACK_INDEX 1

#define REFUSED(call)                            \
	do {                                     \
		errno = 0;                       \
		ck_assert_int_eq(call, -1);      \
		ck_assert_int_eq(errno, EACCES); \
	} while (0)

static const struct home {
	int family;
	const char *ip;
	bool v4, v6; /* of which protocol it may be */
} homes[] = {
	{ AF_INET, "127.0.0.1", true, false },
	{ AF_INET, "127.99.9.9", true, false },
	{ AF_INET, "0.0.0.0", true, false },
	{ AF_INET6, "::1", false, true },
	{ AF_INET6, "::", true, true },
	{ AF_INET6, "::ffff:127.0.0.1", true, false },
	{ AF_INET6, "::ffff:0.0.0.0", true, false },
};

#define N_HOMES ((int)(sizeof(homes) / sizeof(homes[0])))

enum way { BY_DEVICE, BY_INDEX, BY_PREFERENCE, BY_PREFERENCE6, N_WAYS };

static bool concerns(enum way way, const struct home *h)
{
	return way < BY_PREFERENCE || (way == BY_PREFERENCE ? h->v4 : h->v6);
}

/* @index  0: none; that of lo; or that of a wire */
static int choose(int fd, enum way way, uint32_t index)
{
	char name[IF_NAMESIZE] = "";
	uint32_t big = htonl(index);

	if (index)
		if_indextoname(index, name);
	switch (way) {
	case BY_DEVICE:
		return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name));
	case BY_INDEX:
		return setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof(index));
	case BY_PREFERENCE:
		return setsockopt(fd, IPPROTO_IP, IP_UNICAST_IF, &big, sizeof(big));
	case BY_PREFERENCE6:
		return setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_IF, &big, sizeof(big));
	case N_WAYS:
		break;
	}
	return -1;
}

static struct iovec iov = { (char[]){ "home" }, 4 };

START_TEST(a_device_does_not_take_it_away)
{
	const struct home *h = &homes[_i];
	union address a;
	socklen_t len = ask_address(&a, h->family, h->ip, PORT);
	struct mmsghdr vec = { .msg_hdr = { &a, len, &iov, 1, NULL, 0, 0 } };
	uint32_t away = if_nametoindex("away");

	for (enum way way = 0; away && way < N_WAYS; way++) {
		int fd = ask_socket(h->family, 0);

		if (fd < 0)
			return;
		if (concerns(way, h)) {
			ck_assert_int_eq(choose(fd, way, away), 0);
			REFUSED(sendto(fd, "home", 4, 0, &a.sa, len));
			REFUSED(sendmsg(fd, &vec.msg_hdr, 0));
			REFUSED(sendmmsg(fd, &vec, 1, 0));
			REFUSED(connect(fd, &a.sa, len));
			ck_assert_int_eq(choose(fd, way, LOOPBACK_INDEX), 0);
			ck_assert_int_eq(sendto(fd, "home", 4, 0, &a.sa, len), 4);
			ck_assert_int_eq(choose(fd, way, 0), 0);
			ck_assert_int_eq(sendto(fd, "home", 4, 0, &a.sa, len), 4);
		}
		close(fd);
	}
}
END_TEST

START_TEST(none_is_chosen_once_it_is_connected)
{
	const struct home *h = &homes[_i];
	union address a;
	socklen_t len = ask_address(&a, h->family, h->ip, PORT);
	uint32_t away = if_nametoindex("away");
	int fd = ask_socket(h->family, 0);

	if (fd < 0 || !away)
		return;
	ck_assert_int_eq(connect(fd, &a.sa, len), 0);
	for (enum way way = 0; way < N_WAYS; way++) {
		if (h->family == AF_INET && way == BY_PREFERENCE6)
			continue;
		REFUSED(choose(fd, way, away));
		errno = 0;
		choose(fd, way, LOOPBACK_INDEX);
		choose(fd, way, 0);
		ck_assert_int_eq(errno, 0);
	}
	ck_assert_int_eq(send(fd, "home", 4, 0), 4);
	close(fd);
}
END_TEST

/* 0.0.0.0 is the address that the socket is bound to. */
START_TEST(nor_where_it_is_connected_to_itself)
{
	union address a;
	socklen_t len = ask_address(&a, AF_INET, "192.0.2.9", 0);
	int fd = ask_socket(AF_INET, 0);

	if (!ask_has_wire())
		return;
	ck_assert_int_eq(bind(fd, &a.sa, len), 0);
	len = ask_address(&a, AF_INET, "0.0.0.0", PORT);
	ck_assert_int_eq(connect(fd, &a.sa, len), 0);
	REFUSED(choose(fd, BY_DEVICE, if_nametoindex("away")));
	close(fd);
}
END_TEST

/* As it is with datagrams, but for the options that it pays no heed to. */
START_TEST(tcp_does_not_leave_either)
{
	const struct home *h = &homes[_i];
	union address a, at;
	socklen_t len = ask_address(&a, h->family, h->ip, 0);
	int listener = ask_stream(h->family, 0, 0), fd = ask_stream(h->family, 0, 0);
	uint32_t away = if_nametoindex("away");

	if (fd < 0 || !away)
		return;
	ck_assert_int_eq(bind(listener, &a.sa, len), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, &at.sa, &len), 0);
	ck_assert_int_eq(choose(fd, BY_DEVICE, away), 0);
	REFUSED(connect(fd, &at.sa, len));
	ck_assert_int_eq(choose(fd, BY_DEVICE, 0), 0);
	ck_assert_int_eq(choose(fd, BY_PREFERENCE, away), 0);
	ck_assert_int_eq(connect(fd, &at.sa, len), 0);
	REFUSED(choose(fd, BY_DEVICE, away));
	REFUSED(choose(fd, BY_INDEX, away));
	ck_assert_int_eq(choose(fd, BY_PREFERENCE, away), 0);
	ck_assert_int_eq(choose(fd, BY_DEVICE, LOOPBACK_INDEX), 0);
	close(fd);
	close(listener);
}
END_TEST

/* The proxy is on this machine. */
START_TEST(nor_does_the_way_to_the_proxy)
{
	union address a;
	socklen_t len = ask_address(&a, AF_INET, "203.0.113.7", 80);
	int fd = ask_stream(AF_INET, 0, _i ? SOCK_NONBLOCK : 0);

	if (!ask_has_wire())
		return;
	ck_assert_int_eq(choose(fd, BY_DEVICE, if_nametoindex("away")), 0);
	REFUSED(connect(fd, &a.sa, len));
	close(fd);
}
END_TEST

/* It is refused at once, or the connect() fails for it; or it was done before. */
START_TEST(nor_while_it_is_under_way)
{
	union address a;
	socklen_t len = ask_address(&a, AF_INET, "203.0.113.7", 80);
	int fd = ask_stream(AF_INET, 0, SOCK_NONBLOCK), err = 0;
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	if (!ask_has_wire())
		return;
	ck_assert_int_eq(connect(fd, &a.sa, len), -1);
	ck_assert_int_eq(errno, EINPROGRESS);
	if (choose(fd, BY_DEVICE, if_nametoindex("away")) < 0) {
		ck_assert_int_eq(errno, EACCES);
	} else {
		ck_assert_int_eq(poll(&p, 1, -1), 1);
		len = sizeof(err);
		ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len), 0);
		ck_assert_int_eq(err, EACCES);
	}
	close(fd);
}
END_TEST

/* Somebody is there, or a connected socket would hear that nobody is. Returns the length of @a. */
static socklen_t make_sink(const struct home *h, int *fd, union address *a)
{
	bool v6 = h->family == AF_INET6;
	socklen_t len = ask_address(a, h->family, v6 ? "::" : "0.0.0.0", 0);

	*fd = ask_socket(h->family, 0);
	if (*fd < 0)
		return 0;
	ck_assert_int_eq(bind(*fd, &a->sa, len), 0);
	ck_assert_int_eq(getsockname(*fd, &a->sa, &len), 0);
	return ask_address(a, h->family, h->ip, ntohs(v6 ? a->in6.sin6_port : a->in.sin_port));
}

/* One kind of control data; returns what sendmsg() says, and takes care that sendmmsg() agrees. */
static ssize_t send_with(int fd, union address *a, socklen_t len, int level, int type,
                         const void *data, size_t data_len)
{
	union {
		char octets[CMSG_SPACE(64)];
		struct cmsghdr head;
	} control = { { 0 } };
	struct mmsghdr vec = { .msg_hdr = { a, len, &iov, 1, &control, CMSG_SPACE(data_len), 0 } };
	ssize_t r;

	control.head.cmsg_level = level;
	control.head.cmsg_type = type;
	control.head.cmsg_len = CMSG_LEN(data_len);
	memcpy(CMSG_DATA(&control.head), data, data_len);
	errno = 0;
	r = sendmsg(fd, &vec.msg_hdr, 0);
	ck_assert_int_eq(sendmmsg(fd, &vec, 1, 0), r < 0 ? -1 : 1);
	return r;
}

/* Addressed, then connected. A source is no device: nothing is said against it. */
START_TEST(a_message_does_not_choose_a_device)
{
	static const int types6[] = { IPV6_PKTINFO, IPV6_2292PKTINFO };
	const struct home *h = &homes[_i];
	struct in6_pktinfo v6 = { 0 };
	struct in_pktinfo v4 = { 0 };
	union address a;
	int sink, fd = ask_socket(h->family, 0), away = (int)if_nametoindex("away");
	socklen_t len = make_sink(h, &sink, &a);

	if (fd < 0 || !away)
		return;
	for (int i = 0; i < 2; i++) {
		union address *to = i ? NULL : &a;
		socklen_t n = i ? 0 : len;

		v4.ipi_ifindex = away;
		v6.ipi6_ifindex = (unsigned)away;
		REFUSED(send_with(fd, to, n, IPPROTO_IP, IP_PKTINFO, &v4, sizeof(v4)));
		for (int j = 0; h->family == AF_INET6 && j < 2; j++)
			REFUSED(send_with(fd, to, n, IPPROTO_IPV6, types6[j], &v6, sizeof(v6)));
		v4.ipi_ifindex = LOOPBACK_INDEX;
		v6.ipi6_ifindex = LOOPBACK_INDEX;
		if (h->family == AF_INET)
			ck_assert_int_eq(
				send_with(fd, to, n, IPPROTO_IP, IP_PKTINFO, &v4, sizeof(v4)), 4);
		else if (!h->v4)
			ck_assert_int_eq(
				send_with(fd, to, n, IPPROTO_IPV6, IPV6_PKTINFO, &v6, sizeof(v6)),
				4);
		v4.ipi_ifindex = 0;
		v4.ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK);
		if (h->family == AF_INET)
			ck_assert_int_eq(
				send_with(fd, to, n, IPPROTO_IP, IP_PKTINFO, &v4, sizeof(v4)), 4);
		ck_assert_int_eq(connect(fd, &a.sa, len), 0);
	}
	close(fd);
	close(sink);
}
END_TEST

START_TEST(a_message_does_not_choose_a_path)
{
	static const uint8_t loose[8] = { 1, 131, 7, 4, 198, 51, 100, 77 };
	static const uint8_t record[8] = { 7, 7, 4, 0, 0, 0, 0, 0 };
	const uint8_t header[24] = { 0, 2, 2, 1 };
	const struct home *h = &homes[_i];
	union address a;
	int sink, fd = ask_socket(h->family, 0);
	socklen_t len = make_sink(h, &sink, &a);

	if (fd < 0)
		return;
	for (int i = 0; i < 2; i++) {
		union address *to = i ? NULL : &a;
		socklen_t n = i ? 0 : len;

		REFUSED(send_with(fd, to, n, IPPROTO_IP, IP_RETOPTS, loose, sizeof(loose)));
		REFUSED(send_with(fd, to, n, IPPROTO_IPV6, IPV6_RTHDR, header, sizeof(header)));
		REFUSED(send_with(fd, to, n, IPPROTO_IPV6, IPV6_2292RTHDR, header, sizeof(header)));
		if (h->family == AF_INET)
			ck_assert_int_eq(send_with(fd, to, n, IPPROTO_IP, IP_RETOPTS, record,
			                           sizeof(record)),
			                 4);
		ck_assert_int_eq(connect(fd, &a.sa, len), 0);
	}
	close(fd);
	close(sink);
}
END_TEST

/* It can't be read back, so it is refused before anybody is sent anything. */
START_TEST(no_device_stays_hidden)
{
	struct in6_pktinfo info = { .ipi6_ifindex = if_nametoindex("away") };
	int fd = ask_socket(AF_INET6, 0);

	if (fd < 0 || !ask_has_wire())
		return;
	REFUSED(setsockopt(fd, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info)));
	info.ipi6_ifindex = LOOPBACK_INDEX;
	ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info)), 0);
	info.ipi6_ifindex = 0;
	info.ipi6_addr = in6addr_loopback;
	ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info)), 0);
	close(fd);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("stray");
	TCase *tc = tcase_create("stray");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, NULL, ask_packets);
	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, a_device_does_not_take_it_away, 0, N_HOMES);
	tcase_add_loop_test(tc, none_is_chosen_once_it_is_connected, 0, N_HOMES);
	tcase_add_test(tc, nor_where_it_is_connected_to_itself);
	tcase_add_loop_test(tc, tcp_does_not_leave_either, 0, N_HOMES);
	tcase_add_loop_test(tc, nor_does_the_way_to_the_proxy, 0, 2);
	tcase_add_loop_test(tc, nor_while_it_is_under_way, 0, 20);
	tcase_add_loop_test(tc, a_message_does_not_choose_a_device, 0, N_HOMES);
	tcase_add_loop_test(tc, a_message_does_not_choose_a_path, 0, N_HOMES);
	tcase_add_test(tc, no_device_stays_hidden);
	return s;
}

int main(int argc, char **argv)
{
	return ask_main(argc, argv, make);
}
