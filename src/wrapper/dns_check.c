/*
 * How it works: the same verdict and the same routes that the library's hooks ask for are asked
 * here, and put into words; of the session's names those that have a placeholder already are known
 * by its table, which is not made where it is not there.
 */
#include "dns_check.h"

#include "options.h"

#include <arpa/inet.h>
#include <base/errtext.h>
#include <errno.h>
#include <names/local.h>
#include <names/nameservers.h>
#include <names/pool.h>
#include <names/table.h>
#include <names/verdict.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <tunnel/route.h>
#include <unistd.h>

#define PORT_SHOWN 443 /* of the connects that are told of, beside those that rules name */
#define TEXT_MAX   1024

struct check {
	const struct config *cfg;
	struct table *table; /* NULL: there is none yet */
	struct endpoint hop; /* the proxy's own address, where it needs no asking */
	size_t n_hops;
};

__attribute__((format(printf, 2, 3))) static void row(const char *what, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("%-12s ", what);
	vprintf(fmt, args);
	putchar('\n');
	va_end(args);
}

/* For a terminal: what can't be shown is a "?", what is too long is cut. */
static const char *shown(const char *text, char buf[ENDPOINT_TEXT_MAX])
{
	size_t n;

	for (n = 0; text[n] && n < ENDPOINT_TEXT_MAX - 1; n++)
		buf[n] = text[n] >= ' ' && text[n] < 0x7f ? text[n] : '?';
	buf[n] = '\0';
	return buf;
}

/* "2001:db8::1": without a port, and the brackets that a port needs. */
static const char *address_text(const struct endpoint *ep, char buf[ENDPOINT_TEXT_MAX])
{
	char *end;

	endpoint_format(ep, buf, ENDPOINT_TEXT_MAX);
	end = strrchr(buf, ep->kind == ENDPOINT_IPV6 ? ']' : ':');
	if (end)
		*end = '\0';
	return ep->kind == ENDPOINT_IPV6 ? buf + 1 : buf;
}

static const char *range_text(const struct prefix *p, char buf[RULES_ITEM_MAX])
{
	const struct rule rule = { .kind = RULE_PREFIX, .prefix = *p };

	return rules_format(&(struct rules){ 0 }, &rule, buf, RULES_ITEM_MAX);
}

static const char *rule_text(const struct check *ck, const struct rule *rule,
                             char buf[RULES_ITEM_MAX])
{
	return rules_format(&ck->cfg->no_proxy, rule, buf, RULES_ITEM_MAX);
}

static void find_route(const struct check *ck, const struct endpoint *dst, struct route *out)
{
	route_find(ck->cfg, ck->table, &ck->hop, ck->n_hops, dst, out);
}

/* @name  what was looked up to get the address @dst, which makes a rule for it count; or NULL */
static void tell_connect(const struct check *ck, const struct endpoint *dst,
                         const struct endpoint *name, const char *then)
{
	char to[ENDPOINT_TEXT_MAX], rule[RULES_ITEM_MAX];
	struct route r;

	endpoint_format(dst, to, sizeof(to));
	find_route(ck, dst, &r);
	if (r.kind == ROUTE_PROXY && name) {
		r.rule = rules_find(&ck->cfg->no_proxy, name);
		r.kind = r.rule ? ROUTE_DIRECT : ROUTE_PROXY;
	}
	switch (r.kind) {
	case ROUTE_DIRECT:
		if (r.rule)
			row("connect", "%s: direct, by the rule %s%s", to,
			    rule_text(ck, r.rule, rule), then);
		else
			row("connect", "%s: direct: %s", to, r.why);
		break;
	case ROUTE_PROXY:
		if (r.dst.kind != ENDPOINT_NAME)
			row("connect", "%s: through the proxy, by address", to);
		else if (dst->kind == ENDPOINT_NAME)
			row("connect", "%s: through the proxy, by name", to);
		else
			row("connect", "%s: through the proxy, as %s", to, ENDPOINT_TEXT(&r.dst));
		break;
	case ROUTE_REFUSE:
		row("connect", "%s: refused: %s (%s)", to, r.why, err_text(r.err));
		break;
	case ROUTE_ANSWER:
		row("connect", "%s: answered in place: it is %s", to, r.why);
		break;
	}
}

