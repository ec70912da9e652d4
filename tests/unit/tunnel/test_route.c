#include "unit.h"

#include <errno.h>
#include <names/direct.h>
#include <names/nameservers.h>
#include <names/pool.h>
#include <tunnel/route.h>
#include <unistd.h>

static const struct {
	const char *dst;
	enum route_kind kind;
	const char *to; /* ROUTE_PROXY: what the proxy is asked */
	int err;
} rows[] = {
	{ "192.0.2.1:1080", ROUTE_DIRECT, NULL, 0 }, /* the proxy itself */
	{ "[::ffff:192.0.2.1]:1080", ROUTE_DIRECT, NULL, 0 },
	{ "192.0.2.1:80", ROUTE_PROXY, "192.0.2.1:80", 0 },
	{ "[2001:db8::1]:1080", ROUTE_DIRECT, NULL, 0 },
	{ "[2001:db8::2]:1080", ROUTE_PROXY, "[2001:db8::2]:1080", 0 },
	{ "[::ffff:198.51.100.1]:80", ROUTE_PROXY, "198.51.100.1:80", 0 },
	{ "127.0.0.1:80", ROUTE_DIRECT, NULL, 0 },
	{ "127.200.1.1:80", ROUTE_DIRECT, NULL, 0 },
	{ "[::1]:80", ROUTE_DIRECT, NULL, 0 },
	{ "[::ffff:127.0.0.1]:80", ROUTE_DIRECT, NULL, 0 },
	{ "0.0.0.0:80", ROUTE_DIRECT, NULL, 0 },
	{ "[::]:80", ROUTE_DIRECT, NULL, 0 },
	{ "10.0.0.1:80", ROUTE_PROXY, "10.0.0.1:80", 0 },
	{ "198.18.0.0:80", ROUTE_REFUSE, NULL, -EHOSTUNREACH },
	{ "198.19.255.255:80", ROUTE_REFUSE, NULL, -EHOSTUNREACH },
	{ "198.20.0.0:80", ROUTE_PROXY, "198.20.0.0:80", 0 },
};

static const char *const hop_texts[] = { "192.0.2.1:1080", "[2001:db8::1]:1080" };

static void find(const struct config *cfg, const struct table *t, const struct endpoint *dst,
                 struct route *r)
{
	struct endpoint hops[2] = { unit_endpoint(hop_texts[0]), unit_endpoint(hop_texts[1]) };

	route_find(cfg, t, hops, 2, dst, r);
}

START_TEST(first_match_wins)
{
	struct config cfg = { .broken = false };
	struct endpoint dst = unit_endpoint(rows[_i].dst), to;
	struct route r;

	find(&cfg, NULL, &dst, &r);
	ck_assert_int_eq(r.kind, rows[_i].kind);
	ck_assert_ptr_nonnull(r.why);
	if (rows[_i].to) {
		to = unit_endpoint(rows[_i].to);
		ck_assert_endpoint_eq(&r.dst, &to);
	}
	if (r.kind == ROUTE_REFUSE)
		ck_assert_int_eq(r.err, rows[_i].err);
}
END_TEST

START_TEST(a_broken_configuration_refuses_everything)
{
	struct config cfg = { .broken = true };
	struct endpoint dst = unit_endpoint(rows[_i].dst);
	struct route r;

	find(&cfg, NULL, &dst, &r);
	ck_assert_int_eq(r.kind, ROUTE_REFUSE);
	ck_assert_int_eq(r.err, -EACCES);
}
END_TEST

START_TEST(a_placeholder_goes_by_its_name_in_both_families)
{
	struct config cfg = { .broken = false };
	struct endpoint dst, want;
	struct route r;
	uint32_t slot;
	int why;
	struct table *t = table_open(NULL, &why);

	ck_assert_ptr_nonnull(t);
	ck_assert_int_eq(table_put(t, "Example.org", 11, &slot), 0);
	for (int v6 = 0; v6 < 2; v6++) {
		(v6 ? pool_ipv6 : pool_ipv4)(slot, &dst);
		dst.port = 443;
		find(&cfg, t, &dst, &r);
		ck_assert_int_eq(r.kind, ROUTE_PROXY);
		want = unit_endpoint("Example.org:443");
		ck_assert_endpoint_eq(&r.dst, &want);
		(v6 ? pool_ipv6 : pool_ipv4)(slot + 1, &dst);
		find(&cfg, t, &dst, &r);
		ck_assert_int_eq(r.kind, ROUTE_REFUSE);
		ck_assert_int_eq(r.err, -EHOSTUNREACH);
	}
	table_close(t);
}
END_TEST

/*
 * The order: each row would go another way by what stands behind the rule that it names. Names are
 * asked for by their placeholders; "noted.test" has 203.0.113.9, which was noted for it, and
 * 203.0.113.10, which was noted for port 22.
 */
