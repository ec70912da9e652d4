/* The wrapper's command line. */
#ifndef WRAPPER_OPTIONS_H
#define WRAPPER_OPTIONS_H

enum {
	EXIT_SOCKSIFY = 125,   /* socksify itself failed */
	EXIT_CANNOT_RUN = 126, /* PROGRAM was found and can't be run */
	EXIT_NOT_FOUND = 127,  /* PROGRAM was not found */
};

struct options {
	const char *proxy; /* -x, or NULL */
	char **program;    /* PROGRAM and its arguments, NULL-terminated */
};

/*
 * Returns -1 to go on, or the status to exit with: 0 after --help and --version, EXIT_SOCKSIFY
 * after an error, which was told on stderr.
 */
int options_parse(int argc, char **argv, struct options *out);

#endif
