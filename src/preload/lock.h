/*
 * A lock for the few tables of ours in a stranger's process. Signals and cancellation wait while it
 * is held, so that a handler which calls a hook can't meet its own thread's lock; a child of fork
 * finds it free, whoever held it in the parent, also after _Fork() and a raw clone(). What the lock
 * guards must then bear to be found in the midst of a change.
 */
#ifndef PRELOAD_LOCK_H
#define PRELOAD_LOCK_H

#include <signal.h>

struct lock_guard {
	sigset_t mask;
	int cancel_state;
};

void lock_take(struct lock_guard *g);
void lock_release(struct lock_guard *g);

#endif
