#include "interrupt.h"

#include <base/clock.h>
#include <errno.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define SLICE_MS \
	20 /* how often to look for signals where no descriptor for a signalfd is to be had */

/* The kernel raises these for what the thread itself did: blocked, they kill instead of being handled. */
static const int synchronous[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };

/*
 * Does any of the pending signals, once let in, end a connect(2)? Those that are ignored, or whose default is
 * to kill or stop the process, do not: they never come back with EINTR.
 */
static bool would_interrupt(const struct interrupt *it, const sigset_t *pending)
{
	struct sigaction sa;

	for (int sig = 1; sig < NSIG; sig++) {
		if (sigismember(pending, sig) != 1 || sigismember(&it->outside, sig) == 1)
			continue;
		if (sigaction(sig, NULL, &sa) < 0 || sa.sa_handler == SIG_IGN ||
		    sa.sa_handler == SIG_DFL)
			continue;
		if (it->rule == INTERRUPT_ALWAYS || !(sa.sa_flags & SA_RESTART))
			return true;
	}
	return false;
}

static bool any_pending(const struct interrupt *it, const sigset_t *pending)
{
	for (int sig = 1; sig < NSIG; sig++)
		if (sigismember(pending, sig) == 1 && sigismember(&it->outside, sig) != 1)
			return true;
	return false;
}

/*
 * Let pending signals in. Handlers run under the program's own mask, as they would in connect(2), so that one
 * which leaves by longjmp() leaves the mask as the program knows it.
 */
static int let_in(struct interrupt *it)
{
	sigset_t pending;
	bool ends;

	sigemptyset(&pending);
	sigpending(&pending);
	if (!any_pending(it, &pending))
		return 0;
	ends = would_interrupt(it, &pending) && it->rule != INTERRUPT_NEVER;
	pthread_sigmask(SIG_SETMASK, &it->outside, NULL);
	pthread_sigmask(SIG_SETMASK, &it->inside, NULL);
	return ends ? -EINTR : 0;
}

/* signalfd takes the signals to notice: all that the program had not blocked itself. */
static int notice(const struct interrupt *it)
{
	sigset_t watched;

	sigemptyset(&watched);
	for (int sig = 1; sig < NSIG; sig++)
		if (sigismember(&it->inside, sig) == 1 && sigismember(&it->outside, sig) != 1)
			sigaddset(&watched, sig);
	return signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int interrupt_wait(struct waiter *w, int fd, short events, int64_t deadline_ms)
{
	struct interrupt *it = (struct interrupt *)w;
	struct pollfd p[2] = { { .fd = fd, .events = events }, { .events = POLLIN } };

	if (it->noticed_fd < 0)
		it->noticed_fd = notice(it);
	for (;;) {
		int left = clock_left_ms(deadline_ms, clock_ms());
		int n, err;

		p[1].fd = it->noticed_fd;
		if (it->noticed_fd < 0 && (left < 0 || left > SLICE_MS))
			left = SLICE_MS;
		p[0].revents = p[1].revents = 0;
		n = w->sys->poll(p, 2, left);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && p[0].revents)
			return 0;
		err = let_in(it);
		if (err < 0)
			return err;
		if (clock_ms() >= deadline_ms)
			return -ETIMEDOUT;
	}
}

void interrupt_begin(struct interrupt *it, const struct sys *sys, enum interrupt_rule rule)
{
	it->waiter = (struct waiter){ .wait = interrupt_wait, .sys = sys };
	it->rule = rule;
	it->noticed_fd = -1;
	sigfillset(&it->inside);
	for (size_t i = 0; i < sizeof(synchronous) / sizeof(synchronous[0]); i++)
		sigdelset(&it->inside, synchronous[i]);
	pthread_sigmask(SIG_BLOCK, &it->inside, &it->outside);
	/* What the program blocks stays blocked while handlers are let in and out. */
	pthread_sigmask(SIG_BLOCK, NULL, &it->inside);
	it->begun = true;
}

void interrupt_end(void *at)
{
	struct interrupt *it = at;

	if (!it->begun)
		return;
	it->begun = false;
	if (it->noticed_fd >= 0)
		close(it->noticed_fd);
	pthread_sigmask(SIG_SETMASK, &it->outside, NULL);
}
