#include "request.h"

#include "handshake.h"
#include "sessionlog.h"

#include <base/errtext.h>
#include <errno.h>
#include <string.h>

void request_fail(struct session *s, const char *stage, uint8_t code, const char *reason)
{
	session_log_failed(s, stage, code, reason);
	server_answer_code(&s->hs->socks, code, NULL);
	session_refuse(s);
}

void request_fail_with(struct session *s, const char *stage, int err, const char *reason)
{
	bool four = s->version == SOCKS4_VERSION;

	request_fail(s, stage, four ? reply_socks4_from_errno(err) : reply_socks5_from_errno(err),
	             reason ? reason : err_text(err));
}

static bool is_switched_on(const struct session *s)
{
	unsigned commands = s->worker->options->commands;

	switch (s->cmd) {
	case SOCKS5_CONNECT:
		return commands & POLICY_CONNECT;
	case SOCKS5_BIND:
		return commands & POLICY_BIND;
	case SOCKS5_UDP_ASSOCIATE:
		return commands & POLICY_UDP;
	default:
		return commands & POLICY_RESOLVE;
	}
}

static void refuse_command(struct session *s, const char *reason)
{
	request_fail(s, "request",
	             s->version == SOCKS4_VERSION ? SOCKS4_REJECTED : SOCKS5_BAD_COMMAND, reason);
}

enum policy_verdict request_judge(const struct session *s, const struct policy *p,
                                  enum policy_cmd cmd, const union address *to, const char **why)
{
	const struct endpoint *dst = &server_request(&s->hs->socks)->dst;
	const struct policy_who who = session_who(s);

	/* To BIND it means anybody, who is nobody yet. */
	if (cmd == POLICY_BIND && endpoint_is_unspecified(dst))
		dst = NULL;
	return policy_judge(p, &who, cmd, dst, to, why);
}

void request_start(struct session *s)
{
	const struct server_request *rq = server_request(&s->hs->socks);
	bool four = rq->version == SOCKS4_VERSION;

	s->version = rq->version;
	s->cmd = rq->cmd;
	s->where = strdup(event_endpoint_text(&rq->dst, (char[EVENT_ENDPOINT_MAX]){ 0 }));
	if (!s->where) {
		request_fail_with(s, "request", -ENOMEM, NULL);
		return;
	}
	if (four && s->worker->users_demanded) {
		request_fail(s, "request", SOCKS4_REJECTED,
		             "users are demanded, and SOCKS4 has no password");
		return;
	}
	if (!is_switched_on(s)) {
		refuse_command(s, "the command is not in --commands");
		return;
	}
	if (four && s->worker->options->ident != OPTIONS_IDENT_OFF)
		request_ident(s);
	else
		request_carry_out(s);
}

void request_carry_out(struct session *s)
{
	if (s->user && seat_name(&s->seat, s->user, s->user_len) != SEATS_ROOM) {
		request_fail_with(s, "request", -EACCES, "there are too many clients of this user");
		return;
	}
	switch (s->cmd) {
	case SOCKS5_CONNECT:
		request_connect(s);
		return;
	case SOCKS5_BIND:
		request_bind(s);
		return;
	case SOCKS5_RESOLVE:
		request_resolve(s);
		return;
	case SOCKS5_RESOLVE_PTR:
		request_resolve_ptr(s);
		return;
	case SOCKS5_UDP_ASSOCIATE:
		request_udp(s);
		return;
	default:
		refuse_command(s, "the command is not supported");
		return;
	}
}

void request_give_up(struct session *s)
{
	if (s->hs->ident)
		request_ident_give_up(s);
	else if (s->cmd == SOCKS5_CONNECT)
		request_connect_give_up(s);
	else if (s->cmd == SOCKS5_RESOLVE)
		request_resolve_give_up(s);
	else
		request_fail_with(s, "resolve", -ETIMEDOUT, "the name was not resolved in time");
}
