#include "sessionlog.h"

#include "handshake.h"

#include <stdio.h>

static const char *const command_names[] = {
	[SOCKS5_BIND] = "bind",
	[SOCKS5_UDP_ASSOCIATE] = "udp",
	[SOCKS5_RESOLVE] = "resolve",
	[SOCKS5_RESOLVE_PTR] = "resolve-ptr",
};

/* Of a CONNECT it is not said. */
static const char *command_name(uint8_t cmd)
{
	return cmd < sizeof(command_names) / sizeof(command_names[0]) ? command_names[cmd] : NULL;
}

/* As SOCKS4 clients claim; nobody has judged it. */
static void put_user_id(struct event *e, const struct session *s)
{
	const struct server_request *rq = s->hs ? server_request(&s->hs->socks) : NULL;

	if (rq && s->where && rq->version == SOCKS4_VERSION && rq->user_len > 0)
		event_octets(e, "user", rq->user, rq->user_len);
}

void session_log_begin(struct event *e, const char *name, const struct session *s)
{
	const char *command = command_name(s->cmd);

	event_begin(e, name);
	event_number(e, "id", s->id);
	event_address(e, "client", &s->from);
	if (s->hs && s->version)
		event_number(e, "version", s->version);
	if (s->user)
		event_octets(e, "user", s->user, s->user_len);
	else
		put_user_id(e, s);
	if (command)
		event_text(e, "command", command);
	if (s->where)
		event_value(e, "target", s->where);
}

void session_log_end(struct event *e, const struct session *s)
{
	event_number(e, "ms", (uint64_t)(s->worker->loop.now_ms - s->start_ms));
	event_end(e);
}

void session_log_open(const struct session *s, const union address *at)
{
	struct event e;

	if (!events_enabled(EVENTS_NORMAL))
		return;
	session_log_begin(&e, "open", s);
	event_address(&e, "address", at);
	session_log_end(&e, s);
}

void session_log_failed(const struct session *s, const char *stage, int reply, const char *reason)
{
	char code[4];
	struct event e;

	if (!events_enabled(EVENTS_NORMAL))
		return;
	session_log_begin(&e, "failed", s);
	event_text(&e, "stage", stage);
	if (reply >= 0) {
		snprintf(code, sizeof(code), "%02x", (unsigned)reply & 0xff);
		event_text(&e, "reply", code);
	}
	event_text(&e, "reason", reason);
	session_log_end(&e, s);
}
