/* What tests of starting programs share: what is started, and what is done to environ before. */
#ifndef TEST_OFFSPRING_H
#define TEST_OFFSPRING_H

#include <stdbool.h>

#define OFFSPRING_NAME "ok.offspring.test"

/*
 * To be called first in main(): where this is the program that was started it does what it is told
 * and exits.
 *   connect  to OFFSPRING_NAME, and echo
 *   alike    is everything of ours in the environment, and each once?
 *   say      writes "said" to descriptor 1
 */
void offspring_main(int argc, char **argv);

enum offspring_wipe {
	WIPE_NOTHING,
	WIPE_CLEAR,     /* clearenv() */
	WIPE_NULL,      /* environ = NULL */
	WIPE_FIRST,     /* environ[0] = NULL */
	WIPE_OTHERS,    /* a vector of the program's own */
	WIPE_PRELOAD,   /* unsetenv("LD_PRELOAD") */
	WIPE_OVERWRITE, /* moved away, then its memory is written over, as setproctitle() does */
	WIPE_ALL,       /* written over, and no other in its place */
	WIPES,
};

/* For good, so in a child that may be spoilt. Sanitizers find what they need in any. */
void offspring_wipe(enum offspring_wipe how);

/* A vector that has nothing but what sanitizers need. */
char **offspring_bare(void);

/* In a child of its own: does @run, after @how was done, return true? */
bool offspring_in_fork(enum offspring_wipe how, bool (*run)(const void *arg), const void *arg);

#endif
