/* The wrapper's command line. */
#ifndef WRAPPER_OPTIONS_H
#define WRAPPER_OPTIONS_H

#include <config/keys.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	EXIT_SOCKSIFY = 125,   /* socksify itself failed */
	EXIT_CANNOT_RUN = 126, /* PROGRAM was found and can't be run */
	EXIT_NOT_FOUND = 127,  /* PROGRAM was not found */
};

enum mode { MODE_RUN, MODE_CHECK, MODE_DNS_CHECK, MODE_PRINT_ENV, MODE_CLOSED };

struct options {
	enum mode mode;
	bool with_server, isolate, audit;
	bool for_fish;                    /* MODE_PRINT_ENV: fish's language, not sh's */
	const char *key_value[KEY_COUNT]; /* by option, else NULL */
	char *proxy_copy;                 /* what the proxy's of them points at */
	/* PROGRAM and its arguments, NULL-terminated; or empty. MODE_DNS_CHECK: the names */
	char **program;
	char *argv0;             /* what PROGRAM is to find as its own name, or NULL */
	const char *destination; /* MODE_CHECK: HOST:PORT, or NULL */
};

/*
 * The proxy's URL is overwritten in @argv, which other users can read; ->key_value has a copy,
 * which lasts until options_fini().
 *
 * Returns -1 to go on, or the status to exit with: 0 after --help and --version, EXIT_SOCKSIFY
 * after an error, which was told on stderr; @out is then empty.
 */
int options_parse(int argc, char **argv, struct options *out);

void options_fini(struct options *o);

/* How a user calls the option that sets a variable: "-x", "--timeout". Returns @buf. */
const char *options_name(enum config_key key, char *buf, size_t cap);

#endif
