#include <config/prefix.h>
#include <errno.h>
#include <unit.h>

static const struct {
	const char *text;
	int bits; /* -1: malformed */
	const char *in[3], *out[3];
} rows[] = {
	{ "192.0.2.1", 32, { "192.0.2.1", "::ffff:192.0.2.1" }, { "192.0.2.2", "::192.0.2.1" } },
	{ "192.0.2.77/24", 24, { "192.0.2.0", "192.0.2.255" }, { "192.0.3.0", "192.0.1.255" } },
	{ "10.0.0.0/8", 8, { "10.255.255.255" }, { "11.0.0.0", "9.255.255.255" } },
	{ "172.16.0.0/12", 12, { "172.31.255.255" }, { "172.32.0.0", "172.15.0.0" } },
	{ "0.0.0.0/0", 0, { "0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4" }, { "::1" } },
	{ "192.0.2.0/31", 31, { "192.0.2.1" }, { "192.0.2.2" } },
	{ "2001:db8::/32", 32, { "2001:db8:ffff::1" }, { "2001:db9::" } },
	{ "[2001:db8::1]", 128, { "2001:db8::1" }, { "2001:db8::2" } },
	{ "fd00::/7", 7, { "fc00::1", "fdff::" }, { "fe00::", "fb00::" } },
	{ "::/0", 0, { "::", "2001:db8::1" }, { "192.0.2.1" } },
	{ "::ffff:192.0.2.0/120", 24, { "192.0.2.9", "::ffff:192.0.2.9" }, { "192.0.3.0" } },
	{ "::ffff:0:0/96", 0, { "192.0.2.9" }, { "::1" } },
	{ "::ffff:192.0.2.0/90", -1, { 0 }, { 0 } },
	{ "192.0.2.0/33", -1, { 0 }, { 0 } },
	{ "192.0.2.0/", -1, { 0 }, { 0 } },
	{ "192.0.2.0/08", -1, { 0 }, { 0 } },
	{ "192.0.2.0/-1", -1, { 0 }, { 0 } },
	{ "192.0.2.0/8/8", -1, { 0 }, { 0 } },
	{ "2001:db8::/129", -1, { 0 }, { 0 } },
	{ "2001:db8::/0128", -1, { 0 }, { 0 } },
	{ "fe80::1%lo/64", -1, { 0 }, { 0 } },
	{ "192.0.2", -1, { 0 }, { 0 } },
	{ "/8", -1, { 0 }, { 0 } },
	{ "", -1, { 0 }, { 0 } },
	{ "example.org/8", -1, { 0 }, { 0 } },
};

static bool contains(const struct prefix *p, const char *address)
{
	struct endpoint ep = { .port = 80 };

	ck_assert_int_eq(endpoint_parse_ip(&ep, address), 0);
	return prefix_contains(p, &ep);
}

START_TEST(range_holds_what_lies_in_it)
{
	struct prefix p = { .bits = 99 };
	int err = prefix_parse(&p, rows[_i].text, strlen(rows[_i].text));

	ck_assert_int_eq(err, rows[_i].bits < 0 ? -EINVAL : 0);
	ck_assert_int_eq(p.bits, rows[_i].bits < 0 ? 99 : rows[_i].bits);
	for (int i = 0; i < 3 && rows[_i].in[i]; i++)
		ck_assert_msg(contains(&p, rows[_i].in[i]), "%s", rows[_i].in[i]);
	for (int i = 0; i < 3 && rows[_i].out[i]; i++)
		ck_assert_msg(!contains(&p, rows[_i].out[i]), "%s", rows[_i].out[i]);
}
END_TEST

START_TEST(text_ends_where_its_length_says)
{
	static const char text[] = "10.0.0.0/81";
	struct prefix p;

	ck_assert_int_eq(prefix_parse(&p, text, 10), 0);
	ck_assert_int_eq(p.bits, 8);
	ck_assert_int_eq(prefix_parse(&p, text, 8), 0);
	ck_assert_int_eq(p.bits, 32);
	ck_assert_int_eq(prefix_parse(&p, "1.2.3.4\0", 8), -EINVAL);
}
END_TEST

START_TEST(name_is_in_no_range)
{
	struct endpoint ep = { 0 };
	struct prefix p;

	ck_assert_int_eq(prefix_parse(&p, "0.0.0.0/0", 9), 0);
	ck_assert_int_eq(endpoint_set_name(&ep, "192.0.2.1", 9, 80), 0);
	ck_assert(!prefix_contains(&p, &ep));
	ck_assert_int_eq(prefix_parse(&p, "::/0", 4), 0);
	ck_assert(!prefix_contains(&p, &ep));
}
END_TEST

UNIT_MAIN("config/prefix", { range_holds_what_lies_in_it, ROWS(rows) },
          { text_ends_where_its_length_says, 0 }, { name_is_in_no_range, 0 })
