/*
 * BIND: a port is opened and told (first reply), its peer awaited, who becomes the target (second
 * reply). What the client sends meanwhile is held for the peer up to a limit, then left in the
 * kernel; its end is noticed all the same, and ends the wait.
 */
#include "bind.h"
#include "handshake.h"
#include "request.h"
#include "sessionlog.h"

#include <base/errtext.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define HELD_MAX 65536

struct binding {
	struct bind *bind;
	size_t held;   /* octets of the client, since the first reply */
	bool stranger; /* somebody was turned away */
};

/* The wait, as a service */

static uint32_t bind_mask(const struct session *s)
{
	const struct binding *b = s->serving;

	return EPOLLRDHUP | (b->held < HELD_MAX ? EPOLLIN : 0);
}

/* More of what the client says. Returns NULL, or why the session is to end. */
static const char *hold_more(struct session *s)
{
	struct binding *b = s->serving;
	size_t room = HELD_MAX - b->held;
	ssize_t n;

	if (room == 0)
		return NULL;
	do {
		n = recv(s->client.fd, s->worker->scratch,
		         room < WORKER_SCRATCH ? room : WORKER_SCRATCH, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return "the client closed the connection";
	if (n < 0)
		return errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS ? NULL
		                                                              : err_text(errno);
	b->held += (size_t)n;
	return relay_hold(&s->relay, RELAY_CLIENT, s->worker->scratch, (size_t)n) < 0
	               ? "out of memory"
	               : NULL;
}

static void bind_client_ready(struct session *s, uint32_t events)
{
	const char *why = events & EPOLLIN ? hold_more(s) : NULL;

	if (!why && events & (EPOLLERR | EPOLLHUP))
		why = "the client reset the connection";
	if (!why && events & EPOLLRDHUP)
		why = "the client closed the connection";
	if (why)
		session_end(s, why);
	else
		session_wait(s);
}

static void bind_due(struct session *s)
{
	const struct binding *b = s->serving;

	if (b->stranger)
		request_fail_with(s, "bind", -EACCES, "only others came than the expected peer");
	else
		request_fail_with(s, "bind", -ETIMEDOUT, "the peer did not come in time");
}

static void bind_stop(struct session *s)
{
	struct binding *b = s->serving;

	bind_free(b->bind);
	b->bind = NULL;
}

static void bind_give_back(struct session *s)
{
	free(s->serving);
}

static const struct service waiting = {
	.name = "bind",
	.mask = bind_mask,
	.ready = bind_client_ready,
	.due = bind_due,
	.stop = bind_stop,
	.free = bind_give_back,
};

/* Who comes */

static void log_with(const struct session *s, const char *name, enum events_level level,
                     const union address *a, const char *reason)
{
	struct event e;

	if (!events_enabled(level))
		return;
	session_log_begin(&e, name, s);
	event_address(&e, "address", a);
	if (reason)
		event_text(&e, "reason", reason);
	session_log_end(&e, s);
}

static enum bind_verdict judge(void *arg, const union address *from)
{
	struct session *s = arg;
	struct binding *b = s->serving;
	const char *why = "not the expected peer";

	if (bind_expects(b->bind, from) &&
	    request_judge(s, s->worker->policy, POLICY_BIND, from, &why) == POLICY_ALLOWED)
		return BIND_TAKE;
	b->stranger = true;
	log_with(s, "stranger", EVENTS_VERBOSE, from, why);
	/* PROTOCOL items 11 and 48. */
	return s->version == SOCKS4_VERSION ? BIND_GIVE_UP : BIND_TURN_AWAY;
}

static void done(void *arg, int err, struct watch *peer, const union address *from)
{
	struct session *s = arg;
	struct endpoint ep;

	if (err < 0) {
		request_fail_with(s, "bind", err,
		                  err == -EACCES ? "another than the expected peer came" : NULL);
		return;
	}
	loop_hand_over(&s->worker->loop, peer, &s->target, EPOLLIN);
	address_to_endpoint(from, &ep);
	server_answer(&s->hs->socks, 0, &ep);
	/* As for CONNECT: the client first, the log then; the tunnel finds out of a dead one. */
	(void)handshake_flush(s->hs, s->client.fd);
	session_log_open(s, from);
	session_tunnel(s);
}

/* The port */

static void listen_for_peer(struct session *s)
{
	const struct options *o = s->worker->options;
	struct binding *b = s->serving;
	struct bind_place place = { .public_address = o->public_address,
		                    .low = o->bind_ports.low,
		                    .high = o->bind_ports.high };
	union address own, bnd;
	struct endpoint ep;
	int err;

	address_of_socket(&own, s->client.fd);
	place.own = &own;
	/* A reply of SOCKS4 has no room for IPv6. */
	place.family = s->version == SOCKS4_VERSION ? AF_INET : own.sa.sa_family;
	err = bind_listen(b->bind, &place, &bnd);
	if (err < 0) {
		request_fail_with(s, "bind", err, NULL);
		return;
	}
	address_to_endpoint(&bnd, &ep);
	server_answer(&s->hs->socks, 0, &ep);
	log_with(s, "bound", EVENTS_NORMAL, &bnd, NULL);
	session_serve(s, &waiting, b, o->bind_ms);
}

static void resolved(void *arg, const struct resolver_answer *a)
{
	struct session *s = arg;
	struct binding *b = s->serving;

	bind_expect(b->bind, a->addrs, a->n);
	if (!a->last)
		return;
	s->hs->lookup = NULL;
	if (a->err < 0)
		request_fail_with(s, "resolve", a->err, a->why);
	else
		listen_for_peer(s);
}

/* 0 or -ENOMEM. */
static int prepare(struct session *s)
{
	static const struct bind_events events = { .judge = judge, .done = done };
	struct binding *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->bind = bind_new(&s->worker->loop, &events, s);
	if (!b->bind) {
		free(b);
		return -ENOMEM;
	}
	s->service = &waiting;
	s->serving = b;
	return session_request(s);
}

void request_bind(struct session *s)
{
	struct handshake *hs = s->hs;
	const struct endpoint *dst = &server_request(&hs->socks)->dst;
	const char *why;
	union address peer;

	if (request_judge(s, s->worker->policy, POLICY_BIND, NULL, &why) == POLICY_DENIED) {
		request_fail_with(s, "request", -EACCES, why);
		return;
	}
	if (prepare(s) < 0) {
		request_fail_with(s, "request", -ENOMEM, NULL);
		return;
	}
	if (dst->kind == ENDPOINT_NAME) {
		resolver_start(s->worker->resolver, dst->name, dst->name_len, 0, &s->from, resolved,
		               s, &hs->lookup);
		return;
	}
	if (!endpoint_is_unspecified(dst)) {
		struct binding *b = s->serving;

		address_from_endpoint(&peer, dst);
		bind_expect(b->bind, &peer, 1);
	}
	listen_for_peer(s);
}
