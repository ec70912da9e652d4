/*
 * Credentials that were right a moment ago, so that a client which opens one connection after
 * another does not pay for a slow hash each time. They are kept per source of clients, in memory
 * that is neither swapped nor dumped where the system allows that, and wiped when their time is
 * over.
 */
#ifndef SERVER_VERIFIED_H
#define SERVER_VERIFIED_H

#include "loop.h"
#include "source.h"

#include <stddef.h>

#define VERIFIED_MAX        256    /* at once */
#define VERIFIED_MS         180000 /* from the judgement on, however often it is asked for */
#define VERIFIED_MISSES_MAX 8      /* wrong passwords for it, then it is forgotten */

struct verified;

/* As a client said them, any octets. */
struct credentials {
	const char *user, *password;
	size_t user_len, password_len; /* at most 255 */
};

/* NULL where memory is short. */
struct verified *verified_new(struct loop *loop);
void verified_free(struct verified *v); /* NULL is fine */

void verified_put(struct verified *v, const struct source_key *from, const struct credentials *c);

/* Takes equally long for every wrong password. */
bool verified_holds(struct verified *v, const struct source_key *from, const struct credentials *c);

void verified_forget_all(struct verified *v);

#endif
