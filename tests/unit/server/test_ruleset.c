#include "unit.h"

#include <errno.h>
#include <rulesfile.h>

static void fail_on_error(void *arg, const struct rulesfile_error *e)
{
	ck_abort_msg("%s: line %u, %s", (const char *)arg, e->line,
	             rulesfile_explain(e, (char[RULESFILE_TEXT_MAX]){ 0 }, RULESFILE_TEXT_MAX));
}

static struct ruleset *rules_of(const char *text)
{
	struct rulesfile_listener l = { .tell = fail_on_error, .arg = (void *)(uintptr_t)text };
	struct ruleset *rs;

	ck_assert_int_eq(rulesfile_parse(&rs, text, strlen(text), &l), 0);
	return rs;
}

#define A POLICY_ALLOWED
#define D POLICY_DENIED
#define P POLICY_DEPENDS
#define C POLICY_CONNECT
#define R POLICY_RESOLVE
#define B POLICY_BIND
#define U POLICY_UDP

/* Rules, and what they say of one question. "": unknown, or nothing. */
static const struct {
	const char *rules;
	enum policy_verdict verdict;
	const char *from, *user;
	enum policy_cmd cmd;
	const char *asked, *to;
} rows[] = {
	/* none allows it */
	{ "", D, "192.0.2.1:1", NULL, C, "203.0.113.1:80", "203.0.113.1:80" },
	{ "# allow\n", D, "192.0.2.1:1", NULL, C, "a.example:80", "" },
	{ "allow", A, "192.0.2.1:1", NULL, C, "203.0.113.1:80", "203.0.113.1:80" },
	{ "allow", A, "192.0.2.1:1", NULL, C, "a.example:80", "" },
	{ "deny", D, "192.0.2.1:1", NULL, C, "203.0.113.1:80", "203.0.113.1:80" },
	{ "deny\nallow", D, "192.0.2.1:1", NULL, C, "203.0.113.1:80", "203.0.113.1:80" },
	{ "allow\ndeny", A, "192.0.2.1:1", NULL, C, "203.0.113.1:80", "203.0.113.1:80" },
	{ "  ALLOW # a comment\r\n", A, "192.0.2.1:1", NULL, C, "a.example:80", "" },
	/* from */
	{ "allow from 192.0.2.0/24", A, "192.0.2.1:1", NULL, C, "a.example:80", "" },
	{ "allow from 192.0.2.0/24", D, "192.0.3.1:1", NULL, C, "a.example:80", "" },
	{ "allow from 192.0.2.0/24", A, "[::ffff:192.0.2.1]:1", NULL, C, "a.example:80", "" },
	{ "allow from 192.0.2.0/24", D, "[2001:db8::1]:1", NULL, C, "a.example:80", "" },
	{ "allow from 192.0.2.7 , 2001:db8::/32", A, "[2001:db8::1]:1", NULL, C, "a.example:80",
	  "" },
	{ "allow from [2001:db8::]/32", A, "[2001:db8::1]:1", NULL, C, "a.example:80", "" },
	{ "allow from *", A, "[2001:db8::1]:1", NULL, C, "a.example:80", "" },
	{ "allow from 192.0.2.7,*", A, "[2001:db8::1]:1", NULL, C, "a.example:80", "" },
	/* user */
	{ "allow user bob", A, "192.0.2.1:1", "bob", C, "a.example:80", "" },
	{ "allow user bob", D, "192.0.2.1:1", "Bob", C, "a.example:80", "" },
	{ "allow user bob", D, "192.0.2.1:1", "bo", C, "a.example:80", "" },
	{ "allow user bob", D, "192.0.2.1:1", "bobby", C, "a.example:80", "" },
	{ "allow user bob", D, "192.0.2.1:1", NULL, C, "a.example:80", "" },
	{ "allow user alice, bob", A, "192.0.2.1:1", "bob", C, "a.example:80", "" },
	{ "allow user a\\x2cb\\\\", A, "192.0.2.1:1", "a,b\\", C, "a.example:80", "" },
	{ "allow user b#b", A, "192.0.2.1:1", "b#b", C, "a.example:80", "" },
	{ "allow user t\\x6f", A, "192.0.2.1:1", "to", C, "a.example:80", "" },
	{ "allow user *", A, "192.0.2.1:1", "bob", C, "a.example:80", "" },
	{ "allow user *", D, "192.0.2.1:1", NULL, C, "a.example:80", "" },
	{ "allow user \\x2a", A, "192.0.2.1:1", "*", C, "a.example:80", "" },
	{ "allow user \\x2a", D, "192.0.2.1:1", "bob", C, "a.example:80", "" },
	{ "deny user bob\nallow", D, "192.0.2.1:1", "bob", C, "a.example:80", "" },
	{ "deny user bob\nallow", A, "192.0.2.1:1", NULL, C, "a.example:80", "" },
	/* do */
	{ "allow do connect", A, "192.0.2.1:1", NULL, C, "a.example:80", "" },
	{ "allow do connect", D, "192.0.2.1:1", NULL, U, "a.example:80", "" },
	{ "allow do bind,udp", D, "192.0.2.1:1", NULL, C, "a.example:80", "" },
	{ "allow do bind,Udp", A, "192.0.2.1:1", NULL, U, "a.example:80", "" },
	{ "allow do resolve", A, "192.0.2.1:1", NULL, R, "a.example:0", "" },
	{ "allow do *", A, "192.0.2.1:1", NULL, B, "203.0.113.1:80", "203.0.113.1:80" },
	/* to, by name */
	{ "allow to a.example", A, "192.0.2.1:1", NULL, C, "a.example:80", "" },
	{ "allow to a.example", A, "192.0.2.1:1", NULL, C, "a.example:80", "203.0.113.1:80" },
	{ "allow to a.example", A, "192.0.2.1:1", NULL, C, "A.Example.:80", "" },
	{ "allow to A.example.", A, "192.0.2.1:1", NULL, C, "a.example:80", "" },
	{ "allow to a.example", D, "192.0.2.1:1", NULL, C, "b.a.example:80", "" },
	{ "allow to a.example", D, "192.0.2.1:1", NULL, C, "203.0.113.1:80", "203.0.113.1:80" },
	{ "allow to .example", A, "192.0.2.1:1", NULL, C, "b.a.example:80", "" },
	{ "allow to .example", D, "192.0.2.1:1", NULL, C, "example:80", "" },
	{ "allow to .example", D, "192.0.2.1:1", NULL, C, "anexample:80", "" },
	{ "allow to *.example", A, "192.0.2.1:1", NULL, C, "a.example:80", "" },
	{ "allow to *.example", D, "192.0.2.1:1", NULL, C, "example:80", "" },
	{ "allow to *", A, "192.0.2.1:1", NULL, C, "a.example:80", "" },
	{ "deny to .ads.example\nallow", D, "192.0.2.1:1", NULL, C, "x.ads.example:80", "" },
	/* to, by address: a name is looked up first */
	{ "allow to 203.0.113.0/24", A, "192.0.2.1:1", NULL, C, "203.0.113.9:80",
	  "203.0.113.9:80" },
	{ "allow to 203.0.113.0/24", D, "192.0.2.1:1", NULL, C, "203.0.114.9:80",
	  "203.0.114.9:80" },
	{ "allow to 203.0.113.0/24", P, "192.0.2.1:1", NULL, C, "a.example:80", "" },
	{ "allow to 203.0.113.0/24", A, "192.0.2.1:1", NULL, C, "a.example:80", "203.0.113.9:80" },
	{ "allow to 203.0.113.0/24", D, "192.0.2.1:1", NULL, C, "a.example:80", "203.0.114.9:80" },
	{ "allow to 203.0.113.9,a.example", A, "192.0.2.1:1", NULL, C, "a.example:80", "" },
	{ "allow to ::ffff:203.0.113.0/120", A, "192.0.2.1:1", NULL, C, "203.0.113.9:80",
	  "203.0.113.9:80" },
	{ "allow to 203.0.113.0/24", A, "192.0.2.1:1", NULL, C, "[::ffff:203.0.113.9]:80",
	  "[::ffff:203.0.113.9]:80" },
	{ "deny to 10.0.0.0/8\nallow", P, "192.0.2.1:1", NULL, C, "a.example:80", "" },
	{ "deny to 10.0.0.0/8\nallow", D, "192.0.2.1:1", NULL, C, "a.example:80", "10.0.0.1:80" },
	{ "deny to 10.0.0.0/8\nallow", A, "192.0.2.1:1", NULL, C, "a.example:80", "11.0.0.1:80" },
	/* whatever the address is, it is denied: no need to look it up */
	{ "deny to 10.0.0.0/8", D, "192.0.2.1:1", NULL, C, "a.example:80", "" },
	{ "deny to 10.0.0.0/8\ndeny to a.example\nallow", D, "192.0.2.1:1", NULL, C, "a.example:80",
	  "" },
	{ "deny to 10.0.0.0/8\nallow to b.example", D, "192.0.2.1:1", NULL, C, "a.example:80", "" },
	{ "allow to 10.0.0.0/8\ndeny", P, "192.0.2.1:1", NULL, C, "a.example:80", "" },
	/* port */
	{ "allow port 80", A, "192.0.2.1:1", NULL, C, "a.example:80", "" },
	{ "allow port 80", D, "192.0.2.1:1", NULL, C, "a.example:81", "" },
	{ "allow port 22, 8000-8999", A, "192.0.2.1:1", NULL, C, "a.example:8000", "" },
	{ "allow port 22,8000-8999", A, "192.0.2.1:1", NULL, C, "a.example:8999", "" },
	{ "allow port 22,8000-8999", D, "192.0.2.1:1", NULL, C, "a.example:9000", "" },
	{ "allow port 22,8000-8999", D, "192.0.2.1:1", NULL, C, "a.example:7999", "" },
	{ "allow port 65535", A, "192.0.2.1:1", NULL, C, "a.example:65535", "" },
	{ "allow port *", A, "192.0.2.1:1", NULL, C, "a.example:7999", "" },
	/* a look-up has none */
	{ "allow port 80", D, "192.0.2.1:1", NULL, R, "a.example:80", "" },
	{ "deny port 80\nallow", A, "192.0.2.1:1", NULL, R, "a.example:80", "" },
	{ "allow port *", A, "192.0.2.1:1", NULL, R, "a.example:80", "" },
	/* nothing named yet: an ASSOCIATE */
	{ "allow do udp to a.example port 53", P, "192.0.2.1:1", NULL, U, "", "" },
	{ "allow do udp", A, "192.0.2.1:1", NULL, U, "", "" },
	{ "deny port 25\nallow do connect", D, "192.0.2.1:1", NULL, U, "", "" },
	{ "deny to 10.0.0.0/8\nallow", P, "192.0.2.1:1", NULL, U, "", "" },
	/* a peer that came unasked */
	{ "allow do bind to a.example", D, "192.0.2.1:1", NULL, B, "", "203.0.113.9:20" },
	{ "allow do bind to 203.0.113.0/24 port 20", A, "192.0.2.1:1", NULL, B, "",
	  "203.0.113.9:20" },
	{ "allow do bind port 20", P, "192.0.2.1:1", NULL, B, "", "" },
	/* in any order, all must match */
	{ "allow port 443 to .corp.example do connect user bob from 192.0.2.0/24", A, "192.0.2.1:1",
	  "bob", C, "www.corp.example:443", "" },
	{ "allow port 443 to .corp.example do connect user bob from 192.0.2.0/24", D, "192.0.3.1:1",
	  "bob", C, "www.corp.example:443", "" },
};

