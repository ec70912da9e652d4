/* CONNECT: names become addresses, one of which becomes the target. */
#include "handshake.h"
#include "request.h"
#include "sessionlog.h"

#include <errno.h>
#include <stddef.h>

static void succeed(struct session *s, const struct dialled *winner)
{
	struct endpoint bnd;

	loop_hand_over(&s->worker->loop, winner->sock, &s->target, EPOLLIN);
	/* And with it the losers of the race. */
	dialer_free(s->hs->dialer);
	s->hs->dialer = NULL;
	address_to_endpoint(&winner->own, &bnd);
	server_answer(&s->hs->socks, 0, &bnd);
	/* The client first, the log then. Where the client is dead, the tunnel finds out. */
	(void)handshake_flush(s->hs, s->client.fd);
	session_log_open(s, &winner->to);
	session_tunnel(s);
}

/* As dialer_new() asks. */
static const char *closed(void *arg, const union address *to)
{
	struct session *s = arg;
	struct handshake *hs = s->hs;
	const char *why;

	if (request_judge(s, hs->policy, POLICY_CONNECT, to, &why) != POLICY_DENIED)
		return NULL;
	if (!hs->closed)
		hs->closed = why;
	return why;
}

static void dial_failed(struct session *s, const char *stage, int err)
{
	const struct handshake *hs = s->hs;

	request_fail_with(s, stage, err, err == -EACCES && hs->closed ? hs->closed : hs->why);
}

static void dialled(void *arg, int err, const struct dialled *winner)
{
	struct session *s = arg;

	if (err == 0)
		succeed(s, winner);
	else
		dial_failed(s, handshake_stage(s->hs), err);
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

void request_connect_give_up(struct session *s)
{
	if (dialer_has_address(s->hs->dialer))
		dial_failed(s, "connect", dialer_give_up(s->hs->dialer));
	else
		request_fail_with(s, "resolve", -ETIMEDOUT, "the name was not resolved in time");
}

void request_connect(struct session *s)
{
	struct handshake *hs = s->hs;
	const struct server_request *rq = server_request(&hs->socks);
	const char *why;
	union address to;

	hs->policy = policy_get(s->worker->policy);
	if (request_judge(s, hs->policy, POLICY_CONNECT, NULL, &why) == POLICY_DENIED) {
		request_fail_with(s, "request", -EACCES, why);
		return;
	}
	hs->dialer = dialer_new(&s->worker->loop, &s->worker->attempts, closed, dialled, s);
	if (!hs->dialer || session_request(s) < 0) {
		request_fail_with(s, "request", -ENOMEM, NULL);
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
