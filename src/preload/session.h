/*
 * What the library knows in this process: the configuration, the session's names, the proxy's addresses.
 * Each is made on first need and then stays, so that readers take no lock.
 */
#ifndef PRELOAD_SESSION_H
#define PRELOAD_SESSION_H

#include <config/config.h>
#include <names/table.h>
#include <tunnel/dial.h>

/* Read by the constructor, or at the first hook that runs before it. */
const struct config *session_config(void);

/* The session's names; opened at the first call. NULL where there is no memory at all. */
struct table *session_names(void);

/*
 * The proxy's addresses: its own, or those of its name, asked of libc's resolver and kept for a minute.
 * Returns how many, at most DIAL_HOPS_MAX, or -EHOSTUNREACH where the name has none.
 */
int session_hops(struct endpoint *hops);

/*
 * May this be the proxy's address? Where the proxy is a name that was not resolved here yet, any address with
 * its port may: nobody is asked.
 */
bool session_may_be_hop(const struct sockaddr *sa, socklen_t len);

/* The proxy was not reached: its name is asked anew next time. */
void session_hops_stale(void);

#endif
