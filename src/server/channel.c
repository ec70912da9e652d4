/*
 * How it works: c-ares tells which sockets to watch, and is called when one is ready. Its time-
 * outs are looked after by a tick that runs while a query is out: to ask c-ares for the next
 * one costs a walk over all queries.
 */
#include "channel.h"

#include <ares.h>
#include <errno.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include <utlist.h>

#define TICK_MS 200

/* One of c-ares' sockets. */
struct channel_socket {
	struct watch watch;
	struct channel *channel;
	struct channel_socket *prev, *next;
};

struct channel {
	struct loop *loop;
	ares_channel ares;
	struct timer tick; /* runs while a query is out, or it is to be freed */
	struct channel_socket *sockets;
	unsigned queries;
	int socket_err; /* why the last socket could not be had; 0: it could */
	bool retired;
	struct channel **all; /* the list it is in */
	struct channel *prev, *next;
};

/* Sockets */

static ares_socket_t open_socket(int family, int type, int protocol, void *arg)
{
	struct channel *c = arg;
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	/* c-ares would only say that it reached no server. */
	c->socket_err = fd < 0 ? -errno : 0;
	return fd;
}

static int close_socket(ares_socket_t fd, void *arg)
{
	(void)arg;
	return close(fd);
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *sa, ares_socklen_t len,
                          void *arg)
{
	(void)arg;
	return connect(fd, sa, len);
}

static ares_ssize_t receive(ares_socket_t fd, void *buf, size_t len, int flags,
                            struct sockaddr *from, ares_socklen_t *from_len, void *arg)
{
	(void)arg;
	return recvfrom(fd, buf, len, flags, from, from_len);
}

static ares_ssize_t transmit(ares_socket_t fd, const struct iovec *iov, int n, void *arg)
{
	const struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)iov,
		                  .msg_iovlen = (size_t)n };

	(void)arg;
	return sendmsg(fd, &m, MSG_NOSIGNAL);
}

static const struct ares_socket_functions socket_functions = {
	.asocket = open_socket,
	.aclose = close_socket,
	.aconnect = connect_socket,
	.arecvfrom = receive,
	.asendv = transmit,
};

static void socket_ready(struct watch *w, uint32_t events)
{
	struct channel_socket *s = LOOP_OWNER(w, struct channel_socket, watch);
	int fd = w->fd;

	/* The socket may be closed, and @s freed, within. */
	ares_process_fd(s->channel->ares, events & ~(uint32_t)EPOLLOUT ? fd : ARES_SOCKET_BAD,
	                events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
}

static struct channel_socket *socket_find(struct channel *c, int fd)
{
	struct channel_socket *s;

	for (s = c->sockets; s; s = s->next)
		if (s->watch.fd == fd)
			return s;
	return NULL;
}

/* c-ares tells what it wants to know of a socket; neither means that it is about to close it. */
static void socket_changed(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct channel *c = arg;
	struct channel_socket *s = socket_find(c, fd);

	if (!readable && !writable) {
		if (!s)
			return;
		loop_forget(c->loop, &s->watch);
		DL_DELETE(c->sockets, s);
		free(s);
		return;
	}
	if (!s) {
		/* Without memory for it the query times out. */
		s = calloc(1, sizeof(*s));
		if (!s)
			return;
		s->channel = c;
		s->watch = (struct watch){ .fd = fd, .ready = socket_ready };
		DL_APPEND(c->sockets, s);
	}
	(void)loop_want(c->loop, &s->watch, (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0));
}

/* Queries */

static void tick_came(struct timer *t)
{
	struct channel *c = LOOP_OWNER(t, struct channel, tick);

	if (c->queries > 0)
		ares_process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	if (c->queries > 0)
		loop_start_timer(c->loop, &c->tick, TICK_MS);
	else if (c->retired)
		channel_free(c);
}

static size_t addresses_of(const struct ares_addrinfo *ai, union address *out)
{
	size_t n = 0;

	for (const struct ares_addrinfo_node *node = ai->nodes; node; node = node->ai_next) {
		union address *a = &out[n];

		if (n == CHANNEL_ADDRESSES_MAX)
			break;
		if (node->ai_family != AF_INET && node->ai_family != AF_INET6)
			continue;
		memset(a, 0, sizeof(*a));
		memcpy(a, node->ai_addr,
		       node->ai_family == AF_INET ? sizeof(a->in) : sizeof(a->in6));
		n++;
	}
	return n;
}

static int failure(const struct channel *c, int status)
{
	switch (status) {
	case ARES_ENODATA:
		return -ENODATA;
	case ARES_ENOTFOUND:
		return -ENOENT;
	case ARES_ETIMEOUT:
		return -ETIMEDOUT;
	case ARES_ENOMEM:
		return -ENOMEM;
	case ARES_ECONNREFUSED:
		return c->socket_err < 0 ? c->socket_err : -EHOSTUNREACH;
	default:
		return -EHOSTUNREACH;
	}
}

static void fail(const struct channel *c, struct query *q, int status)
{
	int err = failure(c, status);

	q->answered(q, NULL, 0, err,
	            err == c->socket_err && err < 0 ? "no descriptor to ask DNS with"
	                                            : ares_strerror(status));
}

static void query_done(void *arg, int status, int timeouts, struct ares_addrinfo *ai)
{
	union address addrs[CHANNEL_ADDRESSES_MAX];
	struct query *q = arg;
	struct channel *c = q->channel;
	size_t n = 0;

	(void)timeouts;
	c->queries--;
	if (status == ARES_SUCCESS && ai)
		n = addresses_of(ai, addrs);
	if (ai)
		ares_freeaddrinfo(ai);
	if (n > 0) {
		q->answered(q, addrs, n, 0, NULL);
		return;
	}
	fail(c, q, status == ARES_SUCCESS ? ARES_ENODATA : status);
}

static void begin(struct channel *c, struct query *q)
{
	q->channel = c;
	c->queries++;
	if (!c->tick.running)
		loop_start_timer(c->loop, &c->tick, TICK_MS);
}

void channel_ask(struct channel *c, struct query *q, const char *name, int family, uint16_t port)
{
	char service[8];
	const struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_NUMERICSERV | ARES_AI_NOSORT,
		.ai_family = family,
		.ai_socktype = SOCK_STREAM,
	};

	begin(c, q);
	snprintf(service, sizeof(service), "%u", port);
	/* A service of "0" is unknown to it. */
	ares_getaddrinfo(c->ares, name, port > 0 ? service : NULL, &hints, query_done, q);
}

