/*
 * Loopback ports of the helper, each of which stands for an address of another machine: a program's
 * socket is pointed there, and all that it does with the socket is the kernel's own doing; only the
 * addresses are translated, there and back. Those of resolv.conf's name servers answer in place.
 *
 * A port is open from its first use until no socket of the program is connected to it; a forked
 * child has it, too, and answers there once the parent is gone.
 */
#ifndef PRELOAD_PORTS_H
#define PRELOAD_PORTS_H

#include <base/endpoint.h>
#include <stdatomic.h>

extern atomic_bool ports_any; /* there is, or was, one */

static inline bool ports_are_used(void)
{
	return atomic_load_explicit(&ports_any, memory_order_relaxed);
}

/*
 * Where a socket of @type (SOCK_DGRAM, SOCK_STREAM) and @family is to be pointed for @remote, a
 * name server's address: made at first need, the helper running. @v6only: IPV6_V6ONLY is set.
 *
 * Returns 0, or a negative errno, told in the log: nothing may leave for @remote then.
 */
int ports_find(const struct endpoint *remote, int type, int family, bool v6only,
               struct sockaddr_storage *out, socklen_t *len);

/*
 * Is @sa one of them (v4-mapped counts)? Then @out is the address that it stands for, in @sa's
 * family. Takes no lock; costs one load where there is none.
 */
bool ports_remote(const struct sockaddr *sa, socklen_t len, struct sockaddr_storage *out,
                  socklen_t *out_len);

/*
 * In a forked child: a datagram is about to be sent by a socket that was connected to one of its
 * parent's before, who may be gone. Sees to it that somebody answers.
 */
void ports_wake(void);

extern atomic_bool ports_left; /* there is, or was, one of its parent's */

/* Is there a reason to call it? One load. */
static inline bool ports_may_wake(void)
{
	return atomic_load_explicit(&ports_left, memory_order_relaxed);
}

#endif
