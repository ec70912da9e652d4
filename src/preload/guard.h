/*
 * Descriptors of ours in the program's table, while connects are under way, or ports stand for
 * other addresses: numbered high, and not the program's to close. A forked child has copies of
 * them, which are closed there, but for the ports' own, which it shares with its parent; the child
 * of vfork() is left alone: its table of descriptors is its own, but its memory is its parent's.
 */
#ifndef PRELOAD_GUARD_H
#define PRELOAD_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>

struct worker_job;

extern atomic_bool guard_raised;

/* May anything in an entry's FD_OURS and FD_PARKED matter? One load. */
static inline bool guard_is_up(void)
{
	return atomic_load_explicit(&guard_raised, memory_order_relaxed);
}

enum guard {
	GUARD_DOWN, /* nothing is ours, nothing is parked */
	GUARD_MINE,
	/* A child of vfork(): what it sees is its parent's, and not to be touched. */
	GUARD_ALIEN,
};

/*
 * Whose are the descriptors of ours and what is parked? A forked child gets rid of its copies at
 * the first question. Costs a system call where the guard is up, and nothing else.
 */
enum guard guard_ask(void);

/*
 * By the constructor: so ours is the last of all handlers that run before a fork, and the first of
 * those after it, and whatever others do in theirs does not meet our lock.
 */
void guard_init(void);

/* Under the lock: before the first descriptor of ours is made; after the last is closed. */
void guard_raise(void);
void guard_lower(void);

/* The lowest number for a descriptor of ours, by today's limit. */
int guard_floor(void);

/*
 * Under the lock: @fd is ours now (@job: whose socket it is, or NULL); it is ours no more, right
 * before it is closed.
 */
void guard_claim(int fd, struct worker_job *job);
void guard_disclaim(int fd);

#endif
