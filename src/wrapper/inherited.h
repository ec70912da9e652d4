/*
 * Sockets that a program would inherit, and could use for what it may not make itself: the filter
 * of closed.h is about making sockets.
 */
#ifndef WRAPPER_INHERITED_H
#define WRAPPER_INHERITED_H

#include <base/sys.h>
#include <stdbool.h>

/*
 * Each descriptor that the next execve(2) leaves open and that is a socket to some network becomes
 * a UNIX socket that is connected to nothing: reads, writes and connects fail on it. Those stay:
 *
 *	AF_UNIX, AF_NETLINK, AF_ALG    as the filter and the library have it
 *	a stream of TCP                that is connected, or was, or is being connected
 *	a listener of TCP              whose connections come from outside
 *
 * Not seen: sockets within messages that wait in a UNIX socket. Call it with one thread.
 *
 * Returns how many were replaced; @standard: is one of them standard input, output or error.
 */
unsigned inherited_disarm(const struct sys *sys, bool *standard);

#endif
