/*
 * How it works: a socket is first given the address that it would send to the name server from, a
 * datagram one by connect(), a stream one by bind(), then connected to the port: so the kernel
 * itself tells a true getsockname(), and undoes it with connect(AF_UNSPEC), but for bind(). At no
 * time is the socket connected to anything outside, where another thread's send would go.
 */
#include "pointed.h"

#include "leash.h"
#include "real.h"
#include "source.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

static int find_port(int fd, const struct path_socket *sock, const struct path *path,
                     struct sockaddr_storage *to, socklen_t *len)
{
	bool v6only = sock->family == AF_INET6 && path_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);

	return ports_find(&path->route.dst, sock->type, sock->family, v6only, to, len);
}

static int put_on_leash(int fd, const struct path_socket *sock, struct path *path, bool dissolve)
{
	int err = leash_put_on(fd, sock, dissolve);

	if (err == 0)
		return 0;
	path->route.err = err;
	path->route.why = "its socket is bound to a device or marked, and can't be freed";
	return path_refuse(path);
}

/* Loopback is what the kernel chooses anyway; an IPv6 address can't reach a port at 127.0.0.1. */
static void bind_at(int fd, const union address *source, const union address *port)
{
	struct endpoint from, to;

	if (endpoint_from_sockaddr(&from, &source->sa, sizeof(*source)) < 0 ||
	    endpoint_from_sockaddr(&to, &port->sa, sizeof(*port)) < 0)
		return;
	endpoint_unmap(&from);
	endpoint_unmap(&to);
	if (!endpoint_is_loopback(&from) && from.kind == to.kind)
		source_bind(fd, source);
}

int pointed_connect(int fd, const struct path_socket *sock, struct path *path,
                    const struct sockaddr *sa, socklen_t len)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };
	bool udp = sock->type == SOCK_DGRAM, in_use = !udp && path_tcp_state(fd) != TCP_CLOSE;
	union address port, source;
	socklen_t port_len;
	bool took = false;
	int err = find_port(fd, sock, path, &port.ss, &port_len), no_source = -ENETUNREACH;

	if (err < 0)
		return err;
	if (!in_use)
		no_source = source_find(fd, sock, sa, len, &source);
	if (no_source == -EINVAL || no_source == -EAFNOSUPPORT)
		return no_source; /* the address itself won't do */
	if (!in_use)
		err = put_on_leash(fd, sock, path, true);
	if (err < 0)
		return err;
	if (no_source == 0 && !source_has_scope(&source) && udp)
		took = source_take(fd, &source);
	else if (no_source == 0 && !in_use)
		bind_at(fd, &source, &port);
	if (real->connect(fd, &port.sa, port_len) == 0)
		return 0;
	if (took) /* an IPv6 one, and the port is at 127.0.0.1 */
		real->connect(fd, &none, sizeof(none));
	if (took && real->connect(fd, &port.sa, port_len) == 0)
		return 0;
	return -errno;
}

int pointed_target(int fd, const struct path_socket *sock, struct path *path,
                   struct sockaddr_storage *to, socklen_t *len)
{
	int err = find_port(fd, sock, path, to, len);

	return err < 0 ? err : put_on_leash(fd, sock, path, false);
}

bool pointed_has(int fd)
{
	union address peer, remote;
	socklen_t len = sizeof(peer), remote_len;
	int saved = errno;
	bool has;

	has = real->getpeername(fd, &peer.sa, &len) == 0 &&
	      ports_remote(&peer.sa, len, &remote.ss, &remote_len);
	errno = saved;
	return has;
}

void pointed_wake(int fd)
{
	int saved = errno;

	if (!ports_may_wake() || !pointed_has(fd))
		return;
	ports_wake();
	errno = saved;
}

/* The kernel had no room for all of it: which of our forms begins like that? */
static bool show_cut(struct sockaddr *sa, socklen_t *len, socklen_t room)
{
	union address forms[] = {
		{ .in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } } },
		{ .in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT } },
		{ .in6 = { .sin6_family = AF_INET6 } },
	};
	const uint8_t mapped[16] = { [10] = 0xff, 0xff, 127, 0, 0, 1 };
	union address remote;
	socklen_t n;

	memcpy(&forms[2].in6.sin6_addr, mapped, sizeof(mapped));
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		socklen_t whole = forms[i].sa.sa_family == AF_INET ? sizeof(forms[i].in)
		                                                   : sizeof(forms[i].in6);

		memcpy(&forms[i].in.sin_port, (char *)sa + offsetof(struct sockaddr_in, sin_port),
		       sizeof(in_port_t));
		if (*len != whole || memcmp(&forms[i], sa, room) != 0 ||
		    !ports_remote(&forms[i].sa, whole, &remote.ss, &n))
			continue;
		memcpy(sa, &remote, n < room ? n : room);
		*len = n;
		return true;
	}
	return false;
}

void pointed_show(struct sockaddr *sa, socklen_t *len, socklen_t room)
{
	union address remote;
	socklen_t n;

	if (*len > room) {
		if (room >= offsetof(struct sockaddr_in, sin_addr))
			show_cut(sa, len, room);
	} else if (ports_remote(sa, *len, &remote.ss, &n)) {
		memcpy(sa, &remote, n < room ? n : room);
		*len = n;
	}
}