static int port_of(const struct endpoint *asked, const struct endpoint *to)
{
	return to->kind != ENDPOINT_NONE      ? to->port
	       : asked->kind != ENDPOINT_NONE ? asked->port
	                                      : -1;
}

START_TEST(the_first_rule_that_matches_counts)
{
	struct endpoint from = unit_endpoint(rows[_i].from), asked = unit_endpoint(rows[_i].asked),
			to = unit_endpoint(rows[_i].to);
	const struct ruleset_question q = { .from = &from,
		                            .user = rows[_i].user,
		                            .user_len = rows[_i].user ? strlen(rows[_i].user) : 0,
		                            .cmd = rows[_i].cmd,
		                            .asked = asked.kind ? &asked : NULL,
		                            .to = to.kind ? &to : NULL,
		                            .port = port_of(&asked, &to) };
	struct ruleset *rs = rules_of(rows[_i].rules);
	const char *why = "untouched";
	enum policy_verdict v;

	endpoint_unmap(&from);
	endpoint_unmap(&to);
	v = ruleset_judge(rs, &q, &why);
	ck_assert_msg(v == rows[_i].verdict, "%s: %s: %d", rows[_i].rules, rows[_i].asked, v);
	ck_assert((why != NULL) == (v == POLICY_DENIED));
	ruleset_free(rs);
}
END_TEST

