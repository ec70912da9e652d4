/* Options that would open a door beside connect(), and the one that tells how a connect() ended. */
#include "detour.h"
#include "leash.h"
#include "membership.h"
#include "path.h"
#include "pointed.h"
#include "probe.h"
#include "real.h"
#include "sockets.h"
#include "stray.h"
#include "waiting.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

static bool is_internet(int fd)
{
	struct path_socket sock;

	return path_judge(fd, &sock) == PATH_OURS;
}

static bool is_tcp(int fd)
{
	struct path_socket sock;

	return path_judge(fd, &sock) == PATH_OURS && path_is_tcp(&sock);
}

/* It makes an SMC socket of a TCP one. */
static bool is_smc(int level, int name, const void *val, socklen_t len)
{
	return level == IPPROTO_TCP && name == TCP_ULP && val && len >= 3 &&
	       memcmp(val, "smc", 3) == 0;
}

/* 0, or a negative errno: it must not be set. */
static int judge(int fd, int level, int name, const void *val, socklen_t len)
{
	if (detour_is_option(level, name, val, len) && is_internet(fd))
		return detour_refuse();
	if (is_smc(level, name, val, len) && is_tcp(fd))
		return -ENOENT; /* as where the kernel has none */
	return membership_judge(fd, level, name, val, len);
}

int hook_setsockopt(int fd, int level, int name, const void *val, socklen_t len)
{
	int present, r, err = judge(fd, level, name, val, len);

	if (err < 0) {
		errno = -err;
		return -1;
	}

	/*
	 * TCP_FASTOPEN_CONNECT puts the SYN off until the first send, which is then our handshake's
	 * own: slower, and not taken by every proxy. It promises nothing that a program could miss.
	 */
	if (level == IPPROTO_TCP && name == TCP_FASTOPEN_CONNECT) /* the kernel judges fd */
		return real->getsockopt(fd, level, name, &present, &(socklen_t){ sizeof(present) });
	/*
	 * Not for a socket that is pointed at a port of ours, or at nobody: its packets have one
	 * way alone.
	 */
	if ((ports_are_used() || probes_are_there()) && leash_is_cut_by(level, name) &&
	    (pointed_has(fd) || probe_has(fd)))
		return 0;
	if (waiting_has(fd) && waiting_setsockopt(fd, level, name, val, len, &r))
		return r;
	err = stray_judge_option(fd, level, name, val, len);
	if (err < 0) {
		errno = -err;
		return -1;
	}
	return real->setsockopt(fd, level, name, val, len);
}

/* How a connect() ended, where the kernel does not know: told once, as the kernel does. */
static int tell_outcome(int fd, int err)
{
	struct socket_note note;

	if (!sockets_find(fd, &note))
		return err;
	if (note.state == SOCKET_FAILED && err == ECONNREFUSED)
		return -note.err;
	if (note.state != SOCKET_GIVEN_UP)
		return err;
	sockets_forget(fd);
	return ECONNABORTED;
}

int hook_getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	int r, saved, err = 0;

	if (waiting_has(fd) && waiting_getsockopt(fd, level, name, val, len, &r))
		return r;
	r = real->getsockopt(fd, level, name, val, len); /* the kernel judges the arguments */
	if (level != SOL_SOCKET || name != SO_ERROR || r < 0)
		return r;
	saved = errno;
	memcpy(&err, val, *len < sizeof(err) ? *len : sizeof(err));
	err = tell_outcome(fd, err);
	memcpy(val, &err, *len < sizeof(err) ? *len : sizeof(err));
	errno = saved;
	return r;
}
