/*
 * What proxied sockets are connected to, shared by a session's processes through its table: a
 * program that was given a connected socket over exec can still say whom it talks to. A ring of
 * fixed size: the newest notes are known, the oldest are forgotten.
 *
 * Lock-free; allocates nothing; SIGKILL in the midst of a note loses the place of one for good.
 * Where a full tmpfs lets the ring not grow, it is smaller.
 */
#ifndef NAMES_PEERS_H
#define NAMES_PEERS_H

#include <names/table.h>
#include <sys/socket.h>

#define PEERS_KNOWN 1024 /* notes, of all processes of a session */

struct peer {
	sa_family_t shown_family; /* 0, or what the program takes the socket's family for */
	uint8_t refused;          /* not 0: nothing may be sent there */
	socklen_t len;            /* of addr: a sockaddr_in's or a sockaddr_in6's */
	struct sockaddr_in6 addr; /* AF_INET too */
};

/*
 * @cookie  SO_COOKIE of the socket, not 0: unique on a machine until it starts anew. The last note
 * holds.
 */
void peers_note(struct table *t, uint64_t cookie, const struct peer *p);

/* False where nothing, or nothing whole, is known. */
bool peers_find(const struct table *t, uint64_t cookie, struct peer *out);

#endif
