/*
 * How it works: a question goes to the name server by a datagram socket of its own, asked again
 * once; or by a connection: dialled by the worker, then an exchange (tunnel/exchange.h), or, for
 * the name of an address, the proxy's reply alone.
 */
#include "questions.h"

#include "guard.h"
#include "helper.h"
#include "lock.h"
#include "lookup.h"
#include "real.h"
#include "reverse.h"
#include "session.h"
#include "tell.h"

#include <base/clock.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <tunnel/exchange.h>

#define QUESTIONS_MAX 64
#define AGAIN_MS      2000 /* a datagram is sent once more */
#define UDP_MS        5000 /* as long as libc's resolver waits */
#define PATIENCE_MS   10000
#define ANSWERS_MAX   8 /* that are looked at before others have their turn */

/* A header and a question: its name, type and class. */
#define HEAD_MAX (DNS_HEADER_LEN + DNS_WIRE_MAX + 4)

struct question {
	struct worker_job job; /* first */
	struct worker_watch watch;
	struct asker asker;
	enum respond how;
	struct response response;
	struct exchange exchange;
	struct endpoint remote;
	int64_t deadline_ms; /* of a datagram */
	bool used, again;
	uint8_t head[HEAD_MAX]; /* of what was asked */
	size_t len;
	struct endpoint hops[DIAL_HOPS_MAX];
	uint8_t buf[2 + DNS_MESSAGE_MAX]; /* behind two octets of room: what was asked */
};

static struct question *all[QUESTIONS_MAX]; /* each made at the first use */
static size_t pending;
static uint8_t scratch[DNS_MESSAGE_MAX]; /* an answer */

static struct question *of_watch(struct worker_watch *watch)
{
	return (struct question *)((char *)watch - offsetof(struct question, watch));
}

size_t questions_pending(void)
{
	return pending;
}

/* Under the lock: a socket that no child has unknown. Returns it or a negative errno. */
static int make_socket(int family, int type, struct worker_job *job)
{
	int fd = real->socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	fd = helper_raise(fd);
	guard_claim(fd, job);
	return fd;
}

static int open_socket(int family, int type, struct worker_job *job)
{
	struct lock_guard g;
	int fd;

	lock_take(&g, LOCK_PARKING);
	fd = make_socket(family, type, job);
	lock_release(&g);
	return fd;
}

static void close_socket(int fd)
{
	struct lock_guard g;

	if (fd < 0)
		return;
	lock_take(&g, LOCK_PARKING);
	guard_disclaim(fd);
	real->close(fd);
	lock_release(&g);
}

/* It is forgotten, before who asked may ask again. */
static void end(struct question *q)
{
	if (q->watch.fd >= 0) {
		worker_watch_remove(port_worker, &q->watch);
		close_socket(q->watch.fd);
	} else {
		close_socket(q->job.dial.fd);
	}
	q->watch.fd = q->job.dial.fd = -1;
	q->used = false;
	pending--;
}

static void answer(struct question *q, const uint8_t *msg, size_t len)
{
	struct asker a = q->asker;

	end(q);
	asker_answer(&a, msg, len);
}

