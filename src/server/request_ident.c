/* Whose a SOCKS4 request is, before it is carried out: identd is asked, and must agree. */
#include "handshake.h"
#include "request.h"
#include "sessionlog.h"

#include <base/errtext.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REASON_MAX 160

/* It was not told whose: that may do, or not. */
static void not_told(struct session *s, const char *why)
{
	struct event e;

	if (s->worker->options->ident == OPTIONS_IDENT_REQUIRE) {
		request_fail(s, "ident", SOCKS4_NO_IDENTD, why);
		return;
	}
	if (events_enabled(EVENTS_NORMAL)) {
		session_log_begin(&e, "unverified", s);
		event_text(&e, "reason", why);
		session_log_end(&e, s);
	}
	request_carry_out(s);
}

static void not_told_for(struct session *s, const struct ident_answer *a)
{
	char why[REASON_MAX];

	switch (a->err) {
	case -ENOENT:
		snprintf(why, sizeof(why), "identd says %.*s", (int)a->len, a->text);
		break;
	case -EPROTO:
		snprintf(why, sizeof(why), "identd's answer is malformed");
		break;
	default:
		snprintf(why, sizeof(why), "no answer from identd: %s", err_text(a->err));
		break;
	}
	not_told(s, why);
}

static bool is_claimed(const struct session *s, const struct ident_answer *a)
{
	const struct server_request *rq = server_request(&s->hs->socks);

	return rq->user_len == a->len && memcmp(rq->user, a->text, a->len) == 0;
}

static void told(void *arg, const struct ident_answer *a)
{
	struct session *s = arg;
	struct ident *asked = s->hs->ident;

	s->hs->ident = NULL;
	if (a->err < 0) {
		not_told_for(s, a);
	} else if (!is_claimed(s, a)) {
		request_fail(s, "ident", SOCKS4_IDENT_DIFFERS, "identd names another user");
	} else if (!(s->user = malloc(a->len))) {
		request_fail_with(s, "ident", -ENOMEM, NULL);
	} else {
		memcpy(s->user, a->text, a->len);
		s->user_len = (uint8_t)a->len;
		request_carry_out(s);
	}
	/* Last, as it holds the answer. */
	ident_free(asked);
}

void request_ident_give_up(struct session *s)
{
	ident_free(s->hs->ident);
	s->hs->ident = NULL;
	not_told(s, "identd did not answer in time");
}

void request_ident(struct session *s)
{
	struct worker *w = s->worker;
	struct ident_answer a = { .err = session_request(s) };

	if (a.err == 0)
		a.err = ident_new(&s->hs->ident, &w->loop, s->client.fd, told, s);
	if (a.err < 0)
		not_told_for(s, &a);
	else
		loop_start_timer(&w->loop, &s->deadline, w->options->ident_ms);
}
