/*
 * UDP sockets that a program connects to what has no way: it may only want to know the address that
 * it would send from, so the connect() succeeds and shows that; the send is what is refused.
 */
#ifndef PRELOAD_PROBE_H
#define PRELOAD_PROBE_H

#include "path.h"
#include "sockets.h"

#include <stdatomic.h>

extern atomic_bool probes_any; /* there is, or was, one */

static inline bool probes_are_there(void)
{
	return atomic_load_explicit(&probes_any, memory_order_relaxed);
}

/*
 * connect(), where @path is to be refused and may_probe, and the kernel has nothing against @sa
 * itself.
 *
 * Returns 0 or a negative errno as connect(2) has it.
 */
int probe_connect(int fd, const struct path_socket *sock, struct path *path,
                  const struct sockaddr *sa, socklen_t len);

/* Is @fd one? Costs no system call of most that are none. */
bool probe_has(int fd);

/*
 * What a send to the socket's own peer is told: 0, or -EACCES, which is logged once for each
 * destination. Costs a load where there is no such socket.
 *
 * @sa, @len  as the program gave them: where it names an address, it counts, and not the peer
 */
int probe_judge_send(int fd, const struct sockaddr *sa, socklen_t len);

/* Is the note of a socket that the kernel takes to be connected to @seen such a one's? */
bool probe_is_noted(const struct socket_note *note, const struct sockaddr *seen, socklen_t len);

/* May it be one? */
bool probe_may_be(const struct sockaddr *seen, socklen_t len);

/* @fd is one, as is known now: another program's. */
void probe_adopt(int fd);

#endif
