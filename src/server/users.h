/*
 * The file of --users: lines "NAME:HASH", the hash as crypt(3) makes it. In a name \xHH is an octet
 * and \\ a backslash, as in the log, so that every name can be written.
 */
#ifndef SERVER_USERS_H
#define SERVER_USERS_H

#include <stdbool.h>
#include <stddef.h>

#define USERS_NAME_MAX 255 /* octets, as RFC 1929 can say */
#define USERS_HASH_MAX 384 /* octets with the NUL: crypt(3)'s CRYPT_OUTPUT_SIZE */

struct opener;
struct users;

#define USERS_MISTAKES_MAX 20

struct users_mistake {
	unsigned line;        /* counted from 1 */
	const char *what;     /* static: what is wrong there */
	const char *expected; /* static: what would be right */
};

/* What there is to say of a file. */
struct users_report {
	size_t n_mistakes; /* more than there is room for are counted, too */
	struct users_mistake mistakes[USERS_MISTAKES_MAX];
	struct users_mistake last; /* the one that was found last, and not noted yet */
	unsigned weak_line; /* the first hash of a kind that crypt(3) calls legacy; 0: none */
	bool open_to_all;   /* every user of this machine may read it */
};

/*
 * Returns 0; -EBADMSG where a line is malformed; -EINVAL where it is no regular file; -EFBIG;
 * -ENOMEM; another negative errno where it can't be read. @opener is as in opener_open().
 */
int users_load(struct users **out, struct opener *opener, const char *path,
               struct users_report *report);
void users_free(struct users *u); /* NULL is fine */

size_t users_count(const struct users *u);

/* NULL where there is no such user. Borrowed. */
const char *users_hash(const struct users *u, const char *name, size_t len);

/*
 * For a name that is not there: a hash of the file to try the password with, so that it takes as
 * long. The same name always gets the same one. Borrowed; without any user one of the
 * library's preferred kind, as the case would be for the first user.
 */
const char *users_decoy(const struct users *u, const char *name, size_t len);

/* Is it a hash that crypt(3) can judge, whole; @weak: of a kind that it calls legacy. */
bool users_hash_is_valid(const char *hash, bool *weak);

#endif
