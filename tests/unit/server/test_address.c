#include "unit.h"

#include <address.h>
#include <unistd.h>

static const struct {
	const char *ep;
	int family;
	socklen_t len;
	const char *back;
} rows[] = {
	{ "192.0.2.1:80", AF_INET, sizeof(struct sockaddr_in), "192.0.2.1:80" },
	{ "0.0.0.0:0", AF_INET, sizeof(struct sockaddr_in), "0.0.0.0:0" },
	{ "[2001:db8::1]:65535", AF_INET6, sizeof(struct sockaddr_in6), "[2001:db8::1]:65535" },
	{ "[::]:0", AF_INET6, sizeof(struct sockaddr_in6), "[::]:0" },
	{ "[fe80::1%7]:80", AF_INET6, sizeof(struct sockaddr_in6), "[fe80::1%7]:80" },
	{ "[::ffff:192.0.2.1]:80", AF_INET, sizeof(struct sockaddr_in), "192.0.2.1:80" },
};

START_TEST(an_endpoint_comes_back)
{
	const struct endpoint ep = unit_endpoint(rows[_i].ep), want = unit_endpoint(rows[_i].back);
	struct endpoint have;
	union address a;

	memset(&a, 0xaa, sizeof(a));
	address_from_endpoint(&a, &ep);
	ck_assert_int_eq(a.sa.sa_family, rows[_i].family);
	ck_assert_uint_eq(address_len(&a), rows[_i].len);
	memset(&have, 0xaa, sizeof(have));
	address_to_endpoint(&a, &have);
	ck_assert_endpoint_eq(&have, &want);
}
END_TEST

START_TEST(a_mapped_socket_address_is_ipv4)
{
	const struct endpoint want = unit_endpoint("192.0.2.1:80");
	union address a = { .in6 = { .sin6_family = AF_INET6, .sin6_port = htons(80) } };
	struct endpoint have;

	memcpy(&a.in6.sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x01", 16);
	address_to_endpoint(&a, &have);
	ck_assert_endpoint_eq(&have, &want);
}
END_TEST

START_TEST(none_becomes_none)
{
	const struct endpoint none = { .kind = ENDPOINT_NONE };
	struct endpoint have = unit_endpoint("192.0.2.1:80");
	union address a;

	memset(&a, 0, sizeof(a));
	address_to_endpoint(&a, &have);
	ck_assert_endpoint_eq(&have, &none);
	memset(&a, 0xaa, sizeof(a));
	address_from_endpoint(&a, &none);
	ck_assert_int_eq(a.sa.sa_family, AF_UNSPEC);
	/* Another family is one that nobody knows here. */
	have = unit_endpoint("192.0.2.1:80");
	a.sa.sa_family = AF_UNIX;
	address_to_endpoint(&a, &have);
	ck_assert_endpoint_eq(&have, &none);
}
END_TEST

START_TEST(a_connections_ends_are_told)
{
	const struct endpoint any = unit_endpoint(_i ? "[::1]:0" : "127.0.0.1:0");
	union address at, own, peer, theirs;
	int listener, ours, other;
	struct endpoint a, b;

	address_from_endpoint(&at, &any);
	listener = socket(at.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(listener, &at.sa, address_len(&at)), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	address_of_peer(&peer, listener);
	ck_assert_int_eq(peer.sa.sa_family, AF_UNSPEC);
	address_of_socket(&at, listener);
	ours = socket(at.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(ours, &at.sa, address_len(&at)), 0);
	other = accept(listener, NULL, NULL);
	ck_assert_int_ge(other, 0);

	address_of_peer(&peer, ours);
	address_to_endpoint(&at, &a);
	address_to_endpoint(&peer, &b);
	ck_assert_endpoint_eq(&a, &b);
	address_of_socket(&own, ours);
	address_of_peer(&theirs, other);
	address_to_endpoint(&own, &a);
	address_to_endpoint(&theirs, &b);
	ck_assert_endpoint_eq(&a, &b);
	ck_assert_uint_ne(a.port, 0);
	close(listener);
	close(ours);
	close(other);
}
END_TEST

START_TEST(what_is_no_socket_has_no_address)
{
	union address a;
	int fds[2];

	memset(&a, 0xaa, sizeof(a));
	address_of_socket(&a, -1);
	ck_assert_int_eq(a.sa.sa_family, AF_UNSPEC);
	ck_assert_int_eq(pipe(fds), 0);
	address_of_socket(&a, fds[0]);
	ck_assert_int_eq(a.sa.sa_family, AF_UNSPEC);
	address_of_peer(&a, fds[0]);
	ck_assert_int_eq(a.sa.sa_family, AF_UNSPEC);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

UNIT_MAIN("server address", { an_endpoint_comes_back, ROWS(rows) },
          { a_mapped_socket_address_is_ipv4, 0 }, { none_becomes_none, 0 },
          { a_connections_ends_are_told, 2 }, { what_is_no_socket_has_no_address, 0 })
