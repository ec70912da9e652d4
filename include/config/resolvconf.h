/* The "nameserver" lines of resolv.conf(5). */
#ifndef CONFIG_RESOLVCONF_H
#define CONFIG_RESOLVCONF_H

#include <base/endpoint.h>

/*
 * Read a file's text, or some whole lines of it: the keyword, blanks, an address as inet_aton(3) or
 * inet_pton(3) read it (with a %scope for IPv6; one that is no interface here is 0), to the next
 * blank, ';' or '#'. Blanks may stand before the keyword and a CR at the line's end: libc passes
 * over such lines, Go's and c-ares' own readers take them. All else is passed over. Of 128 octets
 * of an address no more are read.
 *
 * Pure but for if_nametoindex(3). Returns how many were written to @out, ports 53, at most @max.
 */
size_t resolvconf_parse(const char *text, size_t len, struct endpoint *out, size_t max);

#endif