START_TEST(the_reason_names_the_line)
{
	const struct endpoint from = unit_endpoint("192.0.2.1:1"),
			      to = unit_endpoint("203.0.113.1:25");
	struct ruleset_question q = {
		.from = &from, .cmd = POLICY_CONNECT, .asked = &to, .to = &to, .port = 25
	};
	struct ruleset *rs = rules_of("# mail\n\ndeny port 25\nallow port 80\n");
	const char *why;

	ck_assert_int_eq(ruleset_judge(rs, &q, &why), POLICY_DENIED);
	ck_assert_str_eq(why, "denied by line 3 of the rules");
	q.port = 26;
	ck_assert_int_eq(ruleset_judge(rs, &q, &why), POLICY_DENIED);
	ck_assert_str_eq(why, "no rule allows it");
	ruleset_free(rs);
}
END_TEST

START_TEST(users_may_have_any_octets)
{
	const struct endpoint from = unit_endpoint("192.0.2.1:1");
	static const char name[] = "a\0\xff b";
	struct ruleset_question q = { .from = &from,
		                      .user = name,
		                      .user_len = sizeof(name) - 1,
		                      .cmd = POLICY_UDP,
		                      .port = -1 };
	struct ruleset *rs = rules_of("allow user a\\x00\\xff\\x20b");
	const char *why;

	ck_assert_int_eq(ruleset_judge(rs, &q, &why), POLICY_ALLOWED);
	q.user_len--;
	ck_assert_int_eq(ruleset_judge(rs, &q, &why), POLICY_DENIED);
	ruleset_free(rs);
}
END_TEST

START_TEST(ten_thousand_rules_are_few)
{
	const struct endpoint from = unit_endpoint("192.0.2.1:1"),
			      last = unit_endpoint("h9999.example:80");
	const struct ruleset_question q = {
		.from = &from, .cmd = POLICY_CONNECT, .asked = &last, .port = 80
	};
	enum { RULES = 10000, LINE = 40 };
	char *text = malloc(RULES * LINE);
	struct ruleset *rs;
	size_t len = 0;
	const char *why;

	ck_assert_ptr_nonnull(text);
	for (int i = 0; i < RULES; i++)
		len += (size_t)snprintf(text + len, LINE, "deny to h%d.example\n", i);
	rs = rules_of(text);
	ck_assert_uint_eq(rs->n_rules, RULES);
	ck_assert_int_eq(ruleset_judge(rs, &q, &why), POLICY_DENIED);
	ck_assert_str_eq(why, "denied by line 10000 of the rules");
	ruleset_free(rs);
	free(text);
}
END_TEST

UNIT_MAIN("server ruleset", { the_first_rule_that_matches_counts, ROWS(rows) },
          { the_reason_names_the_line, 0 }, { users_may_have_any_octets, 0 },
          { ten_thousand_rules_are_few, 0 })
