#include "acl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CIDR_TEXT_MAX 64

void acl_fini(struct acl *acl)
{
	free(acl->prefixes);
	*acl = (struct acl){ 0 };
}

/* "0" to "128", nothing else. */
static int parse_bits(const char *text, unsigned max, uint8_t *bits)
{
	size_t len = strlen(text);
	unsigned v = 0;

	if (len < 1 || len > 3 || (len > 1 && text[0] == '0'))
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		v = v * 10 + (unsigned)(text[i] - '0');
	}
	if (v > max)
		return -EINVAL;
	*bits = (uint8_t)v;
	return 0;
}

int acl_add(struct acl *acl, const char *cidr)
{
	char text[CIDR_TEXT_MAX];
	struct acl_prefix *grown, *p;
	struct endpoint ep = { 0 };
	unsigned max, mapped = 0;
	size_t len = strlen(cidr);
	uint8_t bits;
	char *slash;

	if (len >= sizeof(text))
		return -EINVAL;
	memcpy(text, cidr, len + 1);
	slash = strchr(text, '/');
	if (slash)
		*slash = '\0';
	/* A prefix has no scope: whoever gives one means something that it won't do. */
	if (strchr(text, '%') || endpoint_parse_ip(&ep, text) < 0)
		return -EINVAL;
	max = ep.kind == ENDPOINT_IPV4 ? 32 : 128;
	bits = (uint8_t)max;
	if (slash && parse_bits(slash + 1, max, &bits) < 0)
		return -EINVAL;
	/* Clients are compared unmapped, so ::ffff:192.0.2.0/120 must become 192.0.2.0/24. */
	if (ep.kind == ENDPOINT_IPV6) {
		endpoint_unmap(&ep);
		mapped = ep.kind == ENDPOINT_IPV4 ? 96 : 0;
	}
	if (bits < mapped)
		return -EINVAL;
	grown = realloc(acl->prefixes, (acl->n + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	acl->prefixes = grown;
	p = &grown[acl->n++];
	*p = (struct acl_prefix){ .kind = ep.kind, .bits = (uint8_t)(bits - mapped) };
	memcpy(p->ip, ep.ip, sizeof(p->ip));
	return 0;
}

static bool prefix_holds(const struct acl_prefix *p, const struct endpoint *ep)
{
	size_t whole = p->bits / 8;
	uint8_t mask = (uint8_t)(0xff << (8 - p->bits % 8));

	if (p->kind != ep->kind || memcmp(p->ip, ep->ip, whole) != 0)
		return false;
	return p->bits % 8 == 0 || ((p->ip[whole] ^ ep->ip[whole]) & mask) == 0;
}

bool acl_holds(const struct acl *acl, const struct endpoint *ep)
{
	struct endpoint plain = *ep;

	endpoint_unmap(&plain);
	for (size_t i = 0; i < acl->n; i++)
		if (prefix_holds(&acl->prefixes[i], &plain))
			return true;
	return false;
}
