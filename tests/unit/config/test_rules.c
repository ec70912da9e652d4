#include <config/rules.h>
#include <errno.h>
#include <unit.h>

static struct rules rules;

static void parse(const char *text)
{
	struct complaint why = { 0 };

	ck_assert_msg(rules_parse(text, &rules, &why) == 0, "%s: %s", text, why.problem);
}

/* "HOST:PORT" against the list that was parsed; the rule in text, or "". */
static const char *found(const char *where)
{
	static char text[RULES_ITEM_MAX];
	struct endpoint ep = { 0 };
	const struct rule *rule;

	ck_assert_msg(endpoint_parse(&ep, where) == 0, "%s", where);
	rule = rules_find(&rules, &ep);
	return rule ? rules_format(&rules, rule, text, sizeof(text)) : "";
}

static const struct {
	const char *list, *where, *rule;
} rows[] = {
	{ "*", "example.org:80", "*" },
	{ "*", "[2001:db8::1]:80", "*" },
	{ "*:22", "example.org:22", "*:22" },
	{ "*:22", "example.org:80", "" },
	{ "example.org", "example.org:80", "example.org" },
	{ "example.org", "EXAMPLE.Org.:80", "example.org" },
	{ "Example.ORG.", "example.org:80", "example.org" },
	{ "example.org", "www.example.org:80", "" },
	{ "example.org", "example.orgx:80", "" },
	{ ".example.org", "www.example.org:80", ".example.org" },
	{ ".example.org", "a.b.example.org.:80", ".example.org" },
	{ ".example.org", "example.org:80", "" },
	{ ".example.org", "badexample.org:80", "" },
	{ "*.example.org", "www.example.org:80", ".example.org" },
	{ "example.org:443", "example.org:443", "example.org:443" },
	{ "example.org:443", "example.org:80", "" },
	{ "example.org:443,example.org", "example.org:80", "example.org" },
	{ "192.0.2.1", "192.0.2.1:80", "192.0.2.1" },
	{ "192.0.2.1", "[::ffff:192.0.2.1]:80", "192.0.2.1" },
	{ "192.0.2.1:22", "192.0.2.1:80", "" },
	{ "192.0.2.0/24:22", "192.0.2.7:22", "192.0.2.0/24:22" },
	{ "2001:db8::/32", "[2001:db8::7]:80", "2001:db8::/32" },
	{ "2001:db8::1", "[2001:db8::1]:80", "2001:db8::1" },
	{ "[2001:db8::1]", "[2001:db8::1]:80", "2001:db8::1" },
	{ "[2001:db8::1]:443", "[2001:db8::1]:443", "[2001:db8::1]:443" },
	{ "[2001:db8::1]:443", "[2001:db8::1]:80", "" },
	{ "[2001:db8::]/32:443", "[2001:db8::1]:443", "[2001:db8::/32]:443" },
	{ "[2001:db8::/32]:443", "[2001:db8::1]:443", "[2001:db8::/32]:443" },
	{ " a , b\tc,,\n d ", "d:1", "d" },
	{ "localhost,127.0.0.0/8,.corp", "db.corp:5432", ".corp" },
	{ "a_b,xn--bcher-kva.example", "a_b:1", "a_b" },
	{ ",", "a:1", "" },
	{ "", "a:1", "" },
	{ "localhost", "127.0.0.1:1", "" },
	{ "localhost", "LOCALHOST:1", "localhost" },
	{ "fe80::/10", "[fe80::1]:22", "fe80::/10" },
	{ "[::1]:80", "[::1]:80", "[::1]:80" },
	{ "::ffff:192.0.2.0/120", "192.0.2.9:1", "192.0.2.0/24" },
	{ "fe80::1:80", "[fe80::1:80]:1", "fe80::1:80" },
	{ "0x.org,7.example,1e100.net", "1e100.net:1", "1e100.net" },
	{ "0xfg", "0xfg:1", "0xfg" },
	{ "10.0.0.0/8:00022", "10.1.2.3:22", "10.0.0.0/8:22" },
	{ "*.example.org:443", "a.example.org:443", ".example.org:443" },
	{ "192.0.2.1", "example.org:80", "" },
};

START_TEST(first_rule_that_fits_is_found)
{
	parse(rows[_i].list);
	ck_assert_str_eq(found(rows[_i].where), rows[_i].rule);
}
END_TEST

