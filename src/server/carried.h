/*
 * IPv4 addresses that IPv6 ones carry, for a translator or a tunnel to find: NAT64, 6to4, Teredo,
 * ISATAP, v4-compatible. What goes to one may end at the other.
 */
#ifndef SERVER_CARRIED_H
#define SERVER_CARRIED_H

#include <base/endpoint.h>

#define CARRIED_MAX 4

/*
 * How many @ep carries; their port is its own. v4-mapped ones are IPv4 itself, and carry none:
 * endpoint_unmap() first.
 */
size_t carried_in(const struct endpoint *ep, struct endpoint out[CARRIED_MAX]);

#endif
