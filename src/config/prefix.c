#include <config/prefix.h>

#include <config/ascii.h>
#include <errno.h>
#include <string.h>

#define TEXT_MAX 64 /* the longest address in text, brackets and NUL included, has room */

/* ::ffff:0:0/96 (RFC 4291 section 2.5.5.2). */
static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
#define MAPPED_BITS 96

static bool is_mapped(enum endpoint_kind kind, const uint8_t *ip)
{
	return kind == ENDPOINT_IPV6 && memcmp(ip, mapped, sizeof(mapped)) == 0;
}

/* "0" to "999", nothing else; or -1. */
static int parse_bits(const char *at, size_t len)
{
	int v = 0;

	if (len == 0 || len > 3 || (len > 1 && at[0] == '0'))
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (!ascii_is_digit(at[i]))
			return -1;
		v = v * 10 + (at[i] - '0');
	}
	return v;
}

static void clear_beyond(uint8_t *ip, size_t ip_len, unsigned bits)
{
	for (size_t i = 0; i < ip_len; i++) {
		unsigned kept = bits > 8 * i ? bits - 8 * (unsigned)i : 0;

		if (kept < 8)
			ip[i] &= (uint8_t) ~(0xffu >> kept);
	}
}

int prefix_parse(struct prefix *out, const char *text, size_t len)
{
	const char *slash = len > 0 ? memchr(text, '/', len) : NULL;
	size_t addr_len = slash ? (size_t)(slash - text) : len;
	char addr[TEXT_MAX];
	struct endpoint ep = { 0 };
	struct prefix p = { 0 };
	int bits, most;

	if (addr_len == 0 || addr_len >= sizeof(addr) || memchr(text, '\0', len) ||
	    memchr(text, '%', len))
		return -EINVAL;
	memcpy(addr, text, addr_len);
	addr[addr_len] = '\0';
	if (endpoint_parse_ip(&ep, addr) < 0)
		return -EINVAL;
	most = ep.kind == ENDPOINT_IPV4 ? 32 : 128;
	bits = slash ? parse_bits(slash + 1, len - addr_len - 1) : most;
	if (bits < 0 || bits > most)
		return -EINVAL;
	p.kind = ep.kind;
	p.bits = (uint8_t)bits;
	memcpy(p.ip, ep.ip, sizeof(p.ip));
	if (is_mapped(p.kind, p.ip)) {
		/* Whoever is compared is unmapped first, so this would never fit anybody. */
		if (bits < MAPPED_BITS)
			return -EINVAL;
		p.kind = ENDPOINT_IPV4;
		p.bits = (uint8_t)(bits - MAPPED_BITS);
		memmove(p.ip, p.ip + sizeof(mapped), 4);
	}
	if (p.kind == ENDPOINT_IPV4)
		memset(p.ip + 4, 0, sizeof(p.ip) - 4);
	clear_beyond(p.ip, p.kind == ENDPOINT_IPV4 ? 4 : 16, p.bits);
	*out = p;
	return 0;
}

bool prefix_contains(const struct prefix *p, const struct endpoint *ep)
{
	bool v4_in_v6 = is_mapped(ep->kind, ep->ip);
	enum endpoint_kind kind = v4_in_v6 ? ENDPOINT_IPV4 : ep->kind;
	const uint8_t *ip = v4_in_v6 ? ep->ip + sizeof(mapped) : ep->ip;
	size_t whole = p->bits / 8;
	unsigned rest = p->bits % 8;

	if (kind != p->kind || memcmp(ip, p->ip, whole) != 0)
		return false;
	return rest == 0 || ((ip[whole] ^ p->ip[whole]) & (uint8_t) ~(0xffu >> rest)) == 0;
}
