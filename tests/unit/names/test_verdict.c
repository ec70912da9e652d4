#include <names/local.h>
#include <names/verdict.h>

#include "folder.h"

static struct config cfg;

static const char hosts[] = "127.0.0.1 localhost\n"
			    "192.0.2.7 printer printer.lan nas.ruled\n";

static void begin(const char *no_proxy, bool along)
{
	struct complaint why;
	FILE *f;

	folder_init();
	f = fopen(table_path, "we");
	ck_assert_ptr_nonnull(f);
	fputs(hosts, f);
	fclose(f);
	local_set_hosts_path(table_path);
	ck_assert_int_eq(rules_parse(no_proxy, &cfg.no_proxy, &why), 0);
	cfg.proxy.names_go_along = along;
	cfg.broken = false;
}

static void end(void)
{
	local_set_hosts_path("/etc/hosts");
	folder_fini();
}

#define LONG_LABEL "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg"

static const struct {
	const char *no_proxy, *name;
	enum verdict_kind kind;
	const char *rule; /* NULL: none */
	bool ruled;
} rows[] = {
	{ "", "example.org", VERDICT_PLACEHOLDER, NULL, false },
	{ "", "single", VERDICT_PLACEHOLDER, NULL, false },
	{ "", "hidden.onion.", VERDICT_PLACEHOLDER, NULL, false },
	{ "", "_srv._tcp.example.org", VERDICT_PLACEHOLDER, NULL, false },
	{ "",
	  "b\xc3\xbc"
	  "cher.example",
	  VERDICT_PLACEHOLDER, NULL, false },

	/* Addresses, in each form that libc takes. */
	{ "*", "192.0.2.1", VERDICT_ADDRESS, NULL, false },
	{ "*", "2001:db8::1", VERDICT_ADDRESS, NULL, false },
	{ "", "fe80::1%1", VERDICT_ADDRESS, NULL, false },
	{ "", "10.1", VERDICT_ADDRESS, NULL, false },
	{ "", "0x7f000001", VERDICT_ADDRESS, NULL, false },
	{ "", "3221225985", VERDICT_ADDRESS, NULL, false },
	{ "", "192.0.2.256", VERDICT_PLACEHOLDER, NULL, false },

	/* Nobody's, whatever the rules say. */
	{ "*", "", VERDICT_NOBODY, NULL, false },
	{ "*", ".", VERDICT_NOBODY, NULL, false },
	{ "*", "a..b", VERDICT_NOBODY, NULL, false },
	{ "*", ".a", VERDICT_NOBODY, NULL, false },
	{ "*", "a b", VERDICT_NOBODY, NULL, false },
	{ "*", "a\x7f", VERDICT_NOBODY, NULL, false },
	{ "*", "2001:db8::g", VERDICT_NOBODY, NULL, false },
	{ "*", "example.org:80", VERDICT_NOBODY, NULL, false },
	{ "*", "192.0.2.1 ", VERDICT_NOBODY, NULL, false },
	{ "", LONG_LABEL ".test", VERDICT_NOBODY, NULL, false },

	/* This machine's, also where a rule names them. */
	{ "", "localhost", VERDICT_LOCAL, NULL, false },
	{ "", "dev.localhost", VERDICT_LOCAL, NULL, false },
	{ "", "PRINTER.lan.", VERDICT_LOCAL, NULL, false },
	{ ".ruled", "nas.ruled", VERDICT_LOCAL, ".ruled", true },
	{ ".ruled:22", "nas.ruled", VERDICT_LOCAL, NULL, true },

	/* Rules: one without a port decides, one with a port is known of. */
	{ "example.org", "Example.ORG.", VERDICT_RULE, "example.org", true },
	{ "x,.org,*", "www.example.org", VERDICT_RULE, ".org", true },
	{ "*", "example.org", VERDICT_RULE, "*", true },
	{ "example.org:443,.org", "example.org", VERDICT_RULE, ".org", true },
	{ "example.org:443", "example.org", VERDICT_PLACEHOLDER, NULL, true },
	{ ".org:443", "example.org", VERDICT_PLACEHOLDER, NULL, true },
	{ ".org:443", "org", VERDICT_PLACEHOLDER, NULL, false },
	{ "*:443", "example.org", VERDICT_PLACEHOLDER, NULL, false },
	{ "other.test:443,*:443", "example.org", VERDICT_PLACEHOLDER, NULL, false },
	{ "198.18.0.0/15,0.0.0.0/0", "example.org", VERDICT_PLACEHOLDER, NULL, false },
};