/* Does this rule decide of its own port, and no rule before it? */
static bool decides(const struct rules *rules, const struct rule *rule, struct endpoint dst)
{
	dst.port = rule->port;
	return rule->port != 0 && rules_find(rules, &dst) == rule;
}

/* The port that is shown, and each that a rule has. */
static void tell_connects(const struct check *ck, struct endpoint dst, const char *looked_up,
                          const char *then)
{
	const struct rules *rules = &ck->cfg->no_proxy;
	struct endpoint name = { .kind = ENDPOINT_NONE };
	bool named = looked_up &&
	             endpoint_set_name(&name, looked_up, strlen(looked_up), PORT_SHOWN) == 0;

	dst.port = PORT_SHOWN;
	tell_connect(ck, &dst, named ? &name : NULL, then);
	for (size_t i = 0; i < rules->n; i++) {
		const struct rule *rule = &rules->all[i];

		if (rule->port == PORT_SHOWN ||
		    (!decides(rules, rule, dst) && !decides(rules, rule, name)))
			continue;
		dst.port = name.port = rule->port;
		tell_connect(ck, &dst, named ? &name : NULL, then);
	}
}

/* What becomes of a question for the name to a name server of resolv.conf. */
static const char *question_text(const struct check *ck, const struct verdict *v)
{
	bool tunnel = ck->cfg->dns == DNS_POLICY_TUNNEL;

	switch (v->kind) {
	case VERDICT_SCHEME:
		return "asked by this machine";
	case VERDICT_RULE:
		return "asked by this machine, since the name goes direct";
	case VERDICT_LOCAL:
		return "answered in place, with these addresses";
	case VERDICT_PLACEHOLDER:
		return tunnel ? "asked through the proxy, over TCP"
		              : "answered in place: the placeholder, and no other records";
	case VERDICT_NOBODY:
	case VERDICT_ADDRESS:
		break;
	}
	return tunnel ? "asked through the proxy, over TCP" : "answered in place: no such name";
}

/* @asked  what happens where the library sees to it */
static void tell_dns(const struct check *ck, const char *asked)
{
	struct endpoint servers[NAMESERVERS_MAX];
	size_t n = nameservers_list(servers, NAMESERVERS_MAX);
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < n; i++) {
		struct route r;

		find_route(ck, &servers[i], &r);
		row("DNS", "to %s: %s%s", address_text(&servers[i], text),
		    r.kind == ROUTE_ANSWER ? "" : "direct: ",
		    r.kind == ROUTE_ANSWER ? asked : r.why);
	}
	row("DNS", "to other servers: through the proxy by TCP, refused by UDP%s",
	    ck->cfg->no_proxy.n > 0 ? ", unless a rule sends it past" : "");
}

static void list_addresses(const struct endpoint *eps, int n, char out[TEXT_MAX])
{
	char text[ENDPOINT_TEXT_MAX];
	size_t at = 0;

	snprintf(out, TEXT_MAX, "no address");
	for (int i = 0; i < n && at < TEXT_MAX; i++)
		at += (size_t)snprintf(out + at, TEXT_MAX - at, "%s%s", i > 0 ? ", " : "",
		                       address_text(&eps[i], text));
}

static void tell_local(const struct check *ck, const char *name)
{
	static const struct {
		int family;
		const char *label;
	} families[] = { { AF_INET, "IPv4" }, { AF_INET6, "IPv6" } };
	struct endpoint eps[2][LOCAL_MAX];
	char text[TEXT_MAX];
	int n[2];

	for (int f = 0; f < 2; f++) {
		n[f] = local_find(name, strlen(name), families[f].family, eps[f], LOCAL_MAX);
		list_addresses(eps[f], n[f], text);
		row(families[f].label, "getaddrinfo and gethostbyname: %s", text);
	}
	tell_dns(ck, "answered in place, with these addresses");
	for (int f = 0; f < 2; f++)
		for (int i = 0; i < n[f]; i++)
			tell_connects(ck, eps[f][i], name, "; it is noted");
}

