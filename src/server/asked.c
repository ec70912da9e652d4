#include "asked.h"

#include "table.h"

#include <stdlib.h>
#include <string.h>

/* Octets alone, without gaps. */
struct asked_key {
	uint16_t family, port;
	uint8_t ip[16];
};

struct asked {
	struct asked_key key;
	bool lost; /* uthash had no memory for it */
	UT_hash_handle hh;
};

static struct asked_key key_of(const union address *a)
{
	struct asked_key key = { .family = a->sa.sa_family };

	/* The port is at the same place in both. */
	key.port = a->in.sin_port;
	if (key.family == AF_INET)
		memcpy(key.ip, &a->in.sin_addr, sizeof(a->in.sin_addr));
	else
		memcpy(key.ip, &a->in6.sin6_addr, sizeof(a->in6.sin6_addr));
	return key;
}

static struct asked *find(struct asked *table, const struct asked_key *key)
{
	struct asked *one;

	HASH_FIND(hh, table, key, sizeof(*key), one);
	return one;
}

void asked_add(struct asked **table, const union address *to)
{
	struct asked_key key = key_of(to);
	struct asked *one = find(*table, &key);

	/* uthash keeps them in the order in which they were added: the head is the oldest. */
	if (one) {
		HASH_DEL(*table, one);
	} else if (HASH_COUNT(*table) >= ASKED_MAX) {
		one = *table;
		HASH_DEL(*table, one);
	} else {
		one = malloc(sizeof(*one));
	}
	if (!one)
		return;
	memset(one, 0, sizeof(*one));
	one->key = key;
	HASH_ADD(hh, *table, key, sizeof(one->key), one);
	if (one->lost)
		free(one);
}

bool asked_holds(struct asked *table, const union address *from)
{
	struct asked_key key = key_of(from);

	return find(table, &key) != NULL;
}

void asked_free(struct asked **table)
{
	struct asked *one, *next;

	HASH_ITER (hh, *table, one, next) {
		HASH_DEL(*table, one);
		free(one);
	}
}
