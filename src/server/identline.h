/* The two lines of RFC 1413: what is asked, and what identd answers. */
#ifndef SERVER_IDENTLINE_H
#define SERVER_IDENTLINE_H

#include <stddef.h>
#include <stdint.h>

#define IDENTLINE_MAX     1000 /* octets of an answer, without its CR LF */
#define IDENTLINE_ASK_MAX 16   /* "65535, 65535\r\n" and a NUL */

/* The ports of one connection, as identd sees it: on its own machine, on ours. */
struct identline_ports {
	uint16_t there, here;
};

/* Write the question. Returns its length. */
size_t identline_ask(const struct identline_ports *ports, char out[IDENTLINE_ASK_MAX]);

enum identline {
	IDENTLINE_USER,  /* @text is the user's name: any octets but NUL, at least one */
	IDENTLINE_ERROR, /* @text is the cause, such as NO-USER */
	IDENTLINE_BAD,   /* no answer, or one about another connection */
};

/*
 * Read an answer, without its LF:
 *
 *	6193, 23 : USERID : UNIX, US-ASCII : stjohns
 *	6195, 23 : ERROR : NO-USER
 *
 * White space around fields doesn't count, case of the keywords neither. The operating system and
 * the character set must be there, and mean nothing to us: names are compared as octets.
 *
 * @text, @text_len  part of the line; not for IDENTLINE_BAD
 */
enum identline identline_read(const char *line, size_t len, const struct identline_ports *ports,
                              const char **text, size_t *text_len);

#endif
