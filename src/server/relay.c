/*
 * How it works: a way reads into the caller's scratch buffer and writes at once. What the receiver
 * doesn't take is copied to memory of its own, and the way stops reading until that is gone, so
 * that the sender is slowed by its own kernel. An end that was read becomes a shutdown of the other
 * side once all is out.
 *
 * A reset kills the way towards the dead side at once. The way from it goes on: octets that arrived
 * before the reset are still in the kernel. When they have been passed on, RELAY_RESET asks the
 * session to reset the other side too.
 */
#include "relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define ROUNDS_MAX 4 /* reads in a row before other sessions get their turn */

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

/* Octets taken, 0 where the socket is full, -1 where the side is dead. */
static ssize_t give(struct relay *r, enum relay_side to, int fd, const uint8_t *buf, size_t len)
{
	ssize_t n;

	do {
		n = send(fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n >= 0) {
		r->way[other(to)].octets += (uint64_t)n;
		return n;
	}
	/* ENOBUFS and ENOMEM pass; EPOLLOUT comes back while there is room. */
	if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
		return 0;
	side_died(r, to);
	return -1;
}

/* Write what a way holds and, when that was the last of it, its end. */
static void flush_way(struct relay *r, const int fd[2], enum relay_side from)
{
	struct relay_way *w = &r->way[from];
	enum relay_side to = other(from);
	ssize_t n;

	if (w->held) {
		n = give(r, to, fd[to], w->held + w->held_pos, w->held_len - w->held_pos);
		if (n < 0)
			return;
		w->held_pos += (uint32_t)n;
		if (w->held_pos < w->held_len)
			return;
		let_go(w);
	}
	if (w->st != RELAY_WAY_ENDED)
		return;
	w->st = RELAY_WAY_OVER;
	/*
	 * After a reset the other side gets a reset too, never a FIN that would look like a good
	 * end.
	 */
	if (!r->reset[from])
		(void)shutdown(fd[to], SHUT_WR);
}

/* Read from a side and write to the other. Returns 0 or -ENOMEM. */
static int pump(struct relay *r, const int fd[2], enum relay_side from, uint8_t *scratch,
                size_t scratch_len)
{
	struct relay_way *w = &r->way[from];
	enum relay_side to = other(from);
	ssize_t n, taken;

	for (int round = 0; round < ROUNDS_MAX && w->st == RELAY_WAY_OPEN && !w->held; round++) {
		do {
			n = recv(fd[from], scratch, scratch_len, MSG_DONTWAIT);
		} while (n < 0 && errno == EINTR);
		if (n < 0 && (errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS))
			return 0;
		if (n <= 0) {
			if (n < 0)
				side_died(r, from);
			w->st = RELAY_WAY_ENDED;
			flush_way(r, fd, from);
			return 0;
		}
		taken = give(r, to, fd[to], scratch, (size_t)n);
		if (taken < 0)
			return 0;
		if (taken < n)
			return relay_hold(r, from, scratch + taken, (size_t)(n - taken));
		if ((size_t)n < scratch_len)
			return 0;
	}
	return 0;
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

enum relay_res relay_serve(struct relay *r, const int fd[2], enum relay_side side, uint32_t events,
                           uint8_t *scratch, size_t scratch_len)
{
	enum relay_side far = other(side);
	bool dead = events & (EPOLLERR | EPOLLHUP);

	if (dead || events & EPOLLOUT)
		flush_way(r, fd, far);
	if ((dead || events & EPOLLIN) && pump(r, fd, side, scratch, scratch_len) < 0)
		return RELAY_NO_MEMORY;
	if (dead && r->way[side].st != RELAY_WAY_OPEN && r->way[far].st != RELAY_WAY_OVER)
		side_died(r, side);
	/*
	 * What it sent before it died waits in its kernel behind octets that the other side doesn't
	 * take yet. Its hang-up stays up meanwhile, and would wake us for nothing.
	 */
	if (dead && r->way[side].held)
		r->hung[side] = true;
	return result(r);
}

uint32_t relay_mask(const struct relay *r, enum relay_side side)
{
	const struct relay_way *from = &r->way[side], *towards = &r->way[other(side)];
	uint32_t mask = 0;

	if (from->st == RELAY_WAY_OPEN && !from->held)
		mask |= EPOLLIN;
	if (towards->held && !r->hung[side])
		mask |= EPOLLOUT;
	if (mask == 0 && !r->hung[side] &&
	    !(from->st != RELAY_WAY_OPEN && towards->st == RELAY_WAY_OVER))
		mask = EPOLLERR;
	return mask;
}
