/* One thread's share of the server: its loop, and what lives in it. */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include "dialer.h"
#include "door.h"
#include "loop.h"
#include "mailbox.h"
#include "options.h"
#include "pipe.h"

#include <pthread.h>
#include <stdatomic.h>

#define WORKER_SCRATCH 65536

struct inbox;
struct listener;
struct opener;
struct outbox;
struct policy;
struct resolver;
struct server;
struct session;

struct worker {
	struct loop loop;
	struct server *server;
	const struct options *options; /* borrowed */
	struct opener *opener;         /* borrowed; see opener_open() */
	struct policy *policy;         /* its own count; a reload swaps it */
	unsigned index;                /* 0: at home in the main thread */
	pthread_t thread;              /* of the others */
	struct mailbox mailbox;
	struct letter orders_letter;
	atomic_uint orders; /* enum worker_order, not carried out yet */
	struct door door;
	bool users_demanded;
	struct resolver *resolver;
	struct listener *listeners;
	/* The oldest first. */
	struct session *fresh;    /* those that have not said what they want */
	struct session *sessions; /* all others */
	uint64_t n_sessions;      /* of both */
	uint64_t last_id;
	struct pipe_pool pipes;
	struct dialer_share attempts;
	/* Of datagrams on their way; NULL while there are no associations. */
	struct inbox *inbox;
	struct outbox *outbox;
	unsigned associations;
	size_t names_octets;         /* of datagrams that wait for their names */
	int64_t trim_ms;             /* when to give memory back again */
	int64_t memory_complaint_ms; /* see events_due() */
	bool draining, done;
	uint8_t scratch
		[WORKER_SCRATCH]; /* for whoever serves an event; holds nothing between two */
};

/* Set up all that opens no socket to the network. 0, or a status to exit with, as below. */
int worker_init(struct worker *w, struct server *sv, unsigned index);

/* When all are set up: listen. 0, or a status to exit with, the complaint written. */
int worker_start(struct worker *w);
/* The lines that say "ready". */
void worker_announce(const struct worker *w);

/* Its thread has ended: end the sessions. Letters to other workers may be posted. */
void worker_stop(struct worker *w);
void worker_fini(struct worker *w);

/*
 * From any thread, carried out in the worker's own. False where it was given before, and is still
 * to be carried out.
 */
enum worker_order {
	WORKER_RELOAD = 1,
	/*
	 * Take no more clients, let those go that have asked for nothing yet, and end with the last
	 * session.
	 */
	WORKER_DRAIN = 2,
	WORKER_STOP = 4,
	WORKER_MAKE_ROOM = 8, /* another has clients that wait: worker_make_room() */
};
bool worker_order(struct worker *w, enum worker_order order);

/*
 * Where there is no room: end the session that has been saying what it wants for longest, if that
 * was long enough for any honest client. Was there one.
 */
bool worker_make_room(struct worker *w);

/* A session is gone: see whether that was the last one. */
void worker_session_ended(struct worker *w);

#endif
