#include <arpa/inet.h>
#include <base/endpoint.h>
#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <unit.h>

static char x63[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/* Texts, what they are read as, and what that is written as. */
static const struct {
	const char *text;
	enum endpoint_kind kind; /* ENDPOINT_NONE: refused */
	const char *back;
} texts[] = {
	{ "192.0.2.1:80", ENDPOINT_IPV4, "192.0.2.1:80" },
	{ "0.0.0.0:0", ENDPOINT_IPV4, "0.0.0.0:0" },
	{ "255.255.255.255:65535", ENDPOINT_IPV4, "255.255.255.255:65535" },
	{ "192.0.2.1:00080", ENDPOINT_IPV4, "192.0.2.1:80" },
	{ "[2001:db8::1]:80", ENDPOINT_IPV6, "[2001:db8::1]:80" },
	{ "[2001:DB8:0:0::1]:80", ENDPOINT_IPV6, "[2001:db8::1]:80" },
	{ "[::]:0", ENDPOINT_IPV6, "[::]:0" },
	{ "[::ffff:192.0.2.1]:1", ENDPOINT_IPV6, "[::ffff:192.0.2.1]:1" },
	{ "[fe80::1%4294967295]:1", ENDPOINT_IPV6, "[fe80::1%4294967295]:1" },
	{ "[fe80::1%0]:1", ENDPOINT_IPV6, "[fe80::1]:1" },
	{ "example.org:443", ENDPOINT_NAME, "example.org:443" },
	{ "EXAMPLE.org.:443", ENDPOINT_NAME, "EXAMPLE.org.:443" },
	{ "_svc._tcp:1", ENDPOINT_NAME, "_svc._tcp:1" },
	{ "192.0.2:80", ENDPOINT_NAME, "192.0.2:80" },
	{ "192.0.2.256:80", ENDPOINT_NAME, "192.0.2.256:80" },
	{ "a b\\c\x01\xff:1", ENDPOINT_NAME, "a\\x20b\\x5cc\\x01\\xff:1" },
	{ "", ENDPOINT_NONE, NULL },
	{ ":", ENDPOINT_NONE, NULL },
	{ ":80", ENDPOINT_NONE, NULL },
	{ "192.0.2.1", ENDPOINT_NONE, NULL },
	{ "192.0.2.1:", ENDPOINT_NONE, NULL },
	{ "192.0.2.1:65536", ENDPOINT_NONE, NULL },
	{ "192.0.2.1:99999999999999999999999", ENDPOINT_NONE, NULL },
	{ "192.0.2.1:+1", ENDPOINT_NONE, NULL },
	{ "192.0.2.1: 1", ENDPOINT_NONE, NULL },
	{ "192.0.2.1:1x", ENDPOINT_NONE, NULL },
	{ "2001:db8::1:80", ENDPOINT_NONE, NULL },
	{ "[2001:db8::1]", ENDPOINT_NONE, NULL },
	{ "[2001:db8::1:80", ENDPOINT_NONE, NULL },
	{ "[2001:db8::1%]:80", ENDPOINT_NONE, NULL },
	{ "[2001:db8::1%4294967296]:80", ENDPOINT_NONE, NULL },
	{ "[fe80::1%no-such-if]:80", ENDPOINT_NONE, NULL },
	{ "[192.0.2.1]:80", ENDPOINT_NONE, NULL },
	{ "[example.org]:80", ENDPOINT_NONE, NULL },
	{ "[]:80", ENDPOINT_NONE, NULL },
	{ "exa]mple:80", ENDPOINT_NONE, NULL },
};

START_TEST(texts_are_read_and_written)
{
	struct endpoint ep = { .kind = ENDPOINT_NONE };
	int want = texts[_i].kind == ENDPOINT_NONE ? -EINVAL : 0;

	ck_assert_msg(endpoint_parse(&ep, texts[_i].text) == want, "%s", texts[_i].text);
	if (want == 0) {
		ck_assert_int_eq(ep.kind, texts[_i].kind);
		ck_assert_str_eq(ENDPOINT_TEXT(&ep), texts[_i].back);
	}
}
END_TEST

START_TEST(nothing_is_written_as_a_dash)
{
	const struct endpoint ep = { .kind = ENDPOINT_NONE };

	ck_assert_str_eq(ENDPOINT_TEXT(&ep), "-");
}
END_TEST

START_TEST(a_text_is_cut_where_its_buffer_ends)
{
	struct endpoint ep = unit_endpoint(texts[_i].kind ? texts[_i].text : "x:1");
	char whole[ENDPOINT_TEXT_MAX], buf[ENDPOINT_TEXT_MAX + 1];

	endpoint_format(&ep, whole, sizeof(whole));
	for (size_t cap = 0; cap <= strlen(whole) + 1; cap++) {
		memset(buf, '#', sizeof(buf));
		ck_assert_ptr_eq(endpoint_format(&ep, buf, cap), buf);
		ck_assert_int_eq(buf[cap], '#');
		if (cap > 0)
			ck_assert_ptr_nonnull(memchr(buf, '\0', cap));
		if (cap > strlen(whole))
			ck_assert_str_eq(buf, whole);
	}
}
END_TEST

START_TEST(the_longest_texts_fit)
{
	char name[ENDPOINT_NAME_MAX + 1];
	struct endpoint ep;

	memset(name, 'x', sizeof(name));
	ck_assert_int_eq(endpoint_set_name(&ep, name, ENDPOINT_NAME_MAX, 65535), 0);
	ck_assert_uint_eq(strlen(ENDPOINT_TEXT(&ep)), ENDPOINT_NAME_MAX + 6);
	memset(name, '\x01', sizeof(name));
	ck_assert_int_eq(endpoint_set_name(&ep, name, ENDPOINT_NAME_MAX, 65535), 0);
	ck_assert_uint_lt(strlen(ENDPOINT_TEXT(&ep)), ENDPOINT_TEXT_MAX);
}
END_TEST

START_TEST(names_have_their_limits)
{
	char name[ENDPOINT_NAME_MAX + 2];
	struct endpoint ep;

	memset(name, 'x', sizeof(name));
	ck_assert_int_eq(endpoint_set_name(&ep, name, ENDPOINT_NAME_MAX + 1, 1), -ENAMETOOLONG);
	ck_assert_int_eq(endpoint_set_name(&ep, name, 0, 1), -EINVAL);
	ck_assert_int_eq(endpoint_set_name(&ep, "a\0b", 3, 1), -EINVAL);
	ck_assert_int_eq(endpoint_set_name(&ep, name, ENDPOINT_NAME_MAX, 1), 0);
	ck_assert_uint_eq(ep.name_len, ENDPOINT_NAME_MAX);
	ck_assert_uint_eq(strlen(ep.name), ENDPOINT_NAME_MAX);
	ck_assert_int_eq(endpoint_set_name(&ep, ep.name + 1, 3, 2), 0);
	ck_assert_str_eq(ep.name, "xxx");
}
END_TEST

START_TEST(a_text_over_any_length_is_refused)
{
	char text[4096];
	struct endpoint ep;

	memset(text, 'x', sizeof(text));
	strcpy(text + sizeof(text) - 3, ":1");
	for (size_t len = 1; len < sizeof(text) - 3; len++)
		ck_assert_int_eq(endpoint_parse(&ep, text + sizeof(text) - 3 - len),
		                 len <= ENDPOINT_NAME_MAX ? 0 : -EINVAL);
	text[sizeof(text) - 3] = '\0';
	ck_assert_int_eq(endpoint_parse_ip(&ep, text), -EINVAL);
}
END_TEST

static const struct {
	const char *name;
	bool valid;
} names[] = {
	{ "a", true },   { "example.org", true }, { "example.org.", true }, { "_a.b-c.1", true },
	{ "", false },   { ".", false },          { "..", false },          { "a..b", false },
	{ ".a", false }, { "a..", false },        { "\xc3\xa4.org", true }, { "a b", true },
};

START_TEST(names_for_dns_are_known)
{
	ck_assert_msg(endpoint_name_is_valid(names[_i].name, strlen(names[_i].name)) ==
	                      names[_i].valid,
	              "%s", names[_i].name);
}
END_TEST

START_TEST(labels_and_names_for_dns_have_their_limits)
{
	char name[300];
	int n;

	ck_assert(endpoint_name_is_valid(x63, 63));
	n = snprintf(name, sizeof(name), "%sx", x63);
	ck_assert(!endpoint_name_is_valid(name, (size_t)n));
	n = snprintf(name, sizeof(name), "a.%sx.b", x63);
	ck_assert(!endpoint_name_is_valid(name, (size_t)n));
	n = snprintf(name, sizeof(name), "%s.%s.%s.%.61s", x63, x63, x63, x63);
	ck_assert_int_eq(n, 253);
	ck_assert(endpoint_name_is_valid(name, 253));
	n = snprintf(name, sizeof(name), "%s.%s.%s.%.61s.", x63, x63, x63, x63);
	ck_assert(endpoint_name_is_valid(name, (size_t)n));
	n = snprintf(name, sizeof(name), "%s.%s.%s.%.62s", x63, x63, x63, x63);
	ck_assert(!endpoint_name_is_valid(name, (size_t)n));
	ck_assert(!endpoint_name_is_valid("a\0b", 3));
}
END_TEST

static const struct {
	const char *text;
	enum endpoint_kind kind;
} ips[] = {
	{ "192.0.2.1", ENDPOINT_IPV4 },
	{ "2001:db8::1", ENDPOINT_IPV6 },
	{ "[::1]", ENDPOINT_IPV6 },
	{ "fe80::1%3", ENDPOINT_IPV6 },
	{ "[fe80::1%3]", ENDPOINT_IPV6 },
	{ "::ffff:1.2.3.4", ENDPOINT_IPV6 },
	{ "", ENDPOINT_NONE },
	{ "[", ENDPOINT_NONE },
	{ "]", ENDPOINT_NONE },
	{ "[]", ENDPOINT_NONE },
	{ "[::1", ENDPOINT_NONE },
	{ "::1]", ENDPOINT_NONE },
	{ "[[::1]]", ENDPOINT_NONE },
	{ "127.1", ENDPOINT_NONE },
	{ "0x7f000001", ENDPOINT_NONE },
	{ "01.2.3.4", ENDPOINT_NONE },
	{ "1.2.3.4 ", ENDPOINT_NONE },
	{ "1.2.3.4%1", ENDPOINT_NONE },
	{ "localhost", ENDPOINT_NONE },
	{ "%1", ENDPOINT_NONE },
	{ "::1%%1", ENDPOINT_NONE },
	{ ":::", ENDPOINT_NONE },
};

START_TEST(addresses_are_read_and_all_else_is_not)
{
	struct endpoint ep = { .kind = ENDPOINT_NAME, .port = 7 }, untouched = ep;
	int err = endpoint_parse_ip(&ep, ips[_i].text);

	if (ips[_i].kind == ENDPOINT_NONE) {
		ck_assert_msg(err == -EINVAL, "%s", ips[_i].text);
		ck_assert_mem_eq(&ep, &untouched, sizeof(ep));
	} else {
		ck_assert_msg(err == 0, "%s", ips[_i].text);
		ck_assert_int_eq(ep.kind, ips[_i].kind);
		ck_assert_uint_eq(ep.port, 7);
		ck_assert_uint_eq(ep.scope, strchr(ips[_i].text, '%') ? 3 : 0);
	}
}
END_TEST

START_TEST(a_scope_may_be_an_interfaces_name)
{
	struct endpoint ep = { .kind = ENDPOINT_NONE };

	errno = E2BIG;
	ck_assert_int_eq(endpoint_parse_ip(&ep, "fe80::1%lo"), 0);
	ck_assert_uint_eq(ep.scope, if_nametoindex("lo"));
	ck_assert_int_eq(endpoint_parse_ip(&ep, "fe80::1%no-such-if"), -EINVAL);
	ck_assert_int_eq(errno, E2BIG);
}
END_TEST

/* What becomes of an endpoint in a socket address of each family, and back. "" is impossible. */
static const struct {
	const char *ep, *in, *in6;
} families[] = {
	{ "192.0.2.1:80", "192.0.2.1:80", "[::ffff:192.0.2.1]:80" },
	{ "[::ffff:192.0.2.1]:80", "192.0.2.1:80", "[::ffff:192.0.2.1]:80" },
	{ "[2001:db8::1]:80", "", "[2001:db8::1]:80" },
	{ "[fe80::1%7]:80", "", "[fe80::1%7]:80" },
	{ "example.org:80", "", "" },
	{ "", "", "" },
};

static void check_family(const struct endpoint *ep, int family, const char *want)
{
	struct sockaddr_storage ss;
	struct endpoint back;
	socklen_t len;

	memset(&ss, 0xff, sizeof(ss));
	len = endpoint_to_sockaddr(ep, family, &ss);
	if (!*want) {
		ck_assert_uint_eq(len, 0);
		return;
	}
	ck_assert_uint_eq(len, family == AF_INET ? sizeof(struct sockaddr_in)
	                                         : sizeof(struct sockaddr_in6));
	ck_assert_int_eq(ss.ss_family, family);
	ck_assert_int_eq(endpoint_from_sockaddr(&back, (struct sockaddr *)&ss, len), 0);
	ck_assert_str_eq(ENDPOINT_TEXT(&back), want);
}

START_TEST(socket_addresses_go_there_and_back)
{
	struct endpoint ep = unit_endpoint(families[_i].ep);

	check_family(&ep, AF_INET, families[_i].in);
	check_family(&ep, AF_INET6, families[_i].in6);
	check_family(&ep, AF_UNIX, "");
}
END_TEST

START_TEST(socket_addresses_are_refused_where_too_short)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_scope_id = 9 };
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct sockaddr un = { .sa_family = AF_UNIX };
	struct endpoint ep;

	for (socklen_t len = 0; len < sizeof(sin); len++)
		ck_assert_int_eq(endpoint_from_sockaddr(&ep, (struct sockaddr *)&sin, len),
		                 -EINVAL);
	for (socklen_t len = 0; len < 24; len++)
		ck_assert_int_eq(endpoint_from_sockaddr(&ep, (struct sockaddr *)&sin6, len),
		                 -EINVAL);
	ck_assert_int_eq(endpoint_from_sockaddr(&ep, (struct sockaddr *)&sin6, 24), 0);
	ck_assert_uint_eq(ep.scope, 0);
	ck_assert_int_eq(endpoint_from_sockaddr(&ep, (struct sockaddr *)&sin6, 28), 0);
	ck_assert_uint_eq(ep.scope, 9);
	ck_assert_int_eq(endpoint_from_sockaddr(&ep, &un, sizeof(un)), -EAFNOSUPPORT);
	ck_assert_int_eq(endpoint_from_sockaddr(&ep, &un, 1), -EINVAL);
}
END_TEST

