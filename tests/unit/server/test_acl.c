#include "unit.h"

#include <acl.h>
#include <errno.h>

static const struct {
	const char *cidr, *addr;
	bool holds;
} rows[] = {
	{ "192.0.2.0/24", "192.0.2.0:1", true },
	{ "192.0.2.0/24", "192.0.2.255:1", true },
	{ "192.0.2.0/24", "192.0.3.0:1", false },
	{ "192.0.2.0/24", "192.0.1.255:1", false },
	{ "192.0.2.77/24", "192.0.2.1:1", true }, /* octets past the prefix may be set */
	{ "192.0.2.1", "192.0.2.1:1", true },
	{ "192.0.2.1", "192.0.2.0:1", false },
	{ "192.0.2.1/32", "192.0.2.1:1", true },
	{ "192.0.2.0/31", "192.0.2.1:1", true },
	{ "192.0.2.0/31", "192.0.2.2:1", false },
	{ "192.0.2.128/25", "192.0.2.127:1", false },
	{ "192.0.2.128/25", "192.0.2.200:1", true },
	{ "128.0.0.0/1", "128.0.0.0:1", true },
	{ "128.0.0.0/1", "127.255.255.255:1", false },
	{ "0.0.0.0/0", "255.255.255.255:1", true },
	{ "0.0.0.0/0", "[::1]:1", false }, /* all of one family only */
	{ "::/0", "[2001:db8::1]:1", true },
	{ "::/0", "192.0.2.1:1", false },
	{ "2001:db8::/32", "[2001:db8:ffff::1]:1", true },
	{ "2001:db8::/32", "[2001:db9::]:1", false },
	{ "2001:db8::/127", "[2001:db8::1]:1", true },
	{ "2001:db8::/127", "[2001:db8::2]:1", false },
	{ "[2001:db8::1]", "[2001:db8::1]:1", true },
	{ "::1/128", "[::1]:1", true },
	{ "fe80::/9", "[feff::1]:1", true },
	{ "fe80::/10", "[fec0::1]:1", false },
	/* v4-mapped is IPv4, on either side */
	{ "192.0.2.0/24", "[::ffff:192.0.2.9]:1", true },
	{ "::ffff:192.0.2.0/120", "192.0.2.9:1", true },
	{ "::ffff:192.0.2.0/120", "192.0.3.9:1", false },
	{ "::ffff:192.0.2.1", "192.0.2.1:1", true },
	{ "::ffff:192.0.2.1", "192.0.2.2:1", false },
	{ "::ffff:0.0.0.0/96", "192.0.2.1:1", true },
	/* neither a name nor nothing is in any of them */
	{ "0.0.0.0/0", "example.test:1", false },
	{ "0.0.0.0/0", "", false },
	{ "::/0", "", false },
};

START_TEST(a_prefix_holds_its_own)
{
	const struct endpoint ep = unit_endpoint(rows[_i].addr);
	struct acl acl = { 0 };

	ck_assert_int_eq(acl_add(&acl, rows[_i].cidr), 0);
	ck_assert_msg(acl_holds(&acl, &ep) == rows[_i].holds, "%s in %s", rows[_i].addr,
	              rows[_i].cidr);
	acl_fini(&acl);
	ck_assert(!acl_holds(&acl, &ep));
}
END_TEST

static const char *const bad[] = {
	"",
	"/",
	"/8",
	"192.0.2.0/",
	"192.0.2.0/33",
	"192.0.2.0/-1",
	"192.0.2.0/+8",
	"192.0.2.0/08",
	"192.0.2.0/8 ",
	"192.0.2.0/ 8",
	"192.0.2.0/8/8",
	"192.0.2.0/4294967304",
	"192.0.2.0/255.255.255.0",
	"192.0.2/24",
	"192.0.2.0:80",
	" 192.0.2.0",
	"example.test",
	"::/129",
	"::/1000",
	"2001:db8::g/32",
	"::ffff:192.0.2.0/95", /* mapped addresses and others */
	"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/8",
};

START_TEST(what_is_no_prefix_is_refused)
{
	struct acl acl = { 0 };

	ck_assert_int_eq(acl_add(&acl, bad[_i]), -EINVAL);
	ck_assert_uint_eq(acl.n, 0);
	acl_fini(&acl);
}
END_TEST

START_TEST(an_empty_list_holds_nobody)
{
	const struct endpoint ep = unit_endpoint("127.0.0.1:1");
	const struct acl acl = { 0 };

	ck_assert(!acl_holds(&acl, &ep));
}
END_TEST

START_TEST(any_prefix_of_the_list_will_do)
{
	struct acl acl = { 0 };
	char text[64];

	for (int i = 0; i < 200; i += 2) {
		snprintf(text, sizeof(text), "10.%d.0.0/16", i);
		ck_assert_int_eq(acl_add(&acl, text), 0);
		snprintf(text, sizeof(text), "fd%02x::/16", i);
		ck_assert_int_eq(acl_add(&acl, text), 0);
		ck_assert_int_eq(acl_add(&acl, "nonsense"), -EINVAL);
	}
	for (int i = 0; i < 200; i++) {
		struct endpoint four, six;

		snprintf(text, sizeof(text), "10.%d.7.7:1", i);
		four = unit_endpoint(text);
		snprintf(text, sizeof(text), "[fd%02x::1]:1", i);
		six = unit_endpoint(text);
		ck_assert_int_eq(acl_holds(&acl, &four), i % 2 == 0);
		ck_assert_int_eq(acl_holds(&acl, &six), i % 2 == 0);
	}
	acl_fini(&acl);
}
END_TEST

UNIT_MAIN("server acl", { a_prefix_holds_its_own, ROWS(rows) },
          { what_is_no_prefix_is_refused, ROWS(bad) }, { an_empty_list_holds_nobody, 0 },
          { any_prefix_of_the_list_will_do, 0 })
