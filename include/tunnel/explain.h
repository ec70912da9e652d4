/* Why a connect through the proxy failed, in words, and what to try: for --check and the log. */
#ifndef TUNNEL_EXPLAIN_H
#define TUNNEL_EXPLAIN_H

#include <tunnel/dial.h>

#define EXPLAIN_CAUSE_MAX 320

struct explanation {
	/* "connection refused by the destination (reply 05)"; ASCII, one line, never a password */
	char cause[EXPLAIN_CAUSE_MAX];
	const char *advice; /* what to try, "" where there is nothing; static */
};

/*
 * @proxy   NULL for a dial without one
 * @report  as dial_connect() left it after it returned @err, which is negative. One without a hop
 *          and a cause is that of a proxy whose name has no address.
 */
void explain_failure(const struct proxy *proxy, const struct dial_report *report, int err,
                     struct explanation *out);

#endif
