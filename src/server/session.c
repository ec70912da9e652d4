/*
 * How it works: session_enter() alone writes ->st, and update() computes from it what to ask of
 * epoll. Whatever may end a session does so as its last act, so that nobody touches it afterwards.
 *
 *	HANDSHAKE -> REQUEST -> RELAY -> end, or RESETTING -> end
 *	REQUEST -> SERVED -> end (an association), or RELAY (BIND)
 *	HANDSHAKE, REQUEST or SERVED that fails -> LINGER -> end
 *
 * LINGER is a relay of which only the way to the client is left, and that has ended: it flushes the
 * reply and then sends the FIN.
 */
#include "session.h"

#include "handshake.h"
#include "request.h"
#include "server.h"
#include "sessionlog.h"
#include "tcp.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum limit { LIMIT_NONE, LIMIT_HANDSHAKE, LIMIT_REQUEST, LIMIT_IDLE, LIMIT_RESET, LIMIT_LINGER };

static const struct {
	const char *name;
	enum limit limit;
} state_info[] = {
	[SESSION_HANDSHAKE] = { "handshake", LIMIT_HANDSHAKE },
	[SESSION_REQUEST] = { "request", LIMIT_REQUEST },
	[SESSION_SERVED] = { "served", LIMIT_NONE },
	[SESSION_RELAY] = { "relay", LIMIT_IDLE },
	[SESSION_RESETTING] = { "resetting", LIMIT_RESET },
	[SESSION_LINGER] = { "linger", LIMIT_LINGER },
};

static void set_deadline(struct session *s)
{
	const struct options *o = s->worker->options;
	int64_t ms = 0; /* never */

	switch (state_info[s->st].limit) {
	case LIMIT_NONE:
		break;
	case LIMIT_HANDSHAKE:
		ms = o->handshake_ms;
		break;
	case LIMIT_REQUEST:
		ms = o->connect_ms;
		break;
	case LIMIT_IDLE:
		ms = o->idle_ms;
		break;
	case LIMIT_RESET:
		ms = s->end.reset.wait_ms;
		break;
	case LIMIT_LINGER:
		ms = LASTWORD_MS;
		break;
	}
	if (ms > 0)
		loop_start_timer(&s->worker->loop, &s->deadline, ms);
	else
		loop_stop_timer(&s->worker->loop, &s->deadline);
}

static void session_enter(struct session *s, enum session_state st)
{
	if (s->st == SESSION_HANDSHAKE && st != SESSION_HANDSHAKE) {
		DL_DELETE(s->worker->fresh, s);
		DL_APPEND(s->worker->sessions, s);
	}
	s->st = st;
	set_deadline(s);
}

/* The end */

static bool is_tunnel(const struct session *s)
{
	return s->st == SESSION_RELAY || s->st == SESSION_RESETTING;
}

static void log_end(const struct session *s, const char *stage, const char *result)
{
	bool tunnel = is_tunnel(s);
	bool granted = tunnel || s->st == SESSION_SERVED;
	struct event e;

	/* What lingers has had its line. */
	if (s->st == SESSION_LINGER || !events_enabled(EVENTS_NORMAL))
		return;
	session_log_begin(&e, granted ? "close" : "failed", s);
	if (tunnel) {
		event_number(&e, "sent", s->relay.way[RELAY_CLIENT].octets);
		event_number(&e, "received", s->relay.way[RELAY_TARGET].octets);
	}
	if (s->st == SESSION_SERVED && s->service->log)
		s->service->log(&e, s);
	if (granted) {
		event_text(&e, "result", result);
	} else {
		event_text(&e, "stage", stage);
		event_text(&e, "reason", result);
	}
	session_log_end(&e, s);
}

static void free_service(struct session *s)
{
	if (s->service)
		s->service->free(s);
	s->service = NULL;
	s->serving = NULL;
}

static void stop_service(struct session *s)
{
	if (s->service)
		s->service->stop(s);
	free_service(s);
}

void session_end(struct session *s, const char *result)
{
	struct worker *w = s->worker;
	const char *stage = s->hs ? handshake_stage(s->hs) : state_info[s->st].name;

	loop_stop_timer(&w->loop, &s->deadline);
	handshake_free(s->hs);
	s->hs = NULL;
	relay_fini(&s->relay);
	loop_close(&w->loop, &s->client);
	loop_close(&w->loop, &s->target);
	if (s->service)
		s->service->stop(s);
	seat_leave(&s->seat);
	/* The line comes when all is closed: its reader may count on that. */
	log_end(s, stage, result);
	free_service(s);
	if (s->st == SESSION_HANDSHAKE)
		DL_DELETE(w->fresh, s);
	else
		DL_DELETE(w->sessions, s);
	w->n_sessions--;
	free(s->user);
	free(s->where);
	free(s);
	worker_session_ended(w);
}

static void close_by_reset(struct session *s, struct watch *w)
{
	if (w->fd < 0)
		return;
	tcp_reset_on_close(w->fd);
	loop_close(&s->worker->loop, w);
}

