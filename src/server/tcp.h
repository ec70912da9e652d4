/* What is set on TCP sockets, clients' and targets' alike. */
#ifndef SERVER_TCP_H
#define SERVER_TCP_H

#include "address.h"

#include <stdbool.h>

/* No delay; a peer that has silently gone is found out after some minutes without a word. */
void tcp_set_options(int fd);

/*
 * Accept one who waits. Those who have gone already are passed over.
 *
 * Returns a non-blocking socket and where it comes from, -EAGAIN where nobody waits, or the errno
 * of a state that lasts, such as -EMFILE.
 */
int tcp_accept(int listener, union address *from);

/* Have close(2) send a RST, and what is unsent forgotten. */
void tcp_reset_on_close(int fd);

/*
 * Is the socket connected to itself: a dial to a free port of this machine may be given that
 * very port as its own (simultaneous open, RFC 9293 section 3.5).
 */
bool tcp_is_own_peer(const union address *own, const union address *peer);

#endif
