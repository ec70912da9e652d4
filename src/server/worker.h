/* One thread's share of the server: its loop, and what lives in it. */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include "loop.h"
#include "options.h"
#include "pipe.h"

#define WORKER_SCRATCH 65536

struct auth;
struct inbox;
struct listener;
struct opener;
struct outbox;
struct policy;
struct resolver;
struct session;

struct worker {
	struct loop loop;
	const struct options *options; /* borrowed */
	struct opener *opener;         /* borrowed; see opener_open() */
	struct auth *auth;             /* NULL: no users are demanded */
	struct policy *policy;         /* its own count; a reload swaps it */
	struct resolver *resolver;
	struct listener *listeners;
	struct session *sessions;
	uint64_t n_sessions;
	uint64_t last_id;
	struct pipe_pool pipes;
	/* Of datagrams on their way; NULL while there are no associations. */
	struct inbox *inbox;
	struct outbox *outbox;
	unsigned associations;
	int64_t memory_complaint_ms; /* see events_due() */
	bool draining;
	struct timer drain;
	uint8_t scratch
		[WORKER_SCRATCH]; /* for whoever serves an event; holds nothing between two */
};

/* Set up and listen. 0, or a status to exit with, the complaint written. */
int worker_start(struct worker *w, const struct options *options, struct opener *opener);
/* The lines that say "ready". */
void worker_announce(const struct worker *w);
void worker_stop(struct worker *w);

/*
 * Take no more clients, let those go that have asked for nothing yet, and stop the loop when
 * the last session ends or the deadline comes.
 */
void worker_drain(struct worker *w);

/* A session is gone: see whether that was the last one. */
void worker_session_ended(struct worker *w);

#endif
