/*
 * How it works: a way reads into the caller's scratch buffer and writes at once. What the receiver
 * doesn't take is copied to memory of its own, and the way stops reading until that is gone, so
 * that the sender is slowed by its own kernel. An end that was read becomes a shutdown of the other
 * side once all is out.
 *
 * A way that fills the buffer twice in a row splices from then on, until it runs dry: through an
 * empty pipe of the pool, which it keeps only while the receiver leaves octets in it. These are
 * held like those in memory: nothing is read before they are gone, so that the order is never
 * in doubt, and a way holds one or the other.
 *
 * A reset kills the way towards the dead side at once. The way from it goes on: octets that arrived
 * before the reset are still in the kernel. When they have been passed on, RELAY_RESET asks the
 * session to reset the other side too.
 */
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define ROUNDS_MAX 4     /* reads in a row before other sessions get their turn */
#define DRY        16384 /* octets: a splice that brings less is the last */

void relay_init(struct relay *r)
{
	memset(r, 0, sizeof(*r));
}

static void let_go(struct relay_way *w)
{
	free(w->held);
	w->held = NULL;
	w->held_pos = 0;
	w->held_len = 0;
	if (w->pipe)
		pipe_put(w->pipe);
	w->pipe = NULL;
}

void relay_fini(struct relay *r)
{
	let_go(&r->way[RELAY_CLIENT]);
	let_go(&r->way[RELAY_TARGET]);
}

static enum relay_side other(enum relay_side side)
{
	return side == RELAY_CLIENT ? RELAY_TARGET : RELAY_CLIENT;
}

int relay_hold(struct relay *r, enum relay_side from, const void *buf, size_t len)
{
	struct relay_way *w = &r->way[from];
	uint8_t *grown;

	if (len == 0)
		return 0;
	grown = realloc(w->held, w->held_len + len);
	if (!grown)
		return -ENOMEM;
	memcpy(grown + w->held_len, buf, len);
	w->held = grown;
	w->held_len += (uint32_t)len;
	return 0;
}

/* Nothing can be written to that side any more; what it sent before may still be read. */
static void side_died(struct relay *r, enum relay_side side)
{
	struct relay_way *towards = &r->way[other(side)];

	r->reset[side] = true;
	let_go(towards);
	towards->st = RELAY_WAY_OVER;
}

/* No room or no octets now, or a shortage that passes: the event comes back. */
static bool is_for_later(int err)
{
	return err == EAGAIN || err == ENOBUFS || err == ENOMEM;
}

/* What a write to that side said: octets taken, 0 where the socket is full, -1 where it is dead. */
static ssize_t given(struct relay *r, enum relay_side to, ssize_t n)
{
	if (n >= 0) {
		r->way[other(to)].octets += (uint64_t)n;
		return n;
	}
	if (is_for_later(errno))
		return 0;
	side_died(r, to);
	return -1;
}

