/*
 * How wrong logins slow their source down. Each source has one lane: after a few logins without a
 * right one between them, the next may be judged only some time after the one before, longer each
 * time. So trying many at once gains nothing, and another source's are not touched.
 */
#ifndef SERVER_PENALTY_H
#define SERVER_PENALTY_H

#include "loop.h"
#include "source.h"

#define PENALTY_SOURCES_MAX 4096   /* remembered; of more, the one longest quiet is forgotten */
#define PENALTY_FORGET_MS   300000 /* of quiet */

struct penalties;

/* A login in its lane. Lives in its owner. */
struct penalty_turn {
	/* Its turn: penalty_charge() it, or leave it where it costs nothing. May free the owner. */
	void (*came)(struct penalty_turn *t);
	struct penalty *lane; /* NULL: not waiting */
	struct penalty_turn *prev, *next;
};

/* NULL where memory is short. */
struct penalties *penalty_new(struct loop *loop);
void penalty_free(struct penalties *ps); /* nobody may wait any more; NULL is fine */

/* Must a login wait. Then ->came() will be called; else it is its turn now. */
bool penalty_wait(struct penalties *ps, struct penalty_turn *t, const struct source_key *from);
void penalty_leave(struct penalty_turn *t); /* no turn is wanted any more; harmless without one */

/* A login of this source is about to be judged. Counts as wrong until penalty_clear(). */
void penalty_charge(struct penalties *ps, const struct source_key *from);
/* It was right: those that wait get their turn. Calls nobody. */
void penalty_clear(struct penalties *ps, const struct source_key *from);

/* For tests: how many sources are remembered. */
unsigned penalty_count(const struct penalties *ps);

#endif
