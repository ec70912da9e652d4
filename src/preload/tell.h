/* The lines of the log about connects, and about what is refused by its kind. */
#ifndef PRELOAD_TELL_H
#define PRELOAD_TELL_H

#include <stdatomic.h>
#include <tunnel/dial.h>

/* A dial that dial_connect() or dial_step() ended in @err; 0: it succeeded. */
void tell_dial(const struct endpoint *dst, const struct dial *d, int err);

/* Once for each process: connects that should not wait do, because of @why. */
void tell_blocking_way(const char *why, int err);

/*
 * "@what is refused: @why", once for each @told, and in the audit. May be called before our
 * constructor. Returns -EACCES.
 */
int tell_refused(atomic_bool *told, const char *what, const char *why);

#endif
