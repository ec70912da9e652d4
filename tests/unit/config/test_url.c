#include <config/url.h>
#include <errno.h>
#include <net/if.h>
#include <unit.h>

#define LONG63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *text;
	enum socks_protocol protocol;
	bool names_go_along;
	const char *addr, *user, *password; /* password NULL: none */
	const char *label;
} good[] = {
	/* schemes */
	{ "socks4://h", SOCKS_V4, false, "h:1080", "", NULL, "socks4://h:1080" },
	{ "socks4a://h", SOCKS_V4A, true, "h:1080", "", NULL, "socks4a://h:1080" },
	{ "socks5://h", SOCKS_V5, false, "h:1080", "", NULL, "socks5://h:1080" },
	{ "socks5h://h", SOCKS_V5, true, "h:1080", "", NULL, "socks5h://h:1080" },
	{ "SoCkS5H://h", SOCKS_V5, true, "h:1080", "", NULL, "socks5h://h:1080" },
	{ "socks://h:9/", SOCKS_V5, true, "h:9", "", NULL, "socks5h://h:9" },
	{ "h", SOCKS_V5, true, "h:1080", "", NULL, "socks5h://h:1080" },
	{ "h:9050", SOCKS_V5, true, "h:9050", "", NULL, "socks5h://h:9050" },
	{ "socks5:1080", SOCKS_V5, true, "socks5:1080", "", NULL, "socks5h://socks5:1080" },
	{ " \tsocks5://h:1 \r\n", SOCKS_V5, false, "h:1", "", NULL, "socks5://h:1" },
	/* host and port */
	{ "socks5://192.0.2.1:65535", SOCKS_V5, false, "192.0.2.1:65535", "", NULL,
	  "socks5://192.0.2.1:65535" },
	{ "socks5://h:", SOCKS_V5, false, "h:1080", "", NULL, "socks5://h:1080" },
	{ "socks5://h:00080", SOCKS_V5, false, "h:80", "", NULL, "socks5://h:80" },
	{ "[2001:db8::1]:9", SOCKS_V5, true, "[2001:db8::1]:9", "", NULL,
	  "socks5h://[2001:db8::1]:9" },
	{ "socks5://[::1]", SOCKS_V5, false, "[::1]:1080", "", NULL, "socks5://[::1]:1080" },
	{ "socks5://[::1]:", SOCKS_V5, false, "[::1]:1080", "", NULL, "socks5://[::1]:1080" },
	{ "socks5://[::ffff:192.0.2.1]/", SOCKS_V5, false, "192.0.2.1:1080", "", NULL,
	  "socks5://192.0.2.1:1080" },
	{ "socks5://ex%61mple.org.", SOCKS_V5, false, "example.org.:1080", "", NULL,
	  "socks5://example.org.:1080" },
	{ "socks5://under_score-1", SOCKS_V5, false, "under_score-1:1080", "", NULL,
	  "socks5://under_score-1:1080" },
	{ "socks5://" LONG63, SOCKS_V5, false, LONG63 ":1080", "", NULL,
	  "socks5://" LONG63 ":1080" },
	/* what follows is nobody's */
	{ "socks5h://h:1/path?x#y", SOCKS_V5, true, "h:1", "", NULL, "socks5h://h:1" },
	{ "socks5://u:p@h/path", SOCKS_V5, false, "h:1080", "u", "p", "socks5://h:1080" },
	{ "socks5://h?q", SOCKS_V5, false, "h:1080", "", NULL, "socks5://h:1080" },
	{ "socks5://h/\xc3\xa9", SOCKS_V5, false, "h:1080", "", NULL, "socks5://h:1080" },
	{ "socks5://h:2#f/g", SOCKS_V5, false, "h:2", "", NULL, "socks5://h:2" },
	{ "socks5://u:a?b@h:3?c", SOCKS_V5, false, "h:3", "u", "a?b", "socks5://h:3" },
	{ "[::1]:4/x", SOCKS_V5, true, "[::1]:4", "", NULL, "socks5h://[::1]:4" },
	/* user and password */
	{ "u@h", SOCKS_V5, true, "h:1080", "u", NULL, "socks5h://h:1080" },
	{ "u:@h", SOCKS_V5, true, "h:1080", "u", "", "socks5h://h:1080" },
	{ "u:p@h", SOCKS_V5, true, "h:1080", "u", "p", "socks5h://h:1080" },
	{ "socks5://u:p:q@h", SOCKS_V5, false, "h:1080", "u", "p:q", "socks5://h:1080" },
	{ "socks5://u:p@q@h", SOCKS_V5, false, "h:1080", "u", "p@q", "socks5://h:1080" },
	{ "socks5://u%40x:%3a%2F%25@h:2", SOCKS_V5, false, "h:2", "u@x", ":/%", "socks5://h:2" },
	{ "socks5://u:100%@h", SOCKS_V5, false, "h:1080", "u", "100%", "socks5://h:1080" },
	{ "socks5://u:%zz%4@h", SOCKS_V5, false, "h:1080", "u", "%zz%4", "socks5://h:1080" },
	{ "socks5://u:#?&@h", SOCKS_V5, false, "h:1080", "u", "#?&", "socks5://h:1080" },
	{ "socks5://\xc3\xa9:%e9@h", SOCKS_V5, false, "h:1080", "\xc3\xa9", "\xe9",
	  "socks5://h:1080" },
	{ "socks5://@h", SOCKS_V5, false, "h:1080", "", NULL, "socks5://h:1080" },
	{ "socks5://:@h", SOCKS_V5, false, "h:1080", "", NULL, "socks5://h:1080" },
	{ "u:p://x@h", SOCKS_V5, true, NULL, NULL, NULL, NULL }, /* see below */
	{ "socks4://id@h", SOCKS_V4, false, "h:1080", "id", NULL, "socks4://h:1080" },
	{ "socks4a://id:@h", SOCKS_V4A, true, "h:1080", "id", NULL, "socks4a://h:1080" },
};