static const struct {
	const char *ep, *unmapped;
	bool loopback, unspecified;
} kinds[] = {
	{ "127.0.0.1:1", "127.0.0.1:1", true, false },
	{ "127.255.255.255:1", "127.255.255.255:1", true, false },
	{ "128.0.0.1:1", "128.0.0.1:1", false, false },
	{ "0.0.0.0:1", "0.0.0.0:1", false, true },
	{ "0.0.0.1:1", "0.0.0.1:1", false, false },
	{ "[::1]:1", "[::1]:1", true, false },
	{ "[::2]:1", "[::2]:1", false, false },
	{ "[::]:1", "[::]:1", false, true },
	{ "[::ffff:127.1.2.3]:1", "127.1.2.3:1", true, false },
	{ "[::ffff:0.0.0.0]:1", "0.0.0.0:1", false, true },
	{ "[::ffff:192.0.2.1]:1", "192.0.2.1:1", false, false },
	{ "[::127.0.0.1]:1", "[::127.0.0.1]:1", false, false },
	{ "localhost:1", "localhost:1", false, false },
	{ "", "-", false, false },
};

START_TEST(kinds_of_addresses_are_known)
{
	struct endpoint ep = unit_endpoint(kinds[_i].ep);

	ck_assert_int_eq(endpoint_is_loopback(&ep), kinds[_i].loopback);
	ck_assert_int_eq(endpoint_is_unspecified(&ep), kinds[_i].unspecified);
	endpoint_unmap(&ep);
	ck_assert_str_eq(ENDPOINT_TEXT(&ep), kinds[_i].unmapped);
}
END_TEST

