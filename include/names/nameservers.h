/*
 * The name servers of resolv.conf(5): what a program says to them is answered in place. Read at the
 * first call and when the file has changed; takes no lock, allocates nothing, keeps no descriptor.
 */
#ifndef NAMES_NAMESERVERS_H
#define NAMES_NAMESERVERS_H

#include <base/endpoint.h>

#define NAMESERVERS_MAX 16 /* lines of the file that are looked at; libc takes 3 */

/*
 * Is it port 53 of one of them? A v4-mapped address is IPv4. 127.0.0.53 and 127.0.0.54, where
 * systemd-resolved listens, always are; 127.0.0.1 is where the file is missing or names none, which
 * is where libc would ask then. Costs nothing for other ports.
 */
bool nameservers_has(const struct endpoint *ep);

/* Those of the file, or 127.0.0.1, with port 53. Returns how many, at most @max. */
size_t nameservers_list(struct endpoint *out, size_t max);

/* For tests: another file than /etc/resolv.conf, borrowed for good. No other thread may be here. */
void nameservers_set_path(const char *path);

#endif
