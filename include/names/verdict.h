/* Who answers a look-up of a name, and why: for the library's hooks and for --dns-check. */
#ifndef NAMES_VERDICT_H
#define NAMES_VERDICT_H

#include <config/config.h>

enum verdict_kind {
	VERDICT_ADDRESS,     /* an address in text, as inet_aton(3) or inet_pton(3) read it */
	VERDICT_SCHEME,      /* socks4:// and socks5:// leave names to libc */
	VERDICT_NOBODY,      /* can be nobody's name: over-long, a bad label, blanks, a colon */
	VERDICT_LOCAL,       /* the hosts file, localhost, the machine's own name */
	VERDICT_RULE,        /* a rule without a port sends it direct: libc's to answer */
	VERDICT_PLACEHOLDER, /* the proxy is told the name, when it is connected to */
};

struct verdict {
	enum verdict_kind kind;
	/*
	 * The first rule without a port that sends it direct, or NULL. Never with VERDICT_ADDRESS,
	 * VERDICT_NOBODY and VERDICT_PLACEHOLDER.
	 */
	const struct rule *rule;
	/*
	 * A rule sends it direct at one port at least (or at all of them): addresses that it is
	 * given are to be noted. Never with VERDICT_ADDRESS and VERDICT_NOBODY.
	 */
	bool ruled;
	const char *why; /* in words; static */
};

/* Asks nobody; may read /etc/hosts. A malformed configuration gives placeholders. */
void verdict_find(const struct config *cfg, const char *name, size_t len, struct verdict *out);

#endif
