#include "server.h"

#include "auth.h"
#include "events.h"
#include "listener.h"
#include "policy.h"
#include "seats.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Descriptors that are no client's: listeners, DNS, files. */
#define FDS_OWN 64

/* This part of all is for attempts to connect, beside the first one of each client. */
#define ATTEMPTS_PART 8

static unsigned descriptors(void)
{
	struct rlimit rl = { 0 };

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0 || rl.rlim_cur > INT_MAX)
		return INT_MAX;
	return (unsigned)rl.rlim_cur;
}

/* Clients that there are descriptors for, two each. */
static unsigned clients_possible(void)
{
	unsigned n = descriptors();

	return n > 2 * FDS_OWN ? (n - FDS_OWN) / 2 : n / 4 + 1;
}

static int open_seats(struct server *sv)
{
	const struct options *o = sv->options;
	unsigned possible = clients_possible();
	struct seats_params p = { .all = possible, .user = (unsigned)o->max_user };

	if (o->max_clients > 0)
		p.all = (unsigned)o->max_clients;
	if (o->max_clients > 0 && (unsigned)o->max_clients > possible)
		event_warn("--max-clients is more than there are descriptors for", NULL);
	/* By default no source alone takes every seat; who is on this machine may. */
	p.source = p.all / 2 + 1;
	p.spare_loopback = true;
	if (o->max_source >= 0) {
		p.source = o->max_source > 0 ? (unsigned)o->max_source : p.all;
		p.spare_loopback = false;
	}
	sv->seats = seats_new(&p);
	if (sv->seats)
		return 0;
	fprintf(stderr, "socksifyd: out of memory\n");
	return 1;
}

static int open_workers(struct server *sv)
{
	struct worker *w;
	int status;

	sv->workers = calloc((size_t)sv->options->threads, sizeof(struct worker *));
	while (sv->workers && sv->n_workers < (unsigned)sv->options->threads) {
		w = calloc(1, sizeof(*w));
		if (!w)
			break;
		sv->workers[sv->n_workers++] = w;
		w->attempts.max = descriptors() / ATTEMPTS_PART / (unsigned)sv->options->threads;
		status = worker_init(w, sv, sv->n_workers - 1);
		if (status != 0)
			return status;
	}
	if (sv->workers && sv->n_workers == (unsigned)sv->options->threads)
		return 0;
	fprintf(stderr, "socksifyd: out of memory\n");
	return 1;
}

static void drain_is_over(struct timer *t)
{
	server_end(LOOP_OWNER(t, struct server, drain));
}

int server_start(struct server *sv, const struct options *options, struct opener *opener)
{
	int status;

	memset(sv, 0, sizeof(*sv));
	sv->options = options;
	sv->opener = opener;
	sv->drain.due = drain_is_over;
	status = pthread_mutex_init(&sv->policy_lock, NULL) == 0 ? 0 : 1;
	if (status == 0)
		status = policy_new(&sv->policy, options, opener);
	if (status == 0)
		status = open_seats(sv);
	if (status == 0)
		status = open_workers(sv);
	if (status == 0 && options->users)
		status = auth_new(&sv->auth, &server_home(sv)->loop, opener, options->users);
	for (unsigned i = 0; i < sv->n_workers && status == 0; i++)
		status = worker_start(sv->workers[i]);
	return status;
}

/* Threads */

static void *run_worker(void *arg)
{
	struct worker *w = arg;
	int err = loop_run(&w->loop);

	if (err == 0)
		return NULL;
	event_warn("the event loop of a thread failed", strerror(-err));
	atomic_store(&w->server->failed, true);
	worker_order(server_home(w->server), WORKER_STOP);
	return NULL;
}

static void join_all(struct server *sv)
{
	for (unsigned i = 1; i <= sv->n_threads; i++)
		worker_order(sv->workers[i], WORKER_STOP);
	for (unsigned i = 1; i <= sv->n_threads; i++)
		pthread_join(sv->workers[i]->thread, NULL);
	sv->n_threads = 0;
}

/* 0 or a status. */
static int start_threads(struct server *sv)
{
	int err;

	while (sv->n_threads + 1 < sv->n_workers) {
		struct worker *w = sv->workers[sv->n_threads + 1];

		err = pthread_create(&w->thread, NULL, run_worker, w);
		if (err != 0) {
			fprintf(stderr, "socksifyd: --threads \"%u\": after %u of them: %s\n",
			        sv->n_workers, sv->n_threads + 1, strerror(err));
			return 1;
		}
		sv->n_threads++;
	}
	return 0;
}

