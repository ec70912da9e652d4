/*
 * The file of --rules: a rule a line, "#" before a comment.
 *
 *	allow|deny [from CIDR,...] [user NAME,...] [do COMMAND,...] [to WHERE,...] [port PORTS,...]
 *
 * WHERE is a name, .suffix, address or CIDR; PORTS a port or LOW-HIGH; COMMAND connect, bind, udp
 * or resolve; "*" is any of them. In a NAME \xHH is an octet and \\ a backslash.
 */
#ifndef SERVER_RULESFILE_H
#define SERVER_RULESFILE_H

#include "ruleset.h"

#define RULESFILE_TOLD_MAX 20

/* One mistake. Lines and columns count from 1, columns in octets. */
struct rulesfile_error {
	unsigned line, column;
	const char *word; /* what stands there, any octets; not NUL-terminated */
	size_t word_len;
	const char *what;     /* static: what is wrong */
	const char *expected; /* static: what would be right */
};

/* Told of each mistake in the file's order, up to RULESFILE_TOLD_MAX. */
struct rulesfile_listener {
	void (*tell)(void *arg, const struct rulesfile_error *e);
	void *arg;
	unsigned more; /* filled in: how many there were beyond that */
};

/*
 * Read its text. Returns 0; -EBADMSG where there are mistakes, which were told; -ENOMEM.
 */
int rulesfile_parse(struct ruleset **out, const char *text, size_t len,
                    struct rulesfile_listener *l);

/* "column 7: "conect": there is no such command; expected ..."; cut where @cap ends. */
char *rulesfile_explain(const struct rulesfile_error *e, char *buf, size_t cap);
#define RULESFILE_TEXT_MAX 320

#endif
