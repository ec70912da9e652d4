/* The lines of the log about connects. */
#ifndef PRELOAD_TELL_H
#define PRELOAD_TELL_H

#include <tunnel/dial.h>

/* A dial that dial_connect() or dial_step() ended in @err; 0: it succeeded. */
void tell_dial(const struct endpoint *dst, const struct dial *d, int err);

/* Once for each process: connects that should not wait do, because of @why. */
void tell_blocking_way(const char *why, int err);

#endif
