/*
 * Waiting as connect(2) waits. A handler without SA_RESTART ends the wait with EINTR, one with
 * SA_RESTART does not; poll(2) never restarts, so signals are blocked and noticed, taken, judged,
 * given back, and let in. A cancelled thread ends in the wait, and nowhere else between begin and
 * end.
 */
#ifndef PRELOAD_INTERRUPT_H
#define PRELOAD_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>
#include <tunnel/wait.h>

enum interrupt_rule {
	INTERRUPT_NEVER,    /* a non-blocking connect: handlers run, the wait goes on */
	INTERRUPT_RESTARTS, /* a blocking one: SA_RESTART decides */
	INTERRUPT_ALWAYS,   /* a blocking one with SO_SNDTIMEO, which the kernel never restarts */
};

struct interrupt {
	struct waiter waiter; /* first: this is what the tunnel gets */
	enum interrupt_rule rule;
	sigset_t outside;           /* the program's mask */
	sigset_t inside;            /* the mask during the wait */
	sigset_t watched;           /* inside, but not outside */
	int cancel_state;           /* the program's */
	int noticed_fd;             /* signalfd, or -1 */
	int64_t limit_ms;           /* clock_ms() at which the wait ends, too: SO_SNDTIMEO */
	bool limited;               /* and did */
	void (*abandon)(void *arg); /* undo the connect: its thread is cancelled */
	void (*leave)(void *arg);   /* the wait is over, the connect goes on behind it */
	void *arg;
};

/* @limit_ms may be DEADLINE_NEVER. Where it ends the wait, that says -EINTR. */
void interrupt_begin(struct interrupt *it, const struct sys *sys, enum interrupt_rule rule,
                     int64_t limit_ms);
/* Before the first wait. Either is called at most once, in the midst of a wait. */
void interrupt_on(struct interrupt *it, void (*abandon)(void *arg), void (*leave)(void *arg),
                  void *arg);
void interrupt_end(struct interrupt *it);

#endif
