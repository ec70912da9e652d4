/*
 * What the library knows in this process: the configuration, the session's names, the proxy's
 * addresses. Each is made on first need and then stays, so that readers take no lock.
 */
#ifndef PRELOAD_SESSION_H
#define PRELOAD_SESSION_H

#include <config/config.h>
#include <names/table.h>
#include <tunnel/dial.h>

/* Read by the constructor, or at the first hook that runs before it. */
const struct config *session_config(void);

/*
 * The session's names; opened at the first call. NULL where there is no memory at all, or just now
 * no descriptor to open them.
 */
struct table *session_names(void);

/*
 * The proxy's addresses: its own, or those of its name, asked of libc's resolver and kept for a
 * minute, or for some seconds where it has none.
 *
 * @ask  false: only what is known
 *
 * Returns how many, at most DIAL_HOPS_MAX; 0 where the name has none or was not asked for.
 */
int session_hops(struct endpoint *hops, bool ask);

/* Would session_hops() ask nobody? */
bool session_hops_known(void);

/*
 * Is this thread just asking for the proxy's address? libc's own helpers may then connect
 * somewhere.
 */
bool session_is_resolving(void);

/*
 * May this be the proxy's address? Where the proxy is a name that was not resolved here yet, any
 * address with its port may: nobody is asked.
 */
bool session_may_be_hop(const struct sockaddr *sa, socklen_t len);

/*
 * May a rule have sent a socket with this peer past the proxy by its name? One for names with that
 * port must be there.
 */
bool session_may_be_named(const struct sockaddr *sa, socklen_t len);

/*
 * Have the password file read, where there is one: to be called before a connect goes to the
 * proxy. Opens the file at the first call only. Returns 0, or a negative errno, told in the log: no
 * connect may go there.
 */
int session_login(void);

/* The proxy was not reached: its name is asked anew next time. */
void session_hops_stale(void);

#endif
