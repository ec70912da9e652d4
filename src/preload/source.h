/*
 * The address that a datagram socket would send from, to somewhere: what the kernel shows of one
 * that is connected there, found and shown without connecting the socket to anything outside.
 */
#ifndef PRELOAD_SOURCE_H
#define PRELOAD_SOURCE_H

#include "path.h"

#include <netinet/in.h>

#define SOURCE_DISCARD_PORT 9 /* RFC 863: reads, and never answers */

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage ss;
};

/*
 * The address that @fd would send to @sa from. No packet is sent for it.
 *
 * Returns 0, or a negative errno: what connect() says to it.
 */
int source_find(int fd, const struct path_socket *sock, const struct sockaddr *sa, socklen_t len,
                union address *out);

/* Is the socket bound to an address, or connected? */
bool source_is_set(int fd);

/* A scope would bind the socket to its device. */
bool source_has_scope(const union address *a);

/*
 * Give @fd, which has none, the address @source, which is this machine's own: it is connected to
 * that very address then, at the discard port. False where the kernel does not let it.
 */
bool source_take(int fd, const union address *source);

/* The same of an unused stream socket: it is bound there, to a port of connect()'s choice. */
void source_bind(int fd, const union address *source);

#endif
