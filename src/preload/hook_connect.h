/* What another hook needs of connect()'s. */
#ifndef PRELOAD_HOOK_CONNECT_H
#define PRELOAD_HOOK_CONNECT_H

#include "sockets.h"

/*
 * Fetch the outcome of a connect that was interrupted, SOCKET_INTERRUPTED in @note: 0 or a negative
 * errno. May wait as long as the connect would have.
 */
int connect_late(int fd, const struct socket_note *note);

#endif
