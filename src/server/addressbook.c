#include "addressbook.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

struct waiting {
	struct waiting *prev, *next;
	size_t len;
	uint8_t data[];
};

struct entry {
	struct addressbook *book;
	struct entry *prev, *next; /* the last used first */
	struct endpoint asked;
	union address to;      /* AF_UNSPEC: not known */
	int64_t due_ms;        /* it is asked for again when it is used after that */
	struct waiting *queue; /* only while ->to is not known, and asked for */
	struct lookup *lookup; /* NULL where it is not being asked for */
	union address instead; /* the first one of its answers that can be used */
	bool listed;           /* ->to is among them */
};

struct addressbook {
	struct loop *loop;
	struct resolver *resolver;
	const union address *from;
	const struct addressbook_events *events;
	void *arg;
	struct entry *entries;
	unsigned n_entries, n_waiting;
	size_t octets;
	size_t *waiting; /* octets in all books */
};

struct addressbook *addressbook_new(struct loop *loop, struct resolver *resolver,
                                    const union address *from, size_t *waiting,
                                    const struct addressbook_events *events, void *arg)
{
	struct addressbook *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->loop = loop;
	b->resolver = resolver;
	b->from = from;
	b->waiting = waiting;
	b->events = events;
	b->arg = arg;
	return b;
}

static struct waiting *take_first(struct entry *e)
{
	struct waiting *w = e->queue;

	if (!w)
		return NULL;
	DL_DELETE(e->queue, w);
	e->book->n_waiting--;
	e->book->octets -= w->len;
	*e->book->waiting -= w->len;
	return w;
}

static void forget(struct entry *e)
{
	struct waiting *w;

	lookup_cancel(e->lookup);
	while ((w = take_first(e)))
		free(w);
	DL_DELETE(e->book->entries, e);
	e->book->n_entries--;
	free(e);
}

void addressbook_free(struct addressbook *b)
{
	if (!b)
		return;
	while (b->entries)
		forget(b->entries);
	free(b);
}

/* What the resolver says */

static bool is_known(const union address *a)
{
	return a->sa.sa_family != AF_UNSPEC;
}

/* Is there a route; no packet is sent. Without means to find out: yes. */
static bool is_reachable(const union address *to)
{
	int fd = socket(to->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool yes;

	if (fd < 0)
		return errno != EAFNOSUPPORT;
	yes = connect(fd, &to->sa, address_len(to)) == 0;
	close(fd);
	return yes;
}

static bool may(const struct entry *e, const union address *to)
{
	return e->book->events->may(e->book->arg, &e->asked, to);
}

static void look_through(struct entry *e, const union address *addrs, size_t n)
{
	int family = e->book->from->sa.sa_family;

	for (size_t i = 0; i < n && !e->listed; i++)
		e->listed = is_known(&e->to) && address_equal(&addrs[i], &e->to) &&
		            may(e, &addrs[i]);
	for (int turn = 0; turn < 2; turn++)
		for (size_t i = 0; i < n && !is_known(&e->instead); i++)
			if ((turn == 0) == (addrs[i].sa.sa_family == family) && may(e, &addrs[i]) &&
			    is_reachable(&addrs[i]))
				e->instead = addrs[i];
}

static void release(struct entry *e)
{
	const union address *to = is_known(&e->to) ? &e->to : NULL;
	struct waiting *w;

	while ((w = take_first(e))) {
		e->book->events->go(e->book->arg, &e->asked, to, w->data, w->len);
		free(w);
	}
}

static void told(void *arg, const struct resolver_answer *a)
{
	struct entry *e = arg;

	if (a->last)
		e->lookup = NULL;
	look_through(e, a->addrs, a->n);
	if (is_known(&e->instead) && (!is_known(&e->to) || (a->last && !e->listed))) {
		e->to = e->instead;
		e->listed = true;
	}
	if (a->last)
		e->due_ms = e->book->loop->now_ms +
		            (is_known(&e->instead) ? ADDRESSBOOK_MS : ADDRESSBOOK_FAILED_MS);
	if (a->last || is_known(&e->to))
		release(e);
}

/* It may be answered before this returns. */
static void ask(struct entry *e)
{
	if (!may(e, NULL)) {
		e->due_ms = e->book->loop->now_ms + ADDRESSBOOK_FAILED_MS;
		return;
	}
	e->listed = false;
	e->instead.sa.sa_family = AF_UNSPEC;
	resolver_start(e->book->resolver, e->asked.name, e->asked.name_len, e->asked.port,
	               e->book->from, told, e, &e->lookup);
}

/* The entries */

static void make_room(struct addressbook *b)
{
	struct entry *e;

	if (b->n_entries < ADDRESSBOOK_NAMES_MAX)
		return;
	/* utlist's first one has the last as its ->prev. */
	for (e = b->entries->prev; e->queue && e != b->entries; e = e->prev)
		;
	if (!e->queue)
		forget(e);
}

static struct entry *add(struct addressbook *b, const struct endpoint *asked)
{
	struct entry *e;

	make_room(b);
	if (b->n_entries == ADDRESSBOOK_NAMES_MAX)
		return NULL;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->book = b;
	e->asked = *asked;
	DL_PREPEND(b->entries, e);
	b->n_entries++;
	ask(e);
	return e;
}

static struct entry *get(struct addressbook *b, const struct endpoint *asked)
{
	struct entry *e;

	DL_FOREACH(b->entries, e)
	if (endpoint_equal(&e->asked, asked))
		break;
	if (!e)
		return add(b, asked);
	if (e != b->entries) {
		DL_DELETE(b->entries, e);
		DL_PREPEND(b->entries, e);
	}
	if (!e->lookup && b->loop->now_ms >= e->due_ms)
		ask(e);
	return e;
}

static bool has_room(const struct addressbook *b, size_t len)
{
	if (b->n_waiting == ADDRESSBOOK_WAITING_MAX || len > ADDRESSBOOK_OCTETS_MAX - b->octets)
		return false;
	return *b->waiting + len <= ADDRESSBOOK_OCTETS_ALL ||
	       b->octets + len <= ADDRESSBOOK_OCTETS_LEAST;
}

static bool keep(struct entry *e, const uint8_t *data, size_t len)
{
	struct addressbook *b = e->book;
	struct waiting *w;

	if (!has_room(b, len))
		return false;
	w = malloc(sizeof(*w) + len);
	if (!w)
		return false;
	w->len = len;
	if (len > 0)
		memcpy(w->data, data, len);
	DL_APPEND(e->queue, w);
	b->n_waiting++;
	b->octets += len;
	*b->waiting += len;
	return true;
}

enum addressbook_res addressbook_find(struct addressbook *b, const struct endpoint *asked,
                                      const uint8_t *data, size_t len, union address *to)
{
	struct entry *e = get(b, asked);

	if (!e)
		return ADDRESSBOOK_NO;
	if (is_known(&e->to)) {
		*to = e->to;
		return ADDRESSBOOK_FOUND;
	}
	return e->lookup && keep(e, data, len) ? ADDRESSBOOK_WAITS : ADDRESSBOOK_NO;
}
