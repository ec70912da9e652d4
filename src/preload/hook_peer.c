/* What a program asks of a connected socket: its own destination, not the proxy. */
#include "real.h"
#include "session.h"
#include "sockets.h"

#include <base/endpoint.h>
#include <errno.h>
#include <string.h>

/* As the kernel hands out addresses: cut where there is no room, the true length told. */
static void hand_out(struct sockaddr *sa, socklen_t *len, socklen_t room, const void *from,
                     socklen_t n)
{
	memcpy(sa, from, n < room ? n : room);
	*len = n;
}

/* What is known of a connected socket; @seen is whom the kernel takes it to be connected to. */
static bool find_note(int fd, const struct sockaddr *seen, socklen_t len, struct socket_note *note)
{
	if (sockets_find(fd, note))
		return note->state == SOCKET_PROXIED;
	return session_may_be_hop(seen, len) && sockets_inherit(fd, note);
}

int hook_getpeername(int fd, struct sockaddr *sa, socklen_t *len)
{
	socklen_t room = len ? *len : 0, n = sizeof(struct sockaddr_storage);
	struct sockaddr_storage seen;
	struct socket_note note;
	int r = real->getpeername(fd, sa, len); /* the kernel judges the arguments and the state */

	if (r < 0 || (sa->sa_family != AF_INET && sa->sa_family != AF_INET6 && room >= sizeof(*sa)))
		return r;
	if (real->getpeername(fd, (struct sockaddr *)&seen, &n) == 0 &&
	    find_note(fd, (struct sockaddr *)&seen, n, &note))
		hand_out(sa, len, room, &note.peer, note.peer_len);
	return r;
}

/*
 * A socket that was swapped for one of another family still shows addresses of the family that the program
 * made; an IPv6 address of ours has no IPv4 form, and is shown as "any".
 */
int hook_getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	socklen_t room = len ? *len : 0, n;
	struct sockaddr_storage ss;
	struct socket_note note;
	struct endpoint ep;
	int r = real->getsockname(fd, sa, len);

	if (r < 0 || !sockets_find(fd, &note) || !note.shown_family)
		return r;
	n = sizeof(ss);
	if (real->getsockname(fd, (struct sockaddr *)&ss, &n) < 0 ||
	    endpoint_from_sockaddr(&ep, (struct sockaddr *)&ss, n) < 0)
		return r;
	n = endpoint_to_sockaddr(&ep, note.shown_family, &ss);
	if (n == 0) {
		endpoint_set_ipv4(&ep, (const uint8_t[4]){ 0 }, ep.port);
		n = endpoint_to_sockaddr(&ep, AF_INET, &ss);
	}
	hand_out(sa, len, room, &ss, n);
	return r;
}
