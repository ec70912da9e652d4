#include "guard.h"

#include "carried.h"
#include "routes.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct guard {
	atomic_uint count;
	const struct acl *open;
	struct endpoint own[2]; /* ENDPOINT_NONE: none */
	struct routes *routes;
};

enum range { PRIVATE, LOOPBACK, LINK_LOCAL, MULTICAST, RESERVED, RANGES };

static const char *const closed[RANGES] = {
	[PRIVATE] = "a private address, closed to clients from elsewhere (--allow-to opens)",
	[LOOPBACK] = "a loopback address, closed to this client (--allow-to opens)",
	[LINK_LOCAL] = "a link-local address, closed to this client (--allow-to opens)",
	[MULTICAST] = "a multicast address, closed to this client (--allow-to opens)",
	[RESERVED] = "a reserved address, closed to this client (--allow-to opens)",
};

/*
 * The registries of RFC 6890, as far as they say "not globally reachable", without the ranges of
 * documentation, which nobody has. The first that holds an address counts.
 */
static const struct {
	struct prefix prefix;
	enum range range;
} ranges[] = {
	{ { ENDPOINT_IPV4, 8, { 127 } }, LOOPBACK },
	{ { ENDPOINT_IPV4, 8, { 10 } }, PRIVATE },           /* RFC 1918 */
	{ { ENDPOINT_IPV4, 12, { 172, 16 } }, PRIVATE },     /* RFC 1918 */
	{ { ENDPOINT_IPV4, 16, { 192, 168 } }, PRIVATE },    /* RFC 1918 */
	{ { ENDPOINT_IPV4, 10, { 100, 64 } }, PRIVATE },     /* RFC 6598, behind a carrier's NAT */
	{ { ENDPOINT_IPV4, 24, { 192, 0, 0 } }, PRIVATE },   /* RFC 6890, DS-Lite and the like */
	{ { ENDPOINT_IPV4, 15, { 198, 18 } }, PRIVATE },     /* RFC 2544, benchmarks */
	{ { ENDPOINT_IPV4, 16, { 169, 254 } }, LINK_LOCAL }, /* RFC 3927, clouds' metadata, too */
	{ { ENDPOINT_IPV4, 8, { 0 } }, RESERVED },           /* RFC 791, "this network" */
	{ { ENDPOINT_IPV4, 4, { 224 } }, MULTICAST },
	{ { ENDPOINT_IPV4, 4, { 240 } }, RESERVED }, /* RFC 1112, and the limited broadcast */
	{ { ENDPOINT_IPV6, 128, { [15] = 1 } }, LOOPBACK },
	{ { ENDPOINT_IPV6, 7, { 0xfc } }, PRIVATE },        /* RFC 4193 */
	{ { ENDPOINT_IPV6, 10, { 0xfe, 0xc0 } }, PRIVATE }, /* RFC 3879, once site-local */
	{ { ENDPOINT_IPV6, 48, { 0, 0x64, 0xff, 0x9b, 0, 1 } }, PRIVATE }, /* RFC 8215 */
	{ { ENDPOINT_IPV6, 10, { 0xfe, 0x80 } }, LINK_LOCAL },
	{ { ENDPOINT_IPV6, 8, { 0xff } }, MULTICAST },
};

struct guard *guard_new(const struct acl *open, const union address own[2])
{
	struct guard *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	atomic_init(&g->count, 1);
	g->open = open;
	for (size_t i = 0; i < 2; i++)
		address_to_endpoint(&own[i], &g->own[i]);
	g->routes = routes_new();
	if (!g->routes) {
		free(g);
		return NULL;
	}
	return g;
}

struct guard *guard_get(struct guard *g)
{
	atomic_fetch_add_explicit(&g->count, 1, memory_order_relaxed);
	return g;
}

void guard_put(struct guard *g)
{
	if (!g || atomic_fetch_sub_explicit(&g->count, 1, memory_order_acq_rel) > 1)
		return;
	routes_free(g->routes);
	free(g);
}

/* RANGES where it is in none. */
static enum range range_of(const struct endpoint *ep)
{
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (prefix_contains(&ranges[i].prefix, ep))
			return ranges[i].range;
	return RANGES;
}

static bool is_inside(enum range client)
{
	return client == PRIVATE || client == LINK_LOCAL;
}

/* A router in front of us would bring it back here. */
static bool is_public_address(const struct guard *g, const struct endpoint *to)
{
	for (size_t i = 0; i < 2; i++)
		if (g->own[i].kind == to->kind && memcmp(g->own[i].ip, to->ip, sizeof(to->ip)) == 0)
			return true;
	return false;
}

/* One address, not what it may carry; the client is not on loopback. */
static const char *closes_one(const struct guard *g, enum range client, const struct endpoint *to)
{
	enum range range = range_of(to);

	if (acl_holds(g->open, to))
		return NULL;
	if (range != RANGES && !(range == PRIVATE && is_inside(client)))
		return closed[range];
	switch (is_public_address(g, to) ? ROUTES_OWN : routes_ask(g->routes, to)) {
	case ROUTES_ELSEWHERE:
		return NULL;
	case ROUTES_OWN:
		return "the server's own address, closed to this client (--allow-to opens)";
	case ROUTES_NO_IDEA:
		break;
	}
	return "no means to tell whether it is the server's own address";
}

const char *guard_closes(const struct guard *g, const struct endpoint *from,
                         const struct endpoint *to)
{
	struct endpoint plain, carried[CARRIED_MAX];
	enum range client;
	const char *why;
	size_t n;

	if (endpoint_is_unspecified(to) || (to->kind != ENDPOINT_IPV4 && to->kind != ENDPOINT_IPV6))
		return "it is no address to go to";
	if (endpoint_is_loopback(from) || acl_holds(g->open, to))
		return NULL;
	plain = *to;
	endpoint_unmap(&plain);
	client = range_of(from);
	why = closes_one(g, client, &plain);
	n = carried_in(&plain, carried);
	for (size_t i = 0; !why && i < n; i++)
		why = closes_one(g, client, &carried[i]);
	return why;
}
