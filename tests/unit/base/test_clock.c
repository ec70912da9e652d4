#include <base/clock.h>
#include <limits.h>
#include <unit.h>

START_TEST(time_never_goes_back)
{
	int64_t last = clock_ms(), last_us = clock_us();

	ck_assert_int_gt(last, 0);
	for (int i = 0; i < 1000; i++) {
		int64_t now = clock_ms(), now_us = clock_us();

		ck_assert_int_ge(now, last);
		ck_assert_int_ge(now_us, last_us);
		ck_assert_int_ge(now_us / 1000, now);
		last = now;
		last_us = now_us;
	}
}
END_TEST

static const struct {
	int64_t deadline, now;
	int left;
} rows[] = {
	{ 100, 0, 100 },
	{ 100, 99, 1 },
	{ 100, 100, 0 },
	{ 100, 101, 0 },
	{ 0, 100, 0 },
	{ INT64_MIN, 0, 0 },
	{ INT64_MIN, INT64_MAX, 0 },
	{ (int64_t)INT_MAX + 5, 5, INT_MAX },
	{ (int64_t)INT_MAX + 6, 5, INT_MAX },
	{ INT64_MAX - 1, INT64_MIN, INT_MAX },
	{ INT64_MAX - 1, 0, INT_MAX },
	{ DEADLINE_NEVER, 0, -1 },
	{ DEADLINE_NEVER, INT64_MAX, -1 },
};

START_TEST(time_left_is_what_poll_wants)
{
	ck_assert_int_eq(clock_left_ms(rows[_i].deadline, rows[_i].now), rows[_i].left);
}
END_TEST

UNIT_MAIN("clock", { time_never_goes_back, 0 }, { time_left_is_what_poll_wants, ROWS(rows) })