static void tell_placeholder(const struct check *ck, const struct verdict *v, const char *name)
{
	size_t len = strlen(name);
	uint32_t slot = ck->table ? table_find(ck->table, name, len) : 0;
	char text[ENDPOINT_TEXT_MAX], range[RULES_ITEM_MAX];
	struct endpoint ep = { 0 };

	for (int v6 = 0; v6 < 2; v6++) {
		const char *label = v6 ? "IPv6" : "IPv4";

		if (slot == 0) {
			row(label, "getaddrinfo and gethostbyname: one of %s, once it is looked up",
			    range_text(v6 ? &ck->cfg->pool_ipv6 : &ck->cfg->pool_ipv4, range));
			continue;
		}
		(v6 ? pool_ipv6 : pool_ipv4)(slot, &ep);
		row(label, "getaddrinfo and gethostbyname: %s, as this session has it",
		    address_text(&ep, text));
	}
	tell_dns(ck, question_text(ck, v));
	if (endpoint_set_name(&ep, name, len, 0) == 0)
		tell_connects(ck, ep, NULL, "; resolved here then");
}

static void tell_resolved_here(const struct check *ck, const struct verdict *v, const char *name)
{
	struct endpoint ep = { 0 };

	row("IPv4, IPv6", "getaddrinfo and gethostbyname: libc asks, as without socksify");
	tell_dns(ck, question_text(ck, v));
	if (v->rule && endpoint_set_name(&ep, name, strlen(name), 0) == 0)
		tell_connects(ck, ep, NULL, "; its addresses are noted");
	else
		row("connect", "by the address that is found: tell --dns-check of that one");
}

static const char *verdict_text(const struct verdict *v, const char *name)
{
	const struct hosts *hosts;

	switch (v->kind) {
	case VERDICT_ADDRESS:
		return "an address: nobody is asked what it means";
	case VERDICT_SCHEME:
		return "this machine's to resolve: the proxy's scheme has no h or a at its end";
	case VERDICT_NOBODY:
		return "nobody's name";
	case VERDICT_RULE:
		return "this machine's to resolve: a rule sends it past the proxy";
	case VERDICT_PLACEHOLDER:
		return "a placeholder: the proxy is told the name";
	case VERDICT_LOCAL:
		break;
	}
	hosts = local_hosts();
	return hosts && hosts_knows(hosts, name, strlen(name))
	               ? "local: the hosts file lists it"
	               : "local: this machine's own, or reserved for it";
}

/* Returns whether it is somebody's name. */
static bool tell_name(const struct check *ck, const struct verdict *v, const char *name)
{
	char text[ENDPOINT_TEXT_MAX], rule[RULES_ITEM_MAX];

	row("name", "%s", shown(name, text));
	if (v->kind == VERDICT_NOBODY)
		row("verdict", "%s: %s", verdict_text(v, name), v->why);
	else
		row("verdict", "%s", verdict_text(v, name));
	if (v->rule)
		row("rule", "%s", rule_text(ck, v->rule, rule));
	switch (v->kind) {
	case VERDICT_NOBODY:
		row("IPv4, IPv6", "getaddrinfo and gethostbyname: no such name");
		tell_dns(ck, question_text(ck, v));
		return false;
	case VERDICT_LOCAL:
		tell_local(ck, name);
		break;
	case VERDICT_PLACEHOLDER:
		tell_placeholder(ck, v, name);
		break;
	case VERDICT_SCHEME:
	case VERDICT_RULE:
	case VERDICT_ADDRESS:
		tell_resolved_here(ck, v, name);
		break;
	}
	return true;
}

/* As libc reads it; it is known to be one. */
static void read_address(const char *text, struct endpoint *out)
{
	struct in_addr v4 = { 0 };

	memset(out, 0, sizeof(*out));
	if (strchr(text, ':')) {
		endpoint_parse_ip(out, text);
		return;
	}
	inet_aton(text, &v4);
	endpoint_set_ipv4(out, (const uint8_t *)&v4, 0);
}

