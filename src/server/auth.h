/*
 * Is this user's password right. The file of --users says so; the slow hashes are computed by
 * threads, and wrong logins slow their source down (PROTOCOL items 68 to 74).
 */
#ifndef SERVER_AUTH_H
#define SERVER_AUTH_H

#include "address.h"
#include "loop.h"
#include "verified.h"

struct auth;
struct opener;
struct login;

enum auth_verdict {
	AUTH_PENDING,  /* will be told */
	AUTH_RIGHT,    /* welcome */
	AUTH_WRONG,    /* user or password */
	AUTH_NO_MEANS, /* it can't be judged now: memory, threads, or too many are waiting */
};

/*
 * 0, or a status to exit with, the complaint written. @path and @opener are borrowed; see
 * opener_open() for the latter.
 */
int auth_new(struct auth **out, struct loop *loop, struct opener *opener, const char *path);
/* All logins must have ended or been cancelled. NULL is fine. */
void auth_free(struct auth *a);

/* Read the file again; what can't be used is logged, and the old users stay. */
void auth_reload(struct auth *a);

/*
 * Judge credentials, which are copied.
 *
 * @told  for AUTH_PENDING alone: the verdict, once, never from within auth_start()
 * @slot  for AUTH_PENDING: the login, for auth_cancel(); else NULL. It is gone when @told is called
 */
enum auth_verdict auth_start(struct auth *a, const union address *from, const struct credentials *c,
                             void (*told)(void *arg, enum auth_verdict v), void *arg,
                             struct login **slot);

/* Nothing will be told. NULL is fine. */
void auth_cancel(struct login *l);

#endif
