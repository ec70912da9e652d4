/*
 * How it works: libc is asked for the name's addresses, and the kernel connects to one after the
 * other within its own time-outs. A non-blocking socket gets the first that it can reach, since
 * what comes of it shows only later.
 */
#include "named.h"

#include "real.h"
#include "resolve.h"
#include "sockets.h"

#include <base/errtext.h>
#include <base/log.h>
#include <errno.h>
#include <fcntl.h>
#include <names/pool.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define ADDRESSES_MAX 16 /* of one name that are tried */

/*
 * A socket that is in use already: the kernel's word on that, whatever the address. It gets one
 * that leads nowhere.
 */
static int connect_used(int fd, const struct path_socket *sock)
{
	const struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	const struct sockaddr_in v4 = { .sin_family = AF_INET,
		                        .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int r = sock->family == AF_INET6
	                ? real->connect(fd, (const struct sockaddr *)&v6, sizeof(v6))
	                : real->connect(fd, (const struct sockaddr *)&v4, sizeof(v4));

	return r < 0 ? -errno : 0;
}

/* Which of a name's addresses the socket can be connected to. */
static int find_addresses(int fd, const struct path_socket *sock, const struct endpoint *name,
                          struct endpoint *out)
{
	int family = sock->family, n, fit = 0;

	if (family == AF_INET6 && !path_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0))
		family = AF_UNSPEC;
	n = resolve_name(name, family, out, ADDRESSES_MAX);
	for (int i = 0; i < n; i++)
		/* A placeholder of another session must not be sent anywhere. */
		if (!pool_contains(&out[i]))
			out[fit++] = out[i];
	return fit;
}

static int connect_to(int fd, const struct path_socket *sock, const struct endpoint *ep)
{
	struct sockaddr_storage ss;
	socklen_t len = endpoint_to_sockaddr(ep, sock->family, &ss);

	return real->connect(fd, (struct sockaddr *)&ss, len) < 0 ? -errno : 0;
}

/* Would another address fare better? Not where the kernel goes on, or judged the socket itself. */
static bool is_final(int err)
{
	return err == 0 || err == -EINPROGRESS || err == -EINTR || err == -EALREADY ||
	       err == -EISCONN || err == -EBADF || err == -ENOTSOCK;
}

/* Now, or once the kernel is done with it, the socket is connected to what was asked for. */
static void remember(int fd, const struct path_socket *sock, const struct sockaddr *sa)
{
	struct socket_note note = { .state = SOCKET_CONNECTED, .shown_family = sock->shown_family };

	if (sockets_set_peer(&note, sa))
		sockets_note(fd, &note);
}

static void tell(const struct path *path, const struct endpoint *at, int err)
{
	char rule[PATH_RULE_MAX];

	if (!log_enabled(LOG_LEVEL_DEBUG))
		return;
	log_debug("%s[%d]: %s direct at %s: %s: %s", program_invocation_short_name, (int)getpid(),
	          ENDPOINT_TEXT(&path->route.dst), at ? ENDPOINT_TEXT(at) : "no address",
	          path_reason(path, rule, sizeof(rule)), err_text(err));
}

int named_connect(int fd, const struct path_socket *sock, const struct path *path,
                  const struct sockaddr *sa)
{
	struct endpoint list[ADDRESSES_MAX];
	int err = -EHOSTUNREACH, flags = real->fcntl(fd, F_GETFL, 0), n, i;

	if (path_tcp_state(fd) != TCP_CLOSE)
		return connect_used(fd, sock);
	n = find_addresses(fd, sock, &path->route.dst, list);
	for (i = 0; i < n; i++) {
		err = connect_to(fd, sock, &list[i]);
		if (is_final(err) || i + 1 == n || (flags >= 0 && (flags & O_NONBLOCK)))
			break;
		dial_dissolve(&real_sys, fd);
	}
	tell(path, n > 0 ? &list[i] : NULL, err);
	if (err == 0 || err == -EINPROGRESS || err == -EINTR)
		remember(fd, sock, sa);
	return err;
}
