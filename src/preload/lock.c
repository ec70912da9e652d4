#include "lock.h"

#include "page.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define NAP_NS 50000

void lock_nap(void)
{
	int cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	nanosleep(&(struct timespec){ .tv_nsec = NAP_NS }, NULL);
	pthread_setcancelstate(cancel, NULL);
}

void lock_take(struct lock_guard *g, enum lock which)
{
	atomic_uint *w;
	sigset_t all;

	g->which = which;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &g->mask);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &g->cancel_state);
	w = &page_get()->held[which];
	for (unsigned tries = 0; atomic_exchange_explicit(w, 1, memory_order_acquire) != 0;
	     tries++) {
		/* Yielding alone never lets a thread of lower real-time priority finish. */
		if (tries < 64)
			sched_yield();
		else
			lock_nap();
	}
}

void lock_release(struct lock_guard *g)
{
	atomic_store_explicit(&page_get()->held[g->which], 0, memory_order_release);
	pthread_setcancelstate(g->cancel_state, NULL);
	pthread_sigmask(SIG_SETMASK, &g->mask, NULL);
}
