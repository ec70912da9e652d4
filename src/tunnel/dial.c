/*
 * How it works: TCP to the hops in turn (DIAL_CONNECTING) until it stands, then the client machine
 * over the same socket (DIAL_TALKING). Each step goes as far as the socket lets it and says what to
 * wait for; dial_connect() is the loop around them that waits. Only connect(2) itself is made
 * non-blocking, for the moment of the call; sends and receives say MSG_DONTWAIT. A socket that
 * failed is dissolved, so that its owner can connect it again. Nothing here points into struct
 * dial.
 */
#include <tunnel/dial.h>

#include "ease.h"

#include <base/clock.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <tunnel/explain.h>

static void lap_begin(struct dial *d)
{
	d->lap_us = clock_us();
}

/* The time since the last lap went into this step. */
static void lap(struct dial *d, enum dial_step step)
{
	int64_t now = clock_us(), *at = &d->report.step_us[step];

	*at = (*at < 0 ? 0 : *at) + now - d->lap_us;
	d->lap_us = now;
}

static enum dial_step step_of(const struct socks_client *c)
{
	switch (client_where(c)) {
	case CLIENT_STAGE_GREETING:
	case CLIENT_STAGE_METHOD:
		return DIAL_METHOD;
	case CLIENT_STAGE_CREDENTIALS:
		return DIAL_CREDENTIALS;
	case CLIENT_STAGE_REQUEST:
	case CLIENT_STAGE_REPLY:
	case CLIENT_STAGE_SECOND_REPLY:
	case CLIENT_STAGE_OVER:
		break;
	}
	return DIAL_REQUEST;
}

static bool hop_fits(const struct endpoint *hop, int family, bool v6only)
{
	if (family == AF_INET)
		return hop->kind == ENDPOINT_IPV4;
	return hop->kind == ENDPOINT_IPV6 || (hop->kind == ENDPOINT_IPV4 && !v6only);
}

bool dial_can_reach(const struct dial *d, int family, bool v6only)
{
	for (size_t i = 0; i < d->n_hops; i++)
		if (hop_fits(&d->hops[i], family, v6only))
			return true;
	return false;
}

int dial_family(const struct dial *d)
{
	/* An AF_INET6 socket serves both families, unless IPv6 is switched off in the kernel. */
	for (size_t i = 0; i < d->n_hops; i++)
		if (d->hops[i].kind == ENDPOINT_IPV6)
			return AF_INET6;
	return AF_INET;
}

void dial_dissolve(const struct sys *sys, int fd)
{
	const struct sockaddr sa = { .sa_family = AF_UNSPEC };
	int err;

	/* The kernel notes ECONNRESET for what it cuts off here; SO_ERROR takes the note away. */
	if (sys->connect(fd, &sa, sizeof(sa)) == 0)
		sys->getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &(socklen_t){ sizeof(err) });
}

/*
 * Linux loses what an AF_INET6 socket sends to an address of IPv6 after it has been connected to
 * one of IPv4. So these come last: the hops are gone through twice. NULL: there is nothing to try
 * at this place.
 */
static const struct endpoint *hop_at(const struct dial *d, size_t at)
{
	const struct endpoint *hop = &d->hops[at % d->n_hops];
	enum endpoint_kind kind = at < d->n_hops ? ENDPOINT_IPV6 : ENDPOINT_IPV4;

	return hop->kind == kind && hop_fits(hop, d->family, d->v6only) ? hop : NULL;
}

/* Of the time that is left, an address that stays silent may take no more than its share. */
static int64_t share(const struct dial *d)
{
	int64_t now = clock_ms();
	size_t n_left = 0;

	for (size_t at = d->hop; at < 2 * d->n_hops; at++)
		n_left += hop_at(d, at) != NULL;
	if (n_left <= 1 || d->deadline_ms <= now || d->deadline_ms == DEADLINE_NEVER)
		return d->deadline_ms;
	return now + (d->deadline_ms - now) / (int64_t)n_left;
}

static void enter(struct dial *d, enum dial_state st)
{
	d->st = st;
	d->asked = false;
	switch (st) {
	case DIAL_OVER:
		d->events = 0;
		break;
	case DIAL_CONNECTING:
		d->events = POLLOUT;
		d->until_ms = share(d);
		break;
	case DIAL_TALKING:
		d->events = client_want(&d->client, NULL) == CLIENT_RECV ? POLLIN : POLLOUT;
		d->until_ms = d->deadline_ms;
		break;
	}
}

/* The end, whichever it is. The socket has been seen to. */
static int finish(struct dial *d, int err)
{
	explicit_bzero(&d->client, sizeof(d->client));
	enter(d, DIAL_OVER);
	d->report.ended_ms = clock_ms();
	return err;
}

/*
 * Whoever answers in another protocol often says in its next words what it is. A server that echoes
 * would say our password.
 */
