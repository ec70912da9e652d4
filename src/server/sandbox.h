/*
 * The server shuts itself in once it listens: whoever took it over through a fault could neither
 * start a program, nor write a file, nor read others than the system's own, nor reach processes.
 */
#ifndef SERVER_SANDBOX_H
#define SERVER_SANDBOX_H

#include "options.h"

/* What there is of it. */
struct sandbox {
	bool wanted;
	int landlock; /* its version, or a negative errno */
	int filter;   /* 0, or a negative errno */
};

/* For the calling thread and those that it makes later, after privileges_drop(). */
void sandbox_enter(struct sandbox *sb, const struct options *o);

/*
 * The line "sandbox", and a warning for each thing that the kernel can't do. After those that say
 * "ready": whoever waits for them may read one line.
 */
void sandbox_tell(const struct sandbox *sb);

#endif
