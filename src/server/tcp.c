#include "tcp.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#define KEEP_IDLE_S 300 /* most NATs and firewalls remember a silent connection longer */

void tcp_set_options(int fd)
{
	static const int on = 1, idle = KEEP_IDLE_S;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
}

/* Does an errno of accept(2) tell of one peer that is gone, and not of a state that lasts. */
static bool is_one_peers(int err)
{
	switch (err) {
	case EINTR:
	case ECONNABORTED:
	case EPROTO:
	case ENOPROTOOPT:
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENONET:
		return true;
	default:
		return false;
	}
}

int tcp_accept(int listener, union address *from)
{
	socklen_t len;
	int fd;

	do {
		len = sizeof(*from);
		memset(from, 0, sizeof(*from));
		fd = accept4(listener, &from->sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	} while (fd < 0 && is_one_peers(errno));
	return fd < 0 ? -errno : fd;
}

void tcp_reset_on_close(int fd)
{
	static const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

bool tcp_is_own_peer(const union address *own, const union address *peer)
{
	struct endpoint a, b;

	/* The port is in the same place in both families. */
	if (own->in.sin_port != peer->in.sin_port)
		return false;
	address_to_endpoint(own, &a);
	address_to_endpoint(peer, &b);
	return endpoint_equal(&a, &b);
}
