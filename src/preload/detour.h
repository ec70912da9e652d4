/*
 * Source routes: with one a packet visits hosts of the program's choice, whatever the address that
 * was judged. A packet for 127.0.0.1 leaves the machine, and the proxy's segments go elsewhere
 * first. No internet socket takes any.
 */
#ifndef PRELOAD_DETOUR_H
#define PRELOAD_DETOUR_H

#include <stdbool.h>
#include <sys/socket.h>

/* Would this option of setsockopt(2) be one, or hide one? */
bool detour_is_option(int level, int name, const void *val, socklen_t len);

/* Does the control data of a send have one? */
bool detour_is_in(const struct msghdr *msg);

/* Take it from an internet socket that has one from before the session, and tell. */
void detour_take_away(int fd, int family);

/* Tell of a refusal, once, and return its errno: -EACCES. */
int detour_refuse(void);

#endif
