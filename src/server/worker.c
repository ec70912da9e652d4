#include "worker.h"

#include "auth.h"
#include "listener.h"
#include "policy.h"
#include "resolver.h"
#include "session.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

static void drain_is_over(struct timer *t)
{
	loop_stop(&LOOP_OWNER(t, struct worker, drain)->loop);
}

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

int worker_start(struct worker *w, const struct options *options, struct opener *opener)
{
	int err, status = 0;

	memset(w, 0, sizeof(*w));
	w->options = options;
	w->opener = opener;
	w->drain.due = drain_is_over;
	err = loop_init(&w->loop);
	if (err < 0) {
		fprintf(stderr, "socksifyd: epoll: %s\n", strerror(-err));
		return 1;
	}
	status = policy_new(&w->policy, options, opener);
	if (status == 0 && options->users)
		status = auth_new(&w->auth, &w->loop, opener, options->users);
	if (status != 0)
		return status;
	if (open_resolver(w) != 0)
		return 1;
	for (size_t i = 0; i < options->n_listen; i++)
		if (listener_open(w, &options->listen[i]) != 0)
			return 1;
	return 0;
}

void worker_announce(const struct worker *w)
{
	for (const struct listener *one = w->listeners; one; one = one->next)
		listener_announce(one);
}

static void close_listeners(struct worker *w)
{
	while (w->listeners)
		listener_close(w->listeners);
}

void worker_stop(struct worker *w)
{
	close_listeners(w);
	while (w->sessions)
		session_abort(w->sessions, "shutdown");
	loop_stop_timer(&w->loop, &w->drain);
	auth_free(w->auth);
	w->auth = NULL;
	policy_put(w->policy);
	w->policy = NULL;
	pipe_pool_trim(&w->pipes);
	resolver_free(w->resolver);
	w->resolver = NULL;
	loop_fini(&w->loop);
}

void worker_drain(struct worker *w)
{
	struct session *s, *next;
	struct event e;

	w->draining = true;
	/* Before the line: whoever reads it may count on it. */
	close_listeners(w);
	DL_FOREACH_SAFE(w->sessions, s, next)
	session_drain(s);
	event_begin(&e, "draining");
	event_number(&e, "sessions", w->n_sessions);
	event_end(&e);
	if (w->n_sessions == 0)
		loop_stop(&w->loop);
	else
		loop_start_timer(&w->loop, &w->drain, w->options->drain_ms);
}

void worker_session_ended(struct worker *w)
{
	if (w->draining && w->n_sessions == 0)
		loop_stop(&w->loop);
}
