/* Questions by UDP, by every call that sends and receives. */
#include "ask.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

/* Every server, every way there and back. */
START_TEST(a_connected_socket_is_answered)
{
	const struct server *s = &servers[_i / N_SENDS];
	enum send_way way = (enum send_way)(_i % N_SENDS);
	int fd = ask_socket(s->family, 0);
	union address a;
	socklen_t len = ask_at(s, &a);

	if (fd < 0)
		return;
	ck_assert_int_eq(ask_join(fd, s), 0);
	for (int back = 0; back < N_RECEIVES; back++) {
		ask_send(fd, way, _i * 16 + back, NULL, 0);
		ask_take(fd, (enum receive_way)back, _i * 16 + back, &a, len);
	}
	close(fd);
}
END_TEST

START_TEST(an_unconnected_socket_is_answered)
{
	const struct server *s = &servers[_i / N_ADDRESSED];
	enum send_way way = (enum send_way)(_i % N_ADDRESSED);
	int fd = ask_socket(s->family, 0);
	union address a;
	socklen_t len = ask_at(s, &a);

	if (fd < 0)
		return;
	for (int back = 0; back < N_RECEIVES; back++) {
		ask_send(fd, way, _i * 16 + back, &a, len);
		ask_take(fd, (enum receive_way)back, _i * 16 + back, &a, len);
	}
	close(fd);
}
END_TEST

/* A plain IPv4 address does on an IPv6 socket, which shows it mapped. */
START_TEST(an_ipv6_socket_takes_a_plain_ipv4_address)
{
	union address plain, mapped;
	socklen_t plain_len = ask_address(&plain, AF_INET, "192.0.2.53", 53);
	socklen_t len = ask_address(&mapped, AF_INET6, "::ffff:192.0.2.53", 53);
	int fd = ask_socket(AF_INET6, 0);

	if (fd < 0)
		return;
	for (int way = 0; way < N_ADDRESSED; way++) {
		ask_send(fd, (enum send_way)way, way, &plain, plain_len);
		ask_take(fd, BY_RECVFROM, way, &mapped, len);
	}
	ck_assert_int_eq(connect(fd, &plain.sa, plain_len), 0);
	ask_send(fd, BY_SEND, 9, NULL, 0);
	ask_take(fd, BY_RECVFROM, 9, &mapped, len);
	close(fd);
}
END_TEST

START_TEST(misfits_are_the_kernels_to_tell)
{
	union address v4, v6, mapped;
	socklen_t v4_len = ask_at(FIRST, &v4);
	socklen_t v6_len = ask_address(&v6, AF_INET6, "2001:db8::53", 53);
	socklen_t mapped_len = ask_address(&mapped, AF_INET6, "::ffff:192.0.2.53", 53);
	int fd = ask_socket(AF_INET, 0), only = ask_socket(AF_INET6, 0);

	ck_assert_int_eq(connect(fd, &v6.sa, v6_len), -1);
	ck_assert_int_eq(errno, EAFNOSUPPORT);
	ck_assert_int_eq(sendto(fd, "x", 1, 0, &v6.sa, v6_len), -1);
	ck_assert_int_eq(errno, EAFNOSUPPORT);
	ck_assert_int_eq(connect(fd, &v4.sa, v4_len - 1), -1);
	ck_assert_int_eq(errno, EINVAL);
	close(fd);
	if (only < 0)
		return;
	setsockopt(only, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 1 }, sizeof(int));
	ck_assert_int_eq(connect(only, &mapped.sa, mapped_len), -1);
	ck_assert_int_eq(errno, ENETUNREACH);
	ck_assert_int_eq(sendto(only, "x", 1, 0, &mapped.sa, mapped_len), -1);
	ck_assert_int_eq(errno, ENETUNREACH);
	ck_assert_int_eq(connect(only, &v4.sa, v4_len), -1);
	ck_assert_int_eq(errno, EAFNOSUPPORT);
	ck_assert_int_eq(sendto(only, "x", 1, 0, &v4.sa, v4_len), -1);
	ck_assert_int_eq(errno, ENETUNREACH);
	close(only);
}
END_TEST