START_TEST(port_is_asked_for_when_the_name_is_connected_to)
{
	parse("example.org:443,*:22,.corp");
	ck_assert_ptr_null(rules_find_name(&rules, "example.org", 11));
	ck_assert_ptr_null(rules_find_name(&rules, "other.org", 9));
	ck_assert_ptr_nonnull(rules_find_name(&rules, "x.corp", 6));
	ck_assert_ptr_nonnull(rules_find_name(&rules, "x.CORP.", 7));
	parse("192.0.2.0/24");
	ck_assert_ptr_null(rules_find_name(&rules, "192.0.2.1", 9));
}
END_TEST

START_TEST(ports_of_a_name_are_those_of_its_rules)
{
	static const bool want[] = { true, true, true, false, false, false, false, false };

	parse("a.test:22,.test:23,.a.test:24,a.test,b.test:25,*:26,192.0.2.1:27,.b.test:28");
	ck_assert_uint_eq(rules.n, sizeof(want));
	for (size_t i = 0; i < rules.n; i++) {
		bool sub = i == 2;

		ck_assert(rules_match_port(&rules, &rules.all[i], sub ? "X.A.test." : "A.Test.",
		                           sub ? 9 : 7) == want[i]);
	}
}
END_TEST

static const struct {
	const char *list;
	size_t at, n; /* where the first fault is, and how many items are good */
} faults[] = {
	{ "a,*foo,b", 2, 2 },
	{ "10.0.0.0/33", 0, 0 },
	{ "x:0", 0, 0 },
	{ "x:65536", 0, 0 },
	{ "x:", 0, 0 },
	{ "x:1a", 0, 0 },
	{ ".", 0, 0 },
	{ "..", 0, 0 },
	{ "a..", 0, 0 },
	{ "10.0.0.0.", 0, 0 },
	{ "a..b", 0, 0 },
	{ "[::1", 0, 0 },
	{ "::1]", 0, 0 },
	{ "fe80::1%lo", 0, 0 },
	{ "http://a", 0, 0 },
	{ "a/b", 0, 0 },
	{ "u@h", 0, 0 },
	{ "a,b,10.0.0.0/x,c", 4, 3 },
	{ "192.168.", 0, 0 },
	{ "192.168.*", 0, 0 },
	{ "10.1", 0, 0 },
	{ "10.0.0.256", 0, 0 },
	{ "010.0.0.1", 0, 0 },
	{ "a,0x7f.1,1", 2, 1 },
	{ ".168", 0, 0 },
	{ "10.0.0.1.", 0, 0 },
	{ "b\xc3\xbc.org", 0, 0 },
	{ "a\x7f", 0, 0 },
	{ "x:99999999999999999999", 0, 0 },
	{ "2001:db8::/32:22", 0, 0 },
	{ "a\x01", 0, 0 },
	{ "[]", 0, 0 },
	{ "[a]:1", 0, 0 },
	{ "**", 0, 0 },
	{ "*.", 0, 0 },
	{ "::ffff:1.2.3.4/90", 0, 0 },
	{ ":80", 0, 0 },
};

START_TEST(malformed_item_is_told_and_the_rest_is_read)
{
	struct complaint why = { .at = 99 };

	ck_assert_int_eq(rules_parse(faults[_i].list, &rules, &why), -EINVAL);
	ck_assert_uint_eq(why.at, faults[_i].at);
	ck_assert_uint_eq(rules.n, faults[_i].n);
	ck_assert_ptr_nonnull(why.problem);
	ck_assert_ptr_nonnull(why.expects);
}
END_TEST

START_TEST(list_is_bounded)
{
	static char text[RULES_MAX * 16 + 64 * 300];
	struct complaint why;
	size_t n = 0;

	for (int i = 0; i < RULES_MAX; i++)
		n += (size_t)sprintf(text + n, "h%d,", i);
	parse(text);
	ck_assert_uint_eq(rules.n, RULES_MAX);
	ck_assert_str_eq(found("h1023:1"), "h1023");
	sprintf(text + n, "more");
	ck_assert_int_eq(rules_parse(text, &rules, &why), -EINVAL);
	ck_assert_uint_eq(why.at, n);
	n = 0;
	for (int i = 0; i < 80; i++)
		n += (size_t)sprintf(text + n, "%060d.%060d.%060d.x%059d,", i, i, i, i);
	ck_assert_int_eq(rules_parse(text, &rules, &why), -EINVAL);
	ck_assert_uint_le(rules.text_len, RULES_TEXT_MAX);
	ck_assert_uint_gt(rules.n, 60);
}
END_TEST

UNIT_MAIN("config/rules", { first_rule_that_fits_is_found, ROWS(rows) },
          { port_is_asked_for_when_the_name_is_connected_to, 0 },
          { malformed_item_is_told_and_the_rest_is_read, ROWS(faults) }, { list_is_bounded, 0 },
          { ports_of_a_name_are_those_of_its_rules, 0 })
