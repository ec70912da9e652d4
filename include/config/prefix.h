/* An address range in CIDR notation (RFC 4632, RFC 4291 section 2.3). */
#ifndef CONFIG_PREFIX_H
#define CONFIG_PREFIX_H

#include <base/endpoint.h>

struct prefix {
	enum endpoint_kind kind; /* ENDPOINT_IPV4 or ENDPOINT_IPV6 */
	uint8_t bits;            /* 0 to 32 or 128 */
	uint8_t ip[16];          /* octets beyond @bits are 0 */
};

/*
 * Read "ADDR" or "ADDR/BITS", an IPv6 address with or without brackets around it, never with a
 * scope. Bits beyond the length are cleared. ::ffff:0:0/96 and what lies in it become IPv4; a
 * shorter prefix of such an address is refused.
 *
 * Returns 0, or -EINVAL with @out untouched.
 */
int prefix_parse(struct prefix *out, const char *text, size_t len);

/* The endpoint's port does not count; a v4-mapped address is IPv4; a name is in no range. */
bool prefix_contains(const struct prefix *p, const struct endpoint *ep);

#endif
