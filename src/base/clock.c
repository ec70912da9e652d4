#include <base/clock.h>
#include <limits.h>
#include <time.h>

int64_t clock_us(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_ms(void)
{
	return clock_us() / 1000;
}

int clock_left_ms(int64_t deadline_ms, int64_t now_ms)
{
	uint64_t left;

	if (deadline_ms == DEADLINE_NEVER)
		return -1;
	if (deadline_ms <= now_ms)
		return 0;
	/* Unsigned: the two may be further apart than an int64_t can say. */
	left = (uint64_t)deadline_ms - (uint64_t)now_ms;
	return left > INT_MAX ? INT_MAX : (int)left;
}
