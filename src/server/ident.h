/*
 * Asks the identd of a client (RFC 1413) whose the connection is: at port 113 of the address that
 * the client came from, from the one that it connected to. How long, is the caller's to say.
 */
#ifndef SERVER_IDENT_H
#define SERVER_IDENT_H

#include "address.h"
#include "loop.h"

#include <stddef.h>

struct ident;

struct ident_answer {
	/*
	 * 0, or a negative errno: identd was not reached, or hung up too early; -EPROTO where
	 * what it said is no answer, -ENOENT where it says that it doesn't know.
	 */
	int err;
	const char *text; /* the user, or with -ENOENT identd's cause; borrowed for the call */
	size_t len;
};

/*
 * @client  the connection in question; it is only looked at
 * @told    the end, once, never from within ident_new(). It may free the ident
 *
 * Returns 0, or a negative errno as in the answer, or -ENOMEM.
 */
int ident_new(struct ident **out, struct loop *loop, int client,
              void (*told)(void *arg, const struct ident_answer *a), void *arg);
void ident_free(struct ident *i); /* NULL is fine */

#endif
