/*
 * How it works: both ways take what a socket has in one batch (inbox.h), turn each datagram's
 * header and send the batch on (outbox.h), all within one event. What can't go at once is copied:
 * datagrams for a name that is being asked for (addressbook.h) and pieces of one that is not whole
 * (fragments.h). All else that can't go is dropped and counted.
 *
 * Whose datagrams are the client's: those from the address of its control connection, and of its
 * ports the one that the first good datagram came from. A request may name that port beforehand.
 */
#include "association.h"

#include "dispatch.h"
#include "ports.h"

#include <errno.h>
#include <malloc.h>
#include <socks/socks5.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 4         /* batches in a row before others get their turn */
#define BUFFER (1 << 20) /* octets; the kernel may grant less */

/* How often freed memory is given back to the system, and how much of it is kept. */
#define TRIM_MS  1000
#define TRIM_PAD (1 << 20)

enum family { V4, V6, FAMILIES };

struct association {
	struct session *session;
	struct watch client, targets[FAMILIES];
	struct outlet to_client, to_targets[FAMILIES];
	union address own;     /* of ->client */
	union address peer;    /* the client's; its port is 0 until it is known */
	bool connected;        /* ->client, to ->peer */
	struct endpoint named; /* by the request */
	struct dispatch dispatch;
	struct association_count count; /* ->dropped: what neither outbox nor dispatch count */
};

/* In network order; it is at the same place in both families. */
static uint16_t port_of(const union address *a)
{
	return a->in.sin_port;
}

/* Sockets */

static void set_options(int fd, int family)
{
	static const int on = 1, buffer = BUFFER;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	inbox_prepare(fd);
}

/* 0 or a negative errno. */
static int open_socket(struct watch *w, int family)
{
	w->fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
	if (w->fd < 0)
		return -errno;
	set_options(w->fd, family);
	return 0;
}

/* @at gets the port. 0 or a negative errno. */
static int bind_between(int fd, union address *at, const struct value_ports *range)
{
	struct ports ports;
	uint16_t port;

	ports_init(&ports, range);
	while (ports_next(&ports, &port)) {
		at->in.sin_port = htons(port);
		if (bind(fd, &at->sa, address_len(at)) == 0) {
			address_of_socket(at, fd);
			return 0;
		}
		if (errno != EADDRINUSE)
			return -errno;
	}
	return -EADDRINUSE;
}

static struct worker *worker_of(const struct association *a)
{
	return a->session->worker;
}

/* To the targets */

static void target_ready(struct association *a, enum family f);

static void target4_ready(struct watch *w, uint32_t events)
{
	(void)events;
	target_ready(LOOP_OWNER(w, struct association, targets[V4]), V4);
}

static void target6_ready(struct watch *w, uint32_t events)
{
	(void)events;
	target_ready(LOOP_OWNER(w, struct association, targets[V6]), V6);
}

/* On first need. Its port is the system's choice, its address that of each datagram's route. */
static bool open_target(struct association *a, enum family f)
{
	struct loop *l = &worker_of(a)->loop;

	if (a->targets[f].fd >= 0)
		return true;
	if (open_socket(&a->targets[f], f == V4 ? AF_INET : AF_INET6) < 0)
		return false;
	if (loop_want(l, &a->targets[f], EPOLLIN) < 0) {
		loop_close(l, &a->targets[f]);
		return false;
	}
	a->to_targets[f].fd = a->targets[f].fd;
	return true;
}

static void go(void *arg, const union address *to, const uint8_t *data, size_t len, bool fleeting)
{
	struct association *a = arg;
	struct outbox *out = worker_of(a)->outbox;
	enum family f = to->sa.sa_family == AF_INET ? V4 : V6;

	if (!open_target(a, f)) {
		a->count.dropped++;
		return;
	}
	outbox_add(out, &a->to_targets[f], to, NULL, 0, data, len);
	if (fleeting)
		outbox_flush(out);
}

/* From the client */

/*
 * The first good datagram: is it the client's. Where the request named a port at the client's own
 * address, it is if it comes from there; or if it goes there, for then the request has named
 * the target, as some clients do, and both are on one machine.
 */
static bool settle_port(struct association *a, const union address *from,
                        const struct endpoint *dst)
{
	union address named;

	if (a->named.kind != ENDPOINT_NAME && a->named.port > 0) {
		address_from_endpoint(&named, &a->named);
		named.in6.sin6_scope_id = named.sa.sa_family == AF_INET6 ? from->in6.sin6_scope_id
		                                                         : 0;
		if (address_same_host(&named, from) && !address_equal(&named, from) &&
		    !endpoint_equal(&a->named, dst))
			return false;
	}
	a->peer = *from;
	/* The kernel then drops what others send, and finds the way to the client once for all. */
	a->connected = connect(a->client.fd, &from->sa, address_len(from)) == 0;
	return true;
}

static bool is_from_client(const struct association *a, const union address *from)
{
	return port_of(&a->peer) ? address_equal(from, &a->peer)
	                         : address_same_host(from, &a->peer);
}

static void take(struct association *a, const struct inbox_datagram *d)
{
	struct socks5_udp_header h;
	size_t used;

	if (!is_from_client(a, d->from))
		a->count.dropped++;
	else if (dispatch_again(&a->dispatch, d))
		return;
	else if (dispatch_read(d, &h, &used) &&
	         (port_of(&a->peer) || settle_port(a, d->from, &h.dst)))
		dispatch_send(&a->dispatch, d, &h, used);
	else
		a->count.dropped++;
}

