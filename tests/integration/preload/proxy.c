/*
 * One thread, and a conn for each connection: so thousands may be held at once. A conn reads the
 * octets of the message that it is at and none beyond, acts on the request, and from then on echoes
 * or listens until the other side ends.
 */
#include "proxy.h"

#include "alone.h"
#include "direct.h"
#include "loop.h"
#include "tally.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SLOW_MS 100

enum conn_stage { GREETING, LOGIN, REQUEST, HELD, SLOW, ECHO, SINK, DNS };

struct conn {
	struct watch watch; /* first: a watch is cast back */
	enum conn_stage stage;
	struct tally *tally;
	struct conn *held_next;
	struct conn *slow_next; /* in the order of ->due_ms */
	int64_t due_ms;
	bool direct; /* no SOCKS on it */
	size_t sent, n;
	uint8_t buf[1024];
};

static const uint8_t granted[] = { 5, 0, 0, 1, 127, 0, 0, 1, 0, 9 };
static const uint8_t early[] = { 5, 0, 0, 1, 127, 0, 0, 1, 0, 9, 'e', 'a', 'r', 'l', 'y' };

static struct conn *slow_first, **slow_last = &slow_first;
static struct watch front;

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void conn_end(struct conn *c)
{
	struct conn **at;

	if (c->tally) {
		for (at = &c->tally->held; *at; at = &(*at)->held_next)
			if (*at == c) {
				*at = c->held_next;
				break;
			}
		c->tally->ended++;
	}
	for (at = &slow_first; *at; at = &(*at)->slow_next)
		if (*at == c) {
			*at = c->slow_next;
			break;
		}
	for (slow_last = &slow_first; *slow_last;)
		slow_last = &(*slow_last)->slow_next;
	close(c->watch.fd);
	free(c);
}

static void say(struct conn *c, const void *what, size_t len)
{
	send(c->watch.fd, what, len, MSG_NOSIGNAL);
}

static bool begins(const char *name, const char *with)
{
	return strncmp(name, with, strlen(with)) == 0;
}

static void listen_on(struct conn *c, enum conn_stage stage)
{
	c->stage = stage;
	c->n = c->sent = 0;
	loop_set(&c->watch, EPOLLIN);
}

/* Returns whether the name was one of them; the connection has ended then. */
static bool fail(struct conn *c, const char *name)
{
	static const struct {
		const char *name;
		uint8_t rep;
	} failures[] = { { "refused.", 5 }, { "unreach.", 4 }, { "nonet.", 3 },
		         { "denied.", 2 },  { "expired.", 6 }, { "gone.", 0 },
		         { "reset.", 0 },   { "garbage.", 0 }, { "close.", 0 } };

	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		uint8_t reply[10] = { 5, failures[i].rep, 0, 1 };

		if (!begins(name, failures[i].name))
			continue;
		if (c->direct)
			; /* to close is all that there is */
		else if (failures[i].rep)
			say(c, reply, sizeof(reply));
		else if (begins(name, "garbage."))
			say(c, "HTTP/1.1 400\r\n", 14);
		else if (begins(name, "close."))
			say(c, granted, sizeof(granted));
		else if (begins(name, "reset."))
			setsockopt(c->watch.fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 },
			           sizeof(struct linger));
		conn_end(c);
		return true;
	}
	return false;
}

static void act(struct conn *c, const char *name)
{
	if (begins(name, "held.")) {
		if (!c->tally->released) {
			c->held_next = c->tally->held;
			c->tally->held = c;
			listen_on(c, HELD);
			return;
		}
		name += strlen("held.");
	}
	if (begins(name, "slow.")) {
		if (c->stage != SLOW) {
			listen_on(c, SLOW);
			c->due_ms = now_ms() + SLOW_MS;
			*slow_last = c;
			slow_last = &c->slow_next;
			return;
		}
		name += strlen("slow.");
	}
	if (fail(c, name))
		return;
	if (begins(name, "silent.")) {
		listen_on(c, SINK);
		return;
	}
	if (begins(name, "glued."))
		say(c, early + (c->direct ? sizeof(granted) : 0),
		    sizeof(early) - (c->direct ? sizeof(granted) : 0));
	else if (begins(name, "named."))
		say(c, "\5\0\0\3\4host\0\11early", 16);
	else if (!c->direct)
		say(c, granted, sizeof(granted));
	listen_on(c, begins(name, "dns.") ? DNS : ECHO);
}

