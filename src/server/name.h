/* What the resolver makes of a name before it asks anybody. */
#ifndef SERVER_NAME_H
#define SERVER_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* "localhost", or anything that ends in it: never goes to DNS (RFC 6761 section 6.3). */
bool name_is_localhost(const char *name, size_t len);

/*
 * In DNS a name may hold any octet, but a backslash starts an escape for c-ares, and white space
 * and control octets are a mistake or a trick.
 */
bool name_is_askable(const char *name, size_t len);

#endif
