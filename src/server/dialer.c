#include "dialer.h"

#include "events.h"
#include "tcp.h"

#include <base/errtext.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define ATTEMPT_DELAY_MS 250  /* RFC 8305 section 5 */
#define MORE_WAIT_MS     2500 /* for the other family, all of this one failed: a second query */

enum { V6, V4, FAMILIES };

struct queue {
	size_t n, tried;
	union address addrs[DIALER_ADDRESSES_MAX];
};

struct attempt {
	struct watch sock; /* ->fd is -1 where the slot is free */
	struct dialer *dialer;
	uint64_t number; /* the oldest has the least */
	union address to;
};

struct dialer {
	struct loop *loop;
	struct dialer_share *share;
	const char *(*closed)(void *arg, const union address *to);
	void (*done)(void *arg, int err, const struct dialled *winner);
	void *arg;
	struct timer next; /* runs while the next attempt waits for its turn, or for an address */
	struct attempt *ready; /* connected as soon as it was begun, to be told by ->next */
	bool last;             /* no more addresses will come */
	int turn;              /* whose family's turn it is */
	int err;               /* the most telling failure so far */
	size_t under_way;
	uint64_t started;
	struct queue queue[FAMILIES];
	struct attempt attempts[DIALER_ATTEMPTS_MAX];
};

/*
 * How much a failure tells about the destination: an answer from its host before silence, silence
 * before a router's word, that before "this machine can't even send there".
 */
static int telling(int err)
{
	switch (-err) {
	case ECONNREFUSED:
	case ECONNRESET:
		return 7;
	case ETIMEDOUT:
		return 6;
	case EHOSTUNREACH:
	case EHOSTDOWN:
		return 5;
	case EACCES:
	case EPERM:
		return 4;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
		return 3;
	case ENETUNREACH:
	case ENETDOWN:
		return 2;
	case 0:
		return 0;
	default:
		return 1;
	}
}

static int more_telling(int a, int b)
{
	return telling(b) > telling(a) ? b : a;
}

static void log_attempt(const union address *to, const char *reason)
{
	struct event e;

	if (!events_enabled(EVENTS_VERBOSE))
		return;
	event_begin(&e, "attempt");
	event_address(&e, "address", to);
	event_text(&e, "reason", reason);
	event_end(&e);
}

static void attempt_failed(struct dialer *d, const union address *to, int err)
{
	d->err = more_telling(d->err, err);
	log_attempt(to, err_text(err));
}

static bool is_closed(struct dialer *d, const union address *to)
{
	const char *why = d->closed(d->arg, to);

	if (!why)
		return false;
	d->err = more_telling(d->err, -EACCES);
	log_attempt(to, why);
	return true;
}

static void attempt_close(struct attempt *a)
{
	if (a->sock.fd < 0)
		return;
	loop_close(a->dialer->loop, &a->sock);
	if (--a->dialer->under_way > 0)
		a->dialer->share->n--;
}

static bool is_left(const struct dialer *d)
{
	return d->queue[V4].tried < d->queue[V4].n || d->queue[V6].tried < d->queue[V6].n;
}

/* A free slot, or the one that has been silent for longest. */
static struct attempt *get_slot(struct dialer *d)
{
	bool room = d->under_way == 0 || d->share->n < d->share->max;
	struct attempt *oldest = NULL;

	for (size_t i = 0; i < DIALER_ATTEMPTS_MAX; i++) {
		struct attempt *a = &d->attempts[i];

		if (a->sock.fd < 0 && room)
			return a;
		if (a->sock.fd >= 0 && (!oldest || a->number < oldest->number))
			oldest = a;
	}
	attempt_close(oldest);
	attempt_failed(d, &oldest->to, -ETIMEDOUT);
	return oldest;
}

/*
 * Begin it. Returns 1 where it is connected, 0 where it is under way, or a negative errno. On
 * loopback and to other namespaces of this machine it is over when connect(2) returns, but only the
 * second call tells so. That is one system call instead of three and a round of the loop; elsewhere
 * it is one too many, of which a round trip knows nothing.
 */
static int attempt_connect(struct attempt *a)
{
	int fd = a->sock.fd;

	if (connect(fd, &a->to.sa, address_len(&a->to)) == 0)
		return 1;
	if (errno != EINPROGRESS && errno != EINTR)
		return -errno;
	if (connect(fd, &a->to.sa, address_len(&a->to)) == 0 || errno == EISCONN)
		return 1;
	return errno == EALREADY || errno == EINPROGRESS || errno == EINTR ? 0 : -errno;
}

