#include "handshake.h"

#include "request.h"
#include "sessionlog.h"

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
	hs->policy = NULL;
	hs->closed = NULL;
	hs->ipv6.sa.sa_family = AF_UNSPEC;
	hs->ident = NULL;
	hs->login = NULL;
	hs->demanded = false;
	hs->judged = false;
	hs->rest = NULL;
	hs->rest_len = 0;
	return hs;
}

void handshake_free(struct handshake *hs)
{
	if (!hs)
		return;
	lookup_cancel(hs->lookup);
	dialer_free(hs->dialer);
	ident_free(hs->ident);
	policy_put(hs->policy);
	door_leave(hs->login);
	/* A password may be in it that nobody has judged, or asked for. */
	if (!hs->judged)
		explicit_bzero(&hs->socks, sizeof(hs->socks));
	if (hs->rest)
		explicit_bzero(hs->rest, hs->rest_len);
	free(hs->rest);
	free(hs);
}

const char *handshake_stage(const struct handshake *hs)
{
	if (hs->login)
		return "login";
	if (hs->ident)
		return "ident";
	if (hs->dialer)
		return dialer_has_address(hs->dialer) ? "connect" : "resolve";
	return hs->lookup ? "resolve" : "handshake";
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

/* User and password */

static void feed(struct session *s, const uint8_t *buf, size_t len);

static void judged(void *arg, enum auth_verdict v)
{
	struct session *s = arg;
	struct handshake *hs = s->hs;
	uint8_t *rest = hs->rest;
	size_t len = hs->rest_len;

	hs->login = NULL;
	hs->judged = true;
	hs->rest = NULL;
	/* Where the message was malformed the machine has said "no" by itself. */
	(void)server_accept(&hs->socks, v == AUTH_RIGHT);
	if (v == AUTH_RIGHT) {
		feed(s, rest ? rest : (const uint8_t *)"", len);
	} else {
		session_log_failed(s, "login", -1,
		                   v == AUTH_NO_MEANS ? "no means to judge the password now"
		                   : s->user          ? "wrong user or password"
		                                      : "the credentials are malformed or empty");
		session_refuse(s);
	}
	if (rest)
		explicit_bzero(rest, len);
	free(rest);
}

/* 0 or -ENOMEM. */
static int keep(struct session *s, const struct credentials *c, const uint8_t *rest, size_t len)
{
	struct handshake *hs = s->hs;

	s->user = c->user_len > 0 ? malloc(c->user_len) : NULL;
	hs->rest = len > 0 ? malloc(len) : NULL;
	if ((c->user_len > 0 && !s->user) || (len > 0 && !hs->rest))
		return -ENOMEM;
	if (c->user_len > 0)
		memcpy(s->user, c->user, c->user_len);
	s->user_len = (uint8_t)c->user_len;
	if (len > 0)
		memcpy(hs->rest, rest, len);
	hs->rest_len = len;
	return 0;
}

/*
 * The machine waits for a verdict, or it has turned down what was no credentials at all. The latter
 * is judged all the same, as nobody's, so that it is told no sooner and costs no less.
 */
static void judge(struct session *s, bool malformed, const uint8_t *rest, size_t len)
{
	const struct socks5_userpass *up = server_userpass(&s->hs->socks);
	struct credentials c = { .user = "", .password = "" };
	enum auth_verdict v = AUTH_NO_MEANS;

	if (!malformed)
		c = (struct credentials){ .user = up->user,
			                  .user_len = up->user_len,
			                  .password = up->password,
			                  .password_len = up->password_len };
	/* The method is told before a judgement, which takes its time; the verdict is not. */
	if (!malformed && handshake_flush(s->hs, s->client.fd) < 0) {
		session_end(s, "the client is gone");
		return;
	}
	if (keep(s, &c, rest, malformed ? 0 : len) == 0)
		v = door_knock(&s->worker->door, &s->from, &c, judged, s, &s->hs->login);
	if (v == AUTH_PENDING)
		session_wait(s);
	else
		judged(s, v);
}

/* The octets before it */

static bool offers_what_we_take(const struct session *s)
{
	return server_offers(&s->hs->socks, s->worker->users_demanded ? SOCKS5_METHOD_USERPASS
	                                                              : SOCKS5_METHOD_NONE);
}

static enum server_event choose(struct session *s)
{
	struct handshake *hs = s->hs;

	if (!offers_what_we_take(s))
		return server_choose(&hs->socks, SOCKS5_METHOD_UNACCEPTABLE);
	hs->demanded = s->worker->users_demanded;
	return server_choose(&hs->socks,
	                     hs->demanded ? SOCKS5_METHOD_USERPASS : SOCKS5_METHOD_NONE);
}

static void feed(struct session *s, const uint8_t *buf, size_t len)
{
	struct handshake *hs = s->hs;
	enum server_event ev;
	size_t pos = 0, used;
	bool none_acceptable = false;

	do {
		ev = server_feed(&hs->socks, buf + pos, len - pos, &used);
		pos += used;
		if (ev == SERVER_METHOD) {
			none_acceptable = !offers_what_we_take(s);
			ev = choose(s);
		}
	} while (ev == SERVER_MORE && pos < len);
	if (ev == SERVER_CREDENTIALS || (ev == SERVER_CLOSE && hs->demanded && !hs->judged)) {
		judge(s, ev == SERVER_CLOSE, buf + pos, len - pos);
		return;
	}
	if (ev == SERVER_CLOSE) {
		session_log_failed(s, "handshake", server_code(&hs->socks),
		                   none_acceptable
		                           ? "no acceptable method was offered"
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
		request_fail_with(s, "request", -ENOMEM, NULL);
	else
		request_start(s);
}

void handshake_read(struct session *s)
{
	uint8_t *scratch = s->worker->scratch;
	bool secret = s->worker->users_demanded;
	ssize_t n;

	do {
		n = recv(s->client.fd, scratch, READ_MAX, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		feed(s, scratch, (size_t)n);
	else if (n == 0)
		session_end(s, "the client closed the connection");
	else if (errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS)
		session_wait(s);
	else
		session_end(s, err_text(errno));
	if (n > 0 && secret)
		explicit_bzero(scratch, (size_t)n);
}