START_TEST(url_is_read)
{
	struct complaint why;
	struct endpoint want;
	struct proxy px;

	if (!good[_i].addr) { /* a "/" ends host and port, wherever it is */
		ck_assert_int_eq(url_parse(good[_i].text, &px, &why), -EINVAL);
		return;
	}
	want = unit_endpoint(good[_i].addr);
	ck_assert_msg(url_parse(good[_i].text, &px, &why) == 0, "%s: %s", good[_i].text,
	              why.problem);
	ck_assert_int_eq(px.protocol, good[_i].protocol);
	ck_assert_int_eq(px.names_go_along, good[_i].names_go_along);
	ck_assert_endpoint_eq(&px.addr, &want);
	ck_assert_str_eq(px.user, good[_i].user);
	ck_assert_uint_eq(px.user_len, strlen(good[_i].user));
	ck_assert_int_eq(px.has_password, good[_i].password != NULL);
	ck_assert_str_eq(px.password, good[_i].password ? good[_i].password : "");
	ck_assert_uint_eq(px.password_len, strlen(px.password));
	ck_assert_str_eq(px.label, good[_i].label);
}
END_TEST

static const struct {
	const char *text, *tail, *problem;
} bad[] = {
	{ "", "", "host is missing" },
	{ "   ", "", "host is missing" },
	{ "socks5://", "", "host is missing" },
	{ "socks5://u:p@", "", "host is missing" },
	{ "socks5://:1080", ":1080", "host is missing" },
	{ "socks5:///", "/", "host is missing" },
	{ "http://h", "http://h", "scheme" },
	{ " https://h", "https://h", "scheme" },
	{ "sock5://h", "sock5://h", "scheme" },
	{ "socks5x://h", "socks5x://h", "scheme" },
	{ "socks5://h:99999", "99999", "over 65535" },
	{ "socks5://h:65536", "65536", "over 65535" },
	{ "socks5://h:99999999999999999999999999", "99999999999999999999999999", "over 65535" },
	{ "socks5://h:0", "0", "is 0" },
	{ "socks5://h:000", "000", "is 0" },
	{ "socks5://h:http", "http", "not a number" },
	{ "socks5://h:-1", "-1", "not a number" },
	{ "socks5://h:1 2", "1 2", "not a number" },
	{ "socks5:/h", "/h", "\"//\" is missing" },
	{ "http:/h", "/h", "\"//\" is missing" },
	{ "socks5:h:1", "socks5:h:1", "more than one" },
	{ "socks5:example", ":example", "\"//\" is missing" },
	{ "socks5://h/ socks5://g", " socks5://g", "follows" },
	{ "socks5://h?a\nb", "\nb", "follows" },
	{ "socks5://h?a/b@c", "/b@c", "before the \"@\"" },
	{ "socks5://?q", "?q", "host is missing" },
	{ "socks5:///h", "/h", "host is missing" },
	{ "socks5://u:p/q@h", "/q@h", "before the \"@\"" },
	{ "::1", "::1", "more than one" },
	{ "2001:db8::1:1080", "2001:db8::1:1080", "more than one" },
	{ "[::1", "[::1", "not closed" },
	{ "[::1]x", "[::1]x", "not closed" },
	{ "[::1]x:1", "[::1]x:1", NULL },
	{ "[]", "[]", "no such IPv6" },
	{ "[192.0.2.1]", "[192.0.2.1]", "no such IPv6" },
	{ "[::1%25none9]", "[::1%25none9]", "interface" },
	{ "[::%00]", "[::%00]", "no such IPv6" },
	{ "a b", " b", "octet" },
	{ "a%20b", "%20b", "octet" },
	{ "a%00b", "%00b", "octet" },
	{ "a\tb", "\tb", "octet" },
	{ "h@", "", "host is missing" },
	{ "a..b", "a..b", "label" },
	{ LONG63 "a", LONG63 "a", "label" },
	{ "socks5://:p@h", ":p@h", "without a user" },
	{ "socks5://u v:p@h", " v:p@h", "blank or control" },
	{ "socks5://u:p\nq@h", "\nq@h", "blank or control" },
	{ "socks4://u:p@h", "p@h", "no password" },
	{ "socks4a://u:p@h", "p@h", "no password" },
	{ "socks4://u%00v@h", "%00v@h", "NUL" },
	{ "socks4a://%00@h", "%00@h", "NUL" },
};