static const struct {
	const char *no_proxy;
	bool loopback_too;
	const char *dst;
	enum route_kind kind;
	const char *to;
	const char *rule; /* NULL: none */
} orders[] = {
	/* The proxy itself, before all. */
	{ "*", true, "192.0.2.1:1080", ROUTE_DIRECT, "192.0.2.1:1080", NULL },
	{ "192.0.2.1", false, "192.0.2.1:80", ROUTE_DIRECT, "192.0.2.1:80", "192.0.2.1" },

	/* Names: a rule with the port, one without, one for another port, and for addresses. */
	{ "example.org:443", false, "example.org:443", ROUTE_DIRECT, "example.org:443",
	  "example.org:443" },
	{ "EXAMPLE.org:443", false, "Example.org:443", ROUTE_DIRECT, "Example.org:443",
	  "example.org:443" },
	{ "example.org:443", false, "example.org:80", ROUTE_PROXY, "example.org:80", NULL },
	{ "example.org:443", false, "www.example.org:443", ROUTE_PROXY, "www.example.org:443",
	  NULL },
	{ ".example.org:443", false, "www.example.org:443", ROUTE_DIRECT, "www.example.org:443",
	  ".example.org:443" },
	{ "*:22", false, "example.org:22", ROUTE_DIRECT, "example.org:22", "*:22" },
	{ "*:22", false, "example.org:80", ROUTE_PROXY, "example.org:80", NULL },
	{ "example.org", false, "example.org:80", ROUTE_DIRECT, "example.org:80", "example.org" },
	{ "other.test,*", false, "example.org:80", ROUTE_DIRECT, "example.org:80", "*" },
	{ "198.18.0.0/15,::/0", false, "example.org:80", ROUTE_PROXY, "example.org:80", NULL },

	/* Addresses. */
	{ "10.0.0.0/8", false, "10.1.2.3:80", ROUTE_DIRECT, "10.1.2.3:80", "10.0.0.0/8" },
	{ "10.0.0.0/8", false, "[::ffff:10.1.2.3]:80", ROUTE_DIRECT, "10.1.2.3:80", "10.0.0.0/8" },
	{ "10.0.0.0/8", false, "11.1.2.3:80", ROUTE_PROXY, "11.1.2.3:80", NULL },
	{ "10.0.0.0/8:22", false, "10.1.2.3:80", ROUTE_PROXY, "10.1.2.3:80", NULL },
	{ "10.0.0.0/8:22", false, "10.1.2.3:22", ROUTE_DIRECT, "10.1.2.3:22", "10.0.0.0/8:22" },
	{ "*:22", false, "203.0.113.1:22", ROUTE_DIRECT, "203.0.113.1:22", "*:22" },
	{ "2001:db8::/32", false, "[2001:db8::5]:80", ROUTE_DIRECT, "[2001:db8::5]:80",
	  "2001:db8::/32" },

	/* What was noted for a name, where there are rules for names at all. */
	{ "noted.test", false, "203.0.113.9:80", ROUTE_DIRECT, "203.0.113.9:80", NULL },
	{ "noted.test", false, "[::ffff:203.0.113.9]:80", ROUTE_DIRECT, "203.0.113.9:80", NULL },
	{ "noted.test", false, "203.0.113.8:80", ROUTE_PROXY, "203.0.113.8:80", NULL },
	{ "other.test:80", false, "203.0.113.9:80", ROUTE_DIRECT, "203.0.113.9:80", NULL },
	{ "", false, "203.0.113.9:80", ROUTE_PROXY, "203.0.113.9:80", NULL },
	{ "10.0.0.0/8", false, "203.0.113.9:80", ROUTE_PROXY, "203.0.113.9:80", NULL },
	{ "noted.test:22", false, "203.0.113.10:22", ROUTE_DIRECT, "203.0.113.10:22", NULL },
	{ "noted.test:22", false, "203.0.113.10:80", ROUTE_PROXY, "203.0.113.10:80", NULL },

	/* Loopback. */
	{ "", true, "127.0.0.1:80", ROUTE_PROXY, "127.0.0.1:80", NULL },
	{ "", true, "[::1]:80", ROUTE_PROXY, "[::1]:80", NULL },
	{ "", true, "0.0.0.0:80", ROUTE_PROXY, "0.0.0.0:80", NULL },
	{ "", true, "[::]:80", ROUTE_PROXY, "[::]:80", NULL },
	{ "", true, "[::ffff:127.0.0.1]:80", ROUTE_PROXY, "127.0.0.1:80", NULL },
	{ "127.0.0.0/8", true, "127.0.0.1:80", ROUTE_DIRECT, "127.0.0.1:80", "127.0.0.0/8" },
	{ "127.0.0.1", false, "127.0.0.1:80", ROUTE_DIRECT, "127.0.0.1:80", "127.0.0.1" },
};

/* The placeholder of a name; an address as it is. */
static struct endpoint as_seen(struct table *t, const char *text)
{
	struct endpoint ep = unit_endpoint(text);
	uint16_t port = ep.port;
	uint32_t slot;

