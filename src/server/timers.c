#include "timers.h"

#include <base/clock.h>
#include <stddef.h>

static struct timer *meld(struct timer *a, struct timer *b)
{
	struct timer *swap;

	if (!a)
		return b;
	if (!b)
		return a;
	if (b->at_ms < a->at_ms) {
		swap = a;
		a = b;
		b = swap;
	}
	b->prev = a;
	b->next = a->child;
	if (b->next)
		b->next->prev = b;
	a->child = b;
	return a;
}

/*
 * Melds siblings in pairs from the left, then the pairs from the right: that is what makes it O(log
 * n).
 */
static struct timer *meld_siblings(struct timer *first)
{
	struct timer *pairs = NULL, *root = NULL, *a, *b, *rest;

	for (; first; first = rest) {
		a = first;
		b = a->next;
		rest = b ? b->next : NULL;
		a->next = NULL;
		a->prev = NULL;
		if (b) {
			b->next = NULL;
			b->prev = NULL;
		}
		a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	for (; pairs; pairs = rest) {
		rest = pairs->next;
		pairs->next = NULL;
		root = meld(root, pairs);
	}
	if (root)
		root->prev = NULL;
	return root;
}

void timer_stop(struct timers *ts, struct timer *t)
{
	struct timer *below;

	if (!t->running)
		return;
	t->running = false;
	below = meld_siblings(t->child);
	if (t == ts->root) {
		ts->root = below;
	} else {
		if (t->prev->child == t)
			t->prev->child = t->next;
		else
			t->prev->next = t->next;
		if (t->next)
			t->next->prev = t->prev;
		ts->root = meld(ts->root, below);
	}
	t->child = NULL;
	t->next = NULL;
	t->prev = NULL;
}

void timer_start(struct timers *ts, struct timer *t, int64_t at_ms)
{
	timer_stop(ts, t);
	t->at_ms = at_ms;
	t->running = true;
	ts->root = meld(ts->root, t);
}

int64_t timers_next(const struct timers *ts)
{
	return ts->root ? ts->root->at_ms : DEADLINE_NEVER;
}

void timers_run(struct timers *ts, int64_t now_ms)
{
	struct timer *t;

	while (ts->root && ts->root->at_ms <= now_ms) {
		t = ts->root;
		timer_stop(ts, t);
		t->due(t);
	}
}
