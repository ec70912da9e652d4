#include "unit.h"

#include <base/clock.h>
#include <timers.h>

#define MANY 200

/* A timer that notes its turn. */
struct note {
	struct timer timer; /* first, so that one pointer is the other */
	int turn;           /* the how-many-th that was called; 0: not yet */
	struct timers *ts;
	struct note *start, *stop; /* what it does to others when it is due; NULL: nothing */
	int64_t start_ms;
};

static int turns;
static int64_t last_ms;

static void on_due(struct timer *t)
{
	struct note *n = (struct note *)(void *)t;

	ck_assert(!t->running);
	ck_assert_int_ge(t->at_ms, last_ms);
	last_ms = t->at_ms;
	n->turn = ++turns;
	if (n->start)
		timer_start(n->ts, &n->start->timer, n->start_ms);
	if (n->stop)
		timer_stop(n->ts, &n->stop->timer);
}

static void notes_init(struct note *notes, int n, struct timers *ts)
{
	turns = 0;
	last_ms = INT64_MIN;
	ts->root = NULL;
	for (int i = 0; i < n; i++)
		notes[i] = (struct note){ .timer = { .due = on_due }, .ts = ts };
}

START_TEST(an_empty_heap_is_never_due)
{
	struct timers ts = { 0 };

	ck_assert_int_eq(timers_next(&ts), DEADLINE_NEVER);
	timers_run(&ts, INT64_MAX);
}
END_TEST

START_TEST(the_earliest_is_next)
{
	static const int64_t at[] = { 50, 10, 40, 20, 30 };
	struct note notes[ROWS(at)];
	struct timers ts;

	notes_init(notes, ROWS(at), &ts);
	for (int i = 0; i < ROWS(at); i++)
		timer_start(&ts, &notes[i].timer, at[i]);
	ck_assert_int_eq(timers_next(&ts), 10);
	timers_run(&ts, 9);
	ck_assert_int_eq(turns, 0);
	timers_run(&ts, 30);
	ck_assert_int_eq(turns, 3);
	ck_assert_int_eq(notes[1].turn, 1);
	ck_assert_int_eq(notes[3].turn, 2);
	ck_assert_int_eq(notes[4].turn, 3);
	ck_assert_int_eq(timers_next(&ts), 40);
	timers_run(&ts, 1000);
	ck_assert_int_eq(turns, 5);
	ck_assert_int_eq(timers_next(&ts), DEADLINE_NEVER);
}
END_TEST

START_TEST(a_stopped_one_is_not_called)
{
	struct note notes[3];
	struct timers ts;

	for (int gone = 0; gone < 3; gone++) {
		notes_init(notes, 3, &ts);
		for (int i = 0; i < 3; i++)
			timer_start(&ts, &notes[i].timer, i);
		timer_stop(&ts, &notes[gone].timer);
		timer_stop(&ts, &notes[gone].timer); /* twice is fine */
		ck_assert(!notes[gone].timer.running);
		timers_run(&ts, 10);
		ck_assert_int_eq(turns, 2);
		ck_assert_int_eq(notes[gone].turn, 0);
	}
}
END_TEST

START_TEST(a_running_one_is_moved)
{
	struct note notes[2];
	struct timers ts;

	notes_init(notes, 2, &ts);
	timer_start(&ts, &notes[0].timer, 10);
	timer_start(&ts, &notes[1].timer, 20);
	timer_start(&ts, &notes[0].timer, 30);
	ck_assert_int_eq(timers_next(&ts), 20);
	timer_start(&ts, &notes[0].timer, 5);
	ck_assert_int_eq(timers_next(&ts), 5);
	timers_run(&ts, 100);
	ck_assert_int_eq(notes[0].turn, 1);
	ck_assert_int_eq(notes[1].turn, 2);
}
END_TEST

START_TEST(one_that_is_due_may_stop_and_start_others)
{
	struct note notes[4];
	struct timers ts;

	notes_init(notes, 4, &ts);
	for (int i = 0; i < 3; i++)
		timer_start(&ts, &notes[i].timer, 10 + i);
	notes[0].stop = &notes[1];
	notes[0].start = &notes[3];
	notes[0].start_ms = 12;
	/* Itself, for later. */
	notes[2].start = &notes[2];
	notes[2].start_ms = 50;
	timers_run(&ts, 20);
	ck_assert_int_eq(turns, 3);
	ck_assert_int_eq(notes[0].turn, 1);
	ck_assert_int_eq(notes[1].turn, 0);
	ck_assert(notes[2].turn > 0 && notes[3].turn > 0);
	ck_assert_int_eq(timers_next(&ts), 50);
	ck_assert(notes[2].timer.running);
}
END_TEST

/* Starts, moves, stops and runs at random, against a plain array. */
START_TEST(it_does_what_a_list_would)
{
	static struct note notes[MANY];
	int64_t at[MANY], now = 0;
	uint64_t seed = unit_seed();
	struct timers ts;

	notes_init(notes, MANY, &ts);
	for (int i = 0; i < MANY; i++)
		at[i] = DEADLINE_NEVER;
	for (int step = 0; step < 20000; step++) {
		size_t i = unit_below(&seed, MANY), what = unit_below(&seed, 10);
		int64_t next = DEADLINE_NEVER;

		if (what < 6) {
			at[i] = now + 1 + (int64_t)unit_below(&seed, 300);
			timer_start(&ts, &notes[i].timer, at[i]);
		} else if (what < 8) {
			at[i] = DEADLINE_NEVER;
			timer_stop(&ts, &notes[i].timer);
		} else {
			int due = 0, before = turns;

			now += (int64_t)unit_below(&seed, 20);
			for (int k = 0; k < MANY; k++) {
				if (at[k] > now)
					continue;
				at[k] = DEADLINE_NEVER;
				due++;
			}
			timers_run(&ts, now);
			ck_assert_int_eq(turns - before, due);
		}
		for (int k = 0; k < MANY; k++) {
			if (notes[k].timer.running != (at[k] != DEADLINE_NEVER))
				ck_abort_msg("timer %d at step %d", k, step);
			next = at[k] < next ? at[k] : next;
		}
		ck_assert_int_eq(timers_next(&ts), next);
	}
	timers_run(&ts, INT64_MAX - 1);
	ck_assert_int_eq(timers_next(&ts), DEADLINE_NEVER);
}
END_TEST

UNIT_MAIN("server timers", { an_empty_heap_is_never_due, 0 }, { the_earliest_is_next, 0 },
          { a_stopped_one_is_not_called, 0 }, { a_running_one_is_moved, 0 },
          { one_that_is_due_may_stop_and_start_others, 0 }, { it_does_what_a_list_would, 0 })
