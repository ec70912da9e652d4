/*
 * How it works: when the helper is done, the program's socket is looked at: where it is still the
 * one that was parked, and still waiting, the other one takes its place, connected or refused.
 */
#include "landing.h"

#include "guard.h"
#include "lock.h"
#include "real.h"
#include "session.h"
#include "sockets.h"
#include "swap.h"
#include "tell.h"

#include <base/clock.h>
#include <base/errtext.h>
#include <base/log.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <unistd.h>

static int shown_family(const struct parked *p, int fd)
{
	int own = path_own_family(&p->sock);

	return path_family(fd) == own ? 0 : own;
}

/*
 * The one that was dialled is put in place of the one that waits. Who sleeps in poll() or select()
 * hangs on the latter; woken, they look their descriptors up again by number. A child of fork(), or
 * whoever was sent the socket, finds it failed.
 */
void landing_take_place(struct parked *p)
{
	int spare = p->helper->spare_fd, err;

	err = swap_place(&real_sys, p->fds, p->n_fds, p->job.dial.fd, spare);
	if (err < 0)
		log_error("%s[%d]: descriptor %d is lost: no other socket can take its place: %s",
		          program_invocation_short_name, (int)getpid(), p->fds[0], err_text(err));
	parked_unlink(p);
	real->dup3(p->helper->worker.event_fd, spare, O_CLOEXEC);
	parked_close_dialled(p);
}

/* Did it try one of the proxy's addresses of IPv4? */
static bool was_mapped(const struct parked *p)
{
	for (size_t i = 0; i < p->job.dial.n_hops; i++)
		if (p->hops[i].kind == ENDPOINT_IPV4)
			return true;
	return false;
}

/*
 * The socket that was dialled becomes one whose connect() was refused, and is put in place.
 * SO_ERROR and connect() say what @why says (hook_sockopt.c); to all else it was refused. Returns 0
 * or a negative errno, with nothing changed.
 */
static int take_place_refused(struct parked *p, int why)
{
	int fd = p->job.dial.fd, err;
	struct options_lifted was;

	if (fd < 0)
		return -EBADF;
	err = options_lift(&real_sys, fd, &was);
	if (err < 0)
		return err;
	err = blackhole_refuse(&p->helper->hole, fd, path_family(fd), was_mapped(p));
	helper_claim();
	options_restore(&real_sys, fd, &was);
	if (err < 0)
		return err;
	sockets_move(p->cookie, fd, shown_family(p, fd), why);
	landing_take_place(p);
	return 0;
}

/* There is none to be put in place: for a moment, others can see that this one was shut down. */
static void refuse_in_place(struct parked *p, int why)
{
	int fd = p->fds[0];

	sockets_move(p->cookie, fd, p->sock.shown_family, why);
	dial_dissolve(&real_sys, fd);
	blackhole_refuse(&p->helper->hole, fd, path_family(fd), false);
	helper_claim();
	parked_give_back_lifted(p, fd);
	parked_unlink(p);
}

/* Under the lock. Does anybody wait for the outcome? */
static bool is_awaited(struct parked *p)
{
	if (!parked_revise(p))
		return false;
	if (path_tcp_state(p->fds[0]) == TCP_SYN_SENT)
		return true;
	/* It was shut down, or the kernel has given it up. */
	parked_give_back_lifted(p, p->fds[0]);
	parked_unlink(p);
	return false;
}

/* Under the lock. */
static void conclude(struct parked *p, int err)
{
	int fd = p->job.dial.fd;

	if (!is_awaited(p))
		return;
	if (p->was_set && fd >= 0)
		options_copy(&real_sys, p->fds[0], fd, OPTIONS_PLAIN);
	if (err < 0) {
		if (take_place_refused(p, err) < 0)
			refuse_in_place(p, err);
	} else {
		sockets_move(p->cookie, fd, shown_family(p, fd), 0);
		landing_take_place(p);
	}
}

void landing_done(struct worker_job *job, int err)
{
	struct parked *p = (struct parked *)job;
	struct lock_guard g;
	bool awaited;

	lock_take(&g, LOCK_PARKING);
	awaited = err != -ECANCELED && is_awaited(p);
	lock_release(&g);
	if (err == -ECANCELED)
		dial_leave(&job->dial);
	else if (job->dial.proxy && !job->dial.report.reached)
		session_hops_stale();
	/* It may never have begun. */
	if (job->dial.report.ended_ms == 0)
		job->dial.report.ended_ms = clock_ms();
	/* Before the program knows: it may end with the knowledge. */
	if (awaited)
		tell_dial(&p->dst, &job->dial, err);
	lock_take(&g, LOCK_PARKING);
	if (awaited)
		conclude(p, err);
	parked_close_dialled(p);
	parked_free(p);
	lock_release(&g);
}
