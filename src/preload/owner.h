/* Whose socket asks: other users of this machine are not answered. */
#ifndef PRELOAD_OWNER_H
#define PRELOAD_OWNER_H

#include "asker.h"

#define OWNER_FDS 5

/* The kernel's tables of sockets, and a way to ask it; -1 where one is not open. */
extern int owner_fds[OWNER_FDS];

/*
 * Under the lock, by a thread of the program's: open those for ports of @type (SOCK_DGRAM,
 * SOCK_STREAM), if they are not yet.
 */
void owner_open(int type);
void owner_close(void);

/*
 * By the helper: is the socket at a->addr, which is connected to a->port or sends to it, one of our
 * user's, or root's? Where the tables can't be read, it is taken for one.
 */
bool owner_may_ask(const struct asker *a);

#endif
