/* Questions by TCP. With "tunnel" they are the proxy's to bring there. */
#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

START_TEST(tcp_is_answered)
{
	const struct server *s = &servers[_i];
	int fd = ask_stream(s->family, 0, 0);

	if (fd < 0)
		return;
	ck_assert_int_eq(ask_join(fd, s), 0);
	ask_by_stream(fd, s);
	close(fd);
	fd = ask_stream(s->family, IPPROTO_MPTCP, 0);
	if (fd >= 0) {
		ck_assert_int_eq(ask_join(fd, s), 0);
		ask_by_stream(fd, s);
		close(fd);
	}
}
END_TEST

START_TEST(tcp_shows_true_addresses)
{
	const struct server *s = &servers[_i];
	int fd = ask_stream(s->family, 0, 0);
	union address a, want, own = { 0 };
	socklen_t want_len = ask_at(s, &want), len = sizeof(a);

	if (fd < 0 || (s == SIXTH && !ask_has_wire()))
		return;
	ck_assert_int_eq(ask_join(fd, s), 0);
	ck_assert_int_eq(getpeername(fd, &a.sa, &len), 0);
	ck_assert_address(a, len, want, want_len);
	len = sizeof(own);
	ck_assert_int_eq(getsockname(fd, &own.sa, &len), 0);
	want_len = ask_address(&want, s->family, s->own, ntohs(own.in.sin_port));
	ck_assert_address(own, len, want, want_len);
	close(fd);
}
END_TEST

START_TEST(tcp_that_does_not_block_is_answered)
{
	const struct server *s = &servers[_i];
	int fd = ask_stream(s->family, 0, SOCK_NONBLOCK), err = -1;
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	if (fd < 0)
		return;
	err = ask_join(fd, s);
	ck_assert(err == EINPROGRESS || err == 0);
	ck_assert_int_eq(poll(&p, 1, 20000), 1);
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &(socklen_t){ sizeof(err) }),
	                 0);
	ck_assert_int_eq(err, 0);
	fcntl(fd, F_SETFL, 0);
	ck_assert_int_eq(ask_join(fd, s), 0); /* the kernel's word, once */
	ask_by_stream(fd, s);
	close(fd);
}
END_TEST

START_TEST(tcp_with_the_question_in_the_syn_is_answered)
{
	int fd = ask_stream(AF_INET, 0, 0);
	union address a;
	socklen_t len = ask_at(FIRST, &a);
	uint8_t msg[ASK_MSG_MAX];
	size_t n = ask_put_framed(msg, 7);

	ck_assert_int_eq(sendto(fd, msg, n, MSG_FASTOPEN, &a.sa, len), n);
	ask_take_framed(fd, 7);
	close(fd);
}
END_TEST

/* SOCKSIFY_DNS=tunnel: UDP is still answered from here, TCP is the proxy's. */
START_TEST(tcp_goes_through_the_tunnel)
{
	int fd = ask_stream(AF_INET, 0, 0), before = under_requests("dns.");
	uint8_t msg[ASK_MSG_MAX];
	size_t n = ask_put_framed(msg, 7);

	ck_assert_int_eq(ask_join(fd, FIRST), 0);
	ck_assert_int_eq(send(fd, msg, n, 0), n);
	ck_assert_int_eq(recv(fd, msg, 1, MSG_WAITALL), 1);
	ck_assert_int_eq(under_requests("dns."), before + 1);
	close(fd);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("datagram tcp");
	TCase *tc = tcase_create("datagram tcp");
	bool tunnel = strcmp(getenv("SOCKSIFY_DNS"), "tunnel") == 0;

	tcase_set_timeout(tc, 120);
	suite_add_tcase(s, tc);
	if (tunnel) {
		tcase_add_test(tc, tcp_goes_through_the_tunnel);
		return s;
	}
	tcase_add_checked_fixture(tc, NULL, ask_packets);
	tcase_add_loop_test(tc, tcp_is_answered, 0, ASK_SERVERS);
	tcase_add_loop_test(tc, tcp_shows_true_addresses, 0, ASK_SERVERS);
	tcase_add_loop_test(tc, tcp_that_does_not_block_is_answered, 0, ASK_SERVERS);
	tcase_add_test(tc, tcp_with_the_question_in_the_syn_is_answered);
	return s;
}

int main(int argc, char **argv)
{
	return ask_main(argc, argv, make);
}
