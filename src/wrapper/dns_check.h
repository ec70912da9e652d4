/* socksify --dns-check: who would answer for a name, and where a connect to it would go. */
#ifndef WRAPPER_DNS_CHECK_H
#define WRAPPER_DNS_CHECK_H

#include <config/config.h>

enum { DNS_CHECK_NOBODY = 1 }; /* exit status: one of them can be nobody's name */

/*
 * Each name, or address, is told of on stdout by what is known here: nobody is asked, and the
 * session gets no new name.
 *
 * @cfg     as the library would have it
 * @origin  what names the proxy, for people: "-x", "ALL_PROXY"
 * @names   NULL-terminated
 *
 * Returns the exit status: 0, DNS_CHECK_NOBODY or EXIT_SOCKSIFY.
 */
int dns_check_run(const struct config *cfg, const char *origin, char **names);

#endif
