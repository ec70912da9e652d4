/*
 * Sends that carry an address of their own. MSG_FASTOPEN connects and sends in one call, a door beside
 * connect(): it is made a connect and a send. A datagram to what is not direct is refused.
 */
#include "path.h"
#include "real.h"

#include <errno.h>
#include <netinet/in.h>

static bool is_inet(const struct sockaddr *sa, socklen_t len)
{
	return sa && len >= sizeof(sa->sa_family) &&
	       (sa->sa_family == AF_INET || sa->sa_family == AF_INET6);
}

/*
 * May this send go on as it is, but for MSG_FASTOPEN? 0, or a negative errno.
 * @sa may be NULL: the socket's own peer then, whom connect() has judged.
 */
static int admit(int fd, const struct sockaddr *sa, socklen_t len, int flags)
{
	struct path p;
	int family;

	if (!is_inet(sa, len))
		return 0;
	family = path_option(fd, SOL_SOCKET, SO_DOMAIN, -1);
	if (family != AF_INET && family != AF_INET6)
		return 0;
	if (path_is_tcp(fd)) {
		if (!(flags & MSG_FASTOPEN))
			return 0; /* TCP pays no heed to the address */
		return hook_connect(fd, sa, len) < 0 ? -errno : 0;
	}
	if (!path_find(&p, sa, len))
		return 0;
	path_refuse_untunnelled(&p);
	return p.route.kind == ROUTE_REFUSE ? path_refuse(&p) : 0;
}

ssize_t hook_sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *sa,
                    socklen_t len)
{
	int saved = errno;
	int err = sa ? admit(fd, sa, len, flags) : 0;

	errno = err < 0 ? -err : saved;
	if (err < 0)
		return -1;
	return real->sendto(fd, buf, n, flags & ~MSG_FASTOPEN, sa, len);
}

ssize_t hook_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	int saved = errno;
	int err = msg && msg->msg_name ? admit(fd, msg->msg_name, msg->msg_namelen, flags) : 0;

	errno = err < 0 ? -err : saved;
	if (err < 0)
		return -1;
	return real->sendmsg(fd, msg, flags & ~MSG_FASTOPEN);
}

int hook_sendmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags)
{
	int saved = errno;
	unsigned ok = 0;

	/* Those before the first that is refused are sent, as the kernel does with errors. */
	for (; vec && ok < n; ok++) {
		struct msghdr *msg = &vec[ok].msg_hdr;
		int err = msg->msg_name ? admit(fd, msg->msg_name, msg->msg_namelen, flags) : 0;

		if (err == 0)
			continue;
		if (ok == 0) {
			errno = -err;
			return -1;
		}
		break;
	}
	errno = saved;
	return real->sendmmsg(fd, vec, vec ? ok : n, flags & ~MSG_FASTOPEN);
}
