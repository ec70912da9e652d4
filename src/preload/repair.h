/*
 * The process's own environment, for calls within libc that start programs with it: system(3),
 * popen(3), wordexp(3).
 */
#ifndef PRELOAD_REPAIR_H
#define PRELOAD_REPAIR_H

#include "child.h"

/*
 * Make environ what child_env() makes of it; mostly there is nothing to be done. It stays so: what
 * a program then finds in it beside its own is what it was started with. Memory that this takes is
 * used again when it is called again.
 *
 * Returns 0 or -ENOMEM.
 */
int repair_environ(const struct child *c);

#endif
