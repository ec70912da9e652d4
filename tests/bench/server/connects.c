/*
 * Whole lives of tunnels, so many at once: connect, greeting, request, reply, an octet there and
 * back, close. The time is from connect() to the octet that comes back.
 */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SILENCE_MS 10000
#define LISTENER   UINT64_MAX
#define TARGET     (1ull << 32) /* flag beside a target's descriptor */

enum client_state { CONNECTING, GREETED, ASKED, OCTET_OUT };

struct client {
	enum client_state st;
	int fd;
	uint64_t began;
	size_t len;
	uint8_t in[SOCKS5_REPLY_MAX];
};

static struct sockaddr_in server, target;
static bool proxied;
static int ep;
static unsigned under_way;
static struct samples samples;

static void put(struct client *c, const void *buf, size_t len, enum client_state next)
{
	if (send(c->fd, buf, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("send: %s", strerror(errno));
	c->st = next;
	c->len = 0;
}

static void begin(struct client *c, uint64_t data)
{
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket: %s", strerror(errno));
	c->began = now_ns();
	c->st = CONNECTING;
	under_way++;
	if (connect(c->fd, (struct sockaddr *)&server, sizeof(server)) < 0 && errno != EINPROGRESS)
		die("connect: %s", strerror(errno));
	/*
	 * On loopback it is connected by now; where it isn't, a queue is full, the first octets
	 * have to wait.
	 */
	if (send(c->fd, proxied ? "\5\1\0" : "x", proxied ? 3 : 1, MSG_NOSIGNAL) > 0) {
		c->st = proxied ? GREETED : OCTET_OUT;
		c->len = 0;
		watch(ep, c->fd, EPOLLIN, data);
		return;
	}
	if (errno != EAGAIN)
		die("send: %s", strerror(errno));
	watch(ep, c->fd, EPOLLOUT, data);
}

static void connected(struct client *c, uint64_t data)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = data };
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err != 0)
		die("connect: %s", strerror(err));
	if (epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev) < 0)
		die("epoll_ctl: %s", strerror(errno));
	if (proxied)
		put(c, "\5\1\0", 3, GREETED);
	else
		put(c, "x", 1, OCTET_OUT);
}

/* Reads on to @want octets; false where they are not all there. */
static bool have(struct client *c, size_t want)
{
	ssize_t n;

	if (c->len < want) {
		n = recv(c->fd, c->in + c->len, want - c->len, 0);
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n <= 0)
			die("closed in state %d: %s", c->st,
			    n < 0 ? strerror(errno) : "end of file");
		c->len += (size_t)n;
	}
	return c->len >= want;
}

static void client_event(struct client *c, uint64_t data)
{
	uint8_t request[10];

	switch (c->st) {
	case CONNECTING:
		connected(c, data);
		return;
	case GREETED:
		if (!have(c, 2))
			return;
		if (c->in[0] != 5 || c->in[1] != 0)
			die("method %d", c->in[1]);
		put(c, request, socks5_request(request, 1, &target), ASKED);
		return;
	case ASKED:
		/* Of IPv4 it is 10 octets long; a longer one is read on. */
		if (!have(c, c->len < 10 ? 10 : socks5_reply_len(c->in, c->len)) ||
		    !have(c, socks5_reply_len(c->in, c->len)))
			return;
		if (c->in[1] != 0)
			die("reply %d", c->in[1]);
		put(c, "x", 1, OCTET_OUT);
		return;
	case OCTET_OUT:
		if (!have(c, 1))
			return;
		samples_add(&samples, now_ns() - c->began);
		close(c->fd);
		under_way--;
		return;
	}
}

static void target_accepts(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
		watch(ep, fd, EPOLLIN, TARGET | (uint64_t)fd);
	if (errno != EAGAIN && errno != ECONNABORTED)
		die("accept: %s", strerror(errno));
}

static void target_event(int fd)
{
	char octet;
	ssize_t n = recv(fd, &octet, 1, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n == 1 && send(fd, &octet, 1, MSG_NOSIGNAL) == 1)
		return;
	close(fd);
}

void story_connects(uint16_t proxy, char **argv)
{
	unsigned at_once = (unsigned)atoi(argv[0]);
	struct client *clients = get_memory(at_once, sizeof(*clients));
	struct epoll_event ev[128];
	uint64_t until, came;
	int listener = listen_any(&target), ready;
	uint64_t began;

	ep = epoll_create1(EPOLL_CLOEXEC);
	proxied = proxy != 0;
	server = proxied ? loopback(proxy) : target;
	set_nonblock(listener);
	watch(ep, listener, EPOLLIN, LISTENER);
	began = now_ns();
	until = began + (uint64_t)(atof(argv[1]) * 1e9);
	for (unsigned i = 0; i < at_once; i++)
		begin(&clients[i], i);
	while (under_way > 0) {
		ready = epoll_wait(ep, ev, 128, SILENCE_MS);
		if (ready <= 0)
			die("nothing moves, %u are under way", under_way);
		for (int k = 0; k < ready; k++) {
			came = ev[k].data.u64;
			if (came == LISTENER) {
				target_accepts(listener);
				continue;
			}
			if (came & TARGET) {
				target_event((int)(uint32_t)came);
				continue;
			}
			unsigned before = under_way;

			client_event(&clients[came], came);
			if (under_way < before && now_ns() < until)
				begin(&clients[came], came);
		}
	}
	printf("count %zu\nseconds %.6f\n", samples.n, (double)(now_ns() - began) / 1e9);
	samples_tell(&samples);
	tell_own_cpu();
	free(clients);
}
