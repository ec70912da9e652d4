/* Where clients come from, counted: one address, or an IPv6 /64, which is one household's. */
#ifndef SERVER_SOURCE_H
#define SERVER_SOURCE_H

#include "address.h"

struct source;

/*
 * Count one more for the source of @from. @sources is the table's head, NULL while it is empty.
 * Returns NULL where it has @max already, or memory is short.
 */
struct source *source_get(struct source **sources, const union address *from, unsigned max);

/* One less; a source without any is forgotten. */
void source_put(struct source **sources, struct source *s);

#endif