void session_abort(struct session *s, const char *result)
{
	if (is_tunnel(s)) {
		close_by_reset(s, &s->client);
		close_by_reset(s, &s->target);
	}
	session_end(s, result);
}

/* What to ask of epoll */

static uint32_t client_mask(const struct session *s)
{
	switch (s->st) {
	case SESSION_HANDSHAKE:
		/* While a login is judged only a dead client counts, as in SESSION_REQUEST. */
		if (handshake_is_judging(s->hs))
			return EPOLLERR;
		return EPOLLIN | (handshake_has_output(s->hs) ? EPOLLOUT : 0);
	case SESSION_REQUEST:
		/* Only a reset counts now: a client may well half-close and wait for the answer. */
		return EPOLLERR;
	case SESSION_SERVED:
		return EPOLLERR | s->service->mask(s) |
		       (s->hs && handshake_has_output(s->hs) ? EPOLLOUT : 0);
	case SESSION_RELAY:
		return relay_mask(&s->relay, RELAY_CLIENT);
	case SESSION_RESETTING:
		/* It is not read any more, and would be readable for good. */
		return 0;
	case SESSION_LINGER:
		return lastword_mask(&s->end.lastword, &s->relay);
	}
	return 0;
}

static int ask(struct session *s)
{
	uint32_t target = s->st == SESSION_RELAY ? relay_mask(&s->relay, RELAY_TARGET) : 0;
	struct loop *l = &s->worker->loop;
	int err = 0;

	if (s->client.fd >= 0)
		err = loop_want(l, &s->client, client_mask(s));
	if (err == 0 && s->target.fd >= 0)
		err = loop_want(l, &s->target, target);
	return err;
}

static void update(struct session *s)
{
	if (ask(s) < 0)
		session_abort(s, "no-memory");
}

void session_wait(struct session *s)
{
	update(s);
}

/* The tunnel */

static const char *reset_by(const struct session *s)
{
	return s->relay.reset[RELAY_CLIENT] ? "client-reset" : "target-reset";
}

/* Nothing may be lost which came before the reset. */
static void reset_the_other(struct session *s)
{
	struct watch *alive = s->relay.reset[RELAY_CLIENT] ? &s->target : &s->client;
	bool both = s->relay.reset[RELAY_CLIENT] && s->relay.reset[RELAY_TARGET];

	if (!both && reset_look(&s->end.reset, alive->fd, s->worker->loop.now_ms) > 0)
		set_deadline(s);
	else
		session_abort(s, reset_by(s));
}

static void go_on(struct session *s, enum relay_res res)
{
	switch (res) {
	case RELAY_RUNS:
		update(s);
		return;
	case RELAY_DONE:
		session_end(s, "done");
		return;
	case RELAY_RESET:
		loop_close(&s->worker->loop,
		           s->relay.reset[RELAY_CLIENT] ? &s->client : &s->target);
		reset_init(&s->end.reset, s->worker->loop.now_ms);
		session_enter(s, SESSION_RESETTING);
		/* To ask for nothing can't fail. */
		(void)ask(s);
		reset_the_other(s);
		return;
	case RELAY_NO_MEMORY:
		session_abort(s, "no-memory");
		return;
	}
}

static void serve(struct session *s, enum relay_side side, uint32_t events)
{
	const int fd[2] = { [RELAY_CLIENT] = s->client.fd, [RELAY_TARGET] = s->target.fd };
	struct worker *w = s->worker;
	const struct relay_means means = { .scratch = w->scratch,
		                           .scratch_len = WORKER_SCRATCH,
		                           .pipes = w->options->relay_copies ? NULL : &w->pipes };

	s->end.active_ms = w->loop.now_ms;
	go_on(s, relay_serve(&s->relay, &means, fd, side, events));
}

/* Send what the machine has to say; what the socket doesn't take becomes the relay's. */
static int say(struct session *s)
{
	const uint8_t *out;
	size_t len;
	int err = handshake_flush(s->hs, s->client.fd);

	if (err == 0) {
		out = server_out(&s->hs->socks, &len);
		err = relay_hold(&s->relay, RELAY_TARGET, out, len);
	}
	handshake_free(s->hs);
	s->hs = NULL;
	return err;
}

int session_request(struct session *s)
{
	session_enter(s, SESSION_REQUEST);
	/*
	 * Left as it is where it is watched already: the answer is often here before anything
	 * comes.
	 */
	return s->client.mask ? 0 : loop_want(&s->worker->loop, &s->client, client_mask(s));
}

/* What is not taken goes later. 0, or a negative errno where the client is gone. */
static int say_to_served(struct session *s)
{
	int err = handshake_flush(s->hs, s->client.fd);

	if (err < 0 || !s->service->all_said || handshake_has_output(s->hs))
		return err;
	handshake_free(s->hs);
	s->hs = NULL;
	return 0;
}

void session_serve(struct session *s, const struct service *service, void *serving, int64_t ms)
{
	s->service = service;
	s->serving = serving;
	session_enter(s, SESSION_SERVED);
	if (ms > 0)
		loop_start_timer(&s->worker->loop, &s->deadline, ms);
	if (say_to_served(s) < 0)
		session_end(s, "the client is gone");
	else
		update(s);
}

