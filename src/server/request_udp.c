/*
 * UDP ASSOCIATE: the reply says where the client's datagrams are to go; its connection then only
 * says, by its end, when they are over.
 */
#include "association.h"
#include "handshake.h"
#include "request.h"
#include "sessionlog.h"

#include <base/errtext.h>
#include <errno.h>
#include <sys/socket.h>

static uint32_t udp_mask(const struct session *s)
{
	(void)s;
	return EPOLLIN;
}

/* What the client says here means nothing. */
static void udp_client_ready(struct session *s, uint32_t events)
{
	ssize_t n;

	(void)events;
	do {
		n = recv(s->client.fd, s->worker->scratch, WORKER_SCRATCH, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		session_end(s, "done");
	else if (n < 0 && errno != EAGAIN && errno != ENOMEM && errno != ENOBUFS)
		session_end(s, errno == ECONNRESET ? "client-reset" : err_text(errno));
	else
		session_wait(s);
}

static void udp_due(struct session *s)
{
	/* There is no deadline. */
	session_wait(s);
}

static void udp_stop(struct session *s)
{
	association_stop(s->serving);
}

static void udp_give_back(struct session *s)
{
	association_free(s->serving);
}

static void udp_log(struct event *e, const struct session *s)
{
	const struct association_count c = association_count(s->serving);

	event_number(e, "sent", c.sent.octets);
	event_number(e, "received", c.received.octets);
	event_number(e, "sent_datagrams", c.sent.datagrams);
	event_number(e, "received_datagrams", c.received.datagrams);
	event_number(e, "dropped_datagrams", c.dropped);
}

static const struct service udp_service = {
	.name = "udp",
	.mask = udp_mask,
	.ready = udp_client_ready,
	.due = udp_due,
	.stop = udp_stop,
	.free = udp_give_back,
	.log = udp_log,
	.all_said = true,
};

static void log_open(const struct session *s, const union address *bnd)
{
	struct event e;

	if (!events_enabled(EVENTS_NORMAL))
		return;
	session_log_begin(&e, "open", s);
	event_address(&e, "address", bnd);
	session_log_end(&e, s);
}

/* What the operator knows better; a client on this very machine would not be known by it. */
static void make_public(const struct session *s, union address *bnd)
{
	const union address *public =
		&s->worker->options->public_address[bnd->sa.sa_family == AF_INET6];
	uint16_t port = bnd->in.sin_port;
	struct endpoint ep;

	address_to_endpoint(bnd, &ep);
	if (public->sa.sa_family == AF_UNSPEC || endpoint_is_loopback(&ep))
		return;
	*bnd = *public;
	/* It is at the same place in both families. */
	bnd->in.sin_port = port;
}

void request_udp(struct session *s)
{
	const struct server_request *rq = server_request(&s->hs->socks);
	struct association *a;
	union address bnd;
	const struct policy_who who = session_who(s);
	const char *why;
	struct endpoint ep;
	int err;

	/* Where its datagrams will go is not known yet; that it may send none may be. */
	if (policy_judge(s->worker->policy, &who, POLICY_UDP, NULL, NULL, &why) == POLICY_DENIED) {
		request_fail_with(s, "request", -EACCES, why);
		return;
	}
	err = association_new(&a, s, &rq->dst, &bnd);
	if (err < 0) {
		request_fail_with(s, "udp", err,
		                  err == -EADDRINUSE ? "no port of --udp-ports is free" : NULL);
		return;
	}
	make_public(s, &bnd);
	/* Octets behind the request are as meaningless as later ones. */
	relay_fini(&s->relay);
	address_to_endpoint(&bnd, &ep);
	server_answer(&s->hs->socks, 0, &ep);
	(void)handshake_flush(s->hs, s->client.fd);
	log_open(s, &bnd);
	session_serve(s, &udp_service, a, 0);
}
