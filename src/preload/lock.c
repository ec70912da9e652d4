/*
 * How it works: the word that says "held" lies in a page that the kernel wipes in the child of any
 * fork (MADV_WIPEONFORK), so that the child finds it free without a handler of ours that fork()
 * would have to run.
 */
#include "lock.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static _Atomic(atomic_uint *) page;
static atomic_uint fallback; /* where there is no page: right but for forks while it is held */

static atomic_uint *word(void)
{
	atomic_uint *w = atomic_load_explicit(&page, memory_order_acquire);
	atomic_uint *none = NULL;
	size_t size;

	if (w)
		return w;
	size = (size_t)sysconf(_SC_PAGESIZE);
	w = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (w == MAP_FAILED) {
		w = &fallback;
		size = 0;
	} else if (madvise(w, size, MADV_WIPEONFORK) < 0) {
		munmap(w, size);
		w = &fallback;
		size = 0;
	}
	if (atomic_compare_exchange_strong(&page, &none, w))
		return w;
	if (size > 0)
		munmap(w, size);
	return none;
}

void lock_take(struct lock_guard *g)
{
	atomic_uint *w;
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &g->mask);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &g->cancel_state);
	w = word();
	for (unsigned tries = 0; atomic_exchange_explicit(w, 1, memory_order_acquire) != 0;
	     tries++) {
		/* Yielding alone never lets a thread of lower real-time priority finish. */
		if (tries < 64)
			sched_yield();
		else
			nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
	}
}

void lock_release(struct lock_guard *g)
{
	atomic_store_explicit(word(), 0, memory_order_release);
	pthread_setcancelstate(g->cancel_state, NULL);
	pthread_sigmask(SIG_SETMASK, &g->mask, NULL);
}
