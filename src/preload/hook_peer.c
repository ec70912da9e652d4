/*
 * What a program asks of a connected socket: it is shown its own destination, not the proxy, nor a
 * port of ours.
 */
#include "pointed.h"
#include "probe.h"
#include "real.h"
#include "session.h"
#include "sockets.h"
#include "waiting.h"

#include <base/endpoint.h>
#include <errno.h>
#include <string.h>

/* As the kernel hands out addresses: cut where there is no room, the true length told. */
static void hand_out(struct sockaddr *sa, socklen_t *len, socklen_t room, const void *from,
                     socklen_t n)
{
	if (room > 0)
		memcpy(sa, from, n < room ? n : room);
	*len = n;
}

/*
 * What is known of a socket that the kernel takes to be connected to @seen. Only what may be our
 * connect's doing is looked up: all else is passed on without a lock.
 */
static bool find_note(int fd, const struct sockaddr *seen, socklen_t len, struct socket_note *note)
{
	if (!session_may_be_hop(seen, len) && !session_may_be_named(seen, len) &&
	    !probe_may_be(seen, len))
		return false;
	if (sockets_find(fd, note))
		return note->state == SOCKET_CONNECTED || probe_is_noted(note, seen, len);
	if (!sockets_inherit(fd, note))
		return false;
	if (note->state == SOCKET_CONNECTED)
		return true;
	if (!probe_is_noted(note, seen, len))
		return false;
	probe_adopt(fd);
	return true;
}

static bool has_port(const struct sockaddr_storage *ss)
{
	struct endpoint ep;

	return endpoint_from_sockaddr(&ep, (const struct sockaddr *)ss, sizeof(*ss)) == 0 &&
	       ep.port != 0;
}

int hook_getpeername(int fd, struct sockaddr *sa, socklen_t *len)
{
	socklen_t room = len ? *len : 0, n = sizeof(struct sockaddr_storage);
	int saved = errno,
	    r = real->getpeername(fd, sa, len); /* the kernel judges arguments and state */
	struct socket_note note = { .state = SOCKET_IDLE };
	struct sockaddr_storage seen;
	bool ours;

	ours = r == 0 && real->getpeername(fd, (struct sockaddr *)&seen, &n) == 0 &&
	       (ports_remote((struct sockaddr *)&seen, n, &note.peer, &note.peer_len) ||
	        find_note(fd, (struct sockaddr *)&seen, n, &note));
	if (ours && note.state == SOCKET_REFUSED && !has_port(&note.peer)) {
		*len = room;
		errno = ENOTCONN; /* to the kernel port 0 is nobody */
		return -1;
	}
	if (ours)
		hand_out(sa, len, room, &note.peer, note.peer_len);
	if (r == 0)
		errno = saved;
	return r;
}

/*
 * A socket that was swapped for one of another family still shows addresses of the family that the
 * program made; an IPv6 address of ours has no IPv4 form, and is shown as "any".
 */
static socklen_t shown_name(int fd, int family, struct sockaddr_storage *ss)
{
	socklen_t n = sizeof(*ss);
	struct endpoint ep;

	if (real->getsockname(fd, (struct sockaddr *)ss, &n) < 0 ||
	    endpoint_from_sockaddr(&ep, (struct sockaddr *)ss, n) < 0)
		return 0;
	n = endpoint_to_sockaddr(&ep, family, ss);
	if (n > 0)
		return n;
	endpoint_set_ipv4(&ep, (const uint8_t[4]){ 0 }, ep.port);
	return endpoint_to_sockaddr(&ep, AF_INET, ss);
}

int hook_getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	socklen_t room = len ? *len : 0, n = sizeof(struct sockaddr_storage);
	int saved = errno, r;
	struct sockaddr_storage ss;
	struct socket_note note;

	if (waiting_has(fd) && waiting_getsockname(fd, sa, len, &r))
		return r;
	r = real->getsockname(fd, sa, len);
	if (r == 0 && real->getpeername(fd, (struct sockaddr *)&ss, &n) == 0 &&
	    find_note(fd, (struct sockaddr *)&ss, n, &note) && note.shown_family) {
		n = shown_name(fd, note.shown_family, &ss);
		if (n > 0)
			hand_out(sa, len, room, &ss, n);
	}
	if (r == 0)
		errno = saved;
	return r;
}
