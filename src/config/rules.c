/*
 * How it works: each item is cut at its port, then read as what it looks like: "*", an address or
 * a range, else a name. Names are kept in lower case, so that only the asked one is folded.
 */
#include <config/rules.h>

#include <arpa/inet.h>
#include <config/ascii.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define EXPECTS_ITEM \
	"*, NAME, .SUFFIX, ADDRESS or ADDRESS/BITS, each with an optional :PORT, commas between"
#define EXPECTS_PORT "a port from 1 to 65535"

struct item {
	const char *at;
	size_t len;
};

static bool is_separator(char c)
{
	return c == ',' || ascii_is_space(c);
}

static bool next_item(const char **at, struct item *item)
{
	const char *p = *at;

	while (is_separator(*p))
		p++;
	item->at = p;
	while (*p && !is_separator(*p))
		p++;
	item->len = (size_t)(p - item->at);
	*at = p;
	return item->len > 0;
}

/* The ":" in front of a port. A bare IPv6 address has none. */
static const char *port_colon(const struct item *item)
{
	const char *first = memchr(item->at, ':', item->len);
	const char *last = first ? memrchr(item->at, ':', item->len) : NULL;
	const char *bracket = memrchr(item->at, ']', item->len);

	if (bracket)
		return last && last > bracket ? last : NULL;
	return first == last ? last : NULL;
}

static int read_port(const char *at, size_t len, uint16_t *port)
{
	unsigned long v = 0;

	for (size_t i = 0; i < len; i++) {
		if (!ascii_is_digit(at[i]))
			return -EINVAL;
		v = v * 10 + (unsigned long)(at[i] - '0');
		if (v > UINT16_MAX)
			return -EINVAL;
	}
	*port = (uint16_t)v;
	return v > 0 ? 0 : -EINVAL;
}

/*
 * Does libc take it for an address, however odd: "10.1", "0x7f.1", "192.168." (inet_aton(3) knows
 * them). Such an item would match no name, and not the addresses that its writer thought of.
 */
static bool ends_in_number(const char *name, size_t len)
{
	const char *dot = memrchr(name, '.', len), *at = dot ? dot + 1 : name, *end = name + len;
	bool hex = end - at >= 2 && at[0] == '0' && ascii_lower(at[1]) == 'x';

	for (at += hex ? 2 : 0; at < end; at++)
		if (hex ? ascii_hex(*at) < 0 : !ascii_is_digit(*at))
			return false;
	return true;
}

/*
 * Octets that may stand in a name here: what separates, and what is another kind's, may not. Names
 * beyond ASCII are asked for in their xn-- form.
 */
static bool is_name(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!ascii_is_print(name[i]) || strchr(" *?/:[]@\"%,\\", name[i]))
			return false;
	return len > 0 && name[len - 1] != '.' && endpoint_name_is_valid(name, len) &&
	       !ends_in_number(name, len);
}

bool rules_is_name(const char *name, size_t len)
{
	bool suffix = len > 0 && name[0] == '.';

	if (len > 1 && name[len - 1] == '.')
		len--;
	return len <= ENDPOINT_NAME_MAX && is_name(name + suffix, len - suffix) &&
	       prefix_parse(&(struct prefix){ 0 }, name, len) < 0;
}

static int add_name(struct rules *out, struct rule *rule, const char *name, size_t len)
{
	bool suffix = name[0] == '.';

	if (!rules_is_name(name, len))
		return -EINVAL;
	if (len > 1 && name[len - 1] == '.')
		len--;
	if (out->text_len + len + 1 > sizeof(out->text))
		return -ENOSPC;
	rule->kind = suffix ? RULE_SUFFIX : RULE_NAME;
	rule->name_at = (uint16_t)out->text_len;
	rule->name_len = (uint8_t)len;
	for (size_t i = 0; i < len; i++)
		out->text[out->text_len++] = ascii_lower(name[i]);
	out->text[out->text_len++] = '\0';
	return 0;
}

int rules_read_range(struct prefix *out, const char *at, size_t len)
{
	if (len > 2 && at[0] == '[' && at[len - 1] == ']' && memchr(at, '/', len)) {
		at++;
		len -= 2;
	}
	return prefix_parse(out, at, len);
}

