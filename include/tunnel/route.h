/* Who goes where: address -> name -> rule -> direct, proxy or refused. First match wins. */
#ifndef TUNNEL_ROUTE_H
#define TUNNEL_ROUTE_H

#include <base/endpoint.h>
#include <config/config.h>
#include <names/table.h>

enum route_kind {
	ROUTE_DIRECT,
	ROUTE_PROXY,
	ROUTE_REFUSE,
	ROUTE_ANSWER, /* a name server of resolv.conf: what it is asked is answered in place */
};

struct route {
	enum route_kind kind;
	/*
	 * The name behind a placeholder, else the address, unmapped. ROUTE_DIRECT with a name: it
	 * has to be resolved here first.
	 */
	struct endpoint dst;
	int err;                 /* ROUTE_REFUSE: what the program is told, negative */
	const char *why;         /* in words; static */
	const struct rule *rule; /* of cfg->no_proxy that sent it direct, or NULL */
};

/* Does it hang on the session's names where @dst goes? Opening them is for such ones alone. */
bool route_needs_names(const struct config *cfg, const struct endpoint *dst);

/*
 * @dst    address and port as the program gave them
 * @names  may be NULL: no placeholder is known then, and no address of a name that goes direct
 * @hops   the proxy's own addresses, which are direct
 */
void route_find(const struct config *cfg, const struct table *names, const struct endpoint *hops,
                size_t n_hops, const struct endpoint *dst, struct route *out);

#endif