static void name_query_done(void *arg, int status, int timeouts, struct hostent *host)
{
	struct query *q = arg;
	struct channel *c = q->channel;

	(void)timeouts;
	c->queries--;
	if (status == ARES_SUCCESS && host && host->h_name) {
		q->name = host->h_name;
		q->answered(q, NULL, 0, 0, NULL);
	} else {
		fail(c, q, status == ARES_SUCCESS ? ARES_ENODATA : status);
	}
}

void channel_ask_name(struct channel *c, struct query *q, const union address *of)
{
	begin(c, q);
	if (of->sa.sa_family == AF_INET)
		ares_gethostbyaddr(c->ares, &of->in.sin_addr, sizeof(of->in.sin_addr), AF_INET,
		                   name_query_done, q);
	else
		ares_gethostbyaddr(c->ares, &of->in6.sin6_addr, sizeof(of->in6.sin6_addr), AF_INET6,
		                   name_query_done, q);
}

/* Birth and death */

static int open_ares(struct channel *c, const struct channel_params *params)
{
	/*
	 * Files are ours to read: c-ares would ask DNS for the family that a hosts line doesn't
	 * give. And a client's name is whole: what this machine would make of a short one
	 * (search domains, LOCALDOMAIN, HOSTALIASES) is none of its business.
	 */
	static char lookups[] = "b";
	struct ares_options opt = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
		.timeout = params->timeout_ms,
		.tries = params->tries,
		.lookups = lookups,
		.ndomains = 0,
		.sock_state_cb = socket_changed,
		.sock_state_cb_data = c,
	};
	int status = ares_init_options(&c->ares, &opt,
	                               ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
	                                       ARES_OPT_LOOKUPS | ARES_OPT_DOMAINS |
	                                       ARES_OPT_SOCK_STATE_CB);

	if (status != ARES_SUCCESS) {
		c->ares = NULL;
		return status == ARES_ENOMEM ? -ENOMEM : -EINVAL;
	}
	ares_set_socket_functions(c->ares, &socket_functions, c);
	if (!params->nameservers)
		return 0;
	status = ares_set_servers_ports_csv(c->ares, params->nameservers);
	return status == ARES_SUCCESS ? 0 : status == ARES_ENOMEM ? -ENOMEM : -EINVAL;
}

int channel_new(struct channel **out, struct channel **all, const struct channel_params *params)
{
	struct channel *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->loop = params->loop;
	c->all = all;
	c->tick.due = tick_came;
	DL_APPEND(*all, c);
	err = open_ares(c, params);
	if (err < 0)
		channel_free(c);
	else
		*out = c;
	return err;
}

void channel_retire(struct channel *c)
{
	c->retired = true;
	/* At once would be too soon where one of its answers is being told just now. */
	loop_start_timer(c->loop, &c->tick, 0);
}

void channel_free(struct channel *c)
{
	if (c->ares)
		ares_destroy(c->ares);
	loop_stop_timer(c->loop, &c->tick);
	DL_DELETE(*c->all, c);
	free(c);
}
