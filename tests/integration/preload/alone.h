/*
 * A network of the test's own, with a name server that counts: namespaces in which 127.0.0.1 and
 * 192.0.2.0/24 are this machine, and libc knows no other source of names than the one at
 * 127.0.0.1.
 */
#ifndef TEST_ALONE_H
#define TEST_ALONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * To be called before there are threads or children. The name server answers for names that end in
 * ".test":
 *   aN.*    192.0.2.N
 *   two.*   192.0.2.11 and 192.0.2.12
 *   six.*   ::1 alone
 *   none.*  no such name
 *   fail.*  the server can't tell
 *   silent.* it never answers
 * /etc/hosts lists listed.port.test, 192.0.2.90.
 *
 * Returns false where it may not be done here (no user namespaces, say).
 */
bool alone_begin(void);

/*
 * unshare(), in a user namespace of one's own where that takes privileges; @as_root: they outlast
 * an exec.
 */
bool alone_unshare(int flags, bool as_root);

/* What the name server makes of a question, in its place. Returns the length; 0: it is none. */
size_t alone_answer(uint8_t *msg, size_t len, size_t room);

/* After alone_begin(): a file that there is holds @text, for this mount namespace alone. */
bool alone_cover(const char *path, const char *text);

/* How many questions the name server was asked so far. */
int alone_questions(void);

#endif
