/*
 * What stays closed whatever the rules say, so that a proxy is no way into the machine that it runs
 * on, nor into the network around it:
 *
 *	loopback, link-local, multicast, broadcast, reserved and the server's own addresses, to
 *	clients that are not on loopback;
 *	private ranges, to clients that are in none (link-local ones count as being in one).
 *
 * --allow-to opens. An IPv6 address that carries an IPv4 one (NAT64, 6to4, Teredo, ISATAP,
 * v4-mapped and v4-compatible) is judged by both. No address at all (0.0.0.0, ::) is closed to
 * everyone, and nothing opens it: to Linux it is the machine itself.
 */
#ifndef SERVER_GUARD_H
#define SERVER_GUARD_H

#include "acl.h"
#include "address.h"

struct guard;

/*
 * @open  what --allow-to opens; borrowed
 * @own   two addresses that are the server's own beside those that the kernel knows, AF_UNSPEC
 *        where there is none; copied
 *
 * It counts as got once. NULL where memory is short.
 */
struct guard *guard_new(const struct acl *open, const union address own[2]);

/* Counted, by any thread; with the last guard_put() it is gone. NULL is fine for that. */
struct guard *guard_get(struct guard *g);
void guard_put(struct guard *g);

/* NULL where it is open, else why not, static. @from and @to are addresses. Any thread may ask. */
const char *guard_closes(const struct guard *g, const struct endpoint *from,
                         const struct endpoint *to);

#endif
