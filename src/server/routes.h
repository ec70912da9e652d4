/*
 * Is an address this machine's own? The kernel's routing table knows, whatever was added to it
 * since (rtnetlink(7), RTM_GETROUTE). Nothing is waited for.
 */
#ifndef SERVER_ROUTES_H
#define SERVER_ROUTES_H

#include <base/endpoint.h>

#define ROUTES_MEMORY_MS 1000 /* an answer is remembered so long: datagrams ask again and again */

struct routes;

enum routes_answer {
	ROUTES_ELSEWHERE,
	ROUTES_OWN,     /* local, broadcast, anycast or multicast */
	ROUTES_NO_IDEA, /* no means to ask: descriptors, memory */
};

/* NULL where memory is short. Without rtnetlink it makes do with bind(2). */
struct routes *routes_new(void);
void routes_free(struct routes *r); /* NULL is fine */

/* An IPv4 or IPv6 address, v4-mapped ones are IPv4. Any thread may ask. */
enum routes_answer routes_ask(struct routes *r, const struct endpoint *ep);

#endif
