/*
 * Sends that carry an address of their own. MSG_FASTOPEN connects and sends in one call, a door
 * beside connect(): it is made a connect and a send. A datagram to what is not direct is refused.
 */
#include "path.h"
#include "real.h"

#include <errno.h>

/*
 * May this send go on as it is, but for MSG_FASTOPEN? 0, or a negative errno. @sa is not NULL:
 * without an address it goes to the socket's own peer, whom connect() has judged.
 */
static int admit(int fd, const struct sockaddr *sa, socklen_t len, int flags)
{
	struct path_socket sock;
	struct path path;

	if (len < sizeof(sa->sa_family) ||
	    (sa->sa_family != AF_INET && sa->sa_family != AF_INET6 && sa->sa_family != AF_UNSPEC))
		return 0;
	switch (path_judge(fd, sa->sa_family, &sock)) {
	case PATH_KERNEL:
		return 0;
	case PATH_NOBODY:
		return -EACCES;
	case PATH_OURS:
		break;
	}
	if (path_is_tcp(&sock)) {
		/* TCP pays no heed to the address but for MSG_FASTOPEN. */
		if (!(flags & MSG_FASTOPEN))
			return 0;
		if (sa->sa_family == AF_UNSPEC)
			return -EOPNOTSUPP; /* as the kernel; connect() would cut the connection */
		return hook_connect(fd, sa, len) < 0 ? -errno : 0;
	}
	if (!path_find(&path, &sock, sa, len, true))
		return 0;
	return path.route.kind == ROUTE_REFUSE ? path_refuse(&path) : 0;
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
