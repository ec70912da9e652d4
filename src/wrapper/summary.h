/* What the programs of an audited session noted, put together for a person. */
#ifndef WRAPPER_SUMMARY_H
#define WRAPPER_SUMMARY_H

#include <base/deed.h>
#include <stdio.h>

#define SUMMARY_PREFIX "socksify: audit: "

struct summary {
	struct deed *all;
	size_t n, cap;
	size_t strange; /* lines that none of ours wrote */
	bool full;      /* nothing more was noted, since the file had no room */
};

/*
 * Take what is in the file: @len octets, with a writable one behind them. @text is changed, and
 * borrowed until summary_fini(). Any content will do.
 *
 * Returns 0 or -ENOMEM.
 */
int summary_init(struct summary *s, char *text, size_t len);

/*
 * Lines with SUMMARY_PREFIX, sorted, each thing once, in printable ASCII; and what there was none
 * of.
 */
void summary_print(FILE *out, const struct summary *s);

void summary_fini(struct summary *s);

#endif