START_TEST(malformed_url_breaks_at_its_octet)
{
	struct complaint why = { 0 };
	struct proxy px;

	ck_assert_int_eq(url_parse(bad[_i].text, &px, &why), -EINVAL);
	ck_assert_uint_le(why.at, strlen(bad[_i].text));
	if (bad[_i].problem) {
		ck_assert_msg(strstr(why.problem, bad[_i].problem), "%s: %s", bad[_i].text,
		              why.problem);
		/* White space at the end is not the place. */
		ck_assert_msg(strncmp(bad[_i].text + why.at, bad[_i].tail, strlen(bad[_i].tail)) ==
		                      0,
		              "%s breaks at \"%s\"", bad[_i].text, bad[_i].text + why.at);
	}
	ck_assert_ptr_nonnull(why.expects);
}
END_TEST

START_TEST(nul_in_socks5_credentials_is_an_octet)
{
	struct complaint why;
	struct proxy px;

	ck_assert_int_eq(url_parse("socks5://a%00b:%00@h", &px, &why), 0);
	ck_assert_uint_eq(px.user_len, 3);
	ck_assert_mem_eq(px.user, "a\0b", 4);
	ck_assert_uint_eq(px.password_len, 1);
	ck_assert(px.has_password);
}
END_TEST

/* "socks5://" and @user octets ":" @password octets "@" @host octets of a name. */
static char *long_url(size_t user, size_t password, size_t host)
{
	char *text = malloc(20 + 3 * user + password + host), *at = text;

	at += sprintf(at, "socks5://");
	for (size_t i = 0; i < user; i++)
		at += sprintf(at, "%%%02zx", i & 0xff);
	*at++ = ':';
	at = (char *)memset(at, 'p', password) + password;
	*at++ = '@';
	for (size_t i = 0; i < host; i++)
		*at++ = i % 32 == 31 ? '.' : 'h';
	*at = '\0';
	return text;
}

static const struct {
	size_t user, password, host;
	int result;
} lengths[] = {
	{ 255, 255, 253, 0 },       { 256, 255, 253, -EINVAL }, { 255, 256, 253, -EINVAL },
	{ 255, 255, 255, -EINVAL }, { 255, 255, 256, -EINVAL }, { 255, 255, 400, -EINVAL },
	{ 600, 255, 253, -EINVAL }, { 1, 2100, 1, -EINVAL },
};

START_TEST(credentials_end_at_255_octets_and_hosts_at_253)
{
	char *text = long_url(lengths[_i].user, lengths[_i].password, lengths[_i].host);
	struct complaint why;
	struct proxy px;

	ck_assert_int_eq(url_parse(text, &px, &why), lengths[_i].result);
	if (lengths[_i].result == 0) {
		ck_assert_uint_eq(px.user_len, lengths[_i].user);
		ck_assert_uint_eq((unsigned char)px.user[254], 254);
		ck_assert_uint_eq(px.password_len, lengths[_i].password);
	}
	free(text);
}
END_TEST

START_TEST(over_long_text_is_malformed)
{
	char *text = malloc(100001);
	struct complaint why;
	struct proxy px;

	memset(text, ' ', 100000);
	text[100000] = '\0';
	ck_assert_int_eq(url_parse(text, &px, &why), -EINVAL);
	ck_assert_uint_eq(why.at, URL_MAX);
	memcpy(text, "h", 1);
	text[URL_MAX] = '\0';
	ck_assert_int_eq(url_parse(text, &px, &why), 0);
	free(text);
}
END_TEST

