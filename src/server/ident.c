#include "ident.h"

#include "identline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define IDENT_PORT 113

struct ident {
	struct loop *loop;
	struct watch sock;
	void (*told)(void *arg, const struct ident_answer *a);
	void *arg;
	struct identline_ports ports;
	char ask[IDENTLINE_ASK_MAX];
	size_t ask_len, ask_pos;
	size_t len; /* of line */
	char line[IDENTLINE_MAX + 2];
};

static void tell(struct ident *i, int err, const char *text, size_t len)
{
	const struct ident_answer a = { .err = err, .text = text, .len = len };

	loop_close(i->loop, &i->sock);
	i->told(i->arg, &a);
}

static void tell_line(struct ident *i, size_t len)
{
	const char *text = NULL;
	size_t text_len = 0;

	switch (identline_read(i->line, len, &i->ports, &text, &text_len)) {
	case IDENTLINE_USER:
		tell(i, 0, text, text_len);
		return;
	case IDENTLINE_ERROR:
		tell(i, -ENOENT, text, text_len);
		return;
	case IDENTLINE_BAD:
		tell(i, -EPROTO, NULL, 0);
		return;
	}
}

static void hear(struct ident *i)
{
	const char *end;
	ssize_t n;

	do {
		n = recv(i->sock.fd, i->line + i->len, sizeof(i->line) - i->len, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS))
		return;
	if (n <= 0) {
		tell(i, n < 0 ? -errno : -ECONNRESET, NULL, 0);
		return;
	}
	end = memchr(i->line + i->len, '\n', (size_t)n);
	i->len += (size_t)n;
	if (end)
		tell_line(i, (size_t)(end - i->line));
	else if (i->len == sizeof(i->line))
		tell(i, -EPROTO, NULL, 0);
}

static void ask(struct ident *i)
{
	ssize_t n;
	int err;

	do {
		n = send(i->sock.fd, i->ask + i->ask_pos, i->ask_len - i->ask_pos,
		         MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS))
		return;
	if (n < 0) {
		tell(i, -errno, NULL, 0);
		return;
	}
	i->ask_pos += (size_t)n;
	if (i->ask_pos < i->ask_len)
		return;
	err = loop_want(i->loop, &i->sock, EPOLLIN);
	if (err < 0)
		tell(i, err, NULL, 0);
}

static void ready(struct watch *w, uint32_t events)
{
	struct ident *i = LOOP_OWNER(w, struct ident, sock);

	(void)events;
	/* Where the connection has failed, either call says why. */
	if (i->ask_pos < i->ask_len)
		ask(i);
	else
		hear(i);
}

static int open_socket(struct ident *i, const union address *own, const union address *peer)
{
	static const int on = 1;
	union address from = *own, to = *peer;
	int fd = socket(to.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	i->sock.fd = fd;
	/* Ports are in the same place in both families. */
	from.in.sin_port = 0;
	to.in.sin_port = htons(IDENT_PORT);
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, &from.sa, address_len(&from)) < 0)
		return -errno;
	if (connect(fd, &to.sa, address_len(&to)) < 0 && errno != EINPROGRESS)
		return -errno;
	return loop_want(i->loop, &i->sock, EPOLLOUT);
}

int ident_new(struct ident **out, struct loop *loop, int client,
              void (*told)(void *arg, const struct ident_answer *a), void *arg)
{
	struct ident *i = calloc(1, sizeof(*i));
	union address own, peer;
	int err;

	if (!i)
		return -ENOMEM;
	i->loop = loop;
	i->told = told;
	i->arg = arg;
	i->sock = (struct watch){ .fd = -1, .ready = ready };
	address_of_socket(&own, client);
	address_of_peer(&peer, client);
	if (own.sa.sa_family == AF_UNSPEC || peer.sa.sa_family != own.sa.sa_family) {
		ident_free(i);
		return -ENOTCONN;
	}
	i->ports.there = ntohs(peer.in.sin_port);
	i->ports.here = ntohs(own.in.sin_port);
	i->ask_len = identline_ask(&i->ports, i->ask);
	err = open_socket(i, &own, &peer);
	if (err < 0)
		ident_free(i);
	else
		*out = i;
	return err;
}

void ident_free(struct ident *i)
{
	if (!i)
		return;
	loop_close(i->loop, &i->sock);
	free(i);
}