START_TEST(addresses_are_true)
{
	const struct server *s = &servers[_i];
	union address a, want, own = { 0 };
	socklen_t want_len = ask_at(s, &want), len = sizeof(a);
	int fd = ask_socket(s->family, 0), twin = dup(fd);

	if (fd < 0 || (s == SIXTH && !ask_has_wire()))
		return;
	ck_assert_int_eq(ask_join(fd, s), 0);
	ck_assert_int_eq(getpeername(twin, &a.sa, &len), 0);
	ck_assert_address(a, len, want, want_len);
	len = sizeof(own);
	ck_assert_int_eq(getsockname(fd, &own.sa, &len), 0);
	ck_assert_uint_ne(own.in.sin_port, 0);
	want_len = ask_address(&want, s->family, s->own, ntohs(own.in.sin_port));
	ck_assert_address(own, len, want, want_len);
	/* Unconnected again it has neither. */
	a.sa.sa_family = AF_UNSPEC;
	ck_assert_int_eq(connect(fd, &a.sa, sizeof(a.sa)), 0);
	len = sizeof(a);
	ck_assert_int_eq(getpeername(fd, &a.sa, &len), -1);
	ck_assert_int_eq(errno, ENOTCONN);
	len = sizeof(own);
	ck_assert_int_eq(getsockname(fd, &own.sa, &len), 0);
	want_len = ask_address(&want, s->family, s->family == AF_INET ? "0.0.0.0" : "::", 0);
	ck_assert_address(own, len, want, want_len);
	/* And again, to another one. */
	ck_assert_int_eq(ask_join(fd, s->family == AF_INET ? SECOND : SIXTH), 0);
	ask_send(fd, BY_SEND, 3, NULL, 0);
	want_len = ask_at(s->family == AF_INET ? SECOND : SIXTH, &want);
	ask_take(fd, BY_RECVMSG, 3, &want, want_len);
	close(twin);
	close(fd);
}
END_TEST

START_TEST(a_bound_socket_keeps_its_address)
{
	union address own, want, a;
	socklen_t len = ask_address(&own, AF_INET, "192.0.2.9", 0), want_len;
	int fd = ask_socket(AF_INET, 0);

	ck_assert_int_eq(bind(fd, &own.sa, len), 0);
	ck_assert_int_eq(getsockname(fd, &own.sa, &len), 0);
	want_len = ask_at(FIRST, &want);
	ask_send(fd, BY_SENDTO, 1, &want, want_len);
	ask_take(fd, BY_RECVFROM, 1, &want, want_len);
	ck_assert_int_eq(ask_join(fd, FIRST), 0);
	ask_send(fd, BY_SEND, 2, NULL, 0);
	ask_take(fd, BY_RECVFROM, 2, &want, want_len);
	len = sizeof(a);
	ck_assert_int_eq(getsockname(fd, &a.sa, &len), 0);
	ck_assert_address(a, len, own, sizeof(own.in));
	close(fd);
}
END_TEST

/* Each answer is told from the server that was asked. */
START_TEST(two_servers_on_one_socket)
{
	int fd = ask_socket(AF_INET, 0), of[2] = { 0 };
	union address a[2], from;
	socklen_t len[2] = { ask_at(FIRST, &a[0]), ask_at(SECOND, &a[1]) }, n;
	uint8_t msg[ASK_MSG_MAX];

	for (int i = 0; i < 32; i++)
		ask_send(fd, (enum send_way)(i / 2 % N_ADDRESSED), 2 * i + i % 2, &a[i % 2],
		         len[i % 2]);
	for (int i = 0; i < 32; i++) {
		ssize_t r;
		int asked;

		n = sizeof(from);
		r = recvfrom(fd, msg, sizeof(msg), 0, &from.sa, &n);
		asked = msg[0] << 8 | msg[1];
		ask_check(msg, r, asked);
		ck_assert_address(from, n, a[asked % 2], len[asked % 2]);
		of[asked % 2]++;
	}
	ck_assert_int_eq(of[0], 16);
	ck_assert_int_eq(of[1], 16);
	close(fd);
}
END_TEST

#define MANY 40

