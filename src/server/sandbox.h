/*
 * The server shuts itself in once it listens: whoever took it over through a fault could neither
 * start a program, nor write a file, nor read others than the system's own, nor reach processes.
 */
#ifndef SERVER_SANDBOX_H
#define SERVER_SANDBOX_H

#include "options.h"

/*
 * For the calling thread and those that it makes later, after privileges_drop(). What the kernel
 * can't do is told in a warning, and all of it in the line "sandbox".
 */
void sandbox_enter(const struct options *o);

#endif
