#include "listener.h"

#include "seats.h"
#include "server.h"
#include "session.h"
#include "tcp.h"

#include <base/endpoint.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#define ACCEPT_BATCH 64  /* clients in a row before sessions get their turn */
#define PAUSE_MS     100 /* after a shortage of descriptors or memory */
#define BACKLOG      4096

static bool is_allowed(const struct listener *l, const union address *from)
{
	struct endpoint ep;

	/* Where nothing is allowed by address, users say who may come: see refuse_open(). */
	if (l->loopback || l->worker->options->allow.n == 0)
		return true;
	address_to_endpoint(from, &ep);
	return acl_holds(&l->worker->options->allow, &ep);
}

static void refuse(const union address *from, const char *why)
{
	struct event e;

	if (!events_enabled(EVENTS_NORMAL))
		return;
	event_begin(&e, "refused");
	event_address(&e, "client", from);
	event_text(&e, "reason", why);
	event_end(&e);
}

static void step_back(struct listener *l, const char *why)
{
	/* Two descriptors for each pipe that waits. */
	pipe_pool_trim(&l->worker->pipes);
	server_make_room(l->worker->server, l->worker);
	(void)loop_want(&l->worker->loop, &l->sock, EPOLLERR);
	loop_start_timer(&l->worker->loop, &l->pause, PAUSE_MS);
	if (events_due(&l->complaint_ms, l->worker->loop.now_ms))
		event_warn("no room for more clients, they wait", why);
}

static void pause_over(struct timer *t)
{
	struct listener *l = LOOP_OWNER(t, struct listener, pause);

	(void)loop_want(&l->worker->loop, &l->sock, EPOLLIN);
}

/* The place is taken, or the client is not let in. */
static void seat(struct listener *l, int fd, const union address *from)
{
	struct seat taken;
	enum seats_res res = seat_take(l->worker->server->seats, from, &taken);

	if (res == SEATS_ROOM) {
		session_start(l->worker, fd, from, &taken);
		return;
	}
	close(fd);
	if (res == SEATS_SOURCE_FULL && events_due(&l->source_complaint_ms, l->worker->loop.now_ms))
		refuse(from, "there are too many clients of this source");
}

static void listener_ready(struct watch *w, uint32_t events)
{
	struct listener *l = LOOP_OWNER(w, struct listener, sock);
	union address from;
	int fd;

	(void)events;
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		if (seats_full(l->worker->server->seats)) {
			/* Whether another one waits is the loop's to tell. */
			if (i > 0)
				return;
			if (worker_make_room(l->worker))
				continue;
			step_back(l, "there are as many clients as there may be");
			return;
		}
		fd = tcp_accept(w->fd, &from);
		if (fd == -EAGAIN)
			return;
		if (fd < 0) {
			if (worker_make_room(l->worker))
				continue;
			step_back(l, strerror(-fd));
			return;
		}
		if (!is_allowed(l, &from)) {
			refuse(&from, "not in --allow");
			close(fd);
			continue;
		}
		seat(l, fd, &from);
	}
}

static int complain(const union address *at, const char *step, int err)
{
	struct endpoint ep;

	address_to_endpoint(at, &ep);
	fprintf(stderr, "socksifyd: --listen \"%s\": %s: %s\n", ENDPOINT_TEXT(&ep), step,
	        strerror(err));
	return -1;
}

/* Clients inherit the options of the listener: set once, they cost nothing for each. */
static void set_options(int fd, int family)
{
	static const int on = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	tcp_set_options(fd);
	/* [::] is IPv6 alone, so that it can stand beside 0.0.0.0. */
	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
}

int listener_open(struct worker *w, const union address *at, bool shared, bool first)
{
	static const int on = 1;
	struct listener *l = calloc(1, sizeof(*l));
	struct endpoint ep;
	int err;

	if (!l)
		return complain(at, "listen", ENOMEM);
	address_to_endpoint(at, &ep);
	l->worker = w;
	l->loopback = endpoint_is_loopback(&ep);
	l->pause.due = pause_over;
	l->sock.ready = listener_ready;
	l->sock.fd = socket(at->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	                    IPPROTO_TCP);
	DL_APPEND(w->listeners, l);
	if (l->sock.fd < 0)
		return complain(at, "socket", errno);
	set_options(l->sock.fd, at->sa.sa_family);
	/*
	 * With SO_REUSEPORT from the start a second server would silently get half of the clients:
	 * the first socket is bound without.
	 */
	if (shared && !first &&
	    setsockopt(l->sock.fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
		return complain(at, "SO_REUSEPORT", errno);
	if (bind(l->sock.fd, &at->sa, address_len(at)) < 0)
		return complain(at, "bind", errno);
	if (shared && first &&
	    setsockopt(l->sock.fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
		return complain(at, "SO_REUSEPORT", errno);
	if (listen(l->sock.fd, BACKLOG) < 0)
		return complain(at, "listen", errno);
	err = loop_want(&w->loop, &l->sock, EPOLLIN);
	return err < 0 ? complain(at, "epoll", -err) : 0;
}

void listener_close(struct listener *l)
{
	loop_stop_timer(&l->worker->loop, &l->pause);
	loop_close(&l->worker->loop, &l->sock);
	DL_DELETE(l->worker->listeners, l);
	free(l);
}

void listener_announce(const struct listener *l)
{
	union address at;
	struct endpoint ep;
	char text[ENDPOINT_TEXT_MAX];
	struct event e;
	const char *colon;
	size_t len;

	address_of_socket(&at, l->sock.fd);
	address_to_endpoint(&at, &ep);
	endpoint_format(&ep, text, sizeof(text));
	/* The address without the port: "127.0.0.1", "::1". */
	colon = strrchr(text, ':');
	len = colon ? (size_t)(colon - text) : strlen(text);
	event_begin(&e, "listening");
	if (text[0] == '[')
		event_octets(&e, "address", text + 1, len - 2);
	else
		event_octets(&e, "address", text, len);
	event_number(&e, "port", ep.port);
	event_end(&e);
}
