#include "lookup.h"

#include "session.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <unistd.h>

#define NAME "socksify-names"

/* The process whose thread is asking; a forked child has none. */
static atomic_int asking;

/* With all signals blocked, as its maker has them. libc's resolver wants a stack of full size. */
static void *ask(void *arg)
{
	struct endpoint hops[DIAL_HOPS_MAX];

	(void)arg;
	prctl(PR_SET_NAME, NAME);
	session_hops(hops, true);
	atomic_store(&asking, 0);
	return NULL;
}

int lookup_hops(void)
{
	int was = atomic_load(&asking), self = getpid(), err;
	pthread_attr_t attr;
	pthread_t thread;

	if (was == self || !atomic_compare_exchange_strong(&asking, &was, self))
		return 0;
	err = pthread_attr_init(&attr);
	if (err == 0) {
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		err = pthread_create(&thread, &attr, ask, NULL);
		pthread_attr_destroy(&attr);
	}
	if (err != 0)
		atomic_store(&asking, 0);
	return -err;
}
