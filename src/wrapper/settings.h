/* What PROGRAM's environment gets, gathered and judged before anything is changed. */
#ifndef WRAPPER_SETTINGS_H
#define WRAPPER_SETTINGS_H

#include "options.h"

#include <config/config.h>

struct settings {
	const char *value[KEY_COUNT]; /* what the variable is set to, or NULL: it stays as it is */
	bool by_option[KEY_COUNT];
	const char *proxy_origin; /* what names the proxy: "-x", a variable, "the default" */
	char *preload;            /* LD_PRELOAD, or NULL: it stays */
	char names_path[PATH_MAX];
	/* Where ->value needs room of its own. */
	char proxy_label[PROXY_LABEL_MAX];
	char no_proxy[RULES_LIST_MAX];
	struct config cfg; /* what all that means */
};

/* All below return 0 or the status to exit with, after telling of the error on stderr. */

/*
 * What the options say, the level of the log, and the session's table of names: a wrapper inside a
 * session of the same user stays in it unless --isolate.
 *
 * @proxy  a URL that stands before all others, or NULL
 */
int settings_init(struct settings *s, const struct options *o, const char *proxy);

/*
 * Read it as the library will, here, where a person sees what is malformed, before the library
 * meets it in silence. Relative paths become absolute: a program of the session may change its
 * folder and start another. What is odd but harmless is told once, and then settled, so that no
 * program of the session tells it again.
 */
int settings_judge(struct settings *s);

/* LD_PRELOAD with an entry for the library: its path, or the form with $LIB. */
int settings_preload(struct settings *s, const char *entry);

/* Into the environment. */
int settings_export(const struct settings *s);

void settings_fini(struct settings *s);

#endif
