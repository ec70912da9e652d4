#include "unit.h"

#include <fcntl.h>
#include <guard.h>
#include <routes.h>
#include <unistd.h>

/* As the reason says it; NULL: open. */
#define LOOPBACK   "a loopback address"
#define LINK_LOCAL "a link-local address"
#define MULTICAST  "a multicast address"
#define RESERVED   "a reserved address"
#define PRIVATE    "a private address"
#define NOWHERE    "it is no address"

/* Clients by where they are, and the words for what they ask. */
static const struct {
	const char *to;
	const char *elsewhere, *inside, *loopback; /* to a client that is there */
} rows[] = {
	{ "203.0.113.1:80", NULL, NULL, NULL },
	{ "[2001:db8::1]:80", NULL, NULL, NULL },
	{ "127.0.0.1:80", LOOPBACK, LOOPBACK, NULL },
	{ "127.255.255.255:80", LOOPBACK, LOOPBACK, NULL },
	{ "[::1]:80", LOOPBACK, LOOPBACK, NULL },
	{ "[::ffff:127.0.0.1]:80", LOOPBACK, LOOPBACK, NULL },
	{ "169.254.169.254:80", LINK_LOCAL, LINK_LOCAL, NULL },
	{ "[fe80::1]:80", LINK_LOCAL, LINK_LOCAL, NULL },
	{ "[febf::1]:80", LINK_LOCAL, LINK_LOCAL, NULL },
	{ "224.0.0.1:80", MULTICAST, MULTICAST, NULL },
	{ "239.255.255.255:80", MULTICAST, MULTICAST, NULL },
	{ "[ff02::1]:80", MULTICAST, MULTICAST, NULL },
	{ "240.0.0.1:80", RESERVED, RESERVED, NULL },
	{ "255.255.255.255:80", RESERVED, RESERVED, NULL },
	{ "0.0.0.1:80", RESERVED, RESERVED, NULL },
	{ "10.0.0.1:80", PRIVATE, NULL, NULL },
	{ "11.0.0.1:80", NULL, NULL, NULL },
	{ "172.15.255.255:80", NULL, NULL, NULL },
	{ "172.16.0.1:80", PRIVATE, NULL, NULL },
	{ "172.31.255.255:80", PRIVATE, NULL, NULL },
	{ "172.32.0.1:80", NULL, NULL, NULL },
	{ "192.168.0.1:80", PRIVATE, NULL, NULL },
	{ "192.169.0.1:80", NULL, NULL, NULL },
	{ "100.63.255.255:80", NULL, NULL, NULL },
	{ "100.64.0.1:80", PRIVATE, NULL, NULL },
	{ "100.128.0.1:80", NULL, NULL, NULL },
	{ "192.0.0.1:80", PRIVATE, NULL, NULL },
	{ "198.18.0.1:80", PRIVATE, NULL, NULL },
	{ "198.20.0.1:80", NULL, NULL, NULL },
	{ "[fc00::1]:80", PRIVATE, NULL, NULL },
	{ "[fdff::1]:80", PRIVATE, NULL, NULL },
	{ "[fec0::1]:80", PRIVATE, NULL, NULL },
	/* IPv4 in IPv6 */
	{ "[::ffff:10.0.0.1]:80", PRIVATE, NULL, NULL },
	{ "[::127.0.0.1]:80", LOOPBACK, LOOPBACK, NULL },
	{ "[::ffff:0:127.0.0.1]:80", LOOPBACK, LOOPBACK, NULL },
	{ "[64:ff9b::203.0.113.1]:80", NULL, NULL, NULL },
	{ "[64:ff9b::127.0.0.1]:80", LOOPBACK, LOOPBACK, NULL },
	{ "[64:ff9b::10.0.0.1]:80", PRIVATE, NULL, NULL },
	{ "[64:ff9b::0.0.0.0]:80", RESERVED, RESERVED, NULL },
	{ "[64:ff9b:1::203.0.113.1]:80", PRIVATE, NULL, NULL },
	{ "[64:ff9b:1::127.0.0.1]:80", PRIVATE, LOOPBACK, NULL },
	{ "[64:ff9b:2::127.0.0.1]:80", NULL, NULL, NULL },
	{ "[2002:7f00:1::1]:80", LOOPBACK, LOOPBACK, NULL },
	{ "[2002:a00:1::1]:80", PRIVATE, NULL, NULL },
	{ "[2002:cb00:7101::1]:80", NULL, NULL, NULL },
	/* Teredo: the server's address, then the client's, upside down */
	{ "[2001:0:cb00:7101::34ff:8efe]:80", NULL, NULL, NULL },
	{ "[2001:0:7f00:1::34ff:8efe]:80", LOOPBACK, LOOPBACK, NULL },
	{ "[2001:0:cb00:7101::80ff:fffe]:80", LOOPBACK, LOOPBACK, NULL },
	{ "[2001:0:cb00:7101::f5ff:fffe]:80", PRIVATE, NULL, NULL },
	{ "[2001:1::80ff:fffe]:80", NULL, NULL, NULL },
	/* ISATAP */
	{ "[2001:db8::5efe:127.0.0.1]:80", LOOPBACK, LOOPBACK, NULL },
	{ "[2001:db8::200:5efe:10.0.0.1]:80", PRIVATE, NULL, NULL },
	{ "[2001:db8::5eff:127.0.0.1]:80", NULL, NULL, NULL },
	/* closed to all */
	{ "0.0.0.0:80", NOWHERE, NOWHERE, NOWHERE },
	{ "[::]:80", NOWHERE, NOWHERE, NOWHERE },
	{ "[::ffff:0.0.0.0]:80", NOWHERE, NOWHERE, NOWHERE },
	{ "", NOWHERE, NOWHERE, NOWHERE },
	{ "example.org:80", NOWHERE, NOWHERE, NOWHERE },
};

