#include "loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

static int loop_fd = -1;

static void control(int op, struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (loop_fd < 0)
		loop_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_ctl(loop_fd, op, w->fd, &ev) < 0) {
		perror("proxy: epoll");
		exit(1);
	}
}

void loop_add(struct watch *w, uint32_t events)
{
	control(EPOLL_CTL_ADD, w, events);
}

void loop_set(struct watch *w, uint32_t events)
{
	control(EPOLL_CTL_MOD, w, events);
}

void loop_turn(int limit_ms)
{
	struct epoll_event ev;
	struct watch *w;

	/* One at a time: what it does may make an end of others. */
	if (epoll_wait(loop_fd, &ev, 1, limit_ms) == 1) {
		w = ev.data.ptr;
		w->ready(w, ev.events);
	}
}
