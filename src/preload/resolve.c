#include "resolve.h"

#include "real.h"

int resolve_name(const struct endpoint *name, int family, struct endpoint *out, int max)
{
	const struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list, *ai;
	int n = 0;

	if (real->getaddrinfo(name->name, NULL, &hints, &list) != 0)
		return 0;
	for (ai = list; ai && n < max; ai = ai->ai_next) {
		if (endpoint_from_sockaddr(&out[n], ai->ai_addr, ai->ai_addrlen) < 0)
			continue;
		out[n++].port = name->port;
	}
	freeaddrinfo(list);
	return n;
}
