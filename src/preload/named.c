/*
 * How it works: libc is asked for the name's addresses, and the kernel connects to one after the
 * other within its own time-outs; for a non-blocking socket, which is parked meanwhile, the helper
 * has that done.
 */
#include "named.h"

#include "parking.h"
#include "real.h"
#include "resolve.h"
#include "sockets.h"
#include "stray.h"
#include "swap.h"

#include <base/clock.h>
#include <base/errtext.h>
#include <base/log.h>
#include <errno.h>
#include <fcntl.h>
#include <names/pool.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define ADDRESSES_MAX 16 /* of one name that are tried */

/* A name's addresses for a socket of a family; AF_INET6 here takes IPv4 ones as well. */
static int find_addresses(int fd, const struct path_socket *sock, const struct endpoint *name,
                          int family, bool v6only, struct endpoint *out)
{
	int n, fit = 0;

	n = resolve_name(name, family == AF_INET6 && !v6only ? AF_UNSPEC : family, out,
	                 ADDRESSES_MAX);
	for (int i = 0; i < n; i++)
		/* A placeholder of another session must not be sent anywhere. */
		if (!pool_contains(&out[i]) && !stray_is_address(fd, sock, &out[i]))
			out[fit++] = out[i];
	return fit;
}

static int connect_to(int fd, int family, const struct endpoint *ep)
{
	struct sockaddr_storage ss;
	socklen_t len = endpoint_to_sockaddr(ep, family, &ss);

	return real->connect(fd, (struct sockaddr *)&ss, len) < 0 ? -errno : 0;
}

/* Would another address fare better? Not where the kernel goes on, or judged the socket itself. */
static bool is_final(int err)
{
	return err == 0 || err == -EINPROGRESS || err == -EINTR || err == -EALREADY ||
	       err == -EISCONN || err == -EBADF || err == -ENOTSOCK;
}

/* Sets @used to the one that was tried last. */
static int connect_to_one(int fd, int family, const struct endpoint *list, int n,
                          const struct endpoint **used)
{
	int err = -EHOSTUNREACH, flags = real->fcntl(fd, F_GETFL, 0);

	for (int i = 0; i < n; i++) {
		*used = &list[i];
		err = connect_to(fd, family, &list[i]);
		if (is_final(err) || i + 1 == n || (flags >= 0 && (flags & O_NONBLOCK)))
			break;
		dial_dissolve(&real_sys, fd);
	}
	return err;
}

static bool goes_on(int err)
{
	return err == 0 || err == -EINPROGRESS || err == -EINTR;
}

/*
 * An IPv4 placeholder, of a name that has IPv6 addresses alone: a socket of that family takes the
 * program's place.
 */
static int connect_second(int fd, const struct endpoint *list, int n, const struct endpoint **used)
{
	int flags = real->fcntl(fd, F_GETFL, 0), second, err;

	second = swap_prepare(&real_sys, fd, AF_INET6, IPPROTO_TCP);
	if (second < 0)
		return second;
	if (flags >= 0)
		real->fcntl(second, F_SETFL, flags);
	err = connect_to_one(second, AF_INET6, list, n, used);
	if (goes_on(err)) {
		int placed = swap_replace(&real_sys, fd, second);

		err = placed < 0 ? placed : err;
	}
	real->close(second);
	return err;
}

/* Now, or once the kernel is done with it, the socket is connected to what was asked for. */
static void remember(int fd, const struct path_socket *sock, const struct sockaddr *sa)
{
	struct socket_note note = { .state = SOCKET_CONNECTED, .shown_family = sock->shown_family };

	if (sockets_set_peer(&note, sa))
		sockets_note(fd, &note);
}

/* Returns PARKING_UNABLE where it can't be; the first address is all that it gets then. */
static int connect_parked(int fd, const struct path_socket *sock, const struct path *path,
                          const struct sockaddr *sa, bool v6only)
{
	struct endpoint list[ADDRESSES_MAX];
	/* Those of the other family need another socket, which this way has anyhow. */
	int n = find_addresses(fd, sock, &path->route.dst, AF_INET6, v6only, list);
	const struct parking_aim aim = { .hops = list,
		                         .n_hops = n > 0 ? (size_t)n : 0,
		                         .dst = &path->route.dst,
		                         .deadline_ms = DEADLINE_NEVER };

	return n > 0 ? parking_connect(fd, sock, &aim, sa) : -EHOSTUNREACH;
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
	struct path_socket now = *sock;
	struct endpoint list[ADDRESSES_MAX];
	const struct endpoint *used = NULL, *name = &path->route.dst;
	bool v6only;
	int err, n;

	if (path_tcp_state(fd) != TCP_CLOSE)
		return path_ask_kernel(fd, sock->family);
	v6only = sock->family == AF_INET6 && path_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	if (path_is_nonblocking(fd)) {
		err = connect_parked(fd, sock, path, sa, v6only);
		if (err != PARKING_UNABLE)
			return err;
	}
	n = find_addresses(fd, sock, name, sock->family, v6only, list);
	if (n > 0 || sock->family == AF_INET6) {
		err = connect_to_one(fd, sock->family, list, n, &used);
	} else {
		n = find_addresses(fd, sock, name, AF_INET6, true, list);
		err = n > 0 ? connect_second(fd, list, n, &used) : -EHOSTUNREACH;
		now.shown_family = AF_INET;
	}
	tell(path, used, err);
	if (goes_on(err))
		remember(fd, &now, sa);
	return err;
}
