/*
 * A port on which one peer is awaited (BIND). Whoever else comes is turned away with a reset; when
 * the one has come, nobody listens any more.
 */
#ifndef SERVER_BIND_H
#define SERVER_BIND_H

#include "address.h"
#include "loop.h"

#include <stdbool.h>
#include <stddef.h>

#define BIND_PEERS_MAX 32 /* addresses that are expected; more are left out */

struct bind;

enum bind_verdict {
	BIND_TAKE,      /* this is the one */
	BIND_TURN_AWAY, /* and wait on */
	BIND_GIVE_UP,   /* turn it away, and wait for nobody any more: ->done() with -EACCES */
};

struct bind_events {
	/* Somebody came. May not free the bind. */
	enum bind_verdict (*judge)(void *arg, const union address *from);
	/*
	 * The end, told once, never from within bind_listen(). It may free the bind.
	 *
	 * @err   0, or a negative errno: nobody can be taken in
	 * @peer  with 0: the connected, non-blocking socket, to be taken by loop_hand_over()
	 */
	void (*done)(void *arg, int err, struct watch *peer, const union address *from);
};

struct bind_place {
	const union address *own; /* where the client reached us */
	int family;               /* the better one, where peers of both are expected */
	/* By family, IPv4 first, or AF_UNSPEC: what to report in place of the address. */
	const union address *public_address;
	uint16_t low, high; /* ports; 0: any that is free */
};

/* Does not listen yet. @events is borrowed. NULL where memory is short. */
struct bind *bind_new(struct loop *loop, const struct bind_events *events, void *arg);
void bind_free(struct bind *b); /* closes the port; NULL is fine */

/* Whom to expect, ports not counted. Where nobody is, anybody is. */
void bind_expect(struct bind *b, const union address *peers, size_t n);
bool bind_expects(const struct bind *b, const union address *from);

/*
 * Listen where an expected peer can come to: on the address that we would go to it from, and where
 * anybody may come, on the one that the client knows of. With a public address, which may be
 * another machine's, on all of its family.
 *
 * @bnd  where to tell the peer to come: never a wildcard
 *
 * Returns 0 or a negative errno: -EADDRINUSE where no port is free, that of the route where no
 * peer could be reached.
 */
int bind_listen(struct bind *b, const struct bind_place *place, union address *bnd);

#endif
