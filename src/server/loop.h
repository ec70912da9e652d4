/*
 * The event loop of one thread: descriptors and deadlines. loop.c is the only file that knows
 * epoll's calls.
 */
#ifndef SERVER_LOOP_H
#define SERVER_LOOP_H

#include "timers.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#define LOOP_BATCH 256 /* events taken by one epoll_wait */

/* The struct that a member lives in. */
#define LOOP_OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

struct watch {
	int fd;        /* -1: none */
	uint32_t mask; /* what epoll was told last; 0: not registered */
	void (*ready)(struct watch *w, uint32_t events);
};

struct loop {
	int epfd;
	bool stopped;
	int64_t now_ms; /* as of this round */
	struct timers timers;
	int n, at; /* of events: how many there are, which one is being served */
	struct epoll_event events[LOOP_BATCH];
};

/* 0, or a negative errno. */
int loop_init(struct loop *l);
void loop_fini(struct loop *l);

/*
 * What to be told of, level-triggered: any of EPOLLIN, EPOLLOUT, EPOLLERR. Errors and hang-ups come
 * with any mask but 0, which unregisters, so that a dead descriptor doesn't spin.
 *
 * Returns 0, or -ENOMEM or -ENOSPC, which happen only when a descriptor is registered anew.
 */
int loop_want(struct loop *l, struct watch *w, uint32_t mask);

/* Close the descriptor, if any; no event that was already fetched will reach the watch. */
void loop_close(struct loop *l, struct watch *w);

/* Unregister and leave the descriptor to its owner; no event will reach the watch any more. */
void loop_forget(struct loop *l, struct watch *w);

/*
 * Hand @from's descriptor to @to, whose ->ready is set, with the mask that @to wants; where @from
 * was not registered, @to isn't either. @from has none then.
 */
void loop_hand_over(struct loop *l, struct watch *from, struct watch *to, uint32_t mask);

/* A deadline @ms from this round's time. */
void loop_start_timer(struct loop *l, struct timer *t, int64_t ms);
void loop_stop_timer(struct loop *l, struct timer *t);

/* Run until loop_stop(). Returns 0, or a negative errno where the loop itself failed. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l);

#endif
