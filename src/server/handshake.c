#include "handshake.h"

#include <base/errtext.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/*
 * What one read takes: the longest that a client may say in one breath. The rest waits in the
 * kernel.
 */
#define READ_MAX (SOCKS5_GREETING_MAX + SOCKS5_USERPASS_MAX + SOCKS5_REQUEST_MAX)

struct handshake *handshake_new(void)
{
	struct handshake *hs = malloc(sizeof(*hs));

	if (!hs)
		return NULL;
	server_init(&hs->socks);
	hs->dialer = NULL;
	hs->lookup = NULL;
	hs->why = NULL;
	return hs;
}

void handshake_free(struct handshake *hs)
{
	if (!hs)
		return;
	lookup_cancel(hs->lookup);
	dialer_free(hs->dialer);
	free(hs);
}

const char *handshake_stage(const struct handshake *hs)
{
	return hs->dialer && !dialer_has_address(hs->dialer) ? "resolve" : "connect";
}

bool handshake_has_output(const struct handshake *hs)
{
	size_t len;

	server_out(&hs->socks, &len);
	return len > 0;
}

int handshake_flush(struct handshake *hs, int fd)
{
	const uint8_t *out;
	size_t len;
	ssize_t n;

	while (out = server_out(&hs->socks, &len), len > 0) {
		n = send(fd, out, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ? 0 : -errno;
		server_sent(&hs->socks, (size_t)n);
	}
	return 0;
}

/* The log */

static void event_session(struct event *e, const char *name, const struct session *s)
{
	const struct server_request *rq = server_request(&s->hs->socks);

	event_begin(e, name);
	event_number(e, "id", s->id);
	event_address(e, "client", &s->from);
	if (!s->where)
		return;
	event_number(e, "version", rq->version);
	if (rq->version == SOCKS4_VERSION && rq->user_len > 0)
		event_octets(e, "user", rq->user, rq->user_len);
	event_value(e, "target", s->where);
}

static void log_open(const struct session *s)
{
	union address at;
	struct event e;

	if (!events_enabled(EVENTS_NORMAL))
		return;
	address_of_peer(&at, s->target.fd);
	event_session(&e, "open", s);
	event_address(&e, "address", &at);
	event_number(&e, "ms", (uint64_t)(s->worker->loop.now_ms - s->start_ms));
	event_end(&e);
}

/* @reply is -1 where there is none. */
static void log_failed(const struct session *s, const char *stage, int reply, const char *reason)
{
	char code[4];
	struct event e;

	if (!events_enabled(EVENTS_NORMAL))
		return;
	event_session(&e, "failed", s);
	event_text(&e, "stage", stage);
	if (reply >= 0) {
		snprintf(code, sizeof(code), "%02x", (unsigned)reply & 0xff);
		event_text(&e, "reply", code);
	}
	event_text(&e, "reason", reason);
	event_number(&e, "ms", (uint64_t)(s->worker->loop.now_ms - s->start_ms));
	event_end(&e);
}

/* The request and its end */

static void fail(struct session *s, const char *stage, uint8_t code, const char *reason)
{
	log_failed(s, stage, code, reason);
	server_answer_code(&s->hs->socks, code, NULL);
	session_refuse(s);
}

static void fail_with(struct session *s, const char *stage, int err, const char *reason)
{
	bool four = server_request(&s->hs->socks)->version == SOCKS4_VERSION;

	fail(s, stage, four ? reply_socks4_from_errno(err) : reply_socks5_from_errno(err),
	     reason ? reason : err_text(err));
}

static void succeed(struct session *s, struct watch *sock)
{
	union address own;
	struct endpoint bnd;

	loop_hand_over(&s->worker->loop, sock, &s->target, EPOLLIN);
	/* And with it the losers of the race. */
	dialer_free(s->hs->dialer);
	s->hs->dialer = NULL;
	address_of_socket(&own, s->target.fd);
	address_to_endpoint(&own, &bnd);
	server_answer(&s->hs->socks, 0, &bnd);
	/* The client first, the log then. Where the client is dead, the tunnel finds out. */
	(void)handshake_flush(s->hs, s->client.fd);
	log_open(s);
	session_tunnel(s);
}

static void dialled(void *arg, int err, struct watch *sock)
{
	struct session *s = arg;

	if (err == 0)
		succeed(s, sock);
	else
		fail_with(s, handshake_stage(s->hs), err, s->hs->why);
}

static void resolved(void *arg, const struct resolver_answer *a)
{
	struct session *s = arg;

	if (a->last) {
		s->hs->lookup = NULL;
		/* That of one family means nothing where the other had addresses. */
		s->hs->why = dialer_has_address(s->hs->dialer) ? NULL : a->why;
	}
	dialer_add(s->hs->dialer, a->addrs, a->n, a->last, a->err);
}

void handshake_give_up(struct session *s)
{
	if (dialer_has_address(s->hs->dialer))
		fail_with(s, "connect", dialer_give_up(s->hs->dialer), NULL);
	else
		fail_with(s, "resolve", -ETIMEDOUT, "the name was not resolved in time");
}

static void carry_out(struct session *s)
{
	struct handshake *hs = s->hs;
	const struct server_request *rq = server_request(&hs->socks);
	union address to;

	s->where = strdup(event_endpoint_text(&rq->dst, (char[EVENT_ENDPOINT_MAX]){ 0 }));
	if (!s->where) {
		fail_with(s, "request", -ENOMEM, NULL);
		return;
	}
	if (rq->cmd != SOCKS5_CONNECT) {
		fail(s, "request",
		     rq->version == SOCKS4_VERSION ? SOCKS4_REJECTED : SOCKS5_BAD_COMMAND,
		     "the command is not supported");
		return;
	}
	hs->dialer = dialer_new(&s->worker->loop, dialled, s);
	if (!hs->dialer) {
		fail_with(s, "request", -ENOMEM, NULL);
		return;
	}
	if (session_connect(s) < 0) {
		fail_with(s, "request", -ENOMEM, NULL);
		return;
	}
	if (rq->dst.kind == ENDPOINT_NAME) {
		resolver_start(s->worker->resolver, rq->dst.name, rq->dst.name_len, rq->dst.port,
		               &s->from, resolved, s, &hs->lookup);
		return;
	}
	address_from_endpoint(&to, &rq->dst);
	dialer_add(hs->dialer, &to, 1, true, 0);
}

/* The octets before it */

static enum server_event answer_machine(struct socks_server *socks, enum server_event ev)
{
	switch (ev) {
	case SERVER_METHOD:
		return server_choose(socks, server_offers(socks, SOCKS5_METHOD_NONE)
		                                    ? SOCKS5_METHOD_NONE
		                                    : SOCKS5_METHOD_UNACCEPTABLE);
	case SERVER_CREDENTIALS:
		return server_accept(socks, false);
	case SERVER_MORE:
	case SERVER_REQUEST:
	case SERVER_CLOSE:
		return ev;
	}
	return SERVER_CLOSE;
}

static void feed(struct session *s, const uint8_t *buf, size_t len)
{
	struct socks_server *socks = &s->hs->socks;
	enum server_event ev;
	size_t pos = 0, used;
	bool none_acceptable = false;

	do {
		ev = server_feed(socks, buf + pos, len - pos, &used);
		pos += used;
		if (ev == SERVER_METHOD && !server_offers(socks, SOCKS5_METHOD_NONE))
			none_acceptable = true;
		ev = answer_machine(socks, ev);
	} while (ev == SERVER_MORE && pos < len);
	if (ev == SERVER_CLOSE) {
		log_failed(s, "handshake", server_code(socks),
		           none_acceptable ? "no acceptable method was offered"
		                           : "what the client sent is malformed or unknown");
		session_refuse(s);
		return;
	}
	/* The method is told before a dial, which may take its time. */
	if (handshake_flush(s->hs, s->client.fd) < 0) {
		session_end(s, "the client is gone");
		return;
	}
	if (ev == SERVER_MORE) {
		session_wait(s);
		return;
	}
	/* Early data: what came behind the request is the peer's. */
	if (relay_hold(&s->relay, RELAY_CLIENT, buf + pos, len - pos) < 0)
		fail_with(s, "request", -ENOMEM, NULL);
	else
		carry_out(s);
}

void handshake_read(struct session *s)
{
	ssize_t n;

	do {
		n = recv(s->client.fd, s->worker->scratch, READ_MAX, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		feed(s, s->worker->scratch, (size_t)n);
	else if (n == 0)
		session_end(s, "the client closed the connection");
	else if (errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS)
		session_wait(s);
	else
		session_end(s, err_text(errno));
}
