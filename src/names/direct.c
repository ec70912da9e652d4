/*
 * How it works: a cascade of hash tables, each twice as large as the one before. Each has room for
 * three addresses where a hash falls, which is a cache line. A note goes to the first table with
 * room for it; only a table that is needed gets memory. Places never become free, so a look-up ends
 * at the first that was never taken. Where there is no room in any, the oldest gives way.
 *
 * A place's turn is made of the note's number: odd while it is written, so that a reader who sees
 * it odd, or changed behind his back, knows nothing; and the greater of two is the newer. Numbers
 * wrap.
 */
#include <names/direct.h>

#include "table_file.h"
#include <errno.h>
#include <string.h>

/* How often a place may be snatched away before a note is given up. */
#define TRIES 64

_Static_assert(sizeof(struct table_direct) == 64, "a set is a cache line");
_Static_assert(TABLE_DIRECT_LEN / sizeof(struct table_direct) * DIRECT_WAYS >= 2 * DIRECT_KNOWN,
               "with chance's unevenness, as many as promised are known");

struct key {
	uint32_t words[DIRECT_WORDS];
};

struct place {
	_Atomic uint32_t *turn;
	_Atomic uint32_t *words;
};

static uint64_t mix(uint64_t v)
{
	const uint64_t odd = 0x9e3779b97f4a7c15u; /* 2^64 divided by the golden ratio */

	v *= odd;
	return v ^ v >> 32;
}

/*
 * An IPv4 address in its v4-mapped form. A port changes half of the address in a way that the
 * table's seed decides, so that it takes no room: that two become the same is a chance of 2^-64.
 */
static bool key_of(const struct table *t, const struct endpoint *ep, uint16_t port, struct key *key)
{
	uint64_t changed = port ? mix(mix(t->head->seed ^ port)) : 0;
	uint8_t ip[16] = { [10] = 0xff, [11] = 0xff };

	if (ep->kind == ENDPOINT_IPV6)
		memcpy(ip, ep->ip, sizeof(ip));
	else if (ep->kind == ENDPOINT_IPV4)
		memcpy(ip + 12, ep->ip, 4);
	else
		return false;
	memcpy(key->words, ip, sizeof(ip));
	key->words[0] ^= (uint32_t)changed;
	key->words[1] ^= (uint32_t)(changed >> 32);
	return true;
}

static uint64_t hash_key(const struct table *t, const struct key *key)
{
	uint64_t h = t->head->seed;

	for (int i = 0; i < DIRECT_WORDS; i += 2)
		h = mix(h ^ ((uint64_t)key->words[i] << 32 | key->words[i + 1]));
	return h;
}

/* Of the table number @level: its sets, where all before it have so many pages that it begins. */
static uint32_t level_sets(int level)
{
	return (TABLE_PAGE << level) / (uint32_t)sizeof(struct table_direct);
}

static uint32_t level_begin(int level)
{
	return level_sets(level) - level_sets(0);
}

static uint32_t level_end(int level)
{
	return level_begin(level) + level_sets(level);
}

/* How many tables have memory. */
static int levels(const struct table *t)
{
	uint32_t sets = table_backed(t, TABLE_DIRECT) / (uint32_t)sizeof(struct table_direct);
	int n = 0;

	while (n < DIRECT_LEVELS && level_end(n) <= sets)
		n++;
	return n;
}

/* Each table has bits of the hash of its own: what is crowded in one is not so in the next. */
static struct place place_at(const struct table *t, int level, uint64_t hash, int way)
{
	uint32_t bits = (uint32_t)(hash >> 8 * level) & (level_sets(level) - 1);
	struct table_direct *set = &t->direct[level_begin(level) + bits];

	return (struct place){ &set->turns[way], set->words[way] };
}

static bool is_newer(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

/* Does the place hold this address? @turn is as it was seen then. */
static bool holds(struct place p, const struct key *key, uint32_t *turn)
{
	for (int tries = 0; tries < TRIES; tries++) {
		*turn = atomic_load_explicit(p.turn, memory_order_acquire);
		if (*turn == 0 || (*turn & 1))
			return false;
		/* From the end: most begin as v4-mapped addresses do. */
		for (int i = DIRECT_WORDS; i > 0; i--)
			if (atomic_load_explicit(&p.words[i - 1], memory_order_acquire) !=
			    key->words[i - 1])
				return false;
		/* Noted again meanwhile, maybe: then it is still there. */
		if (atomic_load_explicit(p.turn, memory_order_relaxed) == *turn)
			return true;
	}
	return false;
}

/*
 * Look where the address may be. True with its place, or false with the one to take: a free one,
 * whose turn is 0, or else the oldest; none where no table has memory or all places are lost.
 */
static bool search(const struct table *t, const struct key *key, struct place *at, uint32_t *turn)
{
	uint64_t hash = hash_key(t, key);

	at->turn = NULL;
	for (int level = 0, n = levels(t); level < n; level++) {
		for (int way = 0; way < DIRECT_WAYS; way++) {
			struct place p = place_at(t, level, hash, way);
			uint32_t seen;

			if (holds(p, key, &seen)) {
				*at = p;
				*turn = seen;
				return true;
			}
			if ((seen & 1) || (at->turn && !is_newer(*turn, seen) && seen != 0))
				continue;
			*at = p;
			*turn = seen;
			if (seen == 0)
				return false;
		}
	}
	return false;
}

bool direct_find(const struct table *t, const struct endpoint *ep)
{
	struct place p;
	struct key key;
	uint32_t turn;

	if (key_of(t, ep, 0, &key) && search(t, &key, &p, &turn))
		return true;
	return ep->port != 0 && key_of(t, ep, ep->port, &key) && search(t, &key, &p, &turn);
}

/* Let the next table have memory. */
static bool grow(struct table *t)
{
	int n = levels(t);

	return n < DIRECT_LEVELS &&
	       table_back(t, TABLE_DIRECT, level_end(n) * (uint32_t)sizeof(struct table_direct)) ==
	               0;
}

/* Returns false where another was faster. */
static bool write_place(struct place p, uint32_t turn, uint32_t mine, const struct key *key)
{
	if (!atomic_compare_exchange_strong(p.turn, &turn, mine - 1))
		return false;
	/* Release: none of these may be seen before the odd turn; acquire in holds() likewise. */
	for (int i = 0; i < DIRECT_WORDS; i++)
		atomic_store_explicit(&p.words[i], key->words[i], memory_order_release);
	atomic_store_explicit(p.turn, mine, memory_order_release);
	return true;
}

int direct_note(struct table *t, const struct endpoint *ep)
{
	struct key key;

	if (!key_of(t, ep, ep->port, &key))
		return -EINVAL;
	for (int i = 0; i < TRIES; i++) {
		/* Never 0 nor 1, which is one before it and odd. */
		uint32_t mine = 2 * atomic_fetch_add(&t->head->direct_noted, 1) + 2, turn;
		struct place p;

		if (mine == 0)
			continue;
		if (search(t, &key, &p, &turn)) {
			/* The address stays where it is, for readers at any time. */
			if (atomic_compare_exchange_strong(p.turn, &turn, mine))
				return 0;
		} else if (!p.turn || turn != 0) {
			if (grow(t))
				continue;
			if (!p.turn)
				return -ENOSPC;
			if (write_place(p, turn, mine, &key))
				return 0;
		} else if (write_place(p, 0, mine, &key)) {
			return 0;
		}
	}
	return -ENOSPC;
}