static void check(const struct acl *open, const char *from, const char *to, const char *expected)
{
	const struct endpoint client = unit_endpoint(from), target = unit_endpoint(to);
	const union address own[2] = { { .sa = { .sa_family = AF_UNSPEC } } };
	struct guard *g = guard_new(open, own);
	const char *why;

	ck_assert_ptr_nonnull(g);
	why = guard_closes(g, &client, &target);
	ck_assert_msg(expected ? why && strncmp(why, expected, strlen(expected)) == 0 : !why,
	              "%s to %s: %s", from, to, why ? why : "open");
	guard_put(g);
}

START_TEST(ranges_are_closed_to_whom_they_should_be)
{
	static const char *const elsewhere[] = { "198.51.100.7:1", "[2001:db8:5::1]:1",
		                                 "[::ffff:198.51.100.7]:1", "" };
	static const char *const inside[] = {
		"10.1.2.3:1",   "192.168.5.5:1",         "[fd00::5]:1",
		"100.64.0.9:1", "[::ffff:172.16.0.1]:1", "169.254.3.3:1",
		"[fe80::7]:1"
	};
	static const char *const loopback[] = { "127.0.0.1:1", "127.9.9.9:1", "[::1]:1",
		                                "[::ffff:127.0.0.1]:1" };
	const struct acl open = { 0 };

	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		check(&open, elsewhere[i], rows[_i].to, rows[_i].elsewhere);
	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
		check(&open, inside[i], rows[_i].to, rows[_i].inside);
	for (size_t i = 0; i < sizeof(loopback) / sizeof(loopback[0]); i++)
		check(&open, loopback[i], rows[_i].to, rows[_i].loopback);
}
END_TEST

