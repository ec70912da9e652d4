/* RESOLVE and RESOLVE_PTR, Tor's commands F0 and F1: a name or an address is told, and no more. */
#include "handshake.h"
#include "request.h"
#include "sessionlog.h"

#include <errno.h>
#include <string.h>

/* Then the session is over. @a is the address in question, NULL where it isn't known. */
static bool is_denied(struct session *s, const union address *a)
{
	const char *why;

	if (request_judge(s, s->worker->policy, POLICY_RESOLVE, a, &why) != POLICY_DENIED)
		return false;
	request_fail_with(s, "request", -EACCES, why);
	return true;
}

/* The port of the request means nothing, and is not sent back. */
static void tell(struct session *s, struct endpoint answer)
{
	struct event e;

	answer.port = 0;
	server_answer(&s->hs->socks, 0, &answer);
	if (events_enabled(EVENTS_NORMAL)) {
		session_log_begin(&e, "resolved", s);
		event_endpoint(&e, "answer", &answer);
		session_log_end(&e, s);
	}
	session_refuse(s);
}

static void tell_address(struct session *s, const union address *a)
{
	struct endpoint ep;

	if (is_denied(s, a))
		return;
	address_to_endpoint(a, &ep);
	tell(s, ep);
}

/* A reply of SOCKS4 has room for IPv4 alone. */
static bool can_be_told(const struct session *s, enum endpoint_kind kind)
{
	return s->version != SOCKS4_VERSION || kind == ENDPOINT_IPV4;
}

static void refuse_answer(struct session *s)
{
	request_fail_with(s, "resolve", -EAFNOSUPPORT, "SOCKS4 has no room for the answer");
}

/* All addresses have come that will. */
static void conclude(struct session *s, int err, const char *why)
{
	if (s->hs->ipv6.sa.sa_family == AF_UNSPEC)
		request_fail_with(s, "resolve", err, why);
	else if (can_be_told(s, ENDPOINT_IPV6))
		tell_address(s, &s->hs->ipv6);
	else
		refuse_answer(s);
}

/* Programs that ask so expect IPv4 where there is any. */
static void resolved(void *arg, const struct resolver_answer *a)
{
	struct session *s = arg;
	struct handshake *hs = s->hs;

	if (a->last)
		hs->lookup = NULL;
	for (size_t i = 0; i < a->n; i++) {
		if (a->addrs[i].sa.sa_family == AF_INET) {
			tell_address(s, &a->addrs[i]);
			return;
		}
		if (hs->ipv6.sa.sa_family == AF_UNSPEC)
			hs->ipv6 = a->addrs[i];
	}
	if (a->last)
		conclude(s, a->err, a->why);
}

void request_resolve_give_up(struct session *s)
{
	conclude(s, -ETIMEDOUT, "the name was not resolved in time");
}

void request_resolve(struct session *s)
{
	const struct endpoint *dst = &server_request(&s->hs->socks)->dst;

	if (is_denied(s, NULL))
		return;
	if (dst->kind != ENDPOINT_NAME) {
		if (can_be_told(s, dst->kind))
			tell(s, *dst);
		else
			refuse_answer(s);
		return;
	}
	if (session_request(s) < 0) {
		request_fail_with(s, "request", -ENOMEM, NULL);
		return;
	}
	resolver_start(s->worker->resolver, dst->name, dst->name_len, 0, &s->from, resolved, s,
	               &s->hs->lookup);
}

static void named(void *arg, const struct resolver_answer *a)
{
	struct session *s = arg;
	struct endpoint name;

	s->hs->lookup = NULL;
	if (a->name && endpoint_set_name(&name, a->name, strlen(a->name), 0) == 0)
		tell(s, name);
	else
		request_fail_with(s, "resolve", a->name ? -EHOSTUNREACH : a->err, a->why);
}

void request_resolve_ptr(struct session *s)
{
	union address of;

	if (is_denied(s, NULL))
		return;
	if (!can_be_told(s, ENDPOINT_NAME)) {
		refuse_answer(s);
		return;
	}
	if (session_request(s) < 0) {
		request_fail_with(s, "request", -ENOMEM, NULL);
		return;
	}
	address_from_endpoint(&of, &server_request(&s->hs->socks)->dst);
	resolver_start_reverse(s->worker->resolver, &of, &s->from, named, s, &s->hs->lookup);
}
