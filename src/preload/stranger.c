#include "stranger.h"

#include "control.h"
#include "detour.h"
#include "fds.h"
#include "path.h"
#include "real.h"
#include "stray.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define INHERITED_MAX 64 /* descriptors that are looked at: inherited ones have low numbers */

atomic_bool strangers_sought, strangers_any;
static atomic_bool stopped;

/* By its peer: where that is this machine, nothing leaves but by a device. */
static bool has_forbidden_peer(int fd, const struct path_socket *sock, struct path *path)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct endpoint ep;

	if (path_is_tcp(sock) || real->getpeername(fd, (struct sockaddr *)&ss, &len) < 0 ||
	    endpoint_from_sockaddr(&ep, (struct sockaddr *)&ss, len) < 0)
		return false;
	endpoint_unmap(&ep);
	if (endpoint_is_loopback(&ep))
		return stray_has_peer(fd, sock, &ep, path);
	return path_find(path, sock, (struct sockaddr *)&ss, len, false) &&
	       path->route.kind != ROUTE_DIRECT;
}

static void seek_one(int fd)
{
	struct path_socket sock;
	struct fd_entry *e;
	struct path path;

	if (atomic_load_explicit(&stopped, memory_order_relaxed))
		return;
	switch (path_judge(fd, &sock)) {
	case PATH_KERNEL:
		return;
	case PATH_OURS:
		detour_take_away(fd, sock.family);
		if (!has_forbidden_peer(fd, &sock, &path))
			return;
		break;
	case PATH_NOBODY:
		break;
	}
	e = fds_make(fd);
	if (e)
		fds_set(e, FD_STRANGE);
	atomic_store_explicit(&strangers_any, true, memory_order_relaxed);
}

void stranger_stop(void)
{
	/* Those that were there first are looked at while that is still allowed. */
	(void)strangers_are_there();
	atomic_store_explicit(&stopped, true, memory_order_relaxed);
}

void stranger_seek(void)
{
	int saved = errno;

	for (int fd = 0; fd < INHERITED_MAX; fd++)
		seek_one(fd);
	atomic_store_explicit(&strangers_sought, true, memory_order_relaxed);
	errno = saved;
}

void stranger_seek_message(const struct msghdr *msg)
{
	int saved = errno, fd;

	for (const struct cmsghdr *c = NULL; (c = control_next(msg, c));) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at + sizeof(fd) <= c->cmsg_len; at += sizeof(fd)) {
			memcpy(&fd, (const char *)c + at, sizeof(fd));
			seek_one(fd);
		}
	}
	errno = saved;
}

static int judge(int fd, struct fd_entry *e)
{
	struct path_socket sock;
	struct path path;

	switch (path_judge(fd, &sock)) {
	case PATH_KERNEL:
		break;
	case PATH_NOBODY:
		return path_refuse_socket(&sock);
	case PATH_OURS:
		if (!has_forbidden_peer(fd, &sock, &path))
			break;
		path.route.err =
			-EACCES; /* a name server, too: the socket is not at a port of ours */
		return path_refuse(&path);
	}
	fds_clear(e, FD_STRANGE); /* its number is another's now, or it was connected anew */
	return 0;
}

int stranger_judge(int fd)
{
	struct fd_entry *e = fds_find(fd);
	int saved = errno, err;

	if (!fds_has(e, FD_STRANGE | FD_DUPED))
		return 0;
	/* It can't be asked what it is any more: what was strange stays so. */
	if (atomic_load_explicit(&stopped, memory_order_relaxed))
		return fds_has(e, FD_STRANGE) ? -EACCES : 0;
	err = judge(fd, e);
	errno = saved;
	return err;
}
