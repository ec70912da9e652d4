/*
 * How it works: the socket is in truth connected to its own address, at the discard port, where
 * nobody answers: write(), which is not hooked, sends nothing further than that, and hears
 * ECONNREFUSED in most places. The hooks of the other sends look at the note of sockets.h. Which
 * descriptors may be such is kept in their entries (fds.h): where one is missed, it is as with
 * write().
 */
#include "probe.h"

#include "fds.h"
#include "leash.h"
#include "real.h"
#include "source.h"

#include <base/log.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

atomic_bool probes_any;

/* For one that has its own address, and can have no other. */
static int connect_to_loopback(int fd, const union address *source)
{
	static const uint8_t v4[4] = { 127, 0, 0, 1 };
	struct endpoint ep;
	union address at;
	socklen_t len;

	if (endpoint_from_sockaddr(&ep, &source->sa, sizeof(*source)) < 0)
		return -EACCES;
	endpoint_unmap(&ep);
	if (ep.kind == ENDPOINT_IPV4)
		endpoint_set_ipv4(&ep, v4, SOURCE_DISCARD_PORT);
	else
		endpoint_set_ipv6(&ep, in6addr_loopback.s6_addr, SOURCE_DISCARD_PORT);
	len = endpoint_to_sockaddr(&ep, source->sa.sa_family, &at.ss);
	return real->connect(fd, &at.sa, len) < 0 ? -errno : 0;
}

/* As the kernel shows it: in the socket's family. */
static bool note_peer(struct socket_note *note, int family, const struct sockaddr *sa,
                      socklen_t len)
{
	struct endpoint ep;

	if (endpoint_from_sockaddr(&ep, sa, len) < 0)
		return false;
	note->peer_len = endpoint_to_sockaddr(&ep, family, &note->peer);
	return note->peer_len > 0;
}

static void tell(const struct path *path)
{
	if (log_enabled(LOG_LEVEL_DEBUG))
		log_debug("%s[%d]: %s is told where it would be sent from; sends are refused: %s",
		          program_invocation_short_name, (int)getpid(),
		          ENDPOINT_TEXT(&path->route.dst), path->route.why);
}

int probe_connect(int fd, const struct path_socket *sock, struct path *path,
                  const struct sockaddr *sa, socklen_t len)
{
	struct socket_note note = { .state = SOCKET_REFUSED };
	union address source;
	int err;

	if (!note_peer(&note, sock->family, sa, len))
		return path_refuse(path);
	err = source_find(fd, sock, sa, len, &source);
	if (err == -EACCES) /* a broadcast */
		return path_refuse(path);
	if (err == 0)
		err = leash_put_on(fd, sock, true);
	if (err == 0 && !source_take(fd, &source))
		err = connect_to_loopback(fd, &source);
	if (err < 0)
		return err;
	sockets_note(fd, &note);
	probe_adopt(fd);
	tell(path);
	return 0;
}

void probe_adopt(int fd)
{
	struct fd_entry *e = fds_make(fd);

	if (e)
		fds_set(e, FD_REFUSED);
	atomic_store_explicit(&probes_any, true, memory_order_relaxed);
}

bool probe_may_be(const struct sockaddr *seen, socklen_t len)
{
	struct endpoint ep;

	return endpoint_from_sockaddr(&ep, seen, len) == 0 && ep.port == SOURCE_DISCARD_PORT;
}

/* It may have been connected elsewhere behind our back, by another program that has it. */
bool probe_is_noted(const struct socket_note *note, const struct sockaddr *seen, socklen_t len)
{
	return note->state == SOCKET_REFUSED && probe_may_be(seen, len);
}

static bool find(int fd, struct socket_note *note)
{
	struct fd_entry *e = fds_find(fd);
	socklen_t len = sizeof(union address);
	union address seen;

	if (!fds_has(e, FD_REFUSED | FD_DUPED))
		return false;
	if (sockets_find(fd, note) && note->state == SOCKET_REFUSED &&
	    real->getpeername(fd, &seen.sa, &len) == 0 && probe_is_noted(note, &seen.sa, len))
		return true;
	fds_clear(e, FD_REFUSED); /* its number is another's now */
	return false;
}

bool probe_has(int fd)
{
	struct socket_note note;
	int saved = errno;
	bool has = probes_are_there() && find(fd, &note);

	errno = saved;
	return has;
}

/* An IPv6 socket takes an address without a family for none at all. */
static bool is_to_peer(const struct sockaddr *sa, socklen_t len, const struct socket_note *note)
{
	return !sa || len < sizeof(sa->sa_family) ||
	       (sa->sa_family == AF_UNSPEC && note->peer.ss_family == AF_INET6);
}

/* By what is known of the destination now. */
static int refuse(int fd, const struct socket_note *note)
{
	const struct sockaddr *peer = (const struct sockaddr *)&note->peer;
	struct path_socket sock;
	struct path path;

	if (path_judge(fd, &sock) == PATH_OURS &&
	    path_find(&path, &sock, peer, note->peer_len, true) && path.route.kind == ROUTE_REFUSE)
		return path_refuse(&path);
	return -EACCES;
}

int probe_judge_send(int fd, const struct sockaddr *sa, socklen_t len)
{
	struct socket_note note;
	int saved = errno, err = 0;

	if (!probes_are_there() ||
	    (sa && len >= sizeof(sa->sa_family) && sa->sa_family != AF_UNSPEC))
		return 0;
	if (find(fd, &note) && is_to_peer(sa, len, &note))
		err = refuse(fd, &note);
	errno = saved;
	return err;
}
