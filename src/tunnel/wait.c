#include <tunnel/wait.h>

#include <base/clock.h>
#include <errno.h>

static int wait_poll(struct waiter *w, int fd, short events, int64_t deadline_ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		int n = w->sys->poll(&p, 1, clock_left_ms(deadline_ms, clock_ms()));

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0 && clock_ms() >= deadline_ms)
			return -ETIMEDOUT;
	}
}

void waiter_init(struct waiter *w, const struct sys *sys)
{
	w->wait = wait_poll;
	w->sys = sys;
}
