#ifndef PRELOAD_SECOND_H
#define PRELOAD_SECOND_H

#include "parked.h"

/* Under the lock, for @fd, which is parked. Returns 0 or a negative errno. */
int second_make(struct parked *p, int fd);

/*
 * Called by the helper (worker.h): make it like the program's, and begin to dial. Where there were
 * no descriptors left, those under way that end will leave some: -EAGAIN till the deadline.
 */
int second_start(struct worker_job *job);

#endif