static void fail(struct question *q)
{
	uint8_t out[DNS_UDP_MIN];

	answer(q, out, respond_failure(q->head, &q->response, DNS_SERVFAIL, out, sizeof(out)));
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* Does it repeat the question? Servers that refuse one may leave it out. */
static bool repeats(const struct question *q, const uint8_t *msg, size_t len)
{
	size_t end = q->response.question.end;

	if (msg[4] == 0 && msg[5] == 0)
		return true;
	if (end > len)
		return false;
	for (size_t i = DNS_HEADER_LEN; i < end; i++)
		if (lower(msg[i]) != lower(q->head[i]))
			return false;
	return true;
}

static bool is_answer(const struct question *q, const uint8_t *msg, size_t len)
{
	return len >= DNS_HEADER_LEN && msg[0] == q->head[0] && msg[1] == q->head[1] &&
	       (msg[2] & 0x80) && repeats(q, msg, len);
}

static void ready_datagram(struct worker_watch *watch, uint32_t events)
{
	struct question *q = of_watch(watch);

	for (int i = 0; events && i < ANSWERS_MAX; i++) {
		ssize_t n = real->recv(watch->fd, scratch, sizeof(scratch), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			fail(q);
			return;
		}
		if (!is_answer(q, scratch, (size_t)n))
			continue;
		respond_note(&q->response.question, scratch, (size_t)n);
		answer(q, scratch, (size_t)n);
		return;
	}
	if (events)
		return;
	if (q->again) {
		fail(q);
		return;
	}
	q->again = true;
	(void)real->send(watch->fd, q->buf + 2, q->len, MSG_NOSIGNAL | MSG_DONTWAIT);
	worker_watch_change(port_worker, watch, EPOLLIN, q->deadline_ms);
}

static int begin_datagram(struct question *q)
{
	struct sockaddr_storage ss;
	int family = q->remote.kind == ENDPOINT_IPV6 ? AF_INET6 : AF_INET, fd, err = 0;
	socklen_t len = endpoint_to_sockaddr(&q->remote, family, &ss);
	int64_t now = clock_ms();

	fd = open_socket(family, SOCK_DGRAM, NULL);
	if (fd < 0)
		return fd;
	q->deadline_ms = now + UDP_MS;
	q->watch = (struct worker_watch){
		.fd = fd, .events = EPOLLIN, .until_ms = now + AGAIN_MS, .ready = ready_datagram
	};
	if (real->connect(fd, (struct sockaddr *)&ss, len) < 0 ||
	    real->send(fd, q->buf + 2, q->len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		err = -errno;
	if (err == 0)
		err = worker_watch_add(port_worker, &q->watch);
	if (err < 0) {
		close_socket(fd);
		q->watch.fd = -1;
	}
	return err;
}

static void ready_stream(struct worker_watch *watch, uint32_t events)
{
	struct question *q = of_watch(watch);
	uint8_t *msg = q->buf + 2;
	int n = events ? exchange_step(&q->exchange, watch->fd) : -ETIMEDOUT;
	size_t len;

	if (n == -EINPROGRESS) {
		worker_watch_change(port_worker, watch,
		                    exchange_events(&q->exchange) == POLLOUT ? EPOLLOUT : EPOLLIN,
		                    watch->until_ms);
		return;
	}
	if (n < 0 || !is_answer(q, msg, (size_t)n)) {
		fail(q);
		return;
	}
	len = (size_t)n;
	respond_note(&q->response.question, msg, len);
	if (asker_is_udp(&q->asker) && len > q->response.question.udp_size)
		len = dns_cut(msg, len, q->response.question.udp_size);
	answer(q, msg, len);
}

/* Where the number is moved, it is moved for the watch from now on, not for the job. */
static int begin_exchange(struct question *q)
{
	struct lock_guard g;

	lock_take(&g, LOCK_PARKING);
	guard_claim(q->job.dial.fd, NULL);
	lock_release(&g);
	exchange_init(&q->exchange, &real_sys, q->buf, sizeof(q->buf), q->len);
	q->watch = (struct worker_watch){
		.fd = q->job.dial.fd,
		.events = EPOLLOUT,
		.until_ms = q->job.dial.deadline_ms,
		.ready = ready_stream,
	};
	return worker_watch_add(port_worker, &q->watch);
}

/* What the proxy said of an address. */
static void end_reverse(struct question *q, int err)
{
	bool known, udp = asker_is_udp(&q->asker);
	char name[REVERSE_NAME_MAX];
	uint8_t out[HEAD_MAX + DNS_UDP_MIN];

	known = reverse_take(&q->remote, err, &q->job.dial.report, name);
	if (!q->job.dial.report.reached)
		fail(q);
	else
		answer(q, out,
		       respond_ptr(q->head, &q->response, udp, known ? name : NULL, out,
		                   sizeof(out)));
}

static void done(struct worker_job *job, int err)
{
	struct question *q = (struct question *)job;

	if (job->dial.proxy && !job->dial.report.reached)
		session_hops_stale();
	if (err < 0) {
		if (job->dial.report.ended_ms == 0)
			job->dial.report.ended_ms = clock_ms();
		if (q->how != RESPOND_PTR || !job->dial.report.reached)
			tell_dial(&q->remote, &job->dial, err);
	}
	if (q->how == RESPOND_PTR) {
		end_reverse(q, err);
		return;
	}
	if (err == 0)
		err = begin_exchange(q);
	if (err < 0) {
		q->watch.fd = -1;
		fail(q);
	}
}

/* Returns 0, or -EAGAIN while the proxy's name is asked for. */
static int find_hops(struct question *q)
{
	struct dial *d = &q->job.dial;
	int n, err = session_login();

	if (err < 0)
		return err;
	if (!session_hops_known()) {
		err = lookup_hops();
		if (err < 0)
			return err;
		return clock_ms() < d->deadline_ms ? -EAGAIN : -ETIMEDOUT;
	}
	n = session_hops(q->hops, false);
	d->n_hops = n > 0 ? (size_t)n : 0;
	return n > 0 ? 0 : -EHOSTUNREACH;
}

static int start(struct worker_job *job)
{
	struct question *q = (struct question *)job;
	struct dial *d = &job->dial;
	int err = d->proxy ? find_hops(q) : 0;

	if (err < 0)
		return err;
	d->fd = open_socket(dial_family(d), SOCK_STREAM, job);
	if ((d->fd == -EMFILE || d->fd == -ENFILE) && clock_ms() < d->deadline_ms)
		return -EAGAIN;
	if (d->fd < 0)
		return d->fd;
	return dial_begin(d, d->fd, &q->remote);
}

static void begin_dial(struct question *q)
{
	const struct config *cfg = session_config();
	int64_t now = clock_ms();
	int patience = cfg->timeout_ms < PATIENCE_MS ? cfg->timeout_ms : PATIENCE_MS;

	q->job = (struct worker_job){
		.start = start,
		.done = done,
		.dial = {
			.sys = &real_sys,
			.proxy = q->how == RESPOND_DIRECT ? NULL : &cfg->proxy,
			.cmd = q->how == RESPOND_PTR ? SOCKS5_RESOLVE_PTR : SOCKS5_CONNECT,
			.hops = q->hops,
			.n_hops = 1,
			.deadline_ms = now + patience,
			.fd = -1,
			.report = { .code = -1, .began_ms = now },
		},
	};
	/* Without a proxy it is the one that is dialled. */
	q->hops[0] = q->remote;
	worker_add(port_worker, &q->job);
}

/* Does a datagram say again what is being asked? */
static bool is_repeated(const struct asker *a, const uint8_t *msg, const struct response *r)
{
	for (size_t i = 0; asker_is_udp(a) && i < QUESTIONS_MAX; i++) {
		const struct question *q = all[i];

		if (q && q->used && q->asker.port == a->port && q->asker.len == a->len &&
		    memcmp(&q->asker.addr, &a->addr, a->len) == 0 &&
		    q->response.question.end == r->question.end && memcmp(q->head, msg, 2) == 0 &&
		    memcmp(q->head + DNS_HEADER_LEN, msg + DNS_HEADER_LEN,
		           r->question.end - DNS_HEADER_LEN) == 0)
			return true;
	}
	return false;
}

static struct question *find_unused(void)
{
	for (size_t i = 0; i < QUESTIONS_MAX; i++) {
		void *at = all[i];

		if (at && all[i]->used)
			continue;
		if (!at)
			at = mmap(NULL, sizeof(*all[i]), PROT_READ | PROT_WRITE,
			          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (at == MAP_FAILED)
			return NULL;
		all[i] = at;
		return at;
	}
	return NULL;
}

int questions_take(const struct asker *a, enum respond how, const uint8_t *msg, size_t len,
                   const struct response *r)
{
	struct question *q;
	int err = 0;

	if (r->question.end < DNS_HEADER_LEN || r->question.end > HEAD_MAX || len > DNS_MESSAGE_MAX)
		return -EMSGSIZE;
	if (is_repeated(a, msg, r))
		return 0;
	q = find_unused();
	if (!q)
		return -EAGAIN;
	q->asker = *a;
	q->how = how;
	q->response = *r;
	/* A machine asks for an address; a name server is asked at its own. */
	q->remote = how == RESPOND_PTR ? r->address : a->port->remote;
	q->again = false;
	memcpy(q->head, msg, len < HEAD_MAX ? len : HEAD_MAX);
	memcpy(q->buf + 2, msg, len);
	q->len = len;
	q->watch.fd = q->job.dial.fd = -1;
	if (how == RESPOND_DIRECT && asker_is_udp(a))
		err = begin_datagram(q);
	else
		begin_dial(q);
	if (err == 0) {
		q->used = true;
		pending++;
	}
	return err;
}

void questions_fail(void)
{
	for (size_t i = 0; i < QUESTIONS_MAX; i++)
		if (all[i] && all[i]->used && all[i]->watch.fd >= 0)
			fail(all[i]);
}

void questions_close(void)
{
	for (size_t i = 0; i < QUESTIONS_MAX; i++) {
		if (all[i])
			munmap(all[i], sizeof(*all[i]));
		all[i] = NULL;
	}
}

void questions_in_child(void)
{
	for (size_t i = 0; i < QUESTIONS_MAX; i++)
		if (all[i])
			all[i]->used = false;
	pending = 0;
}