START_TEST(scope_is_an_interface)
{
	unsigned lo = if_nametoindex("lo");
	struct complaint why;
	struct proxy px;

	if (lo == 0)
		return; /* a namespace without lo's name: nothing to ask for */
	ck_assert_int_eq(url_parse("socks5://[fe80::1%25lo]:2", &px, &why), 0);
	ck_assert_uint_eq(px.addr.scope, lo);
	ck_assert_int_eq(url_parse("socks5://[fe80::1%lo]:2", &px, &why), 0);
	ck_assert_uint_eq(px.addr.scope, lo);
	ck_assert_uint_eq(px.addr.port, 2);
}
END_TEST

static const struct {
	const char *text;
	bool foreign;
} foreign[] = {
	{ "http://h:3128", true }, { " https://h", true },  { "socks6://h", true },
	{ "HTTP://u:p@h", true },  { "socks5://h", false }, { "SOCKS://h", false },
	{ "socks4a://", false },   { "h:3128", false },     { "", false },
	{ "://h", false },         { "5://h", false },      { "http:/h", false },
	{ "u:p@http://x", false },
};

START_TEST(foreign_is_what_has_another_scheme)
{
	ck_assert_int_eq(url_is_foreign(foreign[_i].text), foreign[_i].foreign);
}
END_TEST

static const struct {
	const char *text, *shown;
} redacted[] = {
	{ "", "" },
	{ "socks5://h:1080", "socks5://h:1080" },
	{ "socks5://u@h:1080", "socks5://u@h:1080" },
	{ "socks5://u:secret@h:1080", "socks5://u:***@h:1080" },
	{ "socks5://u:@h", "socks5://u:@h" },
	{ "u:secret@h", "u:***@h" },
	{ "u:sec:r@et@h", "u:***@h" },
	{ "socks5://u:se/cr@et@h", "socks5://u:***@h" },
	{ "socks5:/u:secret@h", "socks5:***@h" },
	{ "http://u:secret@h/x", "http://u:***@h/x" },
	{ "socks5://u:secret", "socks5://u:***" },
	{ "socks5://u:secret/", "socks5://u:***/" },
	{ "u:secret", "u:***" },
	{ "u:p://secret@h", "u:***@h" },
	{ "[::1]:x", "[::1]:x" },
	{ "2001:db8::abcd", "2001:db8::abcd" },
	{ "a\nb\x1b\x7f\xff", "a\\x0ab\\x1b\\x7f\\xff" },
	{ "h:99999", "h:99999" },
};

START_TEST(password_is_never_shown)
{
	char buf[128];

	ck_assert_str_eq(url_redact(redacted[_i].text, buf, sizeof(buf)), redacted[_i].shown);
	for (size_t cap = 1; cap < sizeof(buf); cap++) {
		char *small = malloc(cap);

		ck_assert_ptr_eq(url_redact(redacted[_i].text, small, cap), small);
		ck_assert_uint_lt(strlen(small), cap);
		ck_assert_ptr_null(strstr(small, "secr"));
		ck_assert_int_eq(strncmp(small, buf, strlen(small)), 0);
		free(small);
	}
	url_redact(redacted[_i].text, NULL, 0);
}
END_TEST

/*
 * Random texts of telling octets: nothing breaks, and what is refused is refused at an octet of it.
 */
START_TEST(any_text_is_read_or_refused)
{
	static const char octets[] = "socks45ah://[]@::%%2540fh1.0/ \tu\x80";
	uint64_t seed = unit_seed();

	for (int round = 0; round < 200000; round++) {
		char text[48], shown[200];
		size_t len = unit_below(&seed, sizeof(text)), start = 0;
		struct complaint why;
		struct proxy px;

		if (unit_below(&seed, 2) && len > 9) {
			memcpy(text, "socks5://", 9);
			start = 9;
		}
		for (size_t i = start; i < len; i++)
			text[i] = octets[unit_below(&seed, sizeof(octets) - 1)];
		text[len] = '\0';
		if (url_parse(text, &px, &why) == 0) {
			ck_assert_uint_ge(px.addr.port, 1);
			ck_assert_int_ne(px.addr.kind, ENDPOINT_NONE);
			ck_assert(px.has_password || px.password_len == 0);
		} else {
			ck_assert_uint_le(why.at, strlen(text));
		}
		url_redact(text, shown, sizeof(shown));
	}
}
END_TEST

UNIT_MAIN("config/url", { url_is_read, ROWS(good) },
          { malformed_url_breaks_at_its_octet, ROWS(bad) },
          { nul_in_socks5_credentials_is_an_octet, 0 },
          { credentials_end_at_255_octets_and_hosts_at_253, ROWS(lengths) },
          { over_long_text_is_malformed, 0 }, { scope_is_an_interface, 0 },
          { foreign_is_what_has_another_scheme, ROWS(foreign) },
          { password_is_never_shown, ROWS(redacted) }, { any_text_is_read_or_refused, 0 })
