/* socksify --check: does the proxy work, and where not, why. */
#ifndef WRAPPER_PROXY_CHECK_H
#define WRAPPER_PROXY_CHECK_H

#include <config/config.h>

/*
 * One connection to the proxy, told stage by stage on stdout, each with its time.
 *
 * @cfg          as the library would have it; the password is read from its file, if need be
 * @origin       what names the proxy, for people: "-x", "ALL_PROXY"
 * @destination  "HOST:PORT", which must be granted; or NULL: the proxy is asked for itself, and
 *               any reply will do, so that no third party is met
 *
 * Returns the exit status: 0, or EXIT_SOCKSIFY.
 */
int proxy_check_run(struct config *cfg, const char *origin, const char *destination);

#endif
