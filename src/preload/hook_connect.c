/*
 * connect(): the kernel judges what is not ours (other families, bad arguments, the socket's own
 * state), the path says who goes where, and an attempt brings the socket through the proxy.
 */
#include "attempt.h"
#include "audit.h"
#include "detour.h"
#include "named.h"
#include "pointed.h"
#include "probe.h"
#include "real.h"
#include "sockets.h"
#include "stray.h"
#include "waiting.h"

#include <base/log.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

/* Past the proxy. A socket that was once swapped needs the address in its present family. */
static int connect_direct(int fd, const struct path_socket *sock, const struct path *path,
                          const struct sockaddr *sa, socklen_t len)
{
	struct sockaddr_storage ss;
	char rule[PATH_RULE_MAX];

	audit_direct(path);
	if (path->route.dst.kind == ENDPOINT_NAME)
		return named_connect(fd, sock, path, sa);
	if (log_enabled(LOG_LEVEL_DEBUG))
		log_debug("%s[%d]: %s direct: %s", program_invocation_short_name, (int)getpid(),
		          ENDPOINT_TEXT(&path->route.dst), path_reason(path, rule, sizeof(rule)));
	if (sock->shown_family) {
		len = endpoint_to_sockaddr(&path->route.dst, sock->family, &ss);
		sa = (struct sockaddr *)&ss;
	}
	return real->connect(fd, sa, len) < 0 ? -errno : 0;
}

/* Of an AF_INET or AF_INET6 socket, to an address of one of them. @may_wait: path.h */
static int connect_on_path(int fd, const struct path_socket *sock, const struct sockaddr *sa,
                           socklen_t len, bool may_wait)
{
	struct path path;

	if (path_is_misfit(fd, sock, sa) || !path_find(&path, sock, sa, len, may_wait))
		return real->connect(fd, sa, len) < 0 ? -errno : 0;
	switch (path.route.kind) {
	case ROUTE_DIRECT:
		detour_take_away(fd, sock->family);
		if (stray_is(fd, sock, &path))
			return path_refuse(&path);
		return connect_direct(fd, sock, &path, sa, len);
	case ROUTE_REFUSE:
		return path.may_probe ? probe_connect(fd, sock, &path, sa, len)
		                      : path_refuse(&path);
	case ROUTE_ANSWER:
		return pointed_connect(fd, sock, &path, sa, len);
	case ROUTE_PROXY:
		detour_take_away(fd, sock->family);
		if (stray_is_proxy(fd, &path))
			return path_refuse(&path);
		break;
	}
	return attempt_connect(fd, sock, &path, sa);
}

static int connect_inet(int fd, const struct path_socket *sock, const struct sockaddr *sa,
                        socklen_t len)
{
	int err = connect_on_path(fd, sock, sa, len, !path_is_nonblocking(fd));

	return err == ATTEMPT_UNRESOLVED ? connect_on_path(fd, sock, sa, len, true) : err;
}

static int dissolve(int fd, const struct sockaddr *sa, socklen_t len)
{
	waiting_dissolve(fd);
	if (real->connect(fd, sa, len) < 0)
		return -errno;
	sockets_forget(fd);
	return 0;
}

/*
 * Of a connect() that failed meanwhile. The first to ask is told how; the kernel, which knows of a
 * refusal alone, says whether anybody asked before.
 */
static bool tell_failure(int fd, int family, const struct socket_note *note, int *err)
{
	sockets_forget(fd);
	*err = path_ask_kernel(fd, family) == -ECONNREFUSED ? note->err : 0;
	return *err < 0;
}

/* Of one that was refused before: it stays so where this fails, since the kernel keeps its peer. */
static int connect_anew(int fd, const struct path_socket *sock, const struct socket_note *note,
                        const struct sockaddr *sa, socklen_t len)
{
	int err;

	sockets_forget(fd);
	err = connect_inet(fd, sock, sa, len);
	if (err < 0)
		sockets_note(fd, note);
	return err;
}

/* TCP and UDP take no others, and say so. */
static bool is_ours(const struct sockaddr *sa)
{
	return sa->sa_family == AF_INET || sa->sa_family == AF_INET6 || sa->sa_family == AF_UNSPEC;
}

/* As connect(2), but for errno: 0 or its negative. */
static int connect_judged(int fd, const struct sockaddr *sa, socklen_t len)
{
	struct path_socket sock;
	struct socket_note note;
	int err;

	switch (path_judge(fd, &sock)) {
	case PATH_KERNEL:
		return real->connect(fd, sa, len) < 0 ? -errno : 0;
	case PATH_NOBODY:
		if (sa->sa_family == AF_UNSPEC) /* to nobody */
			return real->connect(fd, sa, len) < 0 ? -errno : 0;
		return path_refuse_socket(&sock);
	case PATH_OURS:
		break;
	}
	if (!is_ours(sa))
		return real->connect(fd, sa, len) < 0 ? -errno : 0;
	if (sa->sa_family == AF_UNSPEC)
		return dissolve(fd, sa, len);
	if (waiting_again(fd, &err))
		return err;
	if (!sockets_find(fd, &note))
		return connect_inet(fd, &sock, sa, len);
	sock.shown_family = note.shown_family;
	if (note.state == SOCKET_REFUSED)
		return connect_anew(fd, &sock, &note, sa, len);
	if (note.state == SOCKET_GIVEN_UP)
		sockets_forget(fd);
	if (note.state == SOCKET_FAILED && tell_failure(fd, sock.family, &note, &err))
		return err;
	/* One that failed past the proxy, by name; or was shut down while it was parked. */
	if ((note.state == SOCKET_CONNECTED || note.state == SOCKET_CONNECTING) &&
	    path_tcp_state(fd) == TCP_CLOSE)
		sockets_forget(fd);
	return connect_inet(fd, &sock, sa, len);
}

int hook_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	int saved = errno;
	int err;

	/* No socket that leads elsewhere takes these two. */
	if (!sa || len < sizeof(sa->sa_family) || sa->sa_family == AF_UNIX ||
	    sa->sa_family == AF_NETLINK)
		return real->connect(fd, sa, len);
	err = connect_judged(fd, sa, len);
	errno = err < 0 ? -err : saved;
	return err < 0 ? -1 : 0;
}
