/* What the library adds to its program's environment. */
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

#endif
