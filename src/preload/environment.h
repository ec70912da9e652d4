/* What the library adds to its program's environment, and to that of programs it starts. */
#ifndef PRELOAD_ENVIRONMENT_H
#define PRELOAD_ENVIRONMENT_H

#include <config/config.h>

/*
 * A program without SOCKSIFY_NAMES, or with another user's, begins a session: choose the path of
 * its table (the file itself is made when it is first needed), note it in @cfg and export it, so
 * that programs which this one starts find the same names. Allocates nothing that the program could
 * free, opens nothing.
 */
void environment_session(struct config *cfg);

/*
 * Keep a copy of our variables as they are now: by the constructor, after the above. What the
 * program does to its environment then changes nothing for the programs that it starts.
 */
void environment_keep(const struct config *cfg);

#define ENVIRONMENT_MAX 24

/*
 * Which "NAME=value" of those @envp (NULL: an empty one) lacks; see config/inherit.h. The texts are
 * valid for good. Fit for the child of a vfork.
 */
size_t environment_missing(char *const envp[], const char *out[ENVIRONMENT_MAX]);

#endif