/* Link-local, multicast and reserved ones: a name of theirs would be of this link alone. */
static bool is_nobodys(const struct endpoint *ep)
{
	if (endpoint_is_unspecified(ep))
		return true;
	if (ep->kind == ENDPOINT_IPV6)
		return (ep->ip[0] == 0xfe && (ep->ip[1] & 0xc0) == 0x80) || ep->ip[0] == 0xff;
	return (ep->ip[0] == 169 && ep->ip[1] == 254) || ep->ip[0] >= 224;
}

static bool is_hop(const struct check *ck, const struct endpoint *ep)
{
	struct endpoint hop = ck->hop;

	hop.port = ep->port;
	return ck->n_hops > 0 && endpoint_equal(&hop, ep);
}

/* The way back, from an address to a name. */
static void tell_reverse(const struct check *ck, const struct endpoint *ep)
{
	const struct config *cfg = ck->cfg;
	uint32_t slot = ck->table ? pool_slot(ep) : 0;
	const char *known = slot ? table_name(ck->table, slot, &(size_t){ 0 }) : NULL;
	char name[LOCAL_NAME_MAX], text[ENDPOINT_TEXT_MAX];
	struct route r;

	find_route(ck, ep, &r);
	if (pool_contains(ep) && known)
		row("reverse", "%s, of which it is this session's placeholder", shown(known, text));
	else if (pool_contains(ep))
		row("reverse", "no name: a placeholder that %s",
		    ck->table ? "this session has not given" : "no session has given yet");
	else if (!cfg->proxy.names_go_along)
		row("reverse", "libc asks, as without socksify");
	else if (local_name_of(ep, name))
		row("reverse", "%s, as this machine knows", shown(name, text));
	else if (is_nobodys(ep))
		row("reverse", "no name: an address of no one machine's in the world");
	else if (r.kind == ROUTE_DIRECT)
		row("reverse", "libc asks: the address goes direct");
	else if (is_hop(ck, ep))
		row("reverse", "no name: it is the proxy's own");
	else if (cfg->proxy.protocol == SOCKS_V5)
		row("reverse", "asked of the proxy, where it can tell; else no name");
	else
		row("reverse", "no name: SOCKS4 has no such question");
}

static void tell_address(const struct check *ck, const char *text)
{
	char buf[ENDPOINT_TEXT_MAX];
	struct endpoint ep;
	struct verdict v;

	verdict_find(ck->cfg, text, strlen(text), &v);
	read_address(text, &ep);
	row("address", "%s", shown(text, buf));
	row("verdict", "%s", verdict_text(&v, text));
	endpoint_unmap(&ep);
	tell_reverse(ck, &ep);
	tell_connects(ck, ep, NULL, "");
}

/* Where there is none, none is made. */
static struct table *open_table(const char *path)
{
	struct table *t = NULL;
	int why;

	if (path[0] == '\0' || access(path, F_OK) < 0)
		return NULL;
	t = table_open(path, &why);
	if (t && why < 0) {
		row("names", "the session's table can't be used: %s",
		    why == -EDOM ? "it is of another SOCKSIFY_POOL" : err_text(why));
		table_close(t);
		t = NULL;
	}
	return t;
}

int dns_check_run(const struct config *cfg, const char *origin, char **names)
{
	struct check ck = { .cfg = cfg };
	int status = 0;

	if (cfg->broken) {
		fprintf(stderr, "socksify: %s\n", cfg->complaint);
		return EXIT_SOCKSIFY;
	}
	pool_init(&cfg->pool_ipv4, &cfg->pool_ipv6);
	row("proxy", "%s (%s)", cfg->proxy.label, origin);
	ck.table = open_table(cfg->names_path);
	ck.hop = cfg->proxy.addr;
	endpoint_unmap(&ck.hop);
	ck.n_hops = ck.hop.kind == ENDPOINT_NAME ? 0 : 1;
	for (; *names; names++) {
		struct verdict v;

		putchar('\n');
		verdict_find(cfg, *names, strlen(*names), &v);
		if (v.kind == VERDICT_ADDRESS)
			tell_address(&ck, *names);
		else if (!tell_name(&ck, &v, *names))
			status = DNS_CHECK_NOBODY;
	}
	if (ck.table)
		table_close(ck.table);
	return fflush(stdout) == 0 && !ferror(stdout) ? status : EXIT_SOCKSIFY;
}