void session_tunnel(struct session *s)
{
	int fd[2];

	stop_service(s);
	session_enter(s, SESSION_RELAY);
	s->end.active_ms = s->worker->loop.now_ms;
	/* With the client dead the relay finds out by itself, and resets the target. */
	if (say(s) == -ENOMEM) {
		go_on(s, RELAY_NO_MEMORY);
		return;
	}
	fd[RELAY_CLIENT] = s->client.fd;
	fd[RELAY_TARGET] = s->target.fd;
	go_on(s, relay_flush(&s->relay, fd));
}

/* Refusal */

static void linger(struct session *s, uint32_t events)
{
	if (lastword_serve(&s->end.lastword, &s->relay, s->client.fd, events, s->worker->scratch,
	                   WORKER_SCRATCH))
		session_end(s, "refused");
	else
		update(s);
}

void session_refuse(struct session *s)
{
	stop_service(s);
	/* Early data of a request that failed goes nowhere. */
	relay_fini(&s->relay);
	session_enter(s, SESSION_LINGER);
	if (say(s) < 0) {
		session_end(s, "refused");
		return;
	}
	relay_only_to(&s->relay, RELAY_CLIENT);
	linger(s, 0);
}

/* Events */

static void client_ready(struct watch *w, uint32_t events)
{
	struct session *s = LOOP_OWNER(w, struct session, client);

	switch (s->st) {
	case SESSION_HANDSHAKE:
		if (handshake_is_judging(s->hs)) {
			if (events & (EPOLLERR | EPOLLHUP))
				session_end(s, "the client reset the connection");
		} else if (events & EPOLLOUT && handshake_flush(s->hs, w->fd) < 0)
			session_end(s, "the client is gone");
		else
			handshake_read(s);
		return;
	case SESSION_REQUEST:
		if (events & (EPOLLERR | EPOLLHUP))
			session_end(s, "the client reset the connection");
		else
			update(s);
		return;
	case SESSION_SERVED:
		if (events & EPOLLOUT && s->hs && say_to_served(s) < 0)
			session_end(s, "the client is gone");
		else if (events & ~(uint32_t)EPOLLOUT)
			s->service->ready(s, events);
		else
			update(s);
		return;
	case SESSION_RELAY:
		serve(s, RELAY_CLIENT, events);
		return;
	case SESSION_RESETTING:
		return;
	case SESSION_LINGER:
		linger(s, events);
		return;
	}
}

static void target_ready(struct watch *w, uint32_t events)
{
	struct session *s = LOOP_OWNER(w, struct session, target);

	switch (s->st) {
	case SESSION_RELAY:
		serve(s, RELAY_TARGET, events);
		return;
	case SESSION_HANDSHAKE:
	case SESSION_REQUEST:
	case SESSION_SERVED:
	case SESSION_RESETTING:
	case SESSION_LINGER:
		return;
	}
}

/* Data moves no timer: what moved meanwhile is seen when the time is over. */
static void look_if_idle(struct session *s)
{
	int64_t left = s->end.active_ms + s->worker->options->idle_ms - s->worker->loop.now_ms;

	if (left > 0)
		loop_start_timer(&s->worker->loop, &s->deadline, left);
	else
		session_abort(s, "idle");
}

static void deadline_came(struct timer *t)
{
	struct session *s = LOOP_OWNER(t, struct session, deadline);

	switch (s->st) {
	case SESSION_HANDSHAKE:
		session_end(s, "the handshake took too long");
		return;
	case SESSION_REQUEST:
		request_give_up(s);
		return;
	case SESSION_SERVED:
		s->service->due(s);
		return;
	case SESSION_RELAY:
		look_if_idle(s);
		return;
	case SESSION_RESETTING:
		reset_the_other(s);
		return;
	case SESSION_LINGER:
		session_end(s, "refused");
		return;
	}
}

void session_start(struct worker *w, int fd, const union address *from, struct seat *seat)
{
	struct session *s = calloc(1, sizeof(*s));
	struct watch client = { .fd = fd, .ready = client_ready };

	if (s)
		s->hs = handshake_new();
	if (!s || !s->hs) {
		free(s);
		if (events_due(&w->memory_complaint_ms, w->loop.now_ms))
			event_warn("clients are turned away", "out of memory");
		loop_close(&w->loop, &client);
		seat_leave(seat);
		return;
	}
	s->worker = w;
	s->client = client;
	s->target = (struct watch){ .fd = -1, .ready = target_ready };
	s->deadline.due = deadline_came;
	w->last_id += w->server->n_workers;
	s->id = w->last_id;
	s->seat = *seat;
	s->start_ms = w->loop.now_ms;
	s->from = *from;
	relay_init(&s->relay);
	DL_APPEND(w->fresh, s);
	w->n_sessions++;
	session_enter(s, SESSION_HANDSHAKE);
	/* The first octets are often there already. */
	handshake_read(s);
}
