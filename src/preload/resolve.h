/* libc's resolver, for the few names that may be asked from here. */
#ifndef PRELOAD_RESOLVE_H
#define PRELOAD_RESOLVE_H

#include <base/endpoint.h>

/*
 * The addresses of a name, with its port, in libc's order, in which those that this machine has no
 * route to are last. Blocks as getaddrinfo() does.
 *
 * @family  AF_INET, AF_INET6 or AF_UNSPEC
 *
 * Returns how many, at most @max; 0 where there is none.
 */
int resolve_name(const struct endpoint *name, int family, struct endpoint *out, int max);

#endif