static void client_ready(struct watch *w, uint32_t events)
{
	struct association *a = LOOP_OWNER(w, struct association, client);
	struct inbox *in = worker_of(a)->inbox;
	struct inbox_datagram d;
	int n;

	(void)events;
	for (int i = 0; i < ROUNDS; i++) {
		n = inbox_receive(in, w->fd);
		if (n == -EAGAIN)
			return;
		while (inbox_next(in, &d, &a->count.dropped))
			take(a, &d);
		outbox_flush(worker_of(a)->outbox);
		/* An error is what an earlier datagram met on its way to the client. */
		if (n >= 0 && n < INBOX_SLOTS)
			return;
	}
}

/* And back */

struct label {
	const union address *of; /* NULL: none yet */
	uint8_t octets[OUTBOX_HEADER_MAX];
	size_t len;
};

static void make_label(struct label *l, const union address *from)
{
	struct socks5_udp_header h = { .frag = 0 };
	struct writer w;

	if (l->of && address_equal(l->of, from))
		return;
	address_to_endpoint(from, &h.dst);
	writer_init(&w, l->octets, sizeof(l->octets));
	socks5_put_udp_header(&w, &h);
	l->of = from;
	l->len = w.pos;
}

static void answer(struct association *a, const struct inbox_datagram *d, struct label *l)
{
	if (!dispatch_awaits(&a->dispatch, d->from)) {
		a->count.dropped++;
		return;
	}
	make_label(l, d->from);
	outbox_add(worker_of(a)->outbox, &a->to_client, a->connected ? NULL : &a->peer, l->octets,
	           l->len, d->data, d->len);
}

static void target_ready(struct association *a, enum family f)
{
	struct inbox *in = worker_of(a)->inbox;
	struct inbox_datagram d;
	struct label l;
	int n;

	for (int i = 0; i < ROUNDS; i++) {
		n = inbox_receive(in, a->targets[f].fd);
		if (n == -EAGAIN)
			return;
		l.of = NULL;
		while (inbox_next(in, &d, &a->count.dropped))
			answer(a, &d, &l);
		outbox_flush(worker_of(a)->outbox);
		if (n >= 0 && n < INBOX_SLOTS)
			return;
	}
}

/* Beginning and end */

/* The worker's memory for batches is there while any association is. */
static int get_boxes(struct worker *w)
{
	if (w->associations == 0) {
		w->inbox = inbox_new();
		w->outbox = outbox_new();
	}
	w->associations++;
	return w->inbox && w->outbox ? 0 : -ENOMEM;
}

static void put_boxes(struct worker *w)
{
	if (--w->associations > 0)
		return;
	inbox_free(w->inbox);
	outbox_free(w->outbox);
	w->inbox = NULL;
	w->outbox = NULL;
	/* Of what a flood made it keep, libc gives nothing back by itself. */
	if (w->loop.now_ms >= w->trim_ms) {
		w->trim_ms = w->loop.now_ms + TRIM_MS;
		malloc_trim(TRIM_PAD);
	}
}

/* v4-mapped becomes IPv4. */
static void plain_address(union address *a, const union address *of)
{
	struct endpoint ep;

	address_to_endpoint(of, &ep);
	address_from_endpoint(a, &ep);
}

static struct association *make(struct session *s, const struct endpoint *named)
{
	struct association *a = calloc(1, sizeof(*a));
	union address own;

	if (!a)
		return NULL;
	a->session = s;
	a->client = (struct watch){ .fd = -1, .ready = client_ready };
	a->targets[V4] = (struct watch){ .fd = -1, .ready = target4_ready };
	a->targets[V6] = (struct watch){ .fd = -1, .ready = target6_ready };
	a->to_client = (struct outlet){ .joint_max = OUTLET_JOINT_MAX,
		                        .count = &a->count.received };
	for (int f = 0; f < FAMILIES; f++)
		a->to_targets[f] = (struct outlet){ .joint_max = OUTLET_JOINT_MAX,
			                            .count = &a->count.sent };
	dispatch_init(&a->dispatch, s, go, a);
	a->named = *named;
	plain_address(&a->peer, &s->from);
	a->peer.in.sin_port = 0;
	address_of_socket(&own, s->client.fd);
	plain_address(&a->own, &own);
	return a;
}

static int open_client(struct association *a)
{
	const struct options *o = worker_of(a)->options;
	int err = open_socket(&a->client, a->own.sa.sa_family);

	if (err == 0)
		err = bind_between(a->client.fd, &a->own, &o->udp_ports);
	if (err < 0)
		return err;
	a->dispatch.door = a->own;
	a->to_client.fd = a->client.fd;
	return loop_want(&worker_of(a)->loop, &a->client, EPOLLIN);
}

int association_new(struct association **out, struct session *s, const struct endpoint *named,
                    union address *bnd)
{
	struct association *a = make(s, named);
	int err = get_boxes(s->worker);

	if (!a) {
		put_boxes(s->worker);
		return -ENOMEM;
	}
	if (err == 0)
		err = open_client(a);
	if (err < 0) {
		association_stop(a);
		association_free(a);
		return err;
	}
	*bnd = a->own;
	*out = a;
	return 0;
}

void association_stop(struct association *a)
{
	struct loop *l = &worker_of(a)->loop;

	dispatch_fini(&a->dispatch);
	loop_close(l, &a->client);
	for (int f = 0; f < FAMILIES; f++)
		loop_close(l, &a->targets[f]);
}

void association_free(struct association *a)
{
	put_boxes(worker_of(a));
	free(a);
}

struct association_count association_count(const struct association *a)
{
	struct association_count c = a->count;

	c.dropped += a->dispatch.dropped + c.sent.dropped + c.received.dropped;
	return c;
}
