/*
 * Locks for the few tables of ours in a stranger's process. Signals and cancellation wait while one
 * is held, so that a handler which calls a hook can't meet its own thread's lock; a child of fork
 * finds them free, whoever held it in the parent, also after _Fork() and a raw clone(). What a lock
 * guards must then bear to be found in the midst of a change.
 */
#ifndef PRELOAD_LOCK_H
#define PRELOAD_LOCK_H

#include <signal.h>

enum lock {
	LOCK_PARKING, /* what is parked, what is ours, what moves: the other may be taken inside */
	LOCK_TABLES,  /* what is known of sockets and of the proxy: taken last, and briefly */
};

struct lock_guard {
	enum lock which;
	sigset_t mask;
	int cancel_state;
};

void lock_take(struct lock_guard *g, enum lock which);
void lock_release(struct lock_guard *g);

/* Sleep for 50 us, by which no thread is cancelled: between two looks at what another one does. */
void lock_nap(void);

#endif
