/*
 * What programs of an audited session note of themselves, for "socksify --audit": a line each, in a
 * file that all of them append to. Any program of the user's can write there, so whoever reads it
 * trusts nothing.
 *
 *	kind TAB pid TAB program TAB subject TAB why LF
 *
 * all of it printable ASCII, other octets of names as \xHH.
 */
#ifndef BASE_DEED_H
#define BASE_DEED_H

#include <stdbool.h>
#include <stddef.h>

#define DEED_MAX 1280 /* octets of a line with its LF */

/* Of the fields, with what their escapes take; what is longer is cut and ends in "...". */
#define DEED_PROGRAM_MAX 64
#define DEED_SUBJECT_MAX 768
#define DEED_WHY_MAX     400

/* Octets that the file may have; then nothing is noted any more. */
#define DEED_FILE_MAX (16u << 20)

enum deed_kind {
	DEED_REFUSED,  /* a destination, a kind of socket, a library */
	DEED_NOT_RUN,  /* a program that the library can't get into */
	DEED_CLOSED,   /* the same, run without a network */
	DEED_OPEN,     /* the same, run past the proxy; whatever else is unwatched */
	DEED_DIRECT,   /* a destination past the proxy */
	DEED_ASKED,    /* a name that the machine's own resolver was asked for */
	DEED_FAILED,   /* a destination that the proxy did not reach */
	DEED_PROXIED,  /* a destination that it did */
	DEED_LOOPBACK, /* a destination on this machine */
	DEED_KINDS,
};

struct deed {
	enum deed_kind kind;
	unsigned long pid;
	const char *program, *subject, *why; /* NUL-terminated; only ->why may be "" */
};

/* A line, with its LF, of at most DEED_MAX octets. Returns how many; no NUL follows. */
size_t deed_put(const struct deed *r, char out[DEED_MAX]);

/*
 * Read a line of @len octets without its LF. It is changed: @out points into it, and a NUL is
 * written to line[len].
 *
 * Returns false where deed_put() could not have made it; @out is undefined then.
 */
bool deed_get(char *line, size_t len, struct deed *out);

/*
 * Append a line to the file at @path, if that is there, is a regular file of this user's that
 * nobody else may touch, and has room below DEED_FILE_MAX and the program's own RLIMIT_FSIZE;
 * else nothing happens. Takes no lock, allocates nothing, keeps errno and leaves no descriptor
 * open, so that the child of vfork(2) may call it as well.
 *
 * Returns 0, or the negative errno with which the file could not be opened.
 */
int deed_append(const char *path, const struct deed *r);

#endif
