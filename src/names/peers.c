/*
 * How it works: a ring. Each note takes a number and goes to the place that the number falls on, so
 * the newest PEERS_KNOWN are there. A place's turn is made of the number: odd while it is written,
 * so that a reader who sees it odd, or changed behind his back, knows nothing; and the greater of
 * two is the newer. To find a cookie all places are looked at, which is done once for each
 * inherited socket. All counts are of 32 bits and wrap.
 */
#include <names/peers.h>

#include "table_file.h"
#include <string.h>

#define COOKIE_WORDS 2

/* How many places in a row may be lost, or just be written, before a note is given up. */
#define TRIES 64

_Static_assert(sizeof(struct peer) <= sizeof(uint32_t) * (PEER_WORDS - COOKIE_WORDS),
               "a peer fits its place");
_Static_assert((PEERS_KNOWN & (PEERS_KNOWN - 1)) == 0, "numbers may wrap");

static uint32_t places(const struct table *t)
{
	return table_backed(t, TABLE_PEERS) / (uint32_t)sizeof(struct table_peer);
}

/*
 * The place of a note; any other will do where the ring cannot grow. NULL where there is none at
 * all.
 */
static struct table_peer *place_of(struct table *t, uint32_t number)
{
	uint32_t place = number % PEERS_KNOWN, there = places(t);

	if (place >= there &&
	    table_back(t, TABLE_PEERS, (place + 1) * (uint32_t)sizeof(struct table_peer)) < 0) {
		if (there == 0)
			return NULL;
		place = number % there;
	}
	return &t->peers[place];
}

static bool is_newer(uint32_t a, uint32_t b)
{
	return b == 0 || (int32_t)(a - b) > 0;
}

/* Returns false where the place is another one's, or lost. */
static bool write_place(struct table_peer *at, uint32_t number, const uint32_t *words)
{
	uint32_t mine = 2 * number + 2,
		 turn = atomic_load_explicit(&at->turn, memory_order_relaxed);

	if ((turn & 1) || !is_newer(mine, turn) ||
	    !atomic_compare_exchange_strong(&at->turn, &turn, mine - 1))
		return false;
	/*
	 * Release: none of these may be seen before the odd turn; acquire in read_place() likewise.
	 */
	for (int i = 0; i < PEER_WORDS; i++)
		atomic_store_explicit(&at->words[i], words[i], memory_order_release);
	atomic_store_explicit(&at->turn, mine, memory_order_release);
	return true;
}

void peers_note(struct table *t, uint64_t cookie, const struct peer *p)
{
	uint32_t words[PEER_WORDS] = { (uint32_t)cookie, (uint32_t)(cookie >> 32) };

	memcpy(words + COOKIE_WORDS, p, sizeof(*p));
	for (int i = 0; i < TRIES; i++) {
		uint32_t number = atomic_fetch_add(&t->head->peers_noted, 1);
		struct table_peer *at = place_of(t, number);

		if (!at || write_place(at, number, words))
			return;
	}
}

static bool read_place(const struct table_peer *at, uint32_t turn, uint32_t *words)
{
	for (int i = 0; i < PEER_WORDS; i++)
		words[i] = atomic_load_explicit(&at->words[i], memory_order_acquire);
	return atomic_load_explicit(&at->turn, memory_order_relaxed) == turn;
}

bool peers_find(const struct table *t, uint64_t cookie, struct peer *out)
{
	const uint32_t low = (uint32_t)cookie, high = (uint32_t)(cookie >> 32), n = places(t);
	uint32_t words[PEER_WORDS], newest = 0;

	for (uint32_t i = 0; cookie != 0 && i < n; i++) {
		const struct table_peer *at = &t->peers[i];
		uint32_t turn = atomic_load_explicit(&at->turn, memory_order_acquire);

		if (turn == 0 || (turn & 1) || !is_newer(turn, newest) ||
		    atomic_load_explicit(&at->words[0], memory_order_relaxed) != low)
			continue;
		if (!read_place(at, turn, words) || words[0] != low || words[1] != high)
			continue;
		memcpy(out, words + COOKIE_WORDS, sizeof(*out));
		newest = turn;
	}
	if (newest == 0)
		return false;
	/* The file may be damaged: what is handed out must be an address all the same. */
	return (out->addr.sin6_family == AF_INET && out->len == sizeof(struct sockaddr_in)) ||
	       (out->addr.sin6_family == AF_INET6 && out->len == sizeof(out->addr));
}