START_TEST(only_equals_are_equal)
{
	static const char *const all[] = {
		"",
		"192.0.2.1:80",
		"192.0.2.2:80",
		"192.0.2.1:81",
		"[::1]:80",
		"[::1]:81",
		"[::2]:80",
		"[fe80::1%1]:80",
		"[fe80::1%2]:80",
		"example.org:80",
		"example.orh:80",
		"example.or:80",
		"example.org:81",
		"[::ffff:192.0.2.1]:80",
	};

	for (int i = 0; i < ROWS(all); i++) {
		for (int j = 0; j < ROWS(all); j++) {
			struct endpoint a = unit_endpoint(all[i]), b = unit_endpoint(all[j]);

			ck_assert_int_eq(endpoint_equal(&a, &b), i == j);
		}
	}
}
END_TEST

UNIT_MAIN("endpoint", { texts_are_read_and_written, ROWS(texts) },
          { nothing_is_written_as_a_dash, 0 }, { a_text_is_cut_where_its_buffer_ends, ROWS(texts) },
          { the_longest_texts_fit, 0 }, { names_have_their_limits, 0 },
          { a_text_over_any_length_is_refused, 0 }, { names_for_dns_are_known, ROWS(names) },
          { labels_and_names_for_dns_have_their_limits, 0 },
          { addresses_are_read_and_all_else_is_not, ROWS(ips) },
          { a_scope_may_be_an_interfaces_name, 0 },
          { socket_addresses_go_there_and_back, ROWS(families) },
          { socket_addresses_are_refused_where_too_short, 0 },
          { kinds_of_addresses_are_known, ROWS(kinds) }, { only_equals_are_equal, 0 })
