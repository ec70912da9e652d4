/*
 * Names that never leave the machine: localhost, *.localhost (RFC 6761 section 6.3), the host's own
 * name, ipv4only.arpa, and what /etc/hosts lists; and the names of addresses that are known here.
 */
#ifndef NAMES_LOCAL_H
#define NAMES_LOCAL_H

#include <base/endpoint.h>
#include <config/hosts.h>

#define LOCAL_MAX      32                      /* addresses of one name that are looked at */
#define LOCAL_NAME_MAX (ENDPOINT_NAME_MAX + 1) /* with its NUL */

/*
 * @family  AF_INET, AF_INET6 or AF_UNSPEC
 *
 * Returns -1 where the name is not local; else how many addresses were written to @out (at most
 * @max), 0 where the name is local but has none in this family. Reads /etc/hosts at the first call
 * and when it has changed, without a lock; may allocate.
 */
int local_find(const char *name, size_t len, int family, struct endpoint *out, size_t max);

/*
 * The name of an address, its port and scope not counted; a v4-mapped address is IPv4: what
 * hosts_name_of() says; where it is not listed, "localhost" for a loopback address and
 * "ipv4only.arpa" for the two of RFC 8880. Else false, with @name untouched.
 */
bool local_name_of(const struct endpoint *ep, char name[LOCAL_NAME_MAX]);

/*
 * The canonical name of a local name: the first one on its first line of the family. NULL where no
 * such line lists it; it is called as it was asked for then. Lives as long as the process.
 */
const char *local_canonical(const char *name, size_t len, int family);

/*
 * The hosts file as it is now, for its lines and aliases; NULL where there is none. Lives as long
 * as the process, and does not follow the file.
 */
const struct hosts *local_hosts(void);

/*
 * For tests: another file than /etc/hosts, borrowed for good. No other thread may be in this file,
 * and what was borrowed from it is gone.
 */
void local_set_hosts_path(const char *path);

#endif
