/*
 * UDP ASSOCIATE: a socket that the client sends its datagrams to, and one of each family that they
 * leave by (RFC 1928 section 7). Nothing that a datagram brings with it ends an association.
 */
#ifndef SERVER_ASSOCIATION_H
#define SERVER_ASSOCIATION_H

#include "outbox.h"
#include "session.h"

struct association;

struct association_count {
	struct outbox_count sent, received; /* as the client sees it */
	uint64_t dropped;                   /* in all */
};

/*
 * Open the client's socket. Datagrams are taken from now on.
 *
 * @s      whose address the datagrams must come from; borrowed, as is its user
 * @named  what the request named
 * @bnd    where the client is to send to: never a wildcard
 *
 * Returns 0 or a negative errno: -EADDRINUSE where no port of --udp-ports is free.
 */
int association_new(struct association **out, struct session *s, const struct endpoint *named,
                    union address *bnd);

/* Close all. May be called twice. */
void association_stop(struct association *a);
/* After association_stop(). */
void association_free(struct association *a);

struct association_count association_count(const struct association *a);

#endif
