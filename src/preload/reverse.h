/* The name of an address: what getnameinfo(), gethostbyaddr() and PTR questions share. */
#ifndef PRELOAD_REVERSE_H
#define PRELOAD_REVERSE_H

#include <base/endpoint.h>
#include <tunnel/dial.h>

#define REVERSE_NAME_MAX (ENDPOINT_NAME_MAX + 1) /* with its NUL */

enum reverse {
	REVERSE_NAME, /* a placeholder's, or one of the hosts file */
	/* A placeholder that nobody gave, loopback, link-local, any, the proxy's own. */
	REVERSE_NONE,
	/* libc's to ask: a rule sends the address direct, or names are libc's by the scheme. */
	REVERSE_LIBC,
	/* The proxy may know: reverse_ask(), or a dial with cmd SOCKS5_RESOLVE_PTR. */
	REVERSE_PROXY,
};

/* @ep's port does not count; a v4-mapped address is IPv4. Asks nobody; may read /etc/hosts. */
enum reverse reverse_find(const struct endpoint *ep, char name[REVERSE_NAME_MAX]);

/*
 * REVERSE_PROXY: ask the proxy, by the session's deadline or in ten seconds, in a connection of its
 * own; blocks like a look-up. A proxy that doesn't have the command is not asked again, one that
 * stays silent not for a minute; what it said is good for a minute. True: @name is filled.
 */
bool reverse_ask(const struct endpoint *ep, char name[REVERSE_NAME_MAX]);

/* May the proxy be asked at all, just now. */
bool reverse_may_ask(void);

/*
 * A dial with cmd SOCKS5_RESOLVE_PTR for @ep has ended in @err (0: the proxy said yes): what it
 * says of the proxy is learnt. True: @name is filled with the name, which was found to be one.
 */
bool reverse_take(const struct endpoint *ep, int err, const struct dial_report *report,
                  char name[REVERSE_NAME_MAX]);

#endif
