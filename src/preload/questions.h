/*
 * Questions that this library can't answer out of itself: they are with the name server, or with
 * the proxy. All of this is the helper's.
 */
#ifndef PRELOAD_QUESTIONS_H
#define PRELOAD_QUESTIONS_H

#include "asker.h"
#include "respond.h"

/*
 * @how  RESPOND_DIRECT, RESPOND_TUNNEL or RESPOND_PTR, as respond() said of @msg
 *
 * Returns 0: asker_answer() will be called, later on, or the same question of the same asker is
 * with somebody already. Or a negative errno.
 */
int questions_take(const struct asker *a, enum respond how, const uint8_t *msg, size_t len,
                   const struct response *r);

size_t questions_pending(void);

/* Those that are with somebody fail; those that the worker still dials for fail with it. */
void questions_fail(void);

/* Under the lock, where none is pending: the memory is given back. */
void questions_close(void);

/* In a forked child: they are its parent's. */
void questions_in_child(void);

#endif
