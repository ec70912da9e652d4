/* --test-config: would the server start, and what is wrong where it would not. */
#ifndef SERVER_TESTCONFIG_H
#define SERVER_TESTCONFIG_H

#include "options.h"

/*
 * Look at the files of the command line. Nothing is opened but these, and the words are those of
 * the start.
 *
 * @good  the command line is
 *
 * Returns the status to exit with: 0, after a line that says so, or OPTIONS_BAD.
 */
int testconfig_run(const struct options *o, bool good);

#endif
