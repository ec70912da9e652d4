/*
 * The way to auth.h from any worker's thread: there is one judge for all of them, so that a
 * source's wrong logins count together, and it lives in the home worker's loop.
 */
#ifndef SERVER_DOOR_H
#define SERVER_DOOR_H

#include "auth.h"
#include "mailbox.h"

struct knock;

/* Of one worker. */
struct door {
	struct auth *auth;
	struct mailbox *home, *own; /* the same in the home worker */
};

/* As auth_start() and auth_cancel(), which are asked without a letter at home. */
enum auth_verdict door_knock(const struct door *d, const union address *from,
                             const struct credentials *c,
                             void (*told)(void *arg, enum auth_verdict v), void *arg,
                             struct knock **slot);
void door_leave(struct knock *k); /* NULL is fine */

#endif