int server_begin(struct server *sv)
{
	int status;

	atomic_store(&sv->busy, sv->n_workers);
	status = start_threads(sv);
	if (status == 0)
		worker_announce(server_home(sv));
	else
		join_all(sv);
	return status;
}

int server_run(struct server *sv)
{
	int err = loop_run(&server_home(sv)->loop);

	if (err < 0)
		event_warn("the event loop failed", strerror(-err));
	join_all(sv);
	return err < 0 || atomic_load(&sv->failed) ? 1 : 0;
}

uint64_t server_sessions(const struct server *sv)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < sv->n_workers; i++)
		n += sv->workers[i]->n_sessions;
	return n;
}

/* Orders */

struct policy *server_policy(struct server *sv)
{
	struct policy *p;

	pthread_mutex_lock(&sv->policy_lock);
	p = policy_get(sv->policy);
	pthread_mutex_unlock(&sv->policy_lock);
	return p;
}

static void reload_policy(struct server *sv)
{
	struct policy *old = sv->policy, *fresh = policy_renew(old);

	if (!fresh)
		return;
	pthread_mutex_lock(&sv->policy_lock);
	sv->policy = fresh;
	pthread_mutex_unlock(&sv->policy_lock);
	policy_put(old);
}

void server_reload(struct server *sv)
{
	if (sv->auth)
		auth_reload(sv->auth);
	reload_policy(sv);
	atomic_fetch_add(&sv->unreloaded, 1);
	for (unsigned i = 0; i < sv->n_workers; i++) {
		atomic_fetch_add(&sv->unreloaded, 1);
		/* Or it is still to carry out the one before, and with that this one. */
		if (!worker_order(sv->workers[i], WORKER_RELOAD))
			atomic_fetch_sub(&sv->unreloaded, 1);
	}
	server_worker_reloaded(sv);
}

void server_worker_reloaded(struct server *sv)
{
	struct event e;

	if (atomic_fetch_sub(&sv->unreloaded, 1) > 1)
		return;
	/* No worker has the old rules any more: whoever reads the line may count on it. */
	event_begin(&e, "reloaded");
	event_end(&e);
}

void server_drain(struct server *sv)
{
	struct worker *home = server_home(sv);

	sv->draining = true;
	atomic_store(&sv->undrained, sv->n_workers);
	loop_start_timer(&home->loop, &sv->drain, sv->options->drain_ms);
	for (unsigned i = 0; i < sv->n_workers; i++)
		worker_order(sv->workers[i], WORKER_DRAIN);
}

void server_end(struct server *sv)
{
	for (unsigned i = 0; i < sv->n_workers; i++)
		worker_order(sv->workers[i], WORKER_STOP);
}

void server_make_room(struct server *sv, const struct worker *worker)
{
	for (unsigned i = 0; i < sv->n_workers; i++)
		if (sv->workers[i] != worker)
			worker_order(sv->workers[i], WORKER_MAKE_ROOM);
}

void server_worker_drains(struct server *sv, uint64_t sessions)
{
	struct event e;

	atomic_fetch_add(&sv->left, sessions);
	if (atomic_fetch_sub(&sv->undrained, 1) > 1)
		return;
	/* No listener is left: whoever reads the line may count on it. */
	event_begin(&e, "draining");
	event_number(&e, "sessions", atomic_load(&sv->left));
	event_end(&e);
}

void server_worker_is_done(struct server *sv)
{
	if (atomic_fetch_sub(&sv->busy, 1) == 1)
		worker_order(server_home(sv), WORKER_STOP);
}

/* The end */

/* What workers have written to each other when their loops had stopped. */
static void read_all_letters(struct server *sv)
{
	bool any;

	do {
		any = false;
		for (unsigned i = 0; i < sv->n_workers; i++)
			if (sv->workers[i]->mailbox.loop)
				any |= mailbox_empty(&sv->workers[i]->mailbox);
	} while (any);
}

void server_stop(struct server *sv)
{
	if (sv->n_workers > 0)
		loop_stop_timer(&server_home(sv)->loop, &sv->drain);
	for (unsigned i = 0; i < sv->n_workers; i++)
		worker_stop(sv->workers[i]);
	read_all_letters(sv);
	auth_free(sv->auth);
	for (unsigned i = 0; i < sv->n_workers; i++) {
		worker_fini(sv->workers[i]);
		free(sv->workers[i]);
	}
	free(sv->workers);
	policy_put(sv->policy);
	seats_free(sv->seats);
	memset(sv, 0, sizeof(*sv));
}