/* sendmmsg() of more than are made anew at once, then recvmmsg(). */
START_TEST(many_messages_in_one_call)
{
	static uint8_t out[MANY][ASK_MSG_MAX], in[MANY][ASK_MSG_MAX];
	struct mmsghdr vec[MANY];
	struct iovec iov[MANY];
	union address a[2], from[MANY];
	socklen_t len[2] = { ask_at(FIRST, &a[0]), ask_at(SECOND, &a[1]) };
	int fd = ask_socket(AF_INET, 0), got = 0;

	for (int i = 0; i < MANY; i++) {
		iov[i] = (struct iovec){ out[i], ask_put(out[i], i) };
		vec[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[i],
			                                .msg_iovlen = 1,
			                                .msg_name = &a[i % 2],
			                                .msg_namelen = len[i % 2] } };
	}
	ck_assert_int_eq(sendmmsg(fd, vec, MANY, 0), MANY);
	for (int i = 0; i < MANY; i++) {
		ck_assert_uint_eq(vec[i].msg_len, iov[i].iov_len);
		ck_assert_ptr_eq(vec[i].msg_hdr.msg_name, &a[i % 2]);
		iov[i] = (struct iovec){ in[i], sizeof(in[i]) };
		vec[i].msg_hdr.msg_name = &from[i];
		vec[i].msg_hdr.msg_namelen = sizeof(from[i]);
	}
	while (got < MANY) {
		int now = recvmmsg(fd, vec + got, (unsigned)(MANY - got), MSG_WAITFORONE, NULL);

		ck_assert_int_gt(now, 0);
		got += now;
	}
	for (int i = 0; i < MANY; i++) {
		int asked = in[i][0] << 8 | in[i][1];

		ask_check(in[i], vec[i].msg_len, asked);
		ck_assert_address(from[i], vec[i].msg_hdr.msg_namelen, a[asked % 2],
		                  len[asked % 2]);
	}
	close(fd);
}
END_TEST

/* Those before the first that may not go are sent, and its own errno is told by itself. */
START_TEST(a_refused_message_stops_those_after_it)
{
	uint8_t msg[ASK_MSG_MAX];
	struct iovec iov = { msg, ask_put(msg, 5) };
	struct mmsghdr vec[3];
	union address a, other;
	socklen_t len = ask_at(FIRST, &a);
	int fd = ask_socket(AF_INET, 0);

	ask_address(&other, AF_INET, "203.0.113.10", 53);
	for (int i = 0; i < 3; i++)
		vec[i] = (struct mmsghdr){ .msg_len = 77,
			                   .msg_hdr = { .msg_iov = &iov,
			                                .msg_iovlen = 1,
			                                .msg_name = i == 1 ? &other : &a,
			                                .msg_namelen = len } };
	ck_assert_int_eq(sendmmsg(fd, vec, 3, 0), 1);
	ck_assert_uint_eq(vec[0].msg_len, iov.iov_len);
	ck_assert_uint_eq(vec[1].msg_len, 77);
	ask_take(fd, BY_RECVFROM, 5, &a, len);
	ck_assert_int_eq(sendmmsg(fd, vec + 1, 2, 0), -1);
	ck_assert_int_eq(errno, EACCES);
	close(fd);
}
END_TEST

/* As the kernel: cut to the room there is, its true length told. */
START_TEST(an_address_without_room_is_cut)
{
	const struct server *s = &servers[_i];
	union address want, a;
	socklen_t want_len = ask_at(s, &want), len;
	int fd = ask_socket(s->family, 0);
	uint8_t msg[ASK_MSG_MAX];
	struct iovec iov = { msg, sizeof(msg) };

	if (fd < 0)
		return;
	for (socklen_t room = 0; room <= want_len; room++) {
		struct mmsghdr vec = { .msg_hdr = { .msg_iov = &iov,
			                            .msg_iovlen = 1,
			                            .msg_name = &a,
			                            .msg_namelen = room } };

		/* Less does not tell a port. */
		if (room == 3)
			continue;
		for (int way = 0; way < 3; way++) {
			ask_send(fd, BY_SENDTO, way, &want, want_len);
			memset(&a, 0xee, sizeof(a));
			len = room;
			if (way == 0)
				ck_assert_int_gt(recvfrom(fd, msg, sizeof(msg), 0, &a.sa, &len), 0);
			else if (way == 1)
				ck_assert_int_gt(recvmsg(fd, &vec.msg_hdr, 0), 0);
			else
				ck_assert_int_eq(recvmmsg(fd, &vec, 1, 0, NULL), 1);
			ck_assert_uint_eq(way ? vec.msg_hdr.msg_namelen : len, want_len);
			vec.msg_hdr.msg_namelen = room;
			ck_assert_mem_eq(&a, &want, room);
			for (size_t i = room; i < sizeof(a); i++)
				ck_assert_uint_eq(((uint8_t *)&a)[i], 0xee);
		}
	}
	close(fd);
}
END_TEST

