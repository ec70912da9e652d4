/* Where clients come from, counted: one address, or an IPv6 /64, which is one household's. */
#ifndef SERVER_SOURCE_H
#define SERVER_SOURCE_H

#include "address.h"

#define SOURCE_PREFIX_LEN 8 /* octets of an IPv6 address that count */

/* Octets alone, without gaps: it may be compared and hashed as memory. */
struct source_key {
	uint8_t family;
	uint8_t ip[SOURCE_PREFIX_LEN];
};

/* v4-mapped is IPv4 here too. */
struct source_key source_key_of(const union address *from);

struct source;

/*
 * Count one more for the source of @from. @sources is the table's head, NULL while it is empty.
 * Returns NULL where it has @max already, or memory is short.
 */
struct source *source_get(struct source **sources, const union address *from, unsigned max);

/* One less; a source without any is forgotten. */
void source_put(struct source **sources, struct source *s);

#endif
