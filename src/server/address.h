/* A socket address of one of the two families, a tenth of a struct endpoint in size. */
#ifndef SERVER_ADDRESS_H
#define SERVER_ADDRESS_H

#include <base/endpoint.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

union address {
	struct sockaddr sa; /* sa_family: AF_INET or AF_INET6; AF_UNSPEC where there is none */
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* For connect(2) and bind(2). */
static inline socklen_t address_len(const union address *a)
{
	return a->sa.sa_family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

/* The endpoint must be an address; v4-mapped becomes IPv4. */
void address_from_endpoint(union address *a, const struct endpoint *ep);
/* v4-mapped becomes IPv4; AF_UNSPEC becomes ENDPOINT_NONE. */
void address_to_endpoint(const union address *a, struct endpoint *ep);

/* Ports not counted; the scope is. v4-mapped is not IPv4 here. */
bool address_same_host(const union address *a, const union address *b);
bool address_equal(const union address *a, const union address *b);

/* Of a socket's own end and of its peer; AF_UNSPEC where the kernel doesn't know. */
void address_of_socket(union address *a, int fd);
void address_of_peer(union address *a, int fd);

#endif