	if (ep.kind != ENDPOINT_NAME)
		return ep;
	ck_assert_int_eq(table_put(t, ep.name, ep.name_len, &slot), 0);
	pool_ipv4(slot, &ep);
	ep.port = port;
	return ep;
}

START_TEST(rules_come_in_their_order)
{
	static struct config cfg;
	struct table *t = table_open(NULL, NULL);
	struct endpoint dst = as_seen(t, orders[_i].dst), to = unit_endpoint(orders[_i].to);
	struct endpoint noted = unit_endpoint("203.0.113.9:0");
	struct endpoint at_port = unit_endpoint("203.0.113.10:22");
	struct complaint why;
	struct route r;
	char text[64];

	ck_assert_int_eq(rules_parse(orders[_i].no_proxy, &cfg.no_proxy, &why), 0);
	cfg.loopback_too = orders[_i].loopback_too;
	ck_assert_int_eq(direct_note(t, &noted), 0);
	ck_assert_int_eq(direct_note(t, &at_port), 0);
	find(&cfg, t, &dst, &r);
	ck_assert_int_eq(r.kind, orders[_i].kind);
	ck_assert_endpoint_eq(&r.dst, &to);
	ck_assert_ptr_nonnull(r.why);
	if (orders[_i].rule)
		ck_assert_str_eq(rules_format(&cfg.no_proxy, r.rule, text, sizeof(text)),
		                 orders[_i].rule);
	else
		ck_assert_ptr_null(r.rule);
	table_close(t);
}
END_TEST

/* A name server comes before placeholders, rules and loopback, but after the proxy itself. */
static const struct {
	const char *dst;
	enum route_kind along, here; /* names go to the proxy, or are resolved here */
} servers[] = {
	{ "203.0.113.53:53", ROUTE_ANSWER, ROUTE_DIRECT },
	{ "[::ffff:203.0.113.53]:53", ROUTE_ANSWER, ROUTE_DIRECT },
	{ "[2001:db8::53]:53", ROUTE_ANSWER, ROUTE_DIRECT },
	{ "127.0.0.53:53", ROUTE_ANSWER, ROUTE_DIRECT },
	{ "127.0.0.2:53", ROUTE_ANSWER, ROUTE_DIRECT },
	{ "10.0.0.1:53", ROUTE_ANSWER, ROUTE_DIRECT },
	{ "198.18.0.53:53", ROUTE_ANSWER, ROUTE_DIRECT },
	{ "192.0.2.1:53", ROUTE_DIRECT, ROUTE_DIRECT }, /* the proxy */
	{ "203.0.113.53:853", ROUTE_PROXY, ROUTE_PROXY },
	{ "203.0.113.54:53", ROUTE_PROXY, ROUTE_PROXY },
	{ "127.0.0.1:53", ROUTE_DIRECT, ROUTE_DIRECT },
};

START_TEST(name_servers_are_answered_in_place)
{
	static struct config cfg;
	char path[] = "/tmp/socksify-route.XXXXXX";
	FILE *f = fdopen(mkstemp(path), "w");
	struct endpoint dst = unit_endpoint(servers[_i].dst), want = dst;
	struct endpoint hop = unit_endpoint("192.0.2.1:53");
	struct complaint why;
	struct route r;

	ck_assert_ptr_nonnull(f);
	fputs("nameserver 203.0.113.53\nnameserver 2001:db8::53\nnameserver 127.0.0.2\n"
	      "nameserver 10.0.0.1\nnameserver 198.18.0.53\nnameserver 192.0.2.1\n",
	      f);
	fclose(f);
	nameservers_set_path(path);
	endpoint_unmap(&want);
	ck_assert_int_eq(rules_parse("10.0.0.0/8", &cfg.no_proxy, &why), 0);
	for (int here = 0; here < 2; here++) {
		cfg.proxy.names_go_along = !here;
		route_find(&cfg, NULL, &hop, 1, &dst, &r);
		ck_assert_int_eq(r.kind, here ? servers[_i].here : servers[_i].along);
		ck_assert_endpoint_eq(&r.dst, &want);
		ck_assert_ptr_null(r.rule);
		ck_assert_ptr_nonnull(r.why);
	}
	cfg.broken = true;
	route_find(&cfg, NULL, &hop, 1, &dst, &r);
	ck_assert_int_eq(r.kind, ROUTE_REFUSE);
	cfg.broken = false;
	nameservers_set_path("/etc/resolv.conf");
	unlink(path);
}
END_TEST

UNIT_MAIN("tunnel route", { first_match_wins, ROWS(rows) },
          { a_broken_configuration_refuses_everything, ROWS(rows) },
          { a_placeholder_goes_by_its_name_in_both_families, 0 },
          { rules_come_in_their_order, ROWS(orders) },
          { name_servers_are_answered_in_place, ROWS(servers) })
