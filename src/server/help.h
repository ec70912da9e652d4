/* The table of options.def, for getopt_long(3) and for people. */
#ifndef SERVER_HELP_H
#define SERVER_HELP_H

#include <getopt.h>

enum option_id {
#define OPTION(id, ...) OPTION_##id,
#include "options.def"
#undef OPTION
	OPTION_COUNT,
};

struct option_row {
	const char *name;
	char letter; /* 0: none */
	const char *argument, *fallback, *meaning;
};

extern const struct option_row help_rows[OPTION_COUNT];

/* What getopt_long(3) takes. It returns HELP_FIRST + id, or the letter: see help_find(). */
#define HELP_FIRST 256
struct help_getopt {
	struct option options[OPTION_COUNT + 1];
	char letters[2 * OPTION_COUNT + 1];
};
void help_fill(struct help_getopt *g);

/* The option that getopt_long(3) returned; OPTION_COUNT for none. */
enum option_id help_find(int c);

/* --help, to standard output. */
void help_print(void);

#endif