static void overhear(struct dial *d)
{
	struct dial_report *r = &d->report;
	const uint8_t *first;
	ssize_t more;

	if (d->proxy->protocol == SOCKS_V5 && r->stage != CLIENT_STAGE_METHOD)
		return;
	first = client_heard(&d->client, &r->n_heard);
	memcpy(r->heard, first, r->n_heard);
	more = d->sys->recv(d->fd, r->heard + r->n_heard, sizeof(r->heard) - r->n_heard,
	                    MSG_DONTWAIT);
	if (more > 0)
		r->n_heard += (size_t)more;
}

/* How far the handshake came, and why no further. */
static void note_handshake(struct dial *d, int err)
{
	d->report.stage = client_where(&d->client);
	d->report.code = client_code(&d->client);
	d->report.bound = *client_bound(&d->client);
	if (err == client_result(&d->client)) {
		d->report.cause = client_cause(&d->client);
		d->report.why = client_why(&d->client);
	}
}

static int handshake_over(struct dial *d, int err)
{
	ease_end(d, d->fd);
	note_handshake(d, err);
	if (err == -EPROTO)
		overhear(d);
	/* A proxy that was reached has spoken: its other addresses would say the same. */
	if (err < 0)
		dial_dissolve(d->sys, d->fd);
	return finish(d, err);
}

/* One send or recv. Returns octets, 0 where the proxy is gone, or -EAGAIN. */
static ssize_t exchange(struct dial *d, enum client_want want, uint8_t *buf, size_t n)
{
	ssize_t r;

	do {
		if (want == CLIENT_SEND)
			r = d->sys->send(d->fd, client_out(&d->client, &n), n,
			                 MSG_NOSIGNAL | MSG_DONTWAIT);
		else
			r = d->sys->recv(d->fd, buf, n, MSG_DONTWAIT);
	} while (r < 0 && errno == EINTR);
	if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return -EAGAIN;
	return r < 0 ? 0 : r; /* EPIPE, ECONNRESET and the like: the proxy hung up */
}

/* The handshake, as far as the socket lets it. */
static int handshake(struct dial *d)
{
	struct socks_client *c = &d->client;
	uint8_t buf[SOCKS5_REPLY_MAX];
	enum client_want want;
	size_t n;

	while ((want = client_want(c, &n)) == CLIENT_SEND || want == CLIENT_RECV) {
		ssize_t r = exchange(d, want, buf, n < sizeof(buf) ? n : sizeof(buf));

		if (r == -EAGAIN) {
			enter(d, DIAL_TALKING);
			return -EINPROGRESS;
		}
		lap(d, step_of(c));
		if (want == CLIENT_SEND && r > 0)
			client_sent(c, (size_t)r);
		else
			client_feed(c, buf, (size_t)r);
		if (want == CLIENT_SEND && client_want(c, NULL) == CLIENT_RECV) {
			/* Of an honest proxy nothing can be there yet. */
			enter(d, DIAL_TALKING);
			d->asked = true;
			return -EINPROGRESS;
		}
	}
	return handshake_over(d, client_result(c));
}

/* TCP stands. */
static int reached(struct dial *d)
{
	d->report.reached = true;
	if (!d->proxy)
		return finish(d, 0);
	ease_begin(d);
	return handshake(d);
}

/*
 * Begin a connect() to the hop, or ask after the one that is under way. Linux keeps a socket that
 * is asked by SO_ERROR "connecting" until its next connect(), which would be the program's, and
 * would say 0 instead of EISCONN. So that next one is ours.
 */