/* 0 when it is under way, else a negative errno. */
static int attempt_start(struct attempt *a, const union address *to)
{
	struct dialer *d = a->dialer;
	struct endpoint ep;
	int fd, err;

	/* To Linux "unspecified" is the machine itself; on the wire it is no address at all. */
	address_to_endpoint(to, &ep);
	if (endpoint_is_unspecified(&ep))
		return -EACCES;
	fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (fd < 0)
		return -errno;
	tcp_set_options(fd);
	a->to = *to;
	a->number = d->started++;
	a->sock.fd = fd;
	a->sock.mask = 0;
	err = attempt_connect(a);
	if (err > 0)
		d->ready = a;
	else if (err == 0)
		err = loop_want(d->loop, &a->sock, EPOLLOUT);
	if (err < 0) {
		loop_close(d->loop, &a->sock);
		return err;
	}
	if (d->under_way++ > 0)
		d->share->n++;
	return 0;
}

/* The next address, families in turns; there is one left. */
static const union address *next_address(struct dialer *d)
{
	struct queue *q = &d->queue[d->turn];

	if (q->tried == q->n)
		q = &d->queue[FAMILIES - 1 - d->turn];
	d->turn = q == &d->queue[V6] ? V4 : V6;
	return &q->addrs[q->tried++];
}

/* Start attempts until one is under way, and see to it that the next gets its turn. */
static void advance(struct dialer *d)
{
	const union address *to;
	int err;

	/* One has connected, and is told at the end of this round. */
	if (d->ready)
		return;
	loop_stop_timer(d->loop, &d->next);
	while (is_left(d)) {
		to = next_address(d);
		if (is_closed(d, to))
			continue;
		err = attempt_start(get_slot(d), to);
		if (err == 0) {
			/* At the end of this round it may free what the caller is amid of. */
			loop_start_timer(d->loop, &d->next, d->ready ? 0 : ATTEMPT_DELAY_MS);
			return;
		}
		attempt_failed(d, to, err);
	}
	if (d->under_way > 0)
		return;
	if (d->last)
		d->done(d->arg, d->err, NULL);
	else if (dialer_has_address(d))
		loop_start_timer(d->loop, &d->next, MORE_WAIT_MS);
}

static void attempt_over(struct attempt *a, int err)
{
	struct dialer *d = a->dialer;
	struct dialled winner = { .sock = &a->sock, .to = a->to };

	if (err == 0) {
		address_of_socket(&winner.own, a->sock.fd);
		if (tcp_is_own_peer(&winner.own, &winner.to))
			err = ECONNREFUSED;
	}
	if (err != 0) {
		attempt_close(a);
		attempt_failed(d, &a->to, -err);
		advance(d);
		return;
	}
	loop_stop_timer(d->loop, &d->next);
	d->done(d->arg, 0, &winner);
}

static void attempt_ready(struct watch *w, uint32_t events)
{
	socklen_t len = sizeof(int);
	int err = 0;

	(void)events;
	if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	attempt_over(LOOP_OWNER(w, struct attempt, sock), err);
}

static void turn_came(struct timer *t)
{
	struct dialer *d = LOOP_OWNER(t, struct dialer, next);
	struct attempt *ready = d->ready;

	if (ready) {
		d->ready = NULL;
		attempt_over(ready, 0);
		return;
	}
	/* All have failed, and no more came. */
	if (d->under_way == 0 && !is_left(d))
		d->last = true;
	advance(d);
}

struct dialer *dialer_new(struct loop *loop, struct dialer_share *share,
                          const char *(*closed)(void *arg, const union address *to),
                          void (*done)(void *arg, int err, const struct dialled *winner), void *arg)
{
	struct dialer *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->loop = loop;
	d->share = share;
	d->closed = closed;
	d->done = done;
	d->arg = arg;
	d->next.due = turn_came;
	for (size_t i = 0; i < DIALER_ATTEMPTS_MAX; i++) {
		d->attempts[i].sock = (struct watch){ .fd = -1, .ready = attempt_ready };
		d->attempts[i].dialer = d;
	}
	return d;
}

void dialer_free(struct dialer *d)
{
	if (!d)
		return;
	loop_stop_timer(d->loop, &d->next);
	for (size_t i = 0; i < DIALER_ATTEMPTS_MAX; i++)
		attempt_close(&d->attempts[i]);
	free(d);
}

void dialer_add(struct dialer *d, const union address *addrs, size_t n, bool last, int err)
{
	struct queue *q;

	for (size_t i = 0; i < n; i++) {
		q = &d->queue[addrs[i].sa.sa_family == AF_INET6 ? V6 : V4];
		if (q->n < DIALER_ADDRESSES_MAX)
			q->addrs[q->n++] = addrs[i];
		else
			log_attempt(&addrs[i], "one of too many addresses, not tried");
	}
	d->last = last;
	if (last && !dialer_has_address(d))
		d->err = err;
	/* With an attempt under way, its failure or the timer brings the next. */
	if (d->under_way == 0)
		advance(d);
	else if (!d->next.running)
		loop_start_timer(d->loop, &d->next, ATTEMPT_DELAY_MS);
}

bool dialer_has_address(const struct dialer *d)
{
	return d->queue[V4].n + d->queue[V6].n > 0;
}

int dialer_give_up(const struct dialer *d)
{
	if (d->under_way == 0 && d->err != 0)
		return d->err;
	return more_telling(d->err, -ETIMEDOUT);
}
