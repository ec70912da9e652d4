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

#include "addressbook.h"
#include "asked.h"
#include "fragments.h"
#include "inbox.h"
#include "policy.h"
#include "ports.h"

#include <errno.h>
#include <socks/socks5.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS   4         /* batches in a row before others get their turn */
#define ROUTE_MS 1000      /* as the guard's own memory */
#define BUFFER   (1 << 20) /* octets; the kernel may grant less */

enum family { V4, V6, FAMILIES };

/* The last address that was found good, by the header that named it: most datagrams repeat it. */
struct route {
	uint8_t header[OUTBOX_HEADER_MAX];
	size_t header_len; /* 0: none */
	union address to;
	struct policy *policy; /* that found it so */
	int64_t end_ms;        /* then it is to be judged again */
};

struct association {
	struct session *session;
	struct watch client, targets[FAMILIES];
	struct outlet to_client, to_targets[FAMILIES];
	union address own;     /* of ->client */
	union address peer;    /* the client's; its port is 0 until it is known */
	bool connected;        /* ->client, to ->peer */
	struct endpoint named; /* by the request */
	struct route route;
	struct addressbook *book; /* NULL before the first name */
	struct asked *asked;      /* for --udp-peers=asked */
	struct fragments *fragments;
	struct timer fragments_due;
	struct association_count count;
};

static void drop(struct association *a)
{
	a->count.dropped++;
}

static bool same_host(const union address *a, const union address *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr)) == 0 &&
	       a->in6.sin6_scope_id == b->in6.sin6_scope_id;
}

/* In network order; it is at the same place in both families. */
static uint16_t port_of(const union address *a)
{
	return a->in.sin_port;
}