static int connect_hop(const struct dial *d)
{
	struct sockaddr_storage ss;
	socklen_t len = endpoint_to_sockaddr(hop_at(d, d->hop), d->family, &ss);
	int flags = d->sys->fcntl(d->fd, F_GETFL, 0);
	int err = 0;

	if (flags < 0)
		return -errno;
	if (!(flags & O_NONBLOCK) && d->sys->fcntl(d->fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	if (d->sys->connect(d->fd, (const struct sockaddr *)&ss, len) < 0)
		err = -errno;
	if (!(flags & O_NONBLOCK))
		d->sys->fcntl(d->fd, F_SETFL, flags);
	return err;
}

/* Is this the kernel's word on the socket's own state, rather than on the way to the proxy? */
static bool is_state_error(int err)
{
	return err == -EISCONN || err == -EALREADY || err == -EBADF || err == -ENOTSOCK;
}

/* Try the hops from d->hop on. @err is what came of those before. */
static int try_hops(struct dial *d, int err)
{
	for (; d->hop < 2 * d->n_hops; d->hop++) {
		const struct endpoint *hop = hop_at(d, d->hop);

		if (!hop)
			continue;
		d->report.hop = *hop;
		d->report.step_us[DIAL_TCP] = -1;
		lap_begin(d);
		err = connect_hop(d);
		if (err == -EINPROGRESS) {
			enter(d, DIAL_CONNECTING);
			return err;
		}
		lap(d, DIAL_TCP);
		if (err == 0)
			return reached(d);
		if (is_state_error(err))
			return finish(d, err);
		dial_dissolve(d->sys, d->fd);
	}
	return finish(d, err);
}

/* The connect() under way may have come to something. */
static int step_connecting(struct dial *d, int waited)
{
	int err = waited < 0 ? waited : connect_hop(d);

	if (err == -EALREADY || err == -EINPROGRESS)
		return -EINPROGRESS;
	lap(d, DIAL_TCP);
	if (err == 0 || err == -EISCONN)
		return reached(d);
	dial_dissolve(d->sys, d->fd);
	if (err == -EINTR)
		return finish(d, err);
	d->hop++;
	return try_hops(d, err);
}

static int step_talking(struct dial *d, int waited)
{
	if (waited == 0)
		return handshake(d);
	lap(d, step_of(&d->client));
	return handshake_over(d, waited);
}

int dial_step(struct dial *d, int waited)
{
	switch (d->st) {
	case DIAL_CONNECTING:
		return step_connecting(d, waited);
	case DIAL_TALKING:
		return step_talking(d, waited);
	case DIAL_OVER:
		break;
	}
	return waited < 0 ? waited : -EINTR; /* abandoned */
}

static int start_client(struct dial *d, const struct endpoint *dst)
{
	const struct proxy *px = d->proxy;

	return client_init(&d->client, &(struct client_params){
					       .protocol = px->protocol,
					       .cmd = d->cmd ? d->cmd : SOCKS5_CONNECT,
					       .dst = dst,
					       .user = px->user,
					       .user_len = px->user_len,
					       .password = px->password,
					       .password_len = px->password_len,
				       });
}

/* What the kernel has to say of the socket itself. */
static int look_at(struct dial *d)
{
	int family = AF_INET, v6only = 0;

	if (d->sys->getsockopt(d->fd, SOL_SOCKET, SO_DOMAIN, &family,
	                       &(socklen_t){ sizeof(family) }) < 0)
		return -errno;
	if (family == AF_INET6)
		d->sys->getsockopt(d->fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only,
		                   &(socklen_t){ sizeof(v6only) });
	d->family = family;
	d->v6only = v6only != 0;
	return 0;
}

int dial_begin(struct dial *d, int fd, const struct endpoint *dst)
{
	int err = 0;

	d->report = (struct dial_report){ .code = -1,
		                          .began_ms = clock_ms(),
		                          .step_us = { -1, -1, -1, -1 } };
	/* Its owner's other threads may be looking at a number that stays the same. */
	if (d->fd != fd)
		d->fd = fd;
	d->hop = 0;
	d->eased = false;
	enter(d, DIAL_OVER);
	if (d->proxy)
		err = start_client(d, dst);
	if (err < 0) {
		d->report.cause = client_cause(&d->client);
		d->report.why = client_why(&d->client);
		return finish(d, err);
	}
	err = look_at(d);
	return err < 0 ? finish(d, err) : try_hops(d, -EAFNOSUPPORT);
}

int dial_connect(struct dial *d, int fd, const struct endpoint *dst)
{
	int err = dial_begin(d, fd, dst);

	while (err == -EINPROGRESS)
		err = dial_step(d, d->waiter->wait(d->waiter, d->fd, d->events, d->until_ms));
	return err;
}

void dial_abandon(struct dial *d, int fd)
{
	if (d->st == DIAL_CONNECTING)
		lap(d, DIAL_TCP);
	if (d->st == DIAL_TALKING) {
		lap(d, step_of(&d->client));
		note_handshake(d, -EINTR);
	}
	ease_end(d, fd);
	dial_dissolve(d->sys, fd);
	finish(d, -EINTR);
}

void dial_leave(struct dial *d)
{
	finish(d, -EINTR);
}

char *dial_explain(const struct dial *d, int err, char *buf, size_t cap)
{
	const struct dial_report *r = &d->report;
	long long ms = (long long)(r->ended_ms - r->began_ms);
	struct explanation why;

	explain_failure(d->proxy, r, err, &why);
	if (r->reached)
		snprintf(buf, cap, "%s: %s, after %lld ms", client_stage_text(r->stage), why.cause,
		         ms);
	else if (r->hop.kind != ENDPOINT_NONE)
		snprintf(buf, cap, "TCP to %s%s: %s, after %lld ms",
		         d->proxy ? "the proxy at " : "", ENDPOINT_TEXT(&r->hop), why.cause, ms);
	else
		snprintf(buf, cap, "%s, after %lld ms", why.cause, ms);
	return buf;
}
