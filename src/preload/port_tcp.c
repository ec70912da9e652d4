/*
 * How it works: a connection's questions are taken one by one; while one is with somebody else
 * (questions.c) nothing is read, so that answers keep their order and memory its bounds. A
 * connection ends when its asker has said all and has all answers, or is silent, or takes nothing,
 * for a while.
 */
#include "port_tcp.h"

#include "guard.h"
#include "helper.h"
#include "lock.h"
#include "owner.h"
#include "questions.h"
#include "real.h"
#include "respond.h"

#include <base/clock.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/mman.h>

#define CONNS_MAX    64
#define IDLE_MS      30000
#define BACK_OFF_MS  1000 /* where there are no descriptors */
#define AT_ONCE      16   /* connections, or reads of one, before others have their turn */
#define MESSAGE_ROOM (2 + DNS_MESSAGE_MAX)

struct conn_buffers {
	uint8_t in[MESSAGE_ROOM];
	uint8_t out[2 * MESSAGE_ROOM];
};

struct conn {
	struct worker_watch watch; /* first */
	struct port *port;
	unsigned serial;
	bool used;
	bool asking; /* a question of it is with somebody else */
	bool ended;  /* its asker sends no more */
	size_t in_len, out_pos, out_len;
	struct conn_buffers *bufs; /* made at the first use, kept until port_tcp_close() */
};

static struct conn conns[CONNS_MAX];
static size_t n_conns;

size_t port_tcp_connections(void)
{
	return n_conns;
}

static void close_socket(int fd)
{
	struct lock_guard g;

	lock_take(&g, LOCK_PARKING);
	guard_disclaim(fd);
	real->close(fd);
	lock_release(&g);
}

static void end(struct conn *c)
{
	worker_watch_remove(port_worker, &c->watch);
	close_socket(c->watch.fd);
	c->watch.fd = -1;
	c->used = false;
	c->serial++;
	n_conns--;
}

static size_t out_room(struct conn *c)
{
	if (c->out_pos > 0 && sizeof(c->bufs->out) - c->out_len < MESSAGE_ROOM) {
		c->out_len -= c->out_pos;
		memmove(c->bufs->out, c->bufs->out + c->out_pos, c->out_len);
		c->out_pos = 0;
	}
	return sizeof(c->bufs->out) - c->out_len;
}

/* There is room for it. */
static void put_answer(struct conn *c, size_t len)
{
	uint8_t *at = c->bufs->out + c->out_len;

	if (len == 0)
		return;
	at[0] = (uint8_t)(len >> 8);
	at[1] = (uint8_t)len;
	c->out_len += 2 + len;
}

static void answer(struct conn *c, const uint8_t *msg, size_t len)
{
	const struct asker a = { .port = c->port, .conn = c, .serial = c->serial };
	uint8_t *at = c->bufs->out + c->out_len + 2;
	struct response r;
	enum respond how = respond(msg, len, false, at, DNS_MESSAGE_MAX, &r);

	switch (how) {
	case RESPOND_NOTHING:
		return;
	case RESPOND_ANSWER:
		break;
	case RESPOND_DIRECT:
	case RESPOND_TUNNEL:
	case RESPOND_PTR:
		c->asking = questions_take(&a, how, msg, len, &r) == 0;
		if (c->asking)
			return;
		r.len = respond_failure(msg, &r, DNS_SERVFAIL, at, DNS_MESSAGE_MAX);
		break;
	}
	put_answer(c, r.len);
}

static bool is_whole(const uint8_t *in, size_t len)
{
	return len >= 2 && len - 2 >= ((size_t)in[0] << 8 | in[1]);
}

/*
 * Those that have come whole, as far as there is room for answers. False: none is left, so there is
 * room for more of the next one.
 */
static bool take_questions(struct conn *c)
{
	const uint8_t *in = c->bufs->in;
	size_t pos = 0;
	bool whole = true;

	while (!c->asking && out_room(c) >= MESSAGE_ROOM) {
		size_t len;

		whole = is_whole(in + pos, c->in_len - pos);
		if (!whole)
			break;
		len = (size_t)in[pos] << 8 | in[pos + 1];
		answer(c, in + pos + 2, len);
		pos += 2 + len;
		c->watch.until_ms = clock_ms() + IDLE_MS;
	}
	if (pos > 0) {
		c->in_len -= pos;
		memmove(c->bufs->in, in + pos, c->in_len);
	}
	return whole;
}