static ssize_t give(struct relay *r, enum relay_side to, int fd, const uint8_t *buf, size_t len)
{
	ssize_t n;

	do {
		n = send(fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	return given(r, to, n);
}

/* The same, from the pipe of the way to that side. SPLICE_F_MORE would hold small ones up. */
static ssize_t give_piped(struct relay *r, enum relay_side to, int fd)
{
	const struct pipe *p = r->way[other(to)].pipe;
	ssize_t n;

	do {
		n = splice(p->out, NULL, fd, NULL, p->len, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	} while (n < 0 && errno == EINTR);
	return given(r, to, n);
}

/* Write what a way holds. Is all of it gone. */
static bool flush_held(struct relay *r, const int fd[2], enum relay_side from)
{
	struct relay_way *w = &r->way[from];
	enum relay_side to = other(from);
	ssize_t n;

	if (w->held) {
		n = give(r, to, fd[to], w->held + w->held_pos, w->held_len - w->held_pos);
		if (n > 0)
			w->held_pos += (uint32_t)n;
		if (n < 0 || w->held_pos < w->held_len)
			return false;
		let_go(w);
	}
	if (w->pipe) {
		n = give_piped(r, to, fd[to]);
		if (n > 0)
			w->pipe->len -= (size_t)n;
		if (n < 0 || w->pipe->len > 0)
			return false;
		let_go(w);
	}
	return true;
}

/* Write what a way holds and, when that was the last of it, its end. */
static void flush_way(struct relay *r, const int fd[2], enum relay_side from)
{
	struct relay_way *w = &r->way[from];
	enum relay_side to = other(from);

	if (!flush_held(r, fd, from) || w->st != RELAY_WAY_ENDED)
		return;
	w->st = RELAY_WAY_OVER;
	/*
	 * After a reset the other side gets a reset too, never a FIN that would look like a good
	 * end. And where it is the last thing to do, the close says it, at half the cost.
	 */
	if (!r->reset[from] && !(r->ended[to] && r->way[to].st == RELAY_WAY_OVER))
		(void)shutdown(fd[to], SHUT_WR);
}

/* The steps of pump(). */
enum step { STEP_MORE, STEP_ENOUGH, STEP_NO_MEMORY };

/* A read from that side brought nothing: it waits, or has come to its end. */
static enum step read_nothing(struct relay *r, const int fd[2], enum relay_side from, ssize_t n)
{
	if (n < 0 && is_for_later(errno))
		return STEP_ENOUGH;
	if (n < 0)
		side_died(r, from);
	else
		r->ended[from] = true;
	r->way[from].st = RELAY_WAY_ENDED;
	flush_way(r, fd, from);
	return STEP_ENOUGH;
}

static enum step copy(struct relay *r, const struct relay_means *m, const int fd[2],
                      enum relay_side from)
{
	struct relay_way *w = &r->way[from];
	enum relay_side to = other(from);
	ssize_t n, taken;

	do {
		n = recv(fd[from], m->scratch, m->scratch_len, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return read_nothing(r, fd, from, n);
	if (w->full != RELAY_NO_SPLICE)
		w->full = (size_t)n < m->scratch_len ? 0
		          : w->full < RELAY_FULL_RUN ? w->full + 1
		                                     : RELAY_FULL_RUN;
	taken = give(r, to, fd[to], m->scratch, (size_t)n);
	if (taken < 0)
		return STEP_ENOUGH;
	if (taken < n)
		return relay_hold(r, from, m->scratch + taken, (size_t)(n - taken)) < 0
		               ? STEP_NO_MEMORY
		               : STEP_ENOUGH;
	return (size_t)n < m->scratch_len ? STEP_ENOUGH : STEP_MORE;
}

static enum step move(struct relay *r, struct pipe *p, const int fd[2], enum relay_side from)
{
	struct relay_way *w = &r->way[from];
	ssize_t n;
	int err;

	do {
		n = splice(fd[from], NULL, p->in, NULL, p->size, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	} while (n < 0 && errno == EINTR);
	if (n <= 0) {
		err = errno;
		pipe_put(p);
		/* A filter of system calls, or a kind of socket that can't. */
		if (n < 0 && (err == EINVAL || err == ENOSYS || err == EPERM || err == EACCES)) {
			w->full = RELAY_NO_SPLICE;
			return STEP_MORE;
		}
		errno = err;
		/* The pipe was empty, so that EAGAIN is the socket's. */
		return read_nothing(r, fd, from, n);
	}
	p->len = (size_t)n;
	w->pipe = p;
	flush_way(r, fd, from);
	return w->pipe || (size_t)n < p->size / 2 ? STEP_ENOUGH : STEP_MORE;
}

/* Read from a side and write to the other. Returns 0 or -ENOMEM. */
static int pump(struct relay *r, const struct relay_means *m, const int fd[2], enum relay_side from)
{
	struct relay_way *w = &r->way[from];
	uint64_t before = w->octets;
	enum step step = STEP_MORE;
	struct pipe *p = NULL;

	for (int i = 0; i < ROUNDS_MAX && step == STEP_MORE && w->st == RELAY_WAY_OPEN; i++) {
		if (relay_holds(r, from))
			return 0;
		p = m->pipes && w->full == RELAY_FULL_RUN ? pipe_get(m->pipes) : NULL;
		step = p ? move(r, p, fd, from) : copy(r, m, fd, from);
	}
	/*
	 * Dry; or what comes next is an urgent octet, which recv(2) alone steps over, and
	 * splice(2) would be asked for again and again.
	 */
	if (p && w->full == RELAY_FULL_RUN && !relay_holds(r, from) && w->octets - before < DRY)
		w->full = 0;
	return step == STEP_NO_MEMORY ? -ENOMEM : 0;
}

void relay_only_to(struct relay *r, enum relay_side to)
{
	r->way[to].st = RELAY_WAY_OVER;
	r->way[other(to)].st = RELAY_WAY_ENDED;
}

static enum relay_res result(const struct relay *r)
{
	bool reset = r->reset[RELAY_CLIENT] || r->reset[RELAY_TARGET];

	if (r->way[RELAY_CLIENT].st != RELAY_WAY_OVER || r->way[RELAY_TARGET].st != RELAY_WAY_OVER)
		return RELAY_RUNS;
	return reset ? RELAY_RESET : RELAY_DONE;
}

enum relay_res relay_flush(struct relay *r, const int fd[2])
{
	flush_way(r, fd, RELAY_CLIENT);
	flush_way(r, fd, RELAY_TARGET);
	return result(r);
}

enum relay_res relay_serve(struct relay *r, const struct relay_means *m, const int fd[2],
                           enum relay_side side, uint32_t events)
{
	enum relay_side far = other(side);
	bool dead = events & (EPOLLERR | EPOLLHUP), held = relay_holds(r, far);

	if (dead || events & EPOLLOUT)
		flush_way(r, fd, far);
	/* There is most likely more of what was held up: no event need tell. */
	if (held && !dead && pump(r, m, fd, far) < 0)
		return RELAY_NO_MEMORY;
	if ((dead || events & EPOLLIN) && pump(r, m, fd, side) < 0)
		return RELAY_NO_MEMORY;
	if (dead && r->way[side].st != RELAY_WAY_OPEN && r->way[far].st != RELAY_WAY_OVER)
		side_died(r, side);
	/*
	 * What it sent before it died waits in its kernel behind octets that the other side doesn't
	 * take yet. Its hang-up stays up meanwhile, and would wake us for nothing.
	 */
	if (dead && relay_holds(r, side))
		r->hung[side] = true;
	return result(r);
}

uint32_t relay_mask(const struct relay *r, enum relay_side side)
{
	const struct relay_way *from = &r->way[side], *towards = &r->way[other(side)];
	uint32_t mask = 0;

	if (from->st == RELAY_WAY_OPEN && !relay_holds(r, side))
		mask |= EPOLLIN;
	if (relay_holds(r, other(side)) && !r->hung[side])
		mask |= EPOLLOUT;
	if (mask == 0 && !r->hung[side] &&
	    !(from->st != RELAY_WAY_OPEN && towards->st == RELAY_WAY_OVER))
		mask = EPOLLERR;
	return mask;
}