static bool is_same(const union address *a, const union address *b)
{
	return port_of(a) == port_of(b) && same_host(a, b);
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

/* May a datagram for @asked go to @to; where that is NULL: may the name be asked for. */
static bool may(void *arg, const struct endpoint *asked, const union address *to)
{
	const struct association *a = arg;
	const struct policy_who who = session_who(a->session);
	const char *why;

	if (to && is_same(to, &a->own))
		return false;
	return policy_judge(worker_of(a)->policy, &who, POLICY_UDP, asked, to, &why) !=
	       POLICY_DENIED;
}

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

static void send_out(struct association *a, const union address *to, const uint8_t *data,
                     size_t len)
{
	enum family f = to->sa.sa_family == AF_INET ? V4 : V6;

	if (open_target(a, f))
		outbox_add(worker_of(a)->outbox, &a->to_targets[f], to, NULL, 0, data, len);
	else
		drop(a);
}

/* @to was judged. */
static void send_first(struct association *a, const union address *to, const uint8_t *data,
                       size_t len)
{
	if (worker_of(a)->options->udp_asked)
		asked_add(&a->asked, to);
	send_out(a, to, data, len);
}

/* A datagram that has waited. What it is in ends with this call. */
static void go(void *arg, const struct endpoint *asked, const union address *to,
               const uint8_t *data, size_t len)
{
	struct association *a = arg;

	(void)asked;
	if (!to) {
		drop(a);
		return;
	}
	send_first(a, to, data, len);
	outbox_flush(worker_of(a)->outbox);
}

static const struct addressbook_events book_events = { .may = may, .go = go };

static void send_to_name(struct association *a, const struct endpoint *dst, const uint8_t *data,
                         size_t len)
{
	struct worker *w = worker_of(a);
	union address to;

	if (!a->book)
		a->book = addressbook_new(&w->loop, w->resolver, &a->peer, &book_events, a);
	switch (a->book ? addressbook_find(a->book, dst, data, len, &to) : ADDRESSBOOK_NO) {
	case ADDRESSBOOK_FOUND:
		/* Rules may have changed since. */
		if (!may(a, dst, &to))
			break;
		send_first(a, &to, data, len);
		return;
	case ADDRESSBOOK_WAITS:
		return;
	case ADDRESSBOOK_NO:
		break;
	}
	drop(a);
}

static bool send_to(struct association *a, const struct endpoint *dst, const uint8_t *data,
                    size_t len, union address *to)
{
	if (dst->kind == ENDPOINT_NAME) {
		send_to_name(a, dst, data, len);
		return false;
	}
	address_from_endpoint(to, dst);
	if (!may(a, dst, to)) {
		drop(a);
		return false;
	}
	send_first(a, to, data, len);
	return true;
}

static void stop_waiting_for_pieces(struct association *a)
{
	loop_stop_timer(&worker_of(a)->loop, &a->fragments_due);
	fragments_drop(&a->fragments);
}

static void fragments_late(struct timer *t)
{
	struct association *a = LOOP_OWNER(t, struct association, fragments_due);

	a->count.dropped += fragments_drop(&a->fragments);
}

static void take_piece(struct association *a, const struct socks5_udp_header *h,
                       const uint8_t *data, size_t len)
{
	struct loop *l = &worker_of(a)->loop;
	union address to;

	if (worker_of(a)->options->udp_no_fragments) {
		drop(a);
		return;
	}
	switch (fragments_add(&a->fragments, l->now_ms, h->frag, &h->dst, data, len,
	                      &a->count.dropped)) {
	case FRAGMENTS_KEPT:
		timer_start(&l->timers, &a->fragments_due, a->fragments->due_ms);
		return;
	case FRAGMENTS_WHOLE:
		send_to(a, &a->fragments->dst, a->fragments->data, a->fragments->len, &to);
		outbox_flush(worker_of(a)->outbox);
		stop_waiting_for_pieces(a);
		return;
	case FRAGMENTS_USELESS:
		stop_waiting_for_pieces(a);
		return;
	}
}

/* From the client */

/* A destination as it can be used; false: it can't. */
static bool make_usable(struct endpoint *dst)
{
	/* An interface's name in a scope would be ours, not the client's to choose. */
	if (dst->kind == ENDPOINT_NAME && !strchr(dst->name, '%'))
		endpoint_parse_ip(dst, dst->name);
	endpoint_unmap(dst);
	return dst->port > 0 &&
	       (dst->kind != ENDPOINT_NAME || endpoint_name_is_valid(dst->name, dst->name_len));
}

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
		if (same_host(&named, from) && !is_same(&named, from) &&
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
	return port_of(&a->peer) ? is_same(from, &a->peer) : same_host(from, &a->peer);
}

static bool follows(const struct association *a, const struct inbox_datagram *d)
{
	const struct route *r = &a->route;

	/* RSV is not judged. */
	return r->header_len > 0 && d->len >= r->header_len &&
	       memcmp(d->data + 2, r->header + 2, r->header_len - 2) == 0 &&
	       r->policy == worker_of(a)->policy && worker_of(a)->loop.now_ms < r->end_ms;
}

static void remember(struct association *a, const struct inbox_datagram *d, size_t header_len,
                     const union address *to)
{
	struct route *r = &a->route;

	if (header_len > sizeof(r->header))
		return;
	memcpy(r->header, d->data, header_len);
	r->header_len = header_len;
	r->to = *to;
	r->end_ms = worker_of(a)->loop.now_ms + ROUTE_MS;
	/* Kept, so that it is not mistaken for a later one at the same place. */
	if (r->policy != worker_of(a)->policy) {
		policy_put(r->policy);
		r->policy = policy_get(worker_of(a)->policy);
	}
}

static void take(struct association *a, const struct inbox_datagram *d)
{
	struct socks5_udp_header h;
	union address to;
	size_t used;

	if (!is_from_client(a, d->from)) {
		drop(a);
		return;
	}
	if (follows(a, d)) {
		used = a->route.header_len;
		send_out(a, &a->route.to, d->data + used, d->len - used);
		return;
	}
	if (socks5_get_udp_header(d->data, d->len, &h, &used) != WIRE_OK || !make_usable(&h.dst) ||
	    (!port_of(&a->peer) && !settle_port(a, d->from, &h.dst))) {
		drop(a);
		return;
	}
	if (h.frag > 0)
		take_piece(a, &h, d->data + used, d->len - used);
	else if (send_to(a, &h.dst, d->data + used, d->len - used, &to))
		remember(a, d, used, &to);
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

	if (l->of && is_same(l->of, from))
		return;
	address_to_endpoint(from, &h.dst);
	writer_init(&w, l->octets, sizeof(l->octets));
	socks5_put_udp_header(&w, &h);
	l->of = from;
	l->len = w.pos;
}

static void answer(struct association *a, const struct inbox_datagram *d, struct label *l)
{
	if (worker_of(a)->options->udp_asked && !asked_holds(a->asked, d->from)) {
		drop(a);
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
	a->fragments_due.due = fragments_late;
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

	addressbook_free(a->book);
	a->book = NULL;
	stop_waiting_for_pieces(a);
	loop_close(l, &a->client);
	for (int f = 0; f < FAMILIES; f++)
		loop_close(l, &a->targets[f]);
}

void association_free(struct association *a)
{
	put_boxes(worker_of(a));
	asked_free(&a->asked);
	policy_put(a->route.policy);
	free(a);
}

const struct association_count *association_count(const struct association *a)
{
	return &a->count;
}
