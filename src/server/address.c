#include "address.h"

#include <string.h>

void address_from_endpoint(union address *a, const struct endpoint *ep)
{
	struct endpoint plain = *ep;
	struct sockaddr_storage ss;
	socklen_t len;

	memset(a, 0, sizeof(*a));
	endpoint_unmap(&plain);
	len = endpoint_to_sockaddr(&plain, plain.kind == ENDPOINT_IPV4 ? AF_INET : AF_INET6, &ss);
	if (len > 0 && len <= sizeof(*a))
		memcpy(a, &ss, len);
}

void address_to_endpoint(const union address *a, struct endpoint *ep)
{
	if (a->sa.sa_family == AF_UNSPEC ||
	    endpoint_from_sockaddr(ep, &a->sa, address_len(a)) < 0) {
		memset(ep, 0, sizeof(*ep));
		return;
	}
	endpoint_unmap(ep);
}

bool address_same_host(const union address *a, const union address *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	return a->sa.sa_family == AF_INET6 && a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
	       memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr)) == 0;
}

bool address_equal(const union address *a, const union address *b)
{
	/* The port is at the same place in both families. */
	return a->in.sin_port == b->in.sin_port && address_same_host(a, b);
}

void address_of_socket(union address *a, int fd)
{
	socklen_t len = sizeof(*a);

	memset(a, 0, sizeof(*a));
	if (getsockname(fd, &a->sa, &len) < 0)
		a->sa.sa_family = AF_UNSPEC;
}

void address_of_peer(union address *a, int fd)
{
	socklen_t len = sizeof(*a);

	memset(a, 0, sizeof(*a));
	if (getpeername(fd, &a->sa, &len) < 0)
		a->sa.sa_family = AF_UNSPEC;
}
