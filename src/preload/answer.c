#include "answer.h"

#include "audit.h"
#include "session.h"

#include <arpa/inet.h>
#include <base/log.h>
#include <errno.h>
#include <names/direct.h>
#include <names/pool.h>
#include <names/verdict.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum answer_kind find_placeholder(const char *name, size_t len, int family,
                                         struct endpoint *out)
{
	struct table *t = session_names();
	uint32_t slot;
	int err = t ? table_put(t, name, len, &slot) : -ENOMEM;

	if (err == -EINVAL)
		return ANSWER_NO_NAME;
	if (err < 0) {
		log_error("no placeholder address for \"%s\": %s", name,
		          t && table_is_full(t)
		                  ? "all of them are given; SOCKSIFY_POOL can name larger ranges"
		                  : "no memory for the table of names");
		return ANSWER_FULL;
	}
	if (family == AF_INET6)
		pool_ipv6(slot, out);
	else
		pool_ipv4(slot, out);
	log_debug("%s[%d]: the placeholder of %s is %s", program_invocation_short_name,
	          (int)getpid(), name, ENDPOINT_TEXT(out));
	return ANSWER_ADDRESSES;
}

void answer_numeric(const char *name, int family, struct answer *out)
{
	struct in_addr v4;
	struct endpoint *ep = &out->addresses[0];
	bool is_v6 = strchr(name, ':') != NULL;

	out->n = 0;
	out->kind = ANSWER_NO_NAME;
	if (is_v6 != (family == AF_INET6))
		return;
	if (is_v6 && endpoint_parse_ip(ep, name) < 0)
		return;
	if (!is_v6) {
		inet_aton(name, &v4);
		endpoint_set_ipv4(ep, (const uint8_t *)&v4, 0);
	}
	out->n = 1;
	out->kind = ANSWER_ADDRESSES;
}

/* libc puts ::1 before 127.0.0.1 (RFC 6724, rule 6). */
static void order_local(struct answer *out)
{
	for (size_t i = 1; i < out->n; i++) {
		struct endpoint ep = out->addresses[i];

		if (ep.kind != ENDPOINT_IPV6 || !endpoint_is_loopback(&ep))
			continue;
		memmove(&out->addresses[1], &out->addresses[0], i * sizeof(ep));
		out->addresses[0] = ep;
		return;
	}
}

static void note(const struct endpoint *ep)
{
	struct table *t = session_names();

	if (!t || direct_note(t, ep) < 0)
		log_warn("no memory to note that %s is direct: it goes to the proxy",
		         ENDPOINT_TEXT(ep));
}

/* @ep  without a port */
static void note_ruled(const char *name, struct endpoint *ep)
{
	const struct rules *rules = &session_config()->no_proxy;
	size_t len = strlen(name);

	if (rules_find_name(rules, name, len)) {
		note(ep);
		return;
	}
	for (size_t i = 0; i < rules->n; i++) {
		if (!rules_match_port(rules, &rules->all[i], name, len))
			continue;
		ep->port = rules->all[i].port;
		note(ep);
	}
	ep->port = 0;
}

void answer_note(const char *name, int family, const void *ip)
{
	struct endpoint ep;

	if (family == AF_INET)
		endpoint_set_ipv4(&ep, ip, 0);
	else if (family == AF_INET6)
		endpoint_set_ipv6(&ep, ip, 0);
	else
		return;
	note_ruled(name, &ep);
}

static void find_local(const char *name, size_t len, int family, struct answer *out)
{
	int n = local_find(name, len, family, out->addresses, LOCAL_MAX);

	out->n = n > 0 ? (size_t)n : 0;
	out->kind = n > 0 ? ANSWER_ADDRESSES : ANSWER_NO_DATA;
	order_local(out);
	for (size_t i = 0; out->ruled && i < out->n; i++)
		note_ruled(name, &out->addresses[i]);
}

bool answer_is_libcs(void)
{
	const struct config *cfg = session_config();

	return !cfg->broken && !cfg->proxy.names_go_along;
}

/* libc's resolver is to be asked; of what this machine knows itself it asks nobody. */
static void audit_asked(const char *name, size_t len, const struct verdict *v)
{
	char rule[RULES_ITEM_MAX], why[RULES_ITEM_MAX + 64];

	if (!audit_is_on() || local_find(name, len, AF_UNSPEC, NULL, 0) >= 0)
		return;
	if (v->kind == VERDICT_RULE)
		snprintf(why, sizeof(why), "%s, %s", v->why,
		         rules_format(&session_config()->no_proxy, v->rule, rule, sizeof(rule)));
	audit_note(DEED_ASKED, name, v->kind == VERDICT_RULE ? why : v->why);
}

void answer_find(const char *name, int family, struct answer *out)
{
	size_t len = strlen(name);
	struct verdict v;

	verdict_find(session_config(), name, len, &v);
	out->n = 0;
	out->numeric = v.kind == VERDICT_ADDRESS;
	out->ruled = v.ruled;
	out->local = v.kind == VERDICT_LOCAL;
	switch (v.kind) {
	case VERDICT_ADDRESS:
		out->kind = ANSWER_LIBC;
		break;
	case VERDICT_SCHEME:
	case VERDICT_RULE:
		out->kind = ANSWER_LIBC;
		audit_asked(name, len, &v);
		break;
	case VERDICT_NOBODY:
		out->kind = ANSWER_NO_NAME;
		break;
	case VERDICT_LOCAL:
		find_local(name, len, family, out);
		break;
	case VERDICT_PLACEHOLDER:
		out->kind = find_placeholder(name, len, family, &out->addresses[0]);
		out->n = out->kind == ANSWER_ADDRESSES ? 1 : 0;
		break;
	}
}
