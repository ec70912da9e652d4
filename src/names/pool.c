#include <names/pool.h>

#include <string.h>

/* keys.def has them in text. The forty bits of the ULA were drawn once, at random. */
static struct {
	struct prefix ipv4, ipv6;
	uint32_t slots;
} pool = {
	{ ENDPOINT_IPV4, 15, { 198, 18 } },
	{ ENDPOINT_IPV6, 64, { 0xfd, 0x5c, 0x93, 0x1e, 0xb7, 0x42 } },
	1u << 17,
};

static uint32_t load32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void store32(uint8_t *at, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* How many addresses a range has, at most POOL_SLOTS_MAX. */
static uint32_t size_of(const struct prefix *p)
{
	unsigned host_bits = (p->kind == ENDPOINT_IPV4 ? 32u : 128u) - p->bits;

	return host_bits < 20 ? 1u << host_bits : POOL_SLOTS_MAX;
}

void pool_init(const struct prefix *ipv4, const struct prefix *ipv6)
{
	uint32_t n4, n6;

	if (ipv4->kind == ENDPOINT_IPV4 && ipv4->bits <= 32)
		pool.ipv4 = *ipv4;
	if (ipv6->kind == ENDPOINT_IPV6 && ipv6->bits <= 128)
		pool.ipv6 = *ipv6;
	n4 = size_of(&pool.ipv4);
	n6 = size_of(&pool.ipv6);
	pool.slots = n4 < n6 ? n4 : n6;
}

uint32_t pool_slots(void)
{
	return pool.slots;
}

void pool_id(uint8_t id[POOL_ID_LEN])
{
	memcpy(id, pool.ipv4.ip, 4);
	memcpy(id + 4, pool.ipv6.ip, 16);
	id[20] = pool.ipv4.bits;
	id[21] = pool.ipv6.bits;
}

void pool_ipv4(uint32_t slot, struct endpoint *ep)
{
	uint8_t ip[4];

	store32(ip, load32(pool.ipv4.ip) | (slot & (pool.slots - 1)));
	endpoint_set_ipv4(ep, ip, 0);
}

void pool_ipv6(uint32_t slot, struct endpoint *ep)
{
	uint8_t ip[16];

	memcpy(ip, pool.ipv6.ip, sizeof(ip));
	store32(ip + 12, load32(ip + 12) | (slot & (pool.slots - 1)));
	endpoint_set_ipv6(ep, ip, 0);
}

bool pool_contains(const struct endpoint *ep)
{
	/* 0.0.0.0 is this machine, though 0.0.0.0/8 is a good range otherwise. */
	return (prefix_contains(&pool.ipv4, ep) || prefix_contains(&pool.ipv6, ep)) &&
	       !endpoint_is_unspecified(ep);
}

uint32_t pool_slot(const struct endpoint *ep)
{
	struct endpoint plain = *ep;
	uint32_t slot;

	endpoint_unmap(&plain);
	if (prefix_contains(&pool.ipv4, &plain)) {
		slot = load32(plain.ip) ^ load32(pool.ipv4.ip);
	} else if (prefix_contains(&pool.ipv6, &plain)) {
		if (memcmp(plain.ip, pool.ipv6.ip, 12) != 0)
			return 0;
		slot = load32(plain.ip + 12) ^ load32(pool.ipv6.ip + 12);
	} else {
		return 0;
	}
	return slot < pool.slots ? slot : 0;
}
