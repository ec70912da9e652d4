/*
 * How it works: dial_connect() tries the proxy's addresses in turn until TCP stands, then drives
 * the client machine over the same socket. Only connect(2) itself is made non-blocking, for the
 * moment of the call; sends and receives say MSG_DONTWAIT, and all waiting is the waiter's. A
 * socket that failed is dissolved, so that its owner can connect it again.
 */
#include <tunnel/dial.h>

#include <base/clock.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
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

/* Is this the kernel's word on the socket's own state, rather than on the way to the proxy? */
static bool is_state_error(int err)
{
	return err == -EISCONN || err == -EALREADY || err == -EBADF || err == -ENOTSOCK;
}

void dial_dissolve(const struct sys *sys, int fd)
{
	const struct sockaddr sa = { .sa_family = AF_UNSPEC };
	int err;

	/* The kernel notes ECONNRESET for what it cuts off here; SO_ERROR takes the note away. */
	if (sys->connect(fd, &sa, sizeof(sa)) == 0)
		sys->getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &(socklen_t){ sizeof(err) });
}

static int connect_nonblocking(const struct sys *sys, int fd, const struct sockaddr_storage *ss,
                               socklen_t len)
{
	int flags = sys->fcntl(fd, F_GETFL, 0);
	int err = 0;

	if (flags < 0)
		return -errno;
	if (!(flags & O_NONBLOCK) && sys->fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	if (sys->connect(fd, (const struct sockaddr *)ss, len) < 0)
		err = -errno;
	if (!(flags & O_NONBLOCK))
		sys->fcntl(fd, F_SETFL, flags);
	return err;
}

/*
 * TCP to one of the proxy's addresses. @untouched tells that the kernel refused for the socket's
 * own state, which is then as the program left it.
 */
static int dial_tcp(struct dial *d, int fd, int family, const struct endpoint *hop,
                    int64_t deadline_ms, bool *untouched)
{
	struct sockaddr_storage ss;
	socklen_t len = endpoint_to_sockaddr(hop, family, &ss);
	int err = connect_nonblocking(d->sys, fd, &ss, len);

	*untouched = is_state_error(err);
	while (err == -EINPROGRESS || err == -EALREADY) {
		if (*untouched)
			return err;
		err = d->waiter->wait(d->waiter, fd, POLLOUT, deadline_ms);
		if (err < 0)
			return err;
		/*
		 * Asked by SO_ERROR, Linux keeps the socket "connecting" until the next connect(),
		 * which would be the program's, and would say 0 instead of EISCONN. So that next
		 * one is ours.
		 */
		err = connect_nonblocking(d->sys, fd, &ss, len);
	}
	return err == -EISCONN && !*untouched ? 0 : err;
}

static int wait_for(struct dial *d, int fd, enum client_want want)
{
	return d->waiter->wait(d->waiter, fd, want == CLIENT_SEND ? POLLOUT : POLLIN,
	                       d->deadline_ms);
}

/*
 * One send or recv. Returns octets, 0 where the proxy is gone, or the waiter's error.
 * @asked  we have just sent: the answer can't be there yet
 */
static ssize_t exchange(struct dial *d, int fd, struct socks_client *c, enum client_want want,
                        bool asked, uint8_t *buf, size_t n)
{
	int err = asked ? wait_for(d, fd, want) : 0;

	while (err == 0) {
		ssize_t r;

		if (want == CLIENT_SEND)
			r = d->sys->send(fd, client_out(c, &n), n, MSG_NOSIGNAL | MSG_DONTWAIT);
		else
			r = d->sys->recv(fd, buf, n, MSG_DONTWAIT);
		if (r >= 0)
			return r;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return 0; /* EPIPE, ECONNRESET and the like: the proxy hung up */
		err = wait_for(d, fd, want);
	}
	return err;
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

static int handshake(struct dial *d, int fd, struct socks_client *c)
{
	uint8_t buf[SOCKS5_REPLY_MAX];
	enum client_want want, before = CLIENT_RECV;
	size_t n;

	while ((want = client_want(c, &n)) == CLIENT_SEND || want == CLIENT_RECV) {
		bool asked = before == CLIENT_SEND && want == CLIENT_RECV;
		ssize_t r = exchange(d, fd, c, want, asked, buf, n < sizeof(buf) ? n : sizeof(buf));

		lap(d, step_of(c));
		if (r < 0)
			return (int)r;
		if (want == CLIENT_SEND && r > 0)
			client_sent(c, (size_t)r);
		else
			client_feed(c, buf, (size_t)r);
		before = want;
	}
	return client_result(c);
}

/*
 * What a program may have set before connect() and a handshake can't bear: SO_RCVLOWAT would keep
 * poll() silent about the few octets of a reply, TCP_CORK would hold back each of our own for 200
 * ms.
 */
static const struct {
	int level, name, wanted;
} eased[] = {
	{ SOL_SOCKET, SO_RCVLOWAT, 1 },
	{ IPPROTO_TCP, TCP_CORK, 0 },
};

_Static_assert(sizeof(eased) / sizeof(eased[0]) == DIAL_EASED, "struct dial has room for them");

static void ease(struct dial *d, int fd)
{
	for (size_t i = 0; i < DIAL_EASED; i++) {
		int *was = &d->eased_from[i];

		*was = eased[i].wanted;
		if (d->sys->getsockopt(fd, eased[i].level, eased[i].name, was,
		                       &(socklen_t){ sizeof(*was) }) == 0 &&
		    *was != eased[i].wanted)
			d->sys->setsockopt(fd, eased[i].level, eased[i].name, &eased[i].wanted,
			                   sizeof(int));
	}
	d->eased = true;
}

static void restore(struct dial *d, int fd)
{
	for (size_t i = 0; d->eased && i < DIAL_EASED; i++)
		if (d->eased_from[i] != eased[i].wanted)
			d->sys->setsockopt(fd, eased[i].level, eased[i].name, &d->eased_from[i],
			                   sizeof(int));
	d->eased = false;
}

void dial_abandon(struct dial *d, int fd)
{
	restore(d, fd);
	dial_dissolve(d->sys, fd);
	d->abandoned = true;
}

/*
 * Whoever answers in another protocol often says in its next words what it is. A server that echoes
 * would say our password.
 */
static void overhear(struct dial *d, int fd, const struct socks_client *c)
{
	struct dial_report *r = &d->report;
	const uint8_t *first;
	ssize_t more;

	if (d->proxy->protocol == SOCKS_V5 && r->stage != CLIENT_STAGE_METHOD)
		return;
	first = client_heard(c, &r->n_heard);
	memcpy(r->heard, first, r->n_heard);
	more = d->sys->recv(fd, r->heard + r->n_heard, sizeof(r->heard) - r->n_heard, MSG_DONTWAIT);
	if (more > 0)
		r->n_heard += (size_t)more;
}

static int dial_handshake(struct dial *d, int fd, struct socks_client *c)
{
	int err;

	ease(d, fd);
	err = handshake(d, fd, c);
	restore(d, fd);
	d->report.stage = client_where(c);
	d->report.code = client_code(c);
	if (err == client_result(c)) {
		d->report.cause = client_cause(c);
		d->report.why = client_why(c);
	}
	if (err == -EPROTO)
		overhear(d, fd, c);
	return err;
}

static int dial_start(const struct dial *d, const struct endpoint *dst, struct socks_client *c)
{
	const struct proxy *px = d->proxy;

	return client_init(c, &(struct client_params){
				      .protocol = px->protocol,
				      .cmd = SOCKS5_CONNECT,
				      .dst = dst,
				      .user = px->user,
				      .user_len = px->user_len,
				      .password = px->password,
				      .password_len = px->password_len,
			      });
}

/* Of the time that is left, an address that stays silent may take no more than its share. */
static int64_t share(const struct dial *d, size_t n_left)
{
	int64_t now = clock_ms();

	if (n_left <= 1 || d->deadline_ms <= now || d->deadline_ms == DEADLINE_NEVER)
		return d->deadline_ms;
	return now + (d->deadline_ms - now) / (int64_t)n_left;
}

/* Returns 0, or why not; *over tells that no other address would do better. */
static int dial_hop(struct dial *d, int fd, int family, size_t i, struct socks_client *c,
                    bool *over)
{
	int err;

	d->report.hop = d->hops[i];
	d->report.step_us[DIAL_TCP] = -1;
	lap_begin(d);
	err = dial_tcp(d, fd, family, &d->hops[i], share(d, d->n_hops - i), over);
	lap(d, DIAL_TCP);
	if (*over)
		return err;
	if (err == 0) {
		d->report.reached = true;
		err = dial_handshake(d, fd, c);
	}
	if (err == 0)
		return 0;
	if (!d->abandoned)
		dial_dissolve(d->sys, fd);
	/* A proxy that was reached has spoken: its other addresses would say the same. */
	*over = d->report.reached || err == -EINTR;
	return err;
}

static int dial_hops(struct dial *d, int fd, struct socks_client *c)
{
	int family = AF_INET, v6only = 0, err = -EAFNOSUPPORT;
	bool over = false;

	if (d->sys->getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &(socklen_t){ sizeof(family) }) <
	    0)
		return -errno;
	if (family == AF_INET6)
		d->sys->getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only,
		                   &(socklen_t){ sizeof(v6only) });
	for (size_t i = 0; i < d->n_hops && err < 0 && !over; i++)
		if (hop_fits(&d->hops[i], family, v6only != 0))
			err = dial_hop(d, fd, family, i, c, &over);
	return err;
}

int dial_connect(struct dial *d, int fd, const struct endpoint *dst)
{
	struct socks_client c;
	int err;

	d->report = (struct dial_report){ .code = -1,
		                          .began_ms = clock_ms(),
		                          .step_us = { -1, -1, -1, -1 } };
	d->eased = d->abandoned = false;
	err = dial_start(d, dst, &c);
	if (err < 0) {
		d->report.cause = client_cause(&c);
		d->report.why = client_why(&c);
	} else {
		err = dial_hops(d, fd, &c);
	}
	explicit_bzero(&c, sizeof(c));
	d->report.ended_ms = clock_ms();
	return err;
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
		snprintf(buf, cap, "TCP to the proxy at %s: %s, after %lld ms",
		         ENDPOINT_TEXT(&r->hop), why.cause, ms);
	else
		snprintf(buf, cap, "%s, after %lld ms", why.cause, ms);
	return buf;
}