static void act_slow(void)
{
	struct conn *c;

	while ((c = slow_first) && c->due_ms <= now_ms()) {
		slow_first = c->slow_next;
		if (!slow_first)
			slow_last = &slow_first;
		c->slow_next = NULL;
		act(c, c->tally->name);
	}
}

static void release(struct tally *t)
{
	direct_release(t);
	while (t->held) {
		struct conn *c = t->held;

		t->held = c->held_next;
		c->held_next = NULL;
		act(c, t->name);
	}
}

/* Octets of the message that the conn is at, as far as it can be told from those that came. */
static size_t whole(const struct conn *c)
{
	const uint8_t *b = c->buf;

	switch (c->stage) {
	case GREETING:
		return c->n < 2 ? 2 : 2u + b[1];
	case LOGIN:
		if (c->n < 2)
			return 2;
		return c->n < 3u + b[1] ? 3u + b[1] : 3u + b[1] + b[2 + b[1]];
	case REQUEST:
		if (c->n < 5)
			return 5;
		return b[3] == 1 ? 10 : b[3] == 4 ? 22 : 7u + b[4];
	case DNS:
		return c->n < 2 ? 2 : 2u + (unsigned)(b[0] << 8 | b[1]);
	case HELD:
	case SLOW:
	case ECHO:
	case SINK:
		break;
	}
	return sizeof(c->buf);
}

/*
 * RESOLVE_PTR, Tor's command F1: what becomes of an address stands in its last octet. The
 * connection is over with the answer.
 */
static void tell_name(struct conn *c)
{
	uint8_t last = c->buf[c->n - 3], reply[7 + 255] = { 5, 0, 0, 3 };
	const uint8_t failure[10] = { 5, last == PROXY_PTR_LACKS ? 7 : 4, 0, 1 };
	char *name = (char *)reply + 5;

	if (last == PROXY_PTR_SILENT) {
		listen_on(c, SINK);
		return;
	}
	snprintf(name, 255, "h%d.test", last);
	if (last == PROXY_PTR_ODD)
		snprintf(name, 255, "h%d.te\nst", last);
	else if (last == PROXY_PTR_OPTION)
		snprintf(name, 255, "-h%d.test", last);
	else if (last == PROXY_PTR_NUMBER)
		snprintf(name, 255, "203.0.113.%d", last);
	else if (last == PROXY_PTR_DOT)
		snprintf(name, 255, "h%d.test.", last);
	else if (last == PROXY_PTR_LONG)
		memset(name, 'a', 64);
	reply[4] = (uint8_t)strlen(name);
	if (last == PROXY_PTR_GARBAGE)
		say(c, "HTTP/1.1 400\r\n", 14);
	else if (last == PROXY_PTR_ADDRESS)
		say(c, granted, sizeof(granted));
	else if (last == PROXY_PTR_UNKNOWN || last == PROXY_PTR_LACKS)
		say(c, failure, sizeof(failure));
	else if (last != PROXY_PTR_GONE)
		say(c, reply, 7u + reply[4]);
	conn_end(c);
}

static void read_request(struct conn *c)
{
	static const uint8_t refused[4] = { 203, 0, 113, 5 };
	char name[256] = "address.";
	struct sockaddr_in6 peer;

	if (c->buf[1] == 0xf1) {
		strcpy(name, "ptr.");
	} else if (c->buf[3] == 3) {
		memcpy(name, c->buf + 5, c->buf[4]);
		name[c->buf[4]] = '\0';
	} else if (c->buf[3] == 1 && memcmp(c->buf + 4, refused, sizeof(refused)) == 0) {
		strcpy(name, "refused.");
	} else if (c->buf[c->n - 2] == 0 && c->buf[c->n - 1] == 53) {
		strcpy(name, "dns.");
	}
	c->tally = tally_find(name);
	c->tally->requests++;
	if (getpeername(c->watch.fd, (struct sockaddr *)&peer, &(socklen_t){ sizeof(peer) }) == 0)
		c->tally->port = ntohs(peer.sin6_port); /* in the same place for IPv4 */
	if (c->buf[1] == 0xf1)
		tell_name(c);
	else
		act(c, name);
}