static int read_item(struct rules *out, const struct item *item, struct complaint *why)
{
	const char *colon = port_colon(item);
	size_t len = colon ? (size_t)(colon - item->at) : item->len;
	const char *at = item->at;
	struct rule rule = { 0 };
	int err = 0;

	if (out->n == RULES_MAX) {
		why->problem = "the list is too long";
		why->expects = "at most 1024 items";
		return -EINVAL;
	}
	if (colon && read_port(colon + 1, item->len - len - 1, &rule.port) < 0) {
		why->problem = "no such port";
		why->expects = EXPECTS_PORT;
		return -EINVAL;
	}
	if (len > 2 && at[0] == '*' && at[1] == '.') {
		at++;
		len--;
	}
	if (len == 1 && at[0] == '*')
		rule.kind = RULE_ALL;
	else if (rules_read_range(&rule.prefix, at, len) == 0)
		rule.kind = RULE_PREFIX;
	else
		err = len > 0 ? add_name(out, &rule, at, len) : -EINVAL;
	if (err < 0) {
		why->problem = err == -ENOSPC ? "the list is too long" : "it is no such item";
		why->expects = err == -ENOSPC ? "names of at most 16384 octets together"
		                              : EXPECTS_ITEM;
		return -EINVAL;
	}
	out->all[out->n++] = rule;
	return 0;
}

int rules_parse(const char *text, struct rules *out, struct complaint *why)
{
	const char *at = text;
	struct complaint one;
	struct item item;
	int err = 0;

	out->n = out->text_len = 0;
	while (next_item(&at, &item)) {
		one.at = (size_t)(item.at - text);
		if (read_item(out, &item, &one) < 0 && err == 0) {
			*why = one;
			err = -EINVAL;
		}
	}
	return err;
}

static bool name_matches(const struct rules *r, const struct rule *rule, const char *name,
                         size_t len)
{
	const char *own = r->text + rule->name_at;

	switch (rule->kind) {
	case RULE_ALL:
		return true;
	case RULE_NAME:
		return len == rule->name_len && ascii_equal(own, name, len);
	case RULE_SUFFIX:
		return len > rule->name_len &&
		       ascii_equal(own, name + len - rule->name_len, rule->name_len);
	case RULE_PREFIX:
		break;
	}
	return false;
}

static size_t without_dot(const char *name, size_t len)
{
	return len > 1 && name[len - 1] == '.' ? len - 1 : len;
}

const struct rule *rules_find(const struct rules *r, const struct endpoint *ep)
{
	size_t len = ep->kind == ENDPOINT_NAME ? without_dot(ep->name, ep->name_len) : 0;

	if (ep->kind == ENDPOINT_NONE)
		return NULL;
	for (size_t i = 0; i < r->n; i++) {
		const struct rule *rule = &r->all[i];

		if (rule->port != 0 && rule->port != ep->port)
			continue;
		if (len > 0 ? name_matches(r, rule, ep->name, len)
		            : rule->kind == RULE_ALL || (rule->kind == RULE_PREFIX &&
		                                         prefix_contains(&rule->prefix, ep)))
			return rule;
	}
	return NULL;
}

const struct rule *rules_find_name(const struct rules *r, const char *name, size_t len)
{
	len = without_dot(name, len);
	for (size_t i = 0; i < r->n; i++)
		if (r->all[i].port == 0 && name_matches(r, &r->all[i], name, len))
			return &r->all[i];
	return NULL;
}

bool rules_match_port(const struct rules *r, const struct rule *rule, const char *name, size_t len)
{
	return rule->port != 0 && (rule->kind == RULE_NAME || rule->kind == RULE_SUFFIX) &&
	       name_matches(r, rule, name, without_dot(name, len));
}

char *rules_format(const struct rules *r, const struct rule *rule, char *buf, size_t cap)
{
	const struct prefix *p = &rule->prefix;
	bool whole = p->bits == (p->kind == ENDPOINT_IPV4 ? 32 : 128);
	char port[8] = "", bits[8] = "", addr[INET6_ADDRSTRLEN];

	if (rule->port)
		snprintf(port, sizeof(port), ":%u", rule->port);
	switch (rule->kind) {
	case RULE_ALL:
		snprintf(buf, cap, "*%s", port);
		break;
	case RULE_NAME:
	case RULE_SUFFIX:
		snprintf(buf, cap, "%s%s", r->text + rule->name_at, port);
		break;
	case RULE_PREFIX:
		if (!whole)
			snprintf(bits, sizeof(bits), "/%u", p->bits);
		inet_ntop(p->kind == ENDPOINT_IPV4 ? AF_INET : AF_INET6, p->ip, addr, sizeof(addr));
		snprintf(buf, cap, p->kind == ENDPOINT_IPV6 && rule->port ? "[%s%s]%s" : "%s%s%s",
		         addr, bits, port);
		break;
	}
	return buf;
}

char *rules_format_all(const struct rules *r, char *buf, size_t cap)
{
	char item[RULES_ITEM_MAX];
	size_t len = 0;

	/* What begins with a comma is not empty even where there is no item. */
	snprintf(buf, cap, ",");
	for (size_t i = 0; i < r->n && len < cap; i++)
		len += (size_t)snprintf(buf + len, cap - len, "%s%s", i > 0 ? "," : "",
		                        rules_format(r, &r->all[i], item, sizeof(item)));
	return buf;
}