START_TEST(allow_to_opens_what_it_names)
{
	static const char *const from = "198.51.100.7:1";
	struct acl open = { 0 };

	ck_assert_int_eq(acl_add(&open, "10.1.0.0/16"), 0);
	ck_assert_int_eq(acl_add(&open, "127.0.0.5"), 0);
	ck_assert_int_eq(acl_add(&open, "fd00:5::/32"), 0);
	check(&open, from, "10.1.2.3:80", NULL);
	check(&open, from, "10.2.0.1:80", PRIVATE);
	check(&open, from, "[::ffff:10.1.2.3]:80", NULL);
	check(&open, from, "[64:ff9b::10.1.2.3]:80", NULL);
	check(&open, from, "[64:ff9b::10.2.0.1]:80", PRIVATE);
	check(&open, from, "127.0.0.5:80", NULL);
	check(&open, from, "127.0.0.1:80", LOOPBACK);
	check(&open, from, "[fd00:5::1]:80", NULL);
	check(&open, from, "[fd00:6::1]:80", PRIVATE);
	ck_assert_int_eq(acl_add(&open, "::/0"), 0);
	check(&open, from, "[64:ff9b::10.2.0.1]:80", NULL);
	check(&open, from, "10.2.0.1:80", PRIVATE);
	ck_assert_int_eq(acl_add(&open, "0.0.0.0/0"), 0);
	check(&open, from, "127.0.0.1:80", NULL);
	check(&open, from, "0.0.0.0:80", NOWHERE);
	acl_fini(&open);
}
END_TEST

START_TEST(public_addresses_are_own)
{
	const struct endpoint from = unit_endpoint("198.51.100.7:1"),
			      to = unit_endpoint("203.0.113.1:80"),
			      to6 = unit_endpoint("[2001:db8::1]:80"),
			      carried = unit_endpoint("[64:ff9b::203.0.113.1]:80"),
			      other = unit_endpoint("203.0.113.2:80");
	const struct acl open = { 0 };
	union address own[2];
	struct guard *g;

	address_from_endpoint(&own[0], &to);
	address_from_endpoint(&own[1], &to6);
	g = guard_new(&open, own);
	ck_assert_ptr_nonnull(guard_closes(g, &from, &to));
	ck_assert_ptr_nonnull(guard_closes(g, &from, &to6));
	ck_assert_ptr_nonnull(guard_closes(g, &from, &carried));
	ck_assert_ptr_null(guard_closes(g, &from, &other));
	guard_put(g);
}
END_TEST

/* Loopback is always this machine's, and the ranges of documentation are nobody's. */
START_TEST(the_kernel_says_what_is_own)
{
	const struct endpoint own = unit_endpoint("127.0.0.1:80"),
			      mapped = unit_endpoint("[::ffff:127.0.0.1]:80"),
			      other = unit_endpoint("203.0.113.253:80"),
			      other6 = unit_endpoint("[2001:db8:ffff::1]:80");
	struct routes *r = routes_new();

	/* Twice: from memory, too. */
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(routes_ask(r, &own), ROUTES_OWN);
		ck_assert_int_eq(routes_ask(r, &mapped), ROUTES_OWN);
		ck_assert_int_eq(routes_ask(r, &other), ROUTES_ELSEWHERE);
		ck_assert_int_eq(routes_ask(r, &other6), ROUTES_ELSEWHERE);
	}
	routes_free(r);
}
END_TEST

/* Its only descriptor is taken away: bind(2) has to tell. */
START_TEST(without_rtnetlink_bind_tells)
{
	const struct endpoint own = unit_endpoint("127.0.0.1:80"), own6 = unit_endpoint("[::1]:80"),
			      other = unit_endpoint("203.0.113.253:80"),
			      other6 = unit_endpoint("[2001:db8:ffff::1]:80");
	int lowest = dup(STDOUT_FILENO), fd;
	struct routes *r;

	close(lowest);
	r = routes_new();
	ck_assert_int_eq(fcntl(lowest, F_GETFD) >= 0, 1);
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(dup2(fd, lowest), lowest);
	ck_assert_int_eq(routes_ask(r, &own), ROUTES_OWN);
	ck_assert_int_eq(routes_ask(r, &other), ROUTES_ELSEWHERE);
	ck_assert_int_eq(routes_ask(r, &other6), ROUTES_ELSEWHERE);
	/* Where there is no IPv6 nothing goes there either. */
	ck_assert_int_ne(routes_ask(r, &own6), ROUTES_NO_IDEA);
	close(fd);
	routes_free(r);
}
END_TEST

UNIT_MAIN("server guard", { ranges_are_closed_to_whom_they_should_be, ROWS(rows) },
          { allow_to_opens_what_it_names, 0 }, { public_addresses_are_own, 0 },
          { the_kernel_says_what_is_own, 0 }, { without_rtnetlink_bind_tells, 0 })
