#include "unit.h"

#include <penalty.h>
#include <stddef.h>

/* The loop's clock is set by hand: nothing here waits. */
struct scene {
	struct loop loop;
	struct penalties *all;
	struct source_key from;
	unsigned came;
};

struct waiter {
	struct penalty_turn turn;
	struct scene *scene;
	bool charge;
};

static void came(struct penalty_turn *t)
{
	struct waiter *w = LOOP_OWNER(t, struct waiter, turn);

	ck_assert_ptr_null(t->lane);
	w->scene->came++;
	if (w->charge)
		penalty_charge(w->scene->all, &w->scene->from);
}

static void scene_init(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	s->loop.now_ms = 1000000;
	s->all = penalty_new(&s->loop);
	ck_assert_ptr_nonnull(s->all);
	s->from = (struct source_key){ .family = 1, .ip = { 192, 0, 2, 1 } };
}

/* When the next try may be judged, from now on. */
static int64_t next_ms(struct scene *s)
{
	struct waiter w = { .turn = { .came = came }, .scene = s };
	int64_t ms;

	if (!penalty_wait(s->all, &w.turn, &s->from))
		return 0;
	ms = timers_next(&s->loop.timers) - s->loop.now_ms;
	penalty_leave(&w.turn);
	return ms;
}

START_TEST(eight_wrong_ones_take_a_second_or_more)
{
	struct scene s;
	int64_t start, ms;

	scene_init(&s);
	start = s.loop.now_ms;
	for (int i = 0; i < 8; i++) {
		ms = next_ms(&s);
		/* A slip or two cost nothing, and no single one costs much. */
		ck_assert_int_le(ms, i < 3 ? 60 : 2000);
		s.loop.now_ms += ms;
		penalty_charge(s.all, &s.from);
	}
	ck_assert_int_ge(s.loop.now_ms - start, 1000);
	for (int i = 0; i < 100; i++)
		penalty_charge(s.all, &s.from);
	ck_assert_int_eq(next_ms(&s), 2000);
	penalty_free(s.all);
}
END_TEST

START_TEST(another_source_is_not_touched)
{
	struct scene s;

	scene_init(&s);
	for (int i = 0; i < 20; i++)
		penalty_charge(s.all, &s.from);
	ck_assert_int_gt(next_ms(&s), 0);
	s.from.ip[3]++;
	ck_assert_int_eq(next_ms(&s), 0);
	penalty_free(s.all);
}
END_TEST

START_TEST(a_right_one_clears_it)
{
	struct scene s;

	scene_init(&s);
	for (int i = 0; i < 20; i++)
		penalty_charge(s.all, &s.from);
	penalty_clear(s.all, &s.from);
	ck_assert_int_eq(next_ms(&s), 0);
	ck_assert_uint_eq(penalty_count(s.all), 0);
	penalty_free(s.all);
}
END_TEST

START_TEST(quiet_clears_it)
{
	struct scene s;

	scene_init(&s);
	for (int i = 0; i < 20; i++)
		penalty_charge(s.all, &s.from);
	s.loop.now_ms += 2000 + PENALTY_FORGET_MS;
	penalty_charge(s.all, &s.from);
	ck_assert_int_eq(next_ms(&s), 0);
	penalty_free(s.all);
}
END_TEST

START_TEST(those_that_wait_come_one_by_one)
{
	struct waiter w[4];
	struct scene s;

	scene_init(&s);
	for (int i = 0; i < 20; i++)
		penalty_charge(s.all, &s.from);
	for (int i = 0; i < 4; i++) {
		w[i] = (struct waiter){ .turn = { .came = came }, .scene = &s, .charge = true };
		ck_assert(penalty_wait(s.all, &w[i].turn, &s.from));
	}
	timers_run(&s.loop.timers, s.loop.now_ms);
	ck_assert_uint_eq(s.came, 0);
	for (unsigned i = 1; i <= 2; i++) {
		s.loop.now_ms += 2000;
		timers_run(&s.loop.timers, s.loop.now_ms);
		ck_assert_uint_eq(s.came, i);
	}
	/* One was right: the rest has the first tries of a newcomer. */
	penalty_clear(s.all, &s.from);
	timers_run(&s.loop.timers, s.loop.now_ms);
	ck_assert_uint_eq(s.came, 4);
	penalty_free(s.all);
}
END_TEST

START_TEST(the_table_is_bounded)
{
	struct waiter w = { .turn = { .came = came } };
	struct scene s;

	scene_init(&s);
	w.scene = &s;
	for (int i = 0; i < 20; i++)
		penalty_charge(s.all, &s.from);
	ck_assert(penalty_wait(s.all, &w.turn, &s.from));
	for (unsigned i = 0; i < 3 * PENALTY_SOURCES_MAX; i++) {
		struct source_key other = { .family = 2 };

		memcpy(other.ip, &i, sizeof(i));
		s.loop.now_ms++;
		penalty_charge(s.all, &other);
		ck_assert_uint_le(penalty_count(s.all), PENALTY_SOURCES_MAX);
	}
	/* Where somebody waits it can't be forgotten. */
	timers_run(&s.loop.timers, s.loop.now_ms);
	ck_assert_uint_eq(s.came, 1);
	penalty_free(s.all);
}
END_TEST

UNIT_MAIN("server penalty", { eight_wrong_ones_take_a_second_or_more, 0 },
          { another_source_is_not_touched, 0 }, { a_right_one_clears_it, 0 },
          { quiet_clears_it, 0 }, { those_that_wait_come_one_by_one, 0 },
          { the_table_is_bounded, 0 })
