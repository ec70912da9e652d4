/* How a parked connect ends. */
#ifndef PRELOAD_LANDING_H
#define PRELOAD_LANDING_H

#include "parked.h"

/* Under the lock: the socket that was dialled, whatever came of it, is the program's. */
void landing_take_place(struct parked *p);

/* The helper is done with it (worker.h). Frees it. */
void landing_done(struct worker_job *job, int err);

#endif