static void assert_rule(const struct verdict *v, const char *rule)
{
	char text[RULES_ITEM_MAX];

	if (!rule) {
		ck_assert_ptr_null(v->rule);
		return;
	}
	ck_assert_ptr_nonnull(v->rule);
	ck_assert_str_eq(rules_format(&cfg.no_proxy, v->rule, text, sizeof(text)), rule);
}

START_TEST(first_that_fits_decides)
{
	struct verdict v;

	begin(rows[_i].no_proxy, true);
	verdict_find(&cfg, rows[_i].name, strlen(rows[_i].name), &v);
	ck_assert_int_eq(v.kind, rows[_i].kind);
	ck_assert(v.ruled == rows[_i].ruled);
	assert_rule(&v, rows[_i].rule);
	ck_assert_ptr_nonnull(v.why);
	end();
}
END_TEST

/* Addresses that libc finds are noted where a rule has the name. */
START_TEST(names_are_libcs_where_the_scheme_leaves_them_here)
{
	struct verdict v;

	begin(rows[_i].no_proxy, false);
	verdict_find(&cfg, rows[_i].name, strlen(rows[_i].name), &v);
	ck_assert_int_eq(v.kind,
	                 rows[_i].kind == VERDICT_ADDRESS ? VERDICT_ADDRESS : VERDICT_SCHEME);
	if (rows[_i].kind != VERDICT_NOBODY) {
		ck_assert(v.ruled == rows[_i].ruled);
		assert_rule(&v, rows[_i].rule);
	}
	end();
}
END_TEST

START_TEST(malformed_configuration_gives_placeholders)
{
	struct verdict v;

	begin("*,*:80", false);
	cfg.broken = true;
	verdict_find(&cfg, "example.org", 11, &v);
	ck_assert_int_eq(v.kind, VERDICT_PLACEHOLDER);
	ck_assert(!v.ruled && !v.rule);
	verdict_find(&cfg, "printer", 7, &v);
	ck_assert_int_eq(v.kind, VERDICT_LOCAL);
	verdict_find(&cfg, "a b", 3, &v);
	ck_assert_int_eq(v.kind, VERDICT_NOBODY);
	end();
}
END_TEST

START_TEST(name_ends_where_its_length_says)
{
	char longest[600];
	struct verdict v;

	begin("", true);
	verdict_find(&cfg, "localhost.test", 9, &v);
	ck_assert_int_eq(v.kind, VERDICT_LOCAL);
	verdict_find(&cfg, "192.0.2.1.test", 9, &v);
	ck_assert_int_eq(v.kind, VERDICT_ADDRESS);
	verdict_find(&cfg, "a\0b", 3, &v);
	ck_assert_int_eq(v.kind, VERDICT_NOBODY);
	verdict_find(&cfg, "192.0.2.1\0", 10, &v);
	ck_assert_int_eq(v.kind, VERDICT_NOBODY);
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = i % 10 == 9 ? '.' : 'a';
	for (size_t len = 1; len < sizeof(longest); len++) {
		verdict_find(&cfg, longest, len, &v);
		/* A dot at the end is not counted. */
		ck_assert_int_eq(v.kind, len - (len % 10 == 0) > 253 ? VERDICT_NOBODY
		                                                     : VERDICT_PLACEHOLDER);
	}
	end();
}
END_TEST

UNIT_MAIN("names/verdict", { first_that_fits_decides, ROWS(rows) },
          { names_are_libcs_where_the_scheme_leaves_them_here, ROWS(rows) },
          { malformed_configuration_gives_placeholders, 0 }, { name_ends_where_its_length_says, 0 })
