#include "unit.h"

#include <errno.h>
#include <names/pool.h>
#include <tunnel/route.h>

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

UNIT_MAIN("tunnel route", { first_match_wins, ROWS(rows) },
          { a_broken_configuration_refuses_everything, ROWS(rows) },
          { a_placeholder_goes_by_its_name_in_both_families, 0 })
