/* The variables that configure the library, as a table for --help and for tests. */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

enum config_key {
#define KEY(id, variable, letter, option, syntax, fallback, meaning, reader) KEY_##id,
#include <config/keys.def>
#undef KEY
	KEY_COUNT,
};

struct key_row {
	const char *variable; /* "SOCKSIFY_TIMEOUT" */
	char letter;          /* the wrapper's short option that sets it, or 0 */
	const char *option;   /* the long one, "timeout", or "" */
	const char *syntax;   /* "SECONDS" */
	const char *fallback; /* "30", or words: "stderr" */
	const char *meaning;  /* one line, long */
};

/* In the order in which they are read. */
extern const struct key_row key_rows[KEY_COUNT];

#endif
