/*
 * How it works: a cookie belongs to one set of WAYS places. Each place has a count that is odd while it is
 * written: a reader that sees it odd, or changed behind its back, knows nothing. Cookies only grow, so the
 * smallest of a set is the oldest, and is what makes room.
 */
#include <names/peers.h>

#include "table_file.h"
#include <string.h>

#define WAYS 4
#define SETS (PEERS_KNOWN / WAYS)

_Static_assert(sizeof(struct peer) <= sizeof(uint32_t) * PEER_WORDS, "a peer fits its place");
_Static_assert(PEERS_KNOWN % WAYS == 0 && (SETS & (SETS - 1)) == 0, "sets are a power of two");

static struct table_peer *set_of(const struct table *t, uint64_t cookie)
{
	uint64_t h = cookie * 0x9e3779b97f4a7c15u;

	return &t->peers[(h >> 32 & (SETS - 1)) * WAYS];
}

/* The place to write to: the cookie's own, else the oldest; NULL where all are just being written. */
static struct table_peer *choose(struct table_peer *set, uint64_t cookie)
{
	struct table_peer *oldest = NULL;
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < WAYS; i++) {
		uint64_t there = atomic_load_explicit(&set[i].cookie, memory_order_relaxed);

		if (atomic_load_explicit(&set[i].turns, memory_order_relaxed) & 1)
			continue;
		if (there == cookie)
			return &set[i];
		if (there < least) {
			least = there;
			oldest = &set[i];
		}
	}
	return oldest;
}

void peers_note(struct table *t, uint64_t cookie, const struct peer *p)
{
	struct table_peer *at = choose(set_of(t, cookie), cookie);
	uint32_t words[PEER_WORDS] = { 0 }, turns;

	if (!at)
		return;
	turns = atomic_load_explicit(&at->turns, memory_order_relaxed) & ~1u;
	if (!atomic_compare_exchange_strong(&at->turns, &turns, turns + 1))
		return; /* somebody is quicker; a note may be lost, but never mixed with another */
	memcpy(words, p, sizeof(*p));
	/* Release: none of these may be seen before the odd count; acquire in read_place() likewise. */
	atomic_store_explicit(&at->cookie, cookie, memory_order_release);
	for (int i = 0; i < PEER_WORDS; i++)
		atomic_store_explicit(&at->words[i], words[i], memory_order_release);
	atomic_store_explicit(&at->turns, turns + 2, memory_order_release);
}

static bool read_place(const struct table_peer *at, uint64_t cookie, struct peer *out)
{
	uint32_t words[PEER_WORDS], turns = atomic_load_explicit(&at->turns, memory_order_acquire);

	if ((turns & 1) || atomic_load_explicit(&at->cookie, memory_order_acquire) != cookie)
		return false;
	for (int i = 0; i < PEER_WORDS; i++)
		words[i] = atomic_load_explicit(&at->words[i], memory_order_acquire);
	if (atomic_load_explicit(&at->turns, memory_order_relaxed) != turns)
		return false;
	memcpy(out, words, sizeof(*out));
	return true;
}

bool peers_find(const struct table *t, uint64_t cookie, struct peer *out)
{
	const struct table_peer *set = set_of(t, cookie);

	for (int i = 0; cookie != 0 && i < WAYS; i++) {
		if (!read_place(&set[i], cookie, out))
			continue;
		/* The file may be damaged: what is handed out must be an address all the same. */
		return (out->addr.sin6_family == AF_INET &&
		        out->len == sizeof(struct sockaddr_in)) ||
		       (out->addr.sin6_family == AF_INET6 && out->len == sizeof(out->addr));
	}
	return false;
}
