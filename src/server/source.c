#include "source.h"

#include "table.h"

#include <stdlib.h>
#include <string.h>

struct source {
	struct source_key key;
	bool lost; /* uthash had no memory for it */
	unsigned n;
	UT_hash_handle hh;
};

struct source_key source_key_of(const union address *from)
{
	struct source_key key = { 0 };
	struct endpoint ep;

	/* v4-mapped is IPv4 here too. */
	address_to_endpoint(from, &ep);
	key.family = (uint8_t)ep.kind;
	memcpy(key.ip, ep.ip, ep.kind == ENDPOINT_IPV4 ? 4 : SOURCE_PREFIX_LEN);
	return key;
}

struct source *source_get(struct source **sources, const union address *from, unsigned max)
{
	struct source_key key = source_key_of(from);
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