START_TEST(no_address_is_asked_for)
{
	int fd = ask_socket(AF_INET, 0);
	union address a;
	socklen_t len = ask_at(FIRST, &a);
	uint8_t msg[ASK_MSG_MAX];
	struct iovec iov = { msg, sizeof(msg) };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1, .msg_namelen = 99 };

	ask_send(fd, BY_SENDTO, 1, &a, len);
	ck_assert_int_gt(recvfrom(fd, msg, sizeof(msg), 0, NULL, NULL), 0);
	ask_send(fd, BY_SENDTO, 1, &a, len);
	ck_assert_int_gt(recvmsg(fd, &hdr, 0), 0);
	ck_assert_uint_eq(hdr.msg_namelen, 99);
	ck_assert_int_eq(sendto(-1, msg, 1, 0, NULL, 0), -1);
	ck_assert_int_eq(errno, EBADF);
	ck_assert_int_eq(recvfrom(-1, msg, 1, 0, &a.sa, &len), -1);
	ck_assert_int_eq(errno, EBADF);
	close(fd);
}
END_TEST

START_TEST(flags_and_errors_are_the_kernels)
{
	int fd = ask_socket(AF_INET, SOCK_NONBLOCK);
	union address a, from;
	socklen_t len = ask_at(FIRST, &a), n = sizeof(from);
	uint8_t msg[ASK_MSG_MAX];
	struct pollfd p = { .fd = fd, .events = POLLIN };

	ck_assert_int_eq(recvfrom(fd, msg, sizeof(msg), 0, &from.sa, &n), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_uint_eq(n, sizeof(from));
	ask_send(fd, BY_SENDTO, 4, &a, len);
	ck_assert_int_eq(poll(&p, 1, 20000), 1);
	/* Looked at, then cut: twice the same. */
	ck_assert_int_eq(recvfrom(fd, msg, 4, MSG_PEEK, &from.sa, &n), 4);
	ck_assert_address(from, n, a, len);
	ck_assert_int_gt(recvfrom(fd, msg, 4, MSG_PEEK | MSG_TRUNC, &from.sa, &n), 4);
	ask_take(fd, BY_RECVMMSG, 4, &a, len);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	close(fd);
}
END_TEST

START_TEST(poll_and_epoll_see_it_readable)
{
	int fd = ask_socket(AF_INET, SOCK_NONBLOCK), epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.u64 = 42 }, got;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	union address a;
	socklen_t len = ask_at(FIRST, &a);

	ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev), 0);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	ck_assert_int_eq(ask_join(fd, FIRST), 0);
	for (int i = 0; i < 5; i++) {
		ask_send(fd, i % 2 ? BY_WRITE : BY_SEND, i, NULL, 0);
		ck_assert_int_eq(epoll_wait(epoll, &got, 1, 20000), 1);
		ck_assert_uint_eq(got.data.u64, 42);
		ck_assert_int_eq(poll(&p, 1, 20000), 1);
		ck_assert_int_eq(p.revents, POLLIN);
		/* Once for each edge. */
		ck_assert_int_eq(epoll_wait(epoll, &got, 1, 0), 0);
		ask_take(fd, i % 2 ? BY_RECV : BY_READ, i, &a, len);
		ck_assert_int_eq(poll(&p, 1, 0), 0);
	}
	close(epoll);
	close(fd);
}
END_TEST

static void *receive(void *at_fd)
{
	union address want;
	socklen_t len = ask_at(FIRST, &want);

	ask_take(*(int *)at_fd, BY_RECVFROM, 6, &want, len);
	return NULL;
}

/* It may wait already when the first question of all is asked. */
START_TEST(another_thread_waits_for_the_answer)
{
	int fd = ask_socket(AF_INET, 0);
	union address a;
	socklen_t len = ask_at(FIRST, &a);
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, receive, &fd), 0);
	ask_send(fd, BY_SENDTO, 6, &a, len);
	pthread_join(thread, NULL);
	close(fd);
}
END_TEST

static void ask_in_child(int fd, int n)
{
	union address a;
	socklen_t len = ask_at(FIRST, &a);

	ask_send(fd, BY_SEND, n, NULL, 0);
	ask_take(fd, BY_RECVFROM, n, &a, len);
	fd = ask_socket(AF_INET, 0);
	ask_send(fd, BY_SENDTO, n + 1, &a, len);
	ask_take(fd, BY_RECVFROM, n + 1, &a, len);
}

