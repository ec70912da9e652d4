#include <tunnel/route.h>

#include <errno.h>
#include <names/direct.h>
#include <names/nameservers.h>
#include <names/pool.h>

static void route_set(struct route *out, enum route_kind kind, int err, const char *why)
{
	out->kind = kind;
	out->err = err;
	out->why = why;
}

static bool is_own_proxy(const struct endpoint *hops, size_t n_hops, const struct endpoint *dst)
{
	for (size_t i = 0; i < n_hops; i++)
		if (endpoint_equal(&hops[i], dst))
			return true;
	return false;
}

/* Does a rule send it past the proxy? */
static bool is_ruled_direct(const struct config *cfg, struct route *out)
{
	out->rule = rules_find(&cfg->no_proxy, &out->dst);
	return out->rule != NULL;
}

/*
 * A placeholder goes by its name; one that nobody gave out goes nowhere at all. Whether a rule with
 * a port matches is known only now.
 */
static void route_placeholder(const struct config *cfg, const struct table *names,
                              struct route *out)
{
	uint32_t slot = pool_slot(&out->dst);
	const char *name = NULL;
	size_t len = 0;

	if (slot != 0 && names)
		name = table_name(names, slot, &len);
	if (!name || endpoint_set_name(&out->dst, name, len, out->dst.port) < 0)
		route_set(out, ROUTE_REFUSE, -EHOSTUNREACH, "a placeholder address without a name");
	else if (is_ruled_direct(cfg, out))
		route_set(out, ROUTE_DIRECT, 0, "a rule for its name");
	else
		route_set(out, ROUTE_PROXY, 0, "a name");
}

/* Under socks4:// and socks5:// the machine's own DNS serves programs, so they may speak it. */
static void route_nameserver(const struct config *cfg, struct route *out)
{
	if (cfg->proxy.names_go_along)
		route_set(out, ROUTE_ANSWER, 0, "a name server of resolv.conf");
	else
		route_set(out, ROUTE_DIRECT, 0, "a name server, and names are resolved here");
}

/* What other programs of the session noted is nothing to one that has no rule for any name. */
static bool has_rules_for_names(const struct config *cfg)
{
	for (size_t i = 0; i < cfg->no_proxy.n; i++)
		if (cfg->no_proxy.all[i].kind != RULE_PREFIX)
			return true;
	return false;
}

bool route_needs_names(const struct config *cfg, const struct endpoint *dst)
{
	if (cfg->broken)
		return false;
	if (pool_contains(dst))
		return true;
	return has_rules_for_names(cfg) &&
	       (cfg->loopback_too || (!endpoint_is_loopback(dst) && !endpoint_is_unspecified(dst)));
}

void route_find(const struct config *cfg, const struct table *names, const struct endpoint *hops,
                size_t n_hops, const struct endpoint *dst, struct route *out)
{
	out->dst = *dst;
	out->rule = NULL;
	endpoint_unmap(&out->dst);
	if (cfg->broken)
		route_set(out, ROUTE_REFUSE, -EACCES, "the configuration is malformed");
	else if (is_own_proxy(hops, n_hops, &out->dst))
		route_set(out, ROUTE_DIRECT, 0, "the proxy itself");
	else if (nameservers_has(&out->dst))
		route_nameserver(cfg, out);
	else if (pool_contains(&out->dst))
		route_placeholder(cfg, names, out);
	else if (is_ruled_direct(cfg, out))
		route_set(out, ROUTE_DIRECT, 0, "a rule for its address");
	else if (names && has_rules_for_names(cfg) && direct_find(names, &out->dst))
		route_set(out, ROUTE_DIRECT, 0, "an address of a name that a rule sends direct");
	else if (!cfg->loopback_too &&
	         (endpoint_is_loopback(&out->dst) || endpoint_is_unspecified(&out->dst)))
		route_set(out, ROUTE_DIRECT, 0, "loopback");
	else
		route_set(out, ROUTE_PROXY, 0, "an address");
}
