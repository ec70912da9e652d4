#include "loop.h"

#include <base/clock.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

int loop_init(struct loop *l)
{
	memset(l, 0, sizeof(*l));
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0)
		return -errno;
	l->now_ms = clock_ms();
	return 0;
}

void loop_fini(struct loop *l)
{
	if (l->epfd >= 0)
		close(l->epfd);
	l->epfd = -1;
}

int loop_want(struct loop *l, struct watch *w, uint32_t mask)
{
	struct epoll_event ev = { .events = mask, .data.ptr = w };
	int op = w->mask == 0 ? EPOLL_CTL_ADD : mask == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;

	if (mask == w->mask)
		return 0;
	if (epoll_ctl(l->epfd, op, w->fd, &ev) < 0)
		return -errno;
	w->mask = mask;
	return 0;
}

/* The watch may be gone when the rest of this round's events is served: take it out of them. */
static void drop_events(struct loop *l, const struct watch *w)
{
	for (int i = l->at + 1; i < l->n; i++)
		if (l->events[i].data.ptr == w)
			l->events[i].data.ptr = NULL;
}

void loop_close(struct loop *l, struct watch *w)
{
	if (w->fd < 0)
		return;
	drop_events(l, w);
	/* No descriptor of ours is ever duplicated, so that closing it unregisters it. */
	close(w->fd);
	w->fd = -1;
	w->mask = 0;
}

void loop_forget(struct loop *l, struct watch *w)
{
	if (w->fd < 0)
		return;
	drop_events(l, w);
	(void)loop_want(l, w, 0);
	w->fd = -1;
	w->mask = 0;
}

void loop_hand_over(struct loop *l, struct watch *from, struct watch *to, uint32_t mask)
{
	struct epoll_event ev = { .events = mask, .data.ptr = to };

	drop_events(l, from);
	to->fd = from->fd;
	to->mask = from->mask == 0 ? 0 : mask;
	/* Where it is registered nothing is allocated, and nothing can fail. */
	if (to->mask != 0)
		(void)epoll_ctl(l->epfd, EPOLL_CTL_MOD, to->fd, &ev);
	from->fd = -1;
	from->mask = 0;
}

void loop_start_timer(struct loop *l, struct timer *t, int64_t ms)
{
	timer_start(&l->timers, t, l->now_ms + ms);
}

void loop_stop_timer(struct loop *l, struct timer *t)
{
	timer_stop(&l->timers, t);
}

void loop_stop(struct loop *l)
{
	l->stopped = true;
}

int loop_run(struct loop *l)
{
	struct watch *w;
	int left_ms;

	l->stopped = false;
	while (!l->stopped) {
		l->now_ms = clock_ms();
		left_ms = clock_left_ms(timers_next(&l->timers), l->now_ms);
		l->n = epoll_wait(l->epfd, l->events, LOOP_BATCH, left_ms);
		if (l->n < 0 && errno != EINTR)
			return -errno;
		if (left_ms != 0)
			l->now_ms = clock_ms();
		for (l->at = 0; l->at < l->n; l->at++) {
			w = l->events[l->at].data.ptr;
			if (w)
				w->ready(w, l->events[l->at].events);
		}
		l->n = 0;
		timers_run(&l->timers, l->now_ms);
	}
	return 0;
}
