#include "interrupt.h"

#include "real.h"

#include <base/clock.h>
#include <errno.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SLICE_MS    20 /* how often to look for signals where there is no room for a signalfd */
#define SETTLE_MS   20 /* how long other threads have the first claim to a signal */
#define PENDING_MAX 64 /* signals that are taken at once */

/*
 * The kernel raises these for what the thread itself did: blocked, they kill instead of being
 * handled.
 */
static const int synchronous[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };

/*
 * Does this signal, once let in, end a connect(2)? Those that are ignored, or whose default is to
 * kill or stop the process, do not: they never come back with EINTR.
 */
static bool interrupts(const struct interrupt *it, int sig)
{
	struct sigaction sa;

	if (it->rule == INTERRUPT_NEVER || sigaction(sig, NULL, &sa) < 0 ||
	    sa.sa_handler == SIG_IGN || sa.sa_handler == SIG_DFL)
		return false;
	return it->rule == INTERRUPT_ALWAYS || !(sa.sa_flags & SA_RESTART);
}

/*
 * Taken signals are this thread's alone: of several threads that wait, one handles it, and one says
 * EINTR. Where it can't be given back as it was (RLIMIT_SIGPENDING), it comes as from tgkill().
 */
static void give_back(siginfo_t *info)
{
	pid_t process = getpid();
	pid_t thread = (pid_t)syscall(SYS_gettid);

	if (syscall(SYS_rt_tgsigqueueinfo, process, thread, info->si_signo, info) < 0)
		syscall(SYS_tgkill, process, thread, info->si_signo);
}

/*
 * The kernel gives a signal to the process to its first thread, where that has it unblocked; it is
 * woken for it, and must not find it gone. So any other thread stands back for a moment.
 */
static bool stands_back(void)
{
	return (pid_t)syscall(SYS_gettid) != getpid();
}

static void stop_noticing(struct interrupt *it)
{
	if (it->noticed_fd >= 0)
		real->close(it->noticed_fd);
	it->noticed_fd = -1;
}

/*
 * Let pending signals in. Handlers run under the program's own mask and cancellation, with no
 * descriptor of the wait's open, and, where they end the connect, with all undone: so one that
 * leaves by longjmp() leaves no more behind than in connect(2).
 */
static int let_in(struct interrupt *it)
{
	const struct timespec now = { 0 };
	siginfo_t taken[PENDING_MAX];
	bool ends = false;
	size_t n = 0;

	while (n < PENDING_MAX && sigtimedwait(&it->watched, &taken[n], &now) > 0)
		ends |= interrupts(it, taken[n++].si_signo);
	if (n == 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		give_back(&taken[i]);
	if (ends)
		it->leave(it->arg);
	stop_noticing(it);
	pthread_setcancelstate(it->cancel_state, NULL);
	pthread_sigmask(SIG_SETMASK, &it->outside, NULL);
	pthread_sigmask(SIG_SETMASK, &it->inside, NULL);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	return ends ? -EINTR : 0;
}

static void end_cancelled(void *at)
{
	struct interrupt *it = at;

	it->abandon(it->arg);
	interrupt_end(it);
}

/* No handler runs in here, so that none can jump out past the clean-up. */
static int poll_cancellably(struct interrupt *it, struct pollfd *fds, nfds_t n, int timeout_ms)
{
	int r;

	pthread_cleanup_push(end_cancelled, it);
	pthread_setcancelstate(it->cancel_state, NULL);
	r = it->waiter.sys->poll(fds, n, timeout_ms);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	pthread_cleanup_pop(0);
	return r;
}

static int interrupt_wait(struct waiter *w, int fd, short events, int64_t deadline_ms)
{
	struct interrupt *it = (struct interrupt *)w;
	struct pollfd p[2] = { { .fd = fd, .events = events }, { .events = POLLIN } };
	bool settling = false;

	for (;;) {
		int64_t until_ms = it->limit_ms < deadline_ms ? it->limit_ms : deadline_ms;
		int left = clock_left_ms(until_ms, clock_ms());
		int slice = settling ? SETTLE_MS : SLICE_MS;
		int n, err;

		if (it->noticed_fd < 0)
			it->noticed_fd = signalfd(-1, &it->watched, SFD_CLOEXEC | SFD_NONBLOCK);
		p[1].fd = settling ? -1 : it->noticed_fd;
		if (p[1].fd < 0 && (left < 0 || left > slice))
			left = slice;
		p[0].revents = p[1].revents = 0;
		n = poll_cancellably(it, p, 2, left);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && p[0].revents)
			return 0;
		if (p[1].revents && stands_back()) {
			settling = true;
			continue;
		}
		settling = false;
		err = let_in(it);
		if (err < 0)
			return err;
		if (clock_ms() >= deadline_ms)
			return -ETIMEDOUT;
		if (clock_ms() >= it->limit_ms) {
			it->limited = true;
			it->leave(it->arg);
			return -EINTR;
		}
	}
}

static void do_nothing(void *arg)
{
	(void)arg;
}

void interrupt_on(struct interrupt *it, void (*abandon)(void *arg), void (*leave)(void *arg),
                  void *arg)
{
	it->abandon = abandon;
	it->leave = leave;
	it->arg = arg;
}

void interrupt_begin(struct interrupt *it, const struct sys *sys, enum interrupt_rule rule,
                     int64_t limit_ms)
{
	sigset_t block;

	it->waiter = (struct waiter){ .wait = interrupt_wait, .sys = sys };
	it->rule = rule;
	it->noticed_fd = -1;
	it->limit_ms = limit_ms;
	it->limited = false;
	interrupt_on(it, do_nothing, do_nothing, NULL);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &it->cancel_state);
	sigfillset(&block);
	for (size_t i = 0; i < sizeof(synchronous) / sizeof(synchronous[0]); i++)
		sigdelset(&block, synchronous[i]);
	pthread_sigmask(SIG_BLOCK, &block, &it->outside);
	/* What the program blocks stays blocked while handlers are let in and out. */
	sigorset(&it->inside, &block, &it->outside);
	sigemptyset(&it->watched);
	for (int sig = 1; sig < NSIG; sig++)
		if (sigismember(&it->inside, sig) == 1 && sigismember(&it->outside, sig) != 1)
			sigaddset(&it->watched, sig);
}

void interrupt_end(struct interrupt *it)
{
	stop_noticing(it);
	pthread_sigmask(SIG_SETMASK, &it->outside, NULL);
	pthread_setcancelstate(it->cancel_state, NULL);
}