/* False: the connection is of no more use. */
static bool flush(struct conn *c)
{
	while (c->out_pos < c->out_len) {
		ssize_t n = real->send(c->watch.fd, c->bufs->out + c->out_pos,
		                       c->out_len - c->out_pos, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		c->out_pos += (size_t)n;
	}
	c->out_pos = c->out_len = 0;
	return true;
}

/* False: there is nothing now, or c->ended says that nothing comes. */
static bool fill(struct conn *c, bool *broken)
{
	ssize_t n = real->recv(c->watch.fd, c->bufs->in + c->in_len,
	                       sizeof(c->bufs->in) - c->in_len, MSG_DONTWAIT);

	*broken = n < 0 && errno != EAGAIN && errno != EINTR;
	c->ended = n == 0;
	if (n > 0)
		c->in_len += (size_t)n;
	return n > 0;
}

/*
 * Where it stops, no whole question is left to be taken unless one waits for room or an answer: of
 * those that have been read the epoll tells nothing.
 */
static void go_on(struct conn *c)
{
	bool broken = false;

	for (int reads = 0; !broken; reads++) {
		while (take_questions(c) && flush(c) && !c->asking && c->out_len == 0)
			;
		broken = !flush(c);
		if (broken || c->asking || c->out_len > 0 || c->ended || reads == AT_ONCE)
			break;
		if (!fill(c, &broken) && !c->ended)
			break;
	}
	if (broken || (c->ended && !c->asking && c->out_len == 0))
		end(c);
	else
		worker_watch_change(port_worker, &c->watch,
		                    c->out_len > 0 ? EPOLLOUT
		                    : c->asking    ? 0
		                                   : EPOLLIN,
		                    c->watch.until_ms);
}

static void ready(struct worker_watch *watch, uint32_t events)
{
	struct conn *c = (struct conn *)watch;

	if (events == 0 && c->asking)
		worker_watch_change(port_worker, watch, watch->events, clock_ms() + IDLE_MS);
	else if (events == 0 || (events & (EPOLLERR | EPOLLHUP)))
		end(c);
	else
		go_on(c);
}

void port_tcp_answer(const struct asker *a, const uint8_t *msg, size_t len)
{
	struct conn *c = a->conn;

	if (!c->used || c->serial != a->serial)
		return;
	c->asking = false;
	/* Room for it was there before the question was taken. */
	if (len > 0)
		memcpy(c->bufs->out + c->out_len + 2, msg, len);
	put_answer(c, len);
	c->watch.until_ms = clock_ms() + IDLE_MS;
	go_on(c);
}

/* One without a connection; where there is none, that of the one that is silent for longest. */
static struct conn *choose(void)
{
	struct conn *idle = NULL;

	for (size_t i = 0; i < CONNS_MAX; i++) {
		struct conn *c = &conns[i];

		if (!c->used)
			return c;
		if (!c->asking && (!idle || c->watch.until_ms < idle->watch.until_ms))
			idle = c;
	}
	if (idle)
		end(idle);
	return idle;
}

static bool map(struct conn *c)
{
	void *at;

	if (c->bufs)
		return true;
	at = mmap(NULL, sizeof(*c->bufs), PROT_READ | PROT_WRITE,
	          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at != MAP_FAILED)
		c->bufs = at;
	return c->bufs;
}

static void begin(struct port *port, int fd, const struct asker *from)
{
	struct conn *c = owner_may_ask(from) ? choose() : NULL;

	if (!c || !map(c)) {
		close_socket(fd);
		return;
	}
	real->setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	c->watch = (struct worker_watch){
		.fd = fd, .events = EPOLLIN, .until_ms = clock_ms() + IDLE_MS, .ready = ready
	};
	c->port = port;
	c->in_len = c->out_pos = c->out_len = 0;
	c->asking = c->ended = false;
	if (worker_watch_add(port_worker, &c->watch) < 0) {
		close_socket(fd);
		return;
	}
	c->used = true;
	n_conns++;
}

/* Under the lock, so that no child has it unknown. */
static int accept_one(const struct port *port, struct asker *from)
{
	struct lock_guard g;
	int fd, err;

	from->len = sizeof(from->addr);
	lock_take(&g, LOCK_PARKING);
	fd = real->accept4(port->watch.fd, (struct sockaddr *)&from->addr, &from->len,
	                   SOCK_CLOEXEC | SOCK_NONBLOCK);
	err = -errno;
	if (fd >= 0) {
		fd = helper_raise(fd);
		guard_claim(fd, NULL);
	}
	lock_release(&g);
	return fd >= 0 ? fd : err;
}

void port_tcp_ready(struct worker_watch *watch, uint32_t events)
{
	struct port *port = (struct port *)watch;
	struct asker from = { .port = port };

	if (events == 0)
		worker_watch_change(port_worker, watch, EPOLLIN, DEADLINE_NEVER);
	for (int i = 0; i < AT_ONCE; i++) {
		int fd = accept_one(port, &from);

		if (fd >= 0) {
			begin(port, fd, &from);
		} else if (fd == -EAGAIN) {
			return;
		} else if (fd != -EINTR && fd != -ECONNABORTED) {
			worker_watch_change(port_worker, watch, 0, clock_ms() + BACK_OFF_MS);
			return;
		}
	}
}

void port_tcp_fail(void)
{
	for (size_t i = 0; i < CONNS_MAX; i++)
		if (conns[i].used)
			end(&conns[i]);
}

void port_tcp_close(void)
{
	for (size_t i = 0; i < CONNS_MAX; i++) {
		if (conns[i].bufs)
			munmap(conns[i].bufs, sizeof(*conns[i].bufs));
		conns[i].bufs = NULL;
	}
}

void port_tcp_in_child(void)
{
	for (size_t i = 0; i < CONNS_MAX; i++) {
		conns[i].used = false;
		conns[i].watch.fd = -1;
	}
	n_conns = 0;
}
