#include "source.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM         1
#define HASH_FUNCTION(at, len, h) ((h) = hash_octets(at, len))
#define uthash_nonfatal_oom(e)    ((e)->lost = true)
#include <uthash.h>

#define PREFIX_LEN 8 /* octets of an IPv6 address that count */

struct source_key {
	uint8_t family;
	uint8_t ip[PREFIX_LEN];
};

struct source {
	struct source_key key;
	bool lost; /* uthash had no memory for it */
	unsigned n;
	UT_hash_handle hh;
};

/* FNV-1a; uthash's own default falls through its cases in a way that clang warns of. */
static unsigned hash_octets(const void *at, size_t len)
{
	const uint8_t *octets = at;
	unsigned h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ octets[i]) * 16777619u;
	return h ^ h >> 15;
}

static struct source_key key_of(const union address *from)
{
	struct source_key key = { 0 };
	struct endpoint ep;

	/* v4-mapped is IPv4 here too. */
	address_to_endpoint(from, &ep);
	key.family = (uint8_t)ep.kind;
	memcpy(key.ip, ep.ip, ep.kind == ENDPOINT_IPV4 ? 4 : PREFIX_LEN);
	return key;
}

struct source *source_get(struct source **sources, const union address *from, unsigned max)
{
	struct source_key key = key_of(from);
	struct source *s = NULL;

	HASH_FIND(hh, *sources, &key, sizeof(key), s);
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return NULL;
		s->key = key;
		HASH_ADD(hh, *sources, key, sizeof(key), s);
		if (s->lost) {
			free(s);
			return NULL;
		}
	}
	if (s->n >= max)
		return NULL;
	s->n++;
	return s;
}

void source_put(struct source **sources, struct source *s)
{
	if (--s->n > 0)
		return;
	HASH_DEL(*sources, s);
	free(s);
}
