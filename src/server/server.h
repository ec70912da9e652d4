/*
 * The whole server: its workers, one a thread, and what they share. The first worker is at home in
 * the main thread; signals and the judge of passwords are with it.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "worker.h"

#include <stdatomic.h>

struct seats;

struct server {
	const struct options *options; /* borrowed */
	struct opener *opener;         /* borrowed */
	struct auth *auth;             /* NULL: no users are demanded */
	/* The one that holds for what comes; workers have counts of their own. */
	struct policy *policy;
	pthread_mutex_t policy_lock;
	struct seats *seats;
	struct worker **workers; /* the first is the home worker */
	unsigned n_workers;
	unsigned n_threads; /* that run, the main one not counted */
	struct timer drain;
	bool draining;
	atomic_bool failed; /* a thread of them */
	/* Of the drain: workers that have not begun it, sessions that they had, workers at work. */
	atomic_uint undrained, busy;
	atomic_ullong left;
	/* Of reloads: orders that are not carried out yet, and one for server_reload() itself. */
	atomic_uint unreloaded;
};

/*
 * Set up and listen; no thread is made yet. 0, or a status to exit with, the complaint written.
 */
int server_start(struct server *sv, const struct options *options, struct opener *opener);
void server_stop(struct server *sv);

static inline struct worker *server_home(const struct server *sv)
{
	return sv->workers[0];
}

/* Make the threads and say "ready". 0, or a status to exit with, the complaint written. */
int server_begin(struct server *sv);
/* Run the home loop, and wait for the threads. 0, or a status to exit with, it was logged why. */
int server_run(struct server *sv);

/* The home thread's. */
void server_reload(struct server *sv);
/* The first call has all workers take no more clients and end with their last session. */
void server_drain(struct server *sv);
void server_end(struct server *sv);

/* How many sessions are left, when no thread runs any more. */
uint64_t server_sessions(const struct server *sv);

/* From @worker's thread: it has nobody to show out, but clients that wait; the others may have. */
void server_make_room(struct server *sv, const struct worker *worker);

/* From any thread: counted once more. */
struct policy *server_policy(struct server *sv);

/*
 * For worker.c, from any worker's thread: what was reloaded is in force; it has begun to drain; its
 * last session is over.
 */
void server_worker_reloaded(struct server *sv);
void server_worker_drains(struct server *sv, uint64_t sessions);
void server_worker_is_done(struct server *sv);

#endif
