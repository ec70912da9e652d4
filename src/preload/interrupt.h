/*
 * Waiting as connect(2) waits: a handler without SA_RESTART ends the wait with EINTR, one with SA_RESTART
 * does not. poll(2) never restarts, so signals are blocked and noticed, looked at, let in, and then judged.
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
	sigset_t outside; /* the program's mask */
	sigset_t inside;  /* the mask during the wait */
	int noticed_fd;   /* signalfd, or -1 */
	bool begun;
};

void interrupt_begin(struct interrupt *it, const struct sys *sys, enum interrupt_rule rule);
void interrupt_end(void *it); /* fit for pthread_cleanup_push(); may be called twice */

#endif
