#include <names/pool.h>

#include <string.h>

/* RFC 2544 appendix C.2.2: 198.18.0.0/15. */
static const uint8_t ipv4_net[4] = { 198, 18, 0, 0 };

/* A /64 of a unique local prefix (RFC 4193) whose forty bits were drawn once, at random. */
static const uint8_t ipv6_net[8] = { 0xfd, 0x5c, 0x93, 0x1e, 0xb7, 0x42, 0x00, 0x00 };

#define IPV4_MASK (POOL_SLOTS - 1)

static uint32_t load32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void store32(uint8_t *at, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(v >> (24 - 8 * i));
}

void pool_ipv4(uint32_t slot, struct endpoint *ep)
{
	uint8_t ip[4];

	store32(ip, load32(ipv4_net) | (slot & IPV4_MASK));
	endpoint_set_ipv4(ep, ip, 0);
}

void pool_ipv6(uint32_t slot, struct endpoint *ep)
{
	uint8_t ip[16] = { 0 };

	memcpy(ip, ipv6_net, sizeof(ipv6_net));
	store32(ip + 12, slot);
	endpoint_set_ipv6(ep, ip, 0);
}

bool pool_contains(const struct endpoint *ep)
{
	struct endpoint plain = *ep;

	endpoint_unmap(&plain);
	if (plain.kind == ENDPOINT_IPV4)
		return (load32(plain.ip) & ~IPV4_MASK) == load32(ipv4_net);
	return plain.kind == ENDPOINT_IPV6 && memcmp(plain.ip, ipv6_net, sizeof(ipv6_net)) == 0;
}

uint32_t pool_slot(const struct endpoint *ep)
{
	struct endpoint plain = *ep;
	uint32_t slot;

	if (!pool_contains(ep))
		return 0;
	endpoint_unmap(&plain);
	if (plain.kind == ENDPOINT_IPV4)
		return load32(plain.ip) & IPV4_MASK;
	slot = load32(plain.ip + 12);
	return load32(plain.ip + 8) == 0 && slot < POOL_SLOTS ? slot : 0;
}
