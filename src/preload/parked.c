/*
 * How it works: struct parked lives from parked_new() until the worker is done with its job,
 * whatever the program does meanwhile. The program's descriptors are known by number and by the
 * socket's cookie: a number that was closed behind our back, and is another file by now, tells
 * itself by its cookie.
 */
#include "parked.h"

#include "fds.h"
#include "guard.h"
#include "real.h"
#include "sockets.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define BLOCK_PIECES 32

/* Not malloc(): a thread that calls it gets an arena, and the helper is to leave nothing behind. */
struct block {
	struct block *next;
	struct parked pieces[BLOCK_PIECES];
};

static struct block *blocks;
static struct parked *unused;
static size_t live, n_dialled; /* pieces in use; sockets that are being dialled */
static unsigned generation;    /* the helper's: those of another one are nobody's */

static void put_pieces(struct block *b)
{
	for (size_t i = BLOCK_PIECES; i-- > 0;) {
		b->pieces[i].next_free = unused;
		unused = &b->pieces[i];
	}
}

/* Nothing is alive. One block is kept: connects seldom come alone. */
static void free_blocks(void)
{
	unused = NULL;
	while (blocks && blocks->next) {
		struct block *b = blocks;

		blocks = b->next;
		munmap(b, sizeof(*b));
	}
	if (blocks)
		put_pieces(blocks);
	live = n_dialled = 0;
}

static bool add_block(void)
{
	struct block *b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE,
	                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (b == MAP_FAILED)
		return false;
	b->next = blocks;
	blocks = b;
	put_pieces(b);
	return true;
}

struct parked *parked_new(int *err)
{
	struct helper *h = helper_hold(err);
	struct parked *p;

	if (!h)
		return NULL;
	if (generation != h->generation)
		free_blocks();
	generation = h->generation;
	if (!unused && !add_block()) {
		helper_release();
		*err = -ENOMEM;
		return NULL;
	}
	p = unused;
	unused = p->next_free;
	live++;
	memset(p, 0, offsetof(struct parked, hops));
	p->job.dial.fd = -1;
	p->helper = h;
	return p;
}

void parked_free(struct parked *p)
{
	p->next_free = unused;
	unused = p;
	helper_release();
	if (--live == 0 && blocks->next)
		free_blocks();
}

void parked_link(struct parked *p, int fd)
{
	struct fd_entry *e = fds_make(fd);

	if (!e || p->n_fds == PARKED_FDS_MAX)
		return;
	p->fds[p->n_fds++] = fd;
	atomic_store_explicit(&e->job, &p->job, memory_order_relaxed);
	fds_clear(e, FD_ARMED);
	fds_set(e, FD_PARKED);
}

static void unlink_at(struct parked *p, size_t i)
{
	struct fd_entry *e = fds_find(p->fds[i]);

	p->fds[i] = p->fds[--p->n_fds];
	if (!e || atomic_load_explicit(&e->job, memory_order_relaxed) != &p->job)
		return;
	fds_clear(e, FD_PARKED | FD_ARMED);
	atomic_store_explicit(&e->job, NULL, memory_order_relaxed);
}

void parked_unlink(struct parked *p)
{
	while (p->n_fds > 0)
		unlink_at(p, p->n_fds - 1);
}

void parked_give_up(struct parked *p)
{
	parked_unlink(p);
	worker_cancel(&p->helper->worker, &p->job);
}

static void cancel_unwanted(struct parked *p)
{
	if (p->n_fds == 0)
		parked_give_up(p);
}

void parked_drop(struct parked *p, int fd, int file)
{
	for (size_t i = 0; i < p->n_fds; i++) {
		if (p->fds[i] != fd)
			continue;
		unlink_at(p, i);
		/* Who else has it, a child of fork() say, would wait for good. */
		if (p->n_fds == 0 && file >= 0)
			shutdown(file, SHUT_RDWR);
		cancel_unwanted(p);
		return;
	}
}

bool parked_revise(struct parked *p)
{
	for (size_t i = p->n_fds; i-- > 0;)
		if (sockets_cookie(p->fds[i]) != p->cookie)
			unlink_at(p, i);
	return p->n_fds > 0;
}

struct parked *parked_find(int fd)
{
	struct fd_entry *e = fds_find(fd);
	struct parked *p;

	if (!fds_has(e, FD_PARKED))
		return NULL;
	p = (struct parked *)atomic_load_explicit(&e->job, memory_order_relaxed);
	if (!parked_revise(p))
		cancel_unwanted(p);
	return fds_has(e, FD_PARKED) ? p : NULL;
}

void parked_close_dialled(struct parked *p)
{
	if (p->job.dial.fd < 0)
		return;
	guard_disclaim(p->job.dial.fd);
	real->close(p->job.dial.fd);
	p->job.dial.fd = -1;
	n_dialled--;
}

void parked_claim_dialled(struct parked *p, int fd)
{
	guard_claim(fd, &p->job);
	p->job.dial.fd = fd;
	n_dialled++;
}

bool parked_is_any_dialled(void)
{
	return n_dialled > 0;
}

void parked_give_back_lifted(struct parked *p, int fd)
{
	if (p->dressed)
		options_copy(&real_sys, p->job.dial.fd, fd, OPTIONS_LIFTED);
	else
		options_restore(&real_sys, fd, &p->lifted);
}
