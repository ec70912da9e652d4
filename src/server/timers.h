/*
 * Deadlines, any number of them, without an allocation: a pairing heap whose nodes live in their
 * owners. Starting is O(1), stopping and expiring O(log n) amortized.
 */
#ifndef SERVER_TIMERS_H
#define SERVER_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

struct timer {
	void (*due)(struct timer *t); /* set by the owner; the timer is stopped when it is called */
	int64_t at_ms;
	bool running;
	struct timer *child, *next;
	struct timer *prev; /* the sibling before, or the parent of a first child */
};

struct timers {
	struct timer *root;
};

/* Start it, or move it where it runs already. @at_ms is on base/clock.h's clock. */
void timer_start(struct timers *ts, struct timer *t, int64_t at_ms);
void timer_stop(struct timers *ts, struct timer *t);

/* The earliest deadline, or DEADLINE_NEVER. */
int64_t timers_next(const struct timers *ts);

/* Stop and call all that were due at @now_ms. They may start and stop any timer. */
void timers_run(struct timers *ts, int64_t now_ms);

#endif
