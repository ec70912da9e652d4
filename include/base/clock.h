/* Monotonic time, and deadlines on it. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define DEADLINE_NEVER INT64_MAX

/* Milliseconds of CLOCK_MONOTONIC; and microseconds, for what is over in less than one of those. */
int64_t clock_ms(void);
int64_t clock_us(void);

/* What poll(2) wants: milliseconds left, 0 when past, -1 for DEADLINE_NEVER; at most INT_MAX. */
int clock_left_ms(int64_t deadline_ms, int64_t now_ms);

#endif
