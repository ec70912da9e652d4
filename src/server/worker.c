#include "worker.h"

#include "auth.h"
#include "events.h"
#include "listener.h"
#include "policy.h"
#include "resolver.h"
#include "server.h"
#include "session.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

/* A client that has been here so long without a request may be shown out for another. */
#define PATIENCE_MS 1000

static int open_resolver(struct worker *w)
{
	const struct options *o = w->options;
	const struct resolver_params params = { .hosts = o->hosts,
		                                .opener = w->opener,
		                                .nameservers = o->nameservers,
		                                .system = o->resolver_system };
	int err = resolver_new(&w->resolver, &w->loop, &params);

	if (err == 0)
		return 0;
	if (err == -ENOMEM || (err == -EBADMSG && !o->nameservers))
		fprintf(stderr, "socksifyd: the resolver can't be set up: %s\n", strerror(-err));
	else if (err == -EBADMSG)
		fprintf(stderr, "socksifyd: --nameserver \"%s\": can't be used\n", o->nameservers);
	else
		fprintf(stderr, "socksifyd: --hosts \"%s\": %s\n", o->hosts,
		        err == -EINVAL ? "not a regular file" : strerror(-err));
	return 1;
}

/* Orders */

static void close_listeners(struct worker *w)
{
	while (w->listeners)
		listener_close(w->listeners);
}

static void done(struct worker *w)
{
	if (w->done)
		return;
	w->done = true;
	server_worker_is_done(w->server);
}

static void drain(struct worker *w)
{
	if (w->draining)
		return;
	w->draining = true;
	close_listeners(w);
	while (w->fresh)
		session_end(w->fresh, "the server ends");
	server_worker_drains(w->server, w->n_sessions);
	if (w->n_sessions == 0)
		done(w);
}

static void reload(struct worker *w)
{
	policy_put(w->policy);
	w->policy = server_policy(w->server);
	resolver_reload(w->resolver);
	server_worker_reloaded(w->server);
}

static void read_orders(struct letter *l)
{
	struct worker *w = LOOP_OWNER(l, struct worker, orders_letter);
	unsigned orders = atomic_exchange(&w->orders, 0);

	if (orders & WORKER_RELOAD)
		reload(w);
	if (orders & WORKER_MAKE_ROOM)
		(void)worker_make_room(w);
	if (orders & WORKER_DRAIN)
		drain(w);
	if (orders & WORKER_STOP)
		loop_stop(&w->loop);
}

bool worker_order(struct worker *w, enum worker_order order)
{
	unsigned before = atomic_fetch_or(&w->orders, (unsigned)order);

	/* The letter is out while any order is. */
	if (before == 0)
		mailbox_post(&w->mailbox, &w->orders_letter);
	return !(before & (unsigned)order);
}

/* Sessions */

bool worker_make_room(struct worker *w)
{
	struct session *oldest = w->fresh;

	if (!oldest || w->loop.now_ms - oldest->start_ms < PATIENCE_MS)
		return false;
	session_end(oldest, "its place was needed for another client");
	return true;
}

void worker_session_ended(struct worker *w)
{
	if (w->draining && w->n_sessions == 0)
		done(w);
}

/* Birth and death */

int worker_init(struct worker *w, struct server *sv, unsigned index)
{
	int err;

	w->server = sv;
	w->options = sv->options;
	w->opener = sv->opener;
	w->policy = server_policy(sv);
	w->index = index;
	/* Numbers of sessions are unique among all workers. */
	w->last_id = index;
	w->orders_letter.read = read_orders;
	err = loop_init(&w->loop);
	if (err == 0)
		err = mailbox_init(&w->mailbox, &w->loop);
	if (err < 0) {
		fprintf(stderr, "socksifyd: the event loop can't be set up: %s\n", strerror(-err));
		return 1;
	}
	return open_resolver(w);
}

int worker_start(struct worker *w)
{
	struct worker *home = server_home(w->server);
	const struct options *o = w->options;
	const struct listener *first = home->listeners;
	union address at;

	w->users_demanded = w->server->auth != NULL;
	w->door = (struct door){ .auth = w->server->auth,
		                 .home = &home->mailbox,
		                 .own = &w->mailbox };
	for (size_t i = 0; i < o->n_listen; i++) {
		at = o->listen[i];
		/* Port 0 is free to be chosen by the first alone. */
		if (w != home) {
			address_of_socket(&at, first->sock.fd);
			first = first->next;
		}
		if (listener_open(w, &at, w->server->n_workers > 1, w == home) != 0)
			return 1;
	}
	return 0;
}

void worker_announce(const struct worker *w)
{
	for (const struct listener *one = w->listeners; one; one = one->next)
		listener_announce(one);
}

void worker_stop(struct worker *w)
{
	close_listeners(w);
	while (w->fresh)
		session_abort(w->fresh, "shutdown");
	while (w->sessions)
		session_abort(w->sessions, "shutdown");
	pipe_pool_trim(&w->pipes);
}

void worker_fini(struct worker *w)
{
	policy_put(w->policy);
	resolver_free(w->resolver);
	mailbox_fini(&w->mailbox);
	loop_fini(&w->loop);
}
