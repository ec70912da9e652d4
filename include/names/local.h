/*
 * Names that never leave the machine: localhost, *.localhost (RFC 6761 section 6.3), the host's own
 * name, and what /etc/hosts lists.
 */
#ifndef NAMES_LOCAL_H
#define NAMES_LOCAL_H

#include <base/endpoint.h>

#define LOCAL_MAX 32 /* addresses of one name that are looked at */

/*
 * @family  AF_INET, AF_INET6 or AF_UNSPEC
 *
 * Returns -1 where the name is not local; else how many addresses were written to @out (at most
 * @max), 0 where the name is local but has none in this family. Reads /etc/hosts at the first call
 * and when it has changed, without a lock; may allocate.
 */
int local_find(const char *name, size_t len, int family, struct endpoint *out, size_t max);

/*
 * For tests: another file than /etc/hosts, borrowed for good. No other thread may be in
 * local_find().
 */
void local_set_hosts_path(const char *path);

#endif
