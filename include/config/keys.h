/* The variables that configure the library, as a table for --help and for tests. */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

enum config_key {
#define KEY(id, variable, syntax, fallback, meaning, reader) KEY_##id,
#include <config/keys.def>
#undef KEY
	KEY_COUNT,
};

struct key_row {
	const char *variable; /* "SOCKSIFY_TIMEOUT" */
	const char *syntax;   /* "SECONDS" */
	const char *fallback; /* "30", or words: "stderr" */
	const char *meaning;  /* one line */
};

/* In the order in which they are read. */
extern const struct key_row key_rows[KEY_COUNT];

#endif
