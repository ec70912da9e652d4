#include "carried.h"

#include <config/prefix.h>

static const struct {
	struct prefix prefix;
	uint8_t at;   /* its first octet */
	uint8_t flip; /* each octet is XORed with this */
} carriers[] = {
	{ { ENDPOINT_IPV6, 96, { 0 } }, 12, 0 },                         /* RFC 4291 2.5.5.1 */
	{ { ENDPOINT_IPV6, 96, { [8] = 0xff, 0xff } }, 12, 0 },          /* RFC 2765 */
	{ { ENDPOINT_IPV6, 96, { 0, 0x64, 0xff, 0x9b } }, 12, 0 },       /* RFC 6052, NAT64 */
	{ { ENDPOINT_IPV6, 48, { 0, 0x64, 0xff, 0x9b, 0, 1 } }, 12, 0 }, /* RFC 8215, NAT64 */
	{ { ENDPOINT_IPV6, 16, { 0x20, 0x02 } }, 2, 0 },                 /* RFC 3056, 6to4 */
	{ { ENDPOINT_IPV6, 32, { 0x20, 0x01, 0, 0 } }, 4, 0 },     /* RFC 4380, Teredo: server */
	{ { ENDPOINT_IPV6, 32, { 0x20, 0x01, 0, 0 } }, 12, 0xff }, /* and client */
};

/* RFC 5214 section 6.1: the identifier of an interface, under any prefix. */
static bool is_isatap(const struct endpoint *ep)
{
	return (ep->ip[8] & 0xfc) == 0 && ep->ip[9] == 0 && ep->ip[10] == 0x5e &&
	       ep->ip[11] == 0xfe;
}

static void take(const struct endpoint *ep, size_t at, uint8_t flip, struct endpoint *out)
{
	uint8_t ip[4];

	for (size_t i = 0; i < sizeof(ip); i++)
		ip[i] = ep->ip[at + i] ^ flip;
	endpoint_set_ipv4(out, ip, ep->port);
}

size_t carried_in(const struct endpoint *ep, struct endpoint out[CARRIED_MAX])
{
	size_t n = 0;

	/* "::" and "::1" are not v4-compatible ones. */
	if (ep->kind != ENDPOINT_IPV6 || endpoint_is_unspecified(ep) || endpoint_is_loopback(ep))
		return 0;
	for (size_t i = 0; i < sizeof(carriers) / sizeof(carriers[0]); i++)
		if (prefix_contains(&carriers[i].prefix, ep))
			take(ep, carriers[i].at, carriers[i].flip, &out[n++]);
	if (is_isatap(ep))
		take(ep, 12, 0, &out[n++]);
	return n;
}
