/*
 * What is known of descriptors by their numbers: an array, so that the hooks of epoll_ctl, close
 * and dup cost a few loads and stores. Numbers outlive what they stand for: an entry is a hint, and
 * whoever acts on it asks the kernel first.
 */
#ifndef PRELOAD_FDS_H
#define PRELOAD_FDS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct worker_job;

enum {
	FD_OURS = 1,      /* not the program's to close: guard.h */
	FD_PARKED = 2,    /* the program's, waiting for ->job */
	FD_DUPED = 4,     /* there may be another number of the same socket */
	FD_CLOSED = 8,    /* it was closed since ->epoll was noted, it seems */
	FD_MANY = 16,     /* more than one epoll may have it */
	FD_ARMED = 32,    /* registered while it was parked: has not fired */
	FD_REFUSED = 64,  /* it may be a socket of probe.h */
	FD_STRANGE = 128, /* or of stranger.h */
};

#define FD_EPOLL_NONE 0
#define FD_EPOLL_BUSY (-1) /* it is being written */

struct fd_entry {
	atomic_int epoll; /* the number of the epoll that has it, plus 1 */
	_Atomic uint32_t events;
	_Atomic uint64_t data;
	atomic_uint flags;
	/* Under the lock. FD_PARKED: what it waits for. FD_OURS: whose socket it is, or NULL. */
	_Atomic(struct worker_job *) job;
};

/* NULL where nothing is known of @fd. */
struct fd_entry *fds_find(int fd);

/* NULL where it is no descriptor, is far too great, or there is no memory. */
struct fd_entry *fds_make(int fd);

static inline bool fds_has(const struct fd_entry *e, unsigned flags)
{
	return e && (atomic_load_explicit(&e->flags, memory_order_relaxed) & flags);
}

static inline void fds_set(struct fd_entry *e, unsigned flags)
{
	if (!fds_has(e, flags))
		atomic_fetch_or_explicit(&e->flags, flags, memory_order_relaxed);
}

static inline void fds_clear(struct fd_entry *e, unsigned flags)
{
	if (fds_has(e, flags))
		atomic_fetch_and_explicit(&e->flags, ~flags, memory_order_relaxed);
}

/* The lowest number from @fd on whose entry has one of @flags; -1: there is none. */
int fds_next(int fd, unsigned flags);

/*
 * Every descriptor that is open, by /proc. Allocates nothing. False where it can't be read; @fn
 * ends it by false.
 */
bool fds_scan(bool (*fn)(int fd, void *arg), void *arg);

#endif
