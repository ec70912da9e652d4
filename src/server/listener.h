/*
 * A listening socket: takes clients in, and steps back for a while when the system has no room for
 * them.
 */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include "worker.h"

struct listener {
	struct watch sock;
	struct worker *worker;
	struct timer pause; /* runs while no client is accepted for want of descriptors or memory */
	bool loopback;      /* only this machine can reach it */
	int64_t complaint_ms, source_complaint_ms; /* see events_due() */
	struct listener *prev, *next;
};

/*
 * Bind, listen, and join the worker's list. 0, or -1 with the complaint written.
 *
 * @shared  other workers listen on the same port
 * @first   before all of those: no other process may have the port
 */
int listener_open(struct worker *w, const union address *at, bool shared, bool first);
void listener_close(struct listener *l);

/* The line that says "ready". */
void listener_announce(const struct listener *l);

#endif
