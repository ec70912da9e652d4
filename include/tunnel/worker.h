/*
 * Many dials at once, over one epoll, for callers that don't wait, and sockets beside them that are
 * watched. One thread turns the worker; any thread adds and cancels jobs, without a lock. Starts no
 * thread and takes no memory of its own.
 */
#ifndef TUNNEL_WORKER_H
#define TUNNEL_WORKER_H

#include <stdatomic.h>
#include <tunnel/dial.h>

struct worker_job {
	struct dial dial;
	/*
	 * NULL: dial_begin() said -EINPROGRESS of the dial. Else it is called by the thread that
	 * turns, and says how the dial began: -EINPROGRESS, 0, an error; or -EAGAIN, to be called
	 * again in a moment.
	 */
	int (*start)(struct worker_job *job);
	/*
	 * Called once, by the thread that turns: 0, dial_step()'s error, or -ECANCELED, which
	 * leaves the socket where it was (dial_abandon() is the owner's to call). The worker has
	 * forgotten the job, and its socket, by then: it may be freed, or added again. done() may
	 * add and cancel jobs, but turn nothing.
	 */
	void (*done)(struct worker_job *job, int err);
	/* Private. */
	struct worker_job *next_added, *next_cancelled; /* in the inboxes */
	struct worker_job *prev, *next;                 /* of those under way */
	atomic_int state;
	bool registered; /* its socket, in the epoll */
	int failed;      /* it is to end in this error */
};

/* A descriptor that is watched, level-triggered, till it is watched no more. */
struct worker_watch {
	int fd;
	uint32_t events;  /* EPOLLIN, EPOLLOUT, …; 0: errors and hang-ups alone */
	int64_t until_ms; /* DEADLINE_NEVER: no end */
	/*
	 * Called by the thread that turns, with what is there, or with 0 at until_ms, which it
	 * is to set anew. It may add and remove watches, this one too, and may close sockets and
	 * free the memory of those that it has removed; it may add and cancel jobs.
	 */
	void (*ready)(struct worker_watch *watch, uint32_t events);
	/* Private. */
	struct worker_watch *prev, *next;
	bool lost; /* the epoll does not have it */
};

struct worker {
	const struct sys *sys;
	int epoll_fd, event_fd; /* numbered from the floor on; may be moved between two turns */
	/* Private. */
	_Atomic(struct worker_job *) added, cancelled;
	struct worker_job *jobs;
	size_t n_jobs;
	int64_t next_ms; /* no until_ms is sooner */
	struct worker_watch *watches, *next_watch;
	struct epoll_event *batch; /* of the turn that is under way: what is left of it */
	int n_batch;
};

/* @floor as for sys_raise(). Returns 0 or a negative errno; nothing is open then. */
int worker_open(struct worker *w, const struct sys *sys, int floor);

/* Where no job is under way. What is watched is watched no more. */
void worker_close(struct worker *w);

/* The job, and all that its dial borrows, is the worker's until done() is called. */
void worker_add(struct worker *w, struct worker_job *job);

/*
 * True: done() will be told -ECANCELED. False: too late, done() is called with the outcome, about
 * now. Only for jobs whose done() has not returned: its owner must know.
 */
bool worker_cancel(struct worker *w, struct worker_job *job);

/* Wake the thread that turns. */
void worker_kick(struct worker *w);

/*
 * Wait for what comes next, at most @limit_ms (-1: without limit), and carry it out. Returns how
 * many jobs are under way, watches not counted, or a negative errno where the epoll can't be waited
 * for: nothing makes progress then.
 */
int worker_turn(struct worker *w, int limit_ms);

/*
 * By the thread that turns: end every job in @err, as after worker_turn() failed. Their sockets are
 * unconnected then.
 */
void worker_fail(struct worker *w, int err);

/*
 * By the thread that turns: the job's socket is called @fd from now on. The former number is still
 * open, and the caller's to close. Where the epoll won't have it, the job ends in the next turn.
 */
void worker_renumber(struct worker *w, struct worker_job *job, int fd);

/*
 * By the thread that turns, or before there is one. Watch @watch->fd, which no other watch and no
 * job has. Returns 0 or a negative errno.
 */
int worker_watch_add(struct worker *w, struct worker_watch *watch);

/* Its socket is still open. */
void worker_watch_remove(struct worker *w, struct worker_watch *watch);

/* Watch for other events, and until another time, from now on. */
void worker_watch_change(struct worker *w, struct worker_watch *watch, uint32_t events,
                         int64_t until_ms);

/*
 * As worker_renumber(). Where the epoll won't have it, its ready() is told EPOLLERR in the next
 * turn.
 */
void worker_watch_renumber(struct worker *w, struct worker_watch *watch, int fd);

/* The one of that number, or NULL. */
struct worker_watch *worker_watch_find(const struct worker *w, int fd);

#endif
