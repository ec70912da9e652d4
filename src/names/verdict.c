#include <names/verdict.h>

#include <arpa/inet.h>
#include <names/local.h>
#include <string.h>

/* Room for an address in text, however odd; what is longer is none. */
#define ADDRESS_TEXT_MAX 256

/*
 * An address as libc reads it: inet_aton()'s short and hexadecimal forms too. Blanks end
 * inet_aton()'s view, but belong to no address.
 */
static bool is_address(const char *name, size_t len)
{
	char text[ADDRESS_TEXT_MAX];
	struct in_addr v4;
	struct endpoint ep;

	if (len >= sizeof(text) || memchr(name, '\0', len))
		return false;
	memcpy(text, name, len);
	text[len] = '\0';
	if (strchr(text, ':'))
		return endpoint_parse_ip(&ep, text) == 0;
	return !strpbrk(text, " \t\n\r\v\f") && inet_aton(text, &v4) != 0;
}

/* No blank, no control octet, no colon: such a text may be many things, but is nobody's name. */
static const char *nobodys(const char *name, size_t len)
{
	if (len == 0)
		return "it is empty";
	if (memchr(name, ':', len))
		return "it has a colon, and is no address";
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] <= ' ' || name[i] == 0x7f)
			return "it has a blank or a control character";
	if (!endpoint_name_is_valid(name, len))
		return "it is over 253 octets, or has an empty label or one of over 63";
	return NULL;
}

/* Is there a rule that sends the name direct at one port? */
static bool has_port(const struct rules *rules, const char *name, size_t len)
{
	for (size_t i = 0; i < rules->n; i++)
		if (rules_match_port(rules, &rules->all[i], name, len))
			return true;
	return false;
}

static void set(struct verdict *out, enum verdict_kind kind, const char *why)
{
	out->kind = kind;
	out->why = why;
}

void verdict_find(const struct config *cfg, const char *name, size_t len, struct verdict *out)
{
	const struct rules *rules = &cfg->no_proxy;
	const char *problem;

	*out = (struct verdict){ 0 };
	if (is_address(name, len)) {
		set(out, VERDICT_ADDRESS, "it is an address: nobody needs to be asked");
		return;
	}
	problem = nobodys(name, len);
	if (!cfg->broken) {
		out->rule = rules_find_name(rules, name, len);
		out->ruled = out->rule || has_port(rules, name, len);
	}
	if (!cfg->broken && !cfg->proxy.names_go_along)
		set(out, VERDICT_SCHEME, "the proxy's scheme leaves names to this machine");
	else if (problem)
		*out = (struct verdict){ .kind = VERDICT_NOBODY, .why = problem };
	else if (local_find(name, len, AF_UNSPEC, NULL, 0) >= 0)
		set(out, VERDICT_LOCAL, "this machine knows it");
	else if (out->rule)
		set(out, VERDICT_RULE, "a rule for its name");
	else
		set(out, VERDICT_PLACEHOLDER, "the proxy resolves it");
}