/* DNS over TCP. A question for gone.* gets half of its answer. */
static void answer(struct conn *c)
{
	bool gone = begins((const char *)c->buf + 2 + 12, "\4gone");
	size_t len = alone_answer(c->buf + 2, c->n - 2, sizeof(c->buf) - 2);

	c->buf[0] = (uint8_t)(len >> 8);
	c->buf[1] = (uint8_t)(len & 0xff);
	say(c, c->buf, gone ? 2 + len / 2 : 2 + len);
	listen_on(c, DNS);
	if (gone)
		conn_end(c);
}

/* A message has come whole. */
static void proceed(struct conn *c)
{
	static const uint8_t right[] = "\1\4user\6secret";
	bool ok;

	if (c->stage == GREETING) {
		ok = memchr(c->buf + 2, 2, c->buf[1]) != NULL;
		say(c, ok ? "\5\2" : "\5\0", 2);
		listen_on(c, ok ? LOGIN : REQUEST);
	} else if (c->stage == LOGIN) {
		ok = c->n == sizeof(right) - 1 && memcmp(c->buf, right, c->n) == 0;
		say(c, ok ? "\1\0" : "\1\1", 2);
		listen_on(c, REQUEST);
		if (!ok)
			conn_end(c);
	} else if (c->stage == DNS) {
		answer(c);
	} else {
		read_request(c);
	}
}

static void echo(struct conn *c)
{
	ssize_t n = send(c->watch.fd, c->buf + c->sent, c->n - c->sent, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN) {
		conn_end(c);
		return;
	}
	c->sent += n > 0 ? (size_t)n : 0;
	if (c->sent == c->n)
		c->n = c->sent = 0;
	loop_set(&c->watch, c->n ? EPOLLOUT : EPOLLIN);
}

static void conn_ready(struct watch *w, uint32_t events)
{
	struct conn *c = (struct conn *)w;
	ssize_t n;

	if (c->stage == ECHO && (events & EPOLLOUT)) {
		echo(c);
		return;
	}
	n = recv(w->fd, c->buf + c->n, whole(c) - c->n, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || (c->stage == GREETING && c->buf[0] != 5)) {
		conn_end(c);
		return;
	}
	if (c->stage == HELD || c->stage == SLOW || c->stage == SINK)
		return;
	c->n += (size_t)n;
	if (c->stage == ECHO)
		echo(c);
	else if (c->n == whole(c))
		proceed(c);
}

static struct conn *conn_new(int fd)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return NULL;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	c->watch = (struct watch){ conn_ready, fd };
	loop_add(&c->watch, EPOLLIN);
	return c;
}

static void take_direct(int fd, struct tally *t)
{
	struct conn *c = conn_new(fd);

	if (!c)
		return;
	c->direct = true;
	c->tally = t;
	act(c, t->name);
}

static int obey(enum tally_verb verb, struct tally *t)
{
	if (verb == TALLY_DIRECT)
		return direct_listen(t, take_direct);
	close(front.fd);
	return 0;
}

static void take_in(struct watch *w, uint32_t events)
{
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd >= 0)
		conn_new(fd);
}

static int bound(int family, int type, const char *host, int *port)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr *sa = family == AF_INET6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
	socklen_t len = family == AF_INET6 ? sizeof(v6) : sizeof(v4);
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	if (host)
		inet_pton(AF_INET, host, &v4.sin_addr);
	if (fd < 0 || bind(fd, sa, len) < 0 || getsockname(fd, sa, &len) < 0)
		return -1;
	*port = ntohs(family == AF_INET6 ? v6.sin6_port : v4.sin_port);
	return fd;
}

int proxy_listen(int family, const char *host, int *port)
{
	int fd = bound(family, SOCK_STREAM, host, port);

	return fd >= 0 && listen(fd, 4096) == 0 ? fd : -1;
}

int proxy_control(const char *host, int *port)
{
	return bound(AF_INET, SOCK_DGRAM, host, port);
}

void proxy_serve(int listener, int control)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	front = (struct watch){ take_in, listener };
	loop_add(&front, EPOLLIN);
	tally_watch(control, release, obey);
	for (;;) {
		int64_t left = slow_first ? slow_first->due_ms - now_ms() : -1;

		loop_turn(slow_first && left < 0 ? 0 : (int)left);
		act_slow();
		tally_answer();
	}
}
