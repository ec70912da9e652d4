/* Who goes where: address -> name -> rule -> direct, proxy or refused. First match wins. */
#ifndef TUNNEL_ROUTE_H
#define TUNNEL_ROUTE_H

#include <base/endpoint.h>
#include <config/config.h>
#include <names/table.h>

enum route_kind { ROUTE_DIRECT, ROUTE_PROXY, ROUTE_REFUSE };

struct route {
	enum route_kind kind;
	struct endpoint
		dst; /* ROUTE_PROXY: the name behind a placeholder, else the address, unmapped */
	int err;     /* ROUTE_REFUSE: what the program is told, negative */
	const char *why; /* the rule, in words; static */
};

/*
 * @dst    address and port as the program gave them
 * @names  may be NULL: no placeholder is known then
 * @hops   the proxy's own addresses, which are direct
 */
void route_find(const struct config *cfg, const struct table *names, const struct endpoint *hops,
                size_t n_hops, const struct endpoint *dst, struct route *out);

#endif
