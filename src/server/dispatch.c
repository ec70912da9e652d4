#include "dispatch.h"

#include "addressbook.h"
#include "asked.h"
#include "fragments.h"
#include "policy.h"

#include <stddef.h>
#include <string.h>

#define ROUTE_MS 1000 /* as the guard's own memory */

static struct worker *worker_of(const struct dispatch *p)
{
	return p->session->worker;
}

static void drop(struct dispatch *p)
{
	p->dropped++;
}

/* What the header says */

bool dispatch_read(const struct inbox_datagram *d, struct socks5_udp_header *h, size_t *used)
{
	struct endpoint *dst = &h->dst;

	if (socks5_get_udp_header(d->data, d->len, h, used) != WIRE_OK)
		return false;
	/* An interface's name in a scope would be ours, not the client's to choose. */
	if (dst->kind == ENDPOINT_NAME && !strchr(dst->name, '%'))
		endpoint_parse_ip(dst, dst->name);
	endpoint_unmap(dst);
	return dst->port > 0 &&
	       (dst->kind != ENDPOINT_NAME || endpoint_name_is_valid(dst->name, dst->name_len));
}

bool dispatch_again(struct dispatch *p, const struct inbox_datagram *d)
{
	const struct route *r = &p->route;
	size_t n = r->header_len;

	/* RSV is not judged. */
	if (n == 0 || p->fragments || d->len < n ||
	    memcmp(d->data + 2, r->header + 2, n - 2) != 0 || r->policy != worker_of(p)->policy ||
	    worker_of(p)->loop.now_ms >= r->end_ms)
		return false;
	p->go(p->arg, &r->to, d->data + n, d->len - n, false);
	return true;
}

static void remember(struct dispatch *p, const struct inbox_datagram *d, size_t header_len,
                     const union address *to)
{
	struct route *r = &p->route;

	if (header_len > sizeof(r->header))
		return;
	memcpy(r->header, d->data, header_len);
	r->header_len = header_len;
	r->to = *to;
	r->end_ms = worker_of(p)->loop.now_ms + ROUTE_MS;
	/* Kept, so that it is not mistaken for a later one at the same place. */
	if (r->policy != worker_of(p)->policy) {
		policy_put(r->policy);
		r->policy = policy_get(worker_of(p)->policy);
	}
}

/* To an address */

/* May a datagram for @asked go to @to; where that is NULL: may the name be asked for. */
static bool may(void *arg, const struct endpoint *asked, const union address *to)
{
	const struct dispatch *p = arg;
	const struct policy_who who = session_who(p->session);
	const char *why;

	if (to && address_equal(to, &p->door))
		return false;
	return policy_judge(worker_of(p)->policy, &who, POLICY_UDP, asked, to, &why) !=
	       POLICY_DENIED;
}

static void send_to(struct dispatch *p, const union address *to, const uint8_t *data, size_t len,
                    bool fleeting)
{
	if (worker_of(p)->options->udp_asked)
		asked_add(&p->asked, to);
	p->go(p->arg, to, data, len, fleeting);
}

/* A datagram that has waited. */
static void go_at_last(void *arg, const struct endpoint *asked, const union address *to,
                       const uint8_t *data, size_t len)
{
	(void)asked;
	if (to)
		send_to(arg, to, data, len, true);
	else
		drop(arg);
}

static const struct addressbook_events book_events = { .may = may, .go = go_at_last };

static void send_to_name(struct dispatch *p, const struct endpoint *dst, const uint8_t *data,
                         size_t len, bool fleeting)
{
	struct worker *w = worker_of(p);
	union address to;

	if (!p->book)
		p->book = addressbook_new(&w->loop, w->resolver, &p->session->from,
		                          &w->names_octets, &book_events, p);
	switch (p->book ? addressbook_find(p->book, dst, data, len, &to) : ADDRESSBOOK_NO) {
	case ADDRESSBOOK_FOUND:
		/* Rules may have changed since. */
		if (!may(p, dst, &to))
			break;
		send_to(p, &to, data, len, fleeting);
		return;
	case ADDRESSBOOK_WAITS:
		return;
	case ADDRESSBOOK_NO:
		break;
	}
	drop(p);
}

/* Pieces */

static void stop_waiting_for_pieces(struct dispatch *p)
{
	loop_stop_timer(&worker_of(p)->loop, &p->fragments_due);
	fragments_drop(&p->fragments);
}

static void give_pieces_up(struct dispatch *p)
{
	loop_stop_timer(&worker_of(p)->loop, &p->fragments_due);
	p->dropped += fragments_drop(&p->fragments);
}

static void fragments_late(struct timer *t)
{
	give_pieces_up(LOOP_OWNER(t, struct dispatch, fragments_due));
}

/* True: p->fragments has all of them. */
static bool take_piece(struct dispatch *p, const struct socks5_udp_header *h, const uint8_t *data,
                       size_t len)
{
	struct loop *l = &worker_of(p)->loop;

	if (worker_of(p)->options->udp_no_fragments) {
		drop(p);
		return false;
	}
	switch (fragments_add(&p->fragments, l->now_ms, h->frag, &h->dst, data, len, &p->dropped)) {
	case FRAGMENTS_WHOLE:
		return true;
	case FRAGMENTS_KEPT:
		timer_start(&l->timers, &p->fragments_due, p->fragments->due_ms);
		return false;
	case FRAGMENTS_USELESS:
		stop_waiting_for_pieces(p);
		return false;
	}
	return false;
}

static void send_whole(struct dispatch *p)
{
	const struct fragments *f = p->fragments;
	union address to;

	address_from_endpoint(&to, &f->dst);
	if (f->dst.kind == ENDPOINT_NAME)
		send_to_name(p, &f->dst, f->data, f->len, true);
	else if (may(p, &f->dst, &to))
		send_to(p, &to, f->data, f->len, true);
	else
		drop(p);
	stop_waiting_for_pieces(p);
}

void dispatch_send(struct dispatch *p, const struct inbox_datagram *d,
                   const struct socks5_udp_header *h, size_t used)
{
	const uint8_t *data = d->data + used;
	size_t len = d->len - used;
	union address to;

	if (h->frag > 0) {
		if (take_piece(p, h, data, len))
			send_whole(p);
		return;
	}
	/* RFC 1928 section 7: a FRAG below the highest ends the sequence, and 0 is below all. */
	if (p->fragments)
		give_pieces_up(p);
	if (h->dst.kind == ENDPOINT_NAME) {
		send_to_name(p, &h->dst, data, len, false);
		return;
	}
	address_from_endpoint(&to, &h->dst);
	if (!may(p, &h->dst, &to)) {
		drop(p);
		return;
	}
	remember(p, d, used, &to);
	send_to(p, &to, data, len, false);
}

bool dispatch_awaits(const struct dispatch *p, const union address *from)
{
	return !worker_of(p)->options->udp_asked || asked_holds(p->asked, from);
}

/* Beginning and end */

void dispatch_init(struct dispatch *p, struct session *s,
                   void (*go)(void *arg, const union address *to, const uint8_t *data, size_t len,
                              bool fleeting),
                   void *arg)
{
	*p = (struct dispatch){ .session = s, .go = go, .arg = arg };
	p->fragments_due.due = fragments_late;
}

void dispatch_fini(struct dispatch *p)
{
	addressbook_free(p->book);
	p->book = NULL;
	stop_waiting_for_pieces(p);
	asked_free(&p->asked);
	policy_put(p->route.policy);
	p->route.policy = NULL;
	p->route.header_len = 0;
}
