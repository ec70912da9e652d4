#include "bind.h"

#include "ports.h"
#include "tcp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG      16
#define ACCEPT_BATCH 16 /* peers in a row before sessions get their turn */
#define DISCARD_PORT 9  /* some port, for a route that no packet will take */

struct bind {
	struct loop *loop;
	const struct bind_events *events;
	void *arg;
	struct watch sock; /* listening, and in the end the peer */
	size_t n_peers;
	union address peers[BIND_PEERS_MAX];
};

static void set_port(union address *a, uint16_t port)
{
	/* It is in the same place in both families. */
	a->in.sin_port = htons(port);
}

static bool is_wildcard(const union address *a)
{
	struct endpoint ep;

	address_to_endpoint(a, &ep);
	return endpoint_is_unspecified(&ep);
}

/* Whom to expect */

void bind_expect(struct bind *b, const union address *peers, size_t n)
{
	for (size_t i = 0; i < n && b->n_peers < BIND_PEERS_MAX; i++)
		b->peers[b->n_peers++] = peers[i];
}

bool bind_expects(const struct bind *b, const union address *from)
{
	struct endpoint came, peer;

	address_to_endpoint(from, &came);
	for (size_t i = 0; i < b->n_peers; i++) {
		address_to_endpoint(&b->peers[i], &peer);
		/* A client has no way to say a scope, nor a peer to choose its port. */
		peer.scope = came.scope;
		peer.port = came.port;
		if (endpoint_equal(&peer, &came))
			return true;
	}
	return b->n_peers == 0;
}

/* Where to listen */

/* The address that we would go to @to from. No packet is sent. */
static int find_route(const union address *to, union address *own)
{
	union address there = *to;
	int fd = socket(to->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return -errno;
	set_port(&there, DISCARD_PORT);
	if (connect(fd, &there.sa, address_len(&there)) < 0)
		err = -errno;
	else
		address_of_socket(own, fd);
	close(fd);
	if (err == 0 && own->sa.sa_family == AF_UNSPEC)
		err = -EADDRNOTAVAIL;
	return err;
}

/* To the first peer of the better family that there is a way to, else to any. */
static int find_way(const struct bind *b, int family, union address *own)
{
	int err = 0, one;

	for (int better = 1; better >= 0; better--) {
		for (size_t i = 0; i < b->n_peers; i++) {
			if ((b->peers[i].sa.sa_family == family) != better)
				continue;
			one = find_route(&b->peers[i], own);
			if (one == 0)
				return 0;
			err = err < 0 ? err : one;
		}
	}
	return err;
}

static void make_wildcard(union address *a)
{
	sa_family_t family = a->sa.sa_family;

	memset(a, 0, sizeof(*a));
	a->sa.sa_family = family;
}

static const union address *public_of(const struct bind_place *place, int family)
{
	const union address *a = place->public_address + (family == AF_INET6);

	return a->sa.sa_family == family ? a : NULL;
}

/* The port itself */

static void set_options(int fd, int family)
{
	static const int on = 1;

	/* Else a port of a small range would be gone for a minute after each tunnel. */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
}

/* 0 with a listening socket in *@fd, or a negative errno. */
static int open_port(const union address *at, int *out)
{
	int fd = socket(at->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	set_options(fd, at->sa.sa_family);
	/* With SO_REUSEADDR a port that is taken may show at either call. */
	if (bind(fd, &at->sa, address_len(at)) == 0 && listen(fd, BACKLOG) == 0) {
		*out = fd;
		return 0;
	}
	err = -errno;
	close(fd);
	return err;
}

static int open_port_between(union address *at, uint16_t low, uint16_t high, int *fd)
{
	const struct value_ports range = { .low = low, .high = high };
	int err = -EADDRINUSE;
	struct ports ports;
	uint16_t port;

	ports_init(&ports, &range);
	while (err == -EADDRINUSE && ports_next(&ports, &port)) {
		set_port(at, port);
		err = open_port(at, fd);
	}
	return err;
}

/* The peer */

/* Ends with the error. */
static void fail(struct bind *b, int err)
{
	loop_close(b->loop, &b->sock);
	b->events->done(b->arg, err, NULL, NULL);
}

static void take(struct bind *b, int fd, const union address *from)
{
	int err;

	loop_close(b->loop, &b->sock);
	tcp_set_options(fd);
	b->sock.fd = fd;
	err = loop_want(b->loop, &b->sock, EPOLLIN);
	if (err < 0)
		fail(b, err);
	else
		b->events->done(b->arg, 0, &b->sock, from);
}

static void turn_away(int fd)
{
	tcp_reset_on_close(fd);
	close(fd);
}

static void somebody_came(struct watch *w, uint32_t events)
{
	struct bind *b = LOOP_OWNER(w, struct bind, sock);
	union address from;
	int fd;

	(void)events;
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		fd = tcp_accept(w->fd, &from);
		if (fd == -EAGAIN)
			return;
		if (fd < 0) {
			fail(b, fd);
			return;
		}
		switch (b->events->judge(b->arg, &from)) {
		case BIND_TAKE:
			take(b, fd, &from);
			return;
		case BIND_TURN_AWAY:
			turn_away(fd);
			break;
		case BIND_GIVE_UP:
			turn_away(fd);
			fail(b, -EACCES);
			return;
		}
	}
}

int bind_listen(struct bind *b, const struct bind_place *place, union address *bnd)
{
	union address at = *place->own;
	const union address *public_address;
	int err = find_way(b, place->family, &at);

	if (err < 0)
		return err;
	public_address = public_of(place, at.sa.sa_family);
	if (public_address)
		make_wildcard(&at);
	/* Whoever has no address of its own can't be told one. */
	else if (at.sa.sa_family == AF_UNSPEC || is_wildcard(&at))
		return -EADDRNOTAVAIL;
	err = open_port_between(&at, place->low, place->high, &b->sock.fd);
	if (err == 0)
		err = loop_want(b->loop, &b->sock, EPOLLIN);
	if (err < 0)
		return err;
	address_of_socket(&at, b->sock.fd);
	*bnd = public_address ? *public_address : at;
	bnd->in.sin_port = at.in.sin_port;
	return 0;
}

struct bind *bind_new(struct loop *loop, const struct bind_events *events, void *arg)
{
	struct bind *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->loop = loop;
	b->events = events;
	b->arg = arg;
	b->sock = (struct watch){ .fd = -1, .ready = somebody_came };
	return b;
}

void bind_free(struct bind *b)
{
	if (!b)
		return;
	loop_close(b->loop, &b->sock);
	free(b);
}