START_TEST(a_forked_child_is_answered_too)
{
	int fd = ask_socket(AF_INET, 0), status;
	union address a;
	socklen_t len = ask_at(FIRST, &a);
	pid_t pid;

	ck_assert_int_eq(ask_join(fd, FIRST), 0);
	pid = fork();
	if (pid == 0) {
		ask_in_child(fd, 1);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ask_send(fd, BY_SEND, 5, NULL, 0);
	ask_take(fd, BY_RECVFROM, 5, &a, len);
	close(fd);
}
END_TEST

/* A destination like any other. */
START_TEST(a_server_that_the_program_names_itself)
{
	static const struct server own = { AF_INET, "203.0.113.10", NULL };
	int udp = ask_socket(AF_INET, 0), tcp = ask_stream(AF_INET, 0, 0);
	union address a, have;
	socklen_t len = ask_at(&own, &a), n = sizeof(have);

	ck_assert_int_eq(ask_join(udp, &own), ask_has_wire() ? 0 : ENETUNREACH);
	ck_assert_int_eq(sendto(udp, "x", 1, 0, &a.sa, len), -1);
	ck_assert_int_eq(errno, EACCES);
	ck_assert_int_eq(ask_join(tcp, &own), 0);
	ck_assert_int_eq(getpeername(tcp, &have.sa, &n), 0);
	ck_assert_address(have, n, a, len);
	close(udp);
	close(tcp);
}
END_TEST

START_TEST(other_kinds_of_sockets_are_refused)
{
	int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);

	if (fd >= 0)
		ck_assert_int_eq(ask_join(fd, FIRST), EACCES);
	close(fd);
	fd = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
	if (fd >= 0)
		ck_assert_int_eq(ask_join(fd, FIRST), EACCES);
	close(fd);
}
END_TEST

/* Other ports of it, and other datagrams, are not touched. */
START_TEST(other_datagrams_are_the_kernels)
{
	union address a, from;
	socklen_t len = ask_address(&a, AF_INET, "127.0.0.1", 0), n = sizeof(from);
	int here = ask_socket(AF_INET, 0), there = ask_socket(AF_INET, 0);
	char octet;

	ck_assert_int_eq(bind(here, &a.sa, len), 0);
	ck_assert_int_eq(getsockname(here, &a.sa, &len), 0);
	ck_assert_int_eq(connect(there, &a.sa, len), 0);
	ck_assert_int_eq(send(there, "x", 1, 0), 1);
	ck_assert_int_eq(recvfrom(here, &octet, 1, 0, &from.sa, &n), 1);
	ck_assert_int_eq(getsockname(there, &a.sa, &len), 0);
	ck_assert_address(from, n, a, len);
	close(here);
	close(there);
	here = ask_socket(AF_INET, 0);
	len = ask_address(&a, AF_INET, "192.0.2.53", 54);
	ck_assert_int_eq(connect(here, &a.sa, len), 0); /* test_probe.c */
	ck_assert_int_eq(send(here, "x", 1, 0), -1);
	ck_assert_int_eq(errno, EACCES);
	close(here);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("datagram");
	TCase *tc = tcase_create("datagram");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, NULL, ask_packets);
	suite_add_tcase(s, tc);
	/* First, when nothing was looked up yet. */
	tcase_add_test(tc, another_thread_waits_for_the_answer);
	tcase_add_loop_test(tc, a_connected_socket_is_answered, 0, ASK_SERVERS * N_SENDS);
	tcase_add_loop_test(tc, an_unconnected_socket_is_answered, 0, ASK_SERVERS * N_ADDRESSED);
	tcase_add_test(tc, an_ipv6_socket_takes_a_plain_ipv4_address);
	tcase_add_test(tc, misfits_are_the_kernels_to_tell);
	tcase_add_loop_test(tc, addresses_are_true, 0, ASK_SERVERS);
	tcase_add_test(tc, a_bound_socket_keeps_its_address);
	tcase_add_test(tc, two_servers_on_one_socket);
	tcase_add_test(tc, many_messages_in_one_call);
	tcase_add_test(tc, a_refused_message_stops_those_after_it);
	tcase_add_loop_test(tc, an_address_without_room_is_cut, 0, ASK_SERVERS);
	tcase_add_test(tc, no_address_is_asked_for);
	tcase_add_test(tc, flags_and_errors_are_the_kernels);
	tcase_add_test(tc, poll_and_epoll_see_it_readable);
	tcase_add_test(tc, a_forked_child_is_answered_too);
	tcase_add_test(tc, a_server_that_the_program_names_itself);
	tcase_add_test(tc, other_kinds_of_sockets_are_refused);
	tcase_add_test(tc, other_datagrams_are_the_kernels);
	return s;
}

int main(int argc, char **argv)
{
	return ask_main(argc, argv, make);
}
