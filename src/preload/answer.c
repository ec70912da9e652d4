#include "answer.h"

#include "session.h"

#include <arpa/inet.h>
#include <base/log.h>
#include <errno.h>
#include <names/direct.h>
#include <names/pool.h>
#include <string.h>
#include <unistd.h>

/*
 * An address as libc reads it: inet_aton()'s short and hexadecimal forms too. Blanks end
 * inet_aton()'s view, but belong to no address.
 */
static bool is_address(const char *name)
{
	struct in_addr v4;
	struct endpoint ep;

	if (strchr(name, ':'))
		return endpoint_parse_ip(&ep, name) == 0;
	return !strpbrk(name, " \t\n\r\v\f") && inet_aton(name, &v4) != 0;
}

/* No blank, no control octet, no colon: such a text may be many things, but is nobody's name. */
static bool is_spoken(const char *name)
{
	for (; *name; name++)
		if ((unsigned char)*name <= ' ' || *name == 0x7f || *name == ':')
			return false;
	return true;
}

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

/*
 * The next rule, from number @from on, that sends a name direct at one port. It is set in @name.
 * Such a rule for everything knows addresses, too, and needs no note.
 */
static size_t next_port(const struct rules *rules, size_t from, struct endpoint *name)
{
	size_t i;

	for (i = from; i < rules->n; i++) {
		const struct rule *rule = &rules->all[i];

		name->port = rule->port;
		if (rule->port != 0 && (rule->kind == RULE_NAME || rule->kind == RULE_SUFFIX) &&
		    rules_find(rules, name))
			break;
	}
	return i;
}

/* Does a rule send the name direct, at one port at least? */
static bool is_ruled(const struct rules *rules, const char *name, size_t len)
{
	struct endpoint ep;

	return rules->n > 0 &&
	       (rules_find_name(rules, name, len) ||
	        (endpoint_set_name(&ep, name, len, 0) == 0 && next_port(rules, 0, &ep) < rules->n));
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
	struct endpoint asked;

	if (rules_find_name(rules, name, len)) {
		note(ep);
		return;
	}
	if (endpoint_set_name(&asked, name, len, 0) < 0)
		return;
	for (size_t i = next_port(rules, 0, &asked); i < rules->n;
	     i = next_port(rules, i + 1, &asked)) {
		ep->port = asked.port;
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

void answer_find(const char *name, int family, struct answer *out)
{
	const struct config *cfg = session_config();
	size_t len = strlen(name);
	int local;

	out->n = 0;
	out->numeric = is_address(name);
	out->ruled = !out->numeric && !cfg->broken && is_ruled(&cfg->no_proxy, name, len);
	if (out->numeric || (!cfg->broken && !cfg->proxy.names_go_along)) {
		out->kind = ANSWER_LIBC;
		return;
	}
	if (!endpoint_name_is_valid(name, len) || !is_spoken(name)) {
		out->kind = ANSWER_NO_NAME;
		return;
	}
	local = local_find(name, len, family, out->addresses, LOCAL_MAX);
	if (local >= 0) {
		out->n = (size_t)local;
		out->kind = local > 0 ? ANSWER_ADDRESSES : ANSWER_NO_DATA;
		order_local(out);
		for (size_t i = 0; out->ruled && i < out->n; i++)
			note_ruled(name, &out->addresses[i]);
		return;
	}
	if (out->ruled && rules_find_name(&cfg->no_proxy, name, len)) {
		out->kind = ANSWER_LIBC;
		return;
	}
	out->kind = find_placeholder(name, len, family, &out->addresses[0]);
	out->n = out->kind == ANSWER_ADDRESSES ? 1 : 0;
}
