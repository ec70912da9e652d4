/* Options that would open a door beside connect(), and the one that tells how a connect() ended. */
#include "hook_connect.h"
#include "path.h"
#include "real.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

int hook_setsockopt(int fd, int level, int name, const void *val, socklen_t len)
{
	int present;

	/*
	 * TCP_FASTOPEN_CONNECT puts the SYN off until the first send, which is then our handshake's
	 * own: slower, and not taken by every proxy. It promises nothing that a program could miss.
	 */
	if (level == IPPROTO_TCP && name == TCP_FASTOPEN_CONNECT) /* the kernel judges fd */
		return real->getsockopt(fd, level, name, &present, &(socklen_t){ sizeof(present) });
	return real->setsockopt(fd, level, name, val, len);
}

/*
 * A program whose blocking connect() was interrupted polls and then asks SO_ERROR (Python does, by
 * PEP 475). By then the kernel's own connect would have ended; ours is carried out now. The socket
 * polls as ready until then, which it may.
 */
int hook_getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	int r = real->getsockopt(fd, level, name, val, len); /* the kernel judges the arguments */
	int saved = errno, err;
	struct socket_note note;

	if (level != SOL_SOCKET || name != SO_ERROR || r < 0)
		return r;
	if (!sockets_find(fd, &note) || note.state != SOCKET_INTERRUPTED)
		return r;
	err = -connect_late(fd, &note);
	memcpy(val, &err, *len < sizeof(err) ? *len : sizeof(err));
	errno = saved;
	return r;
}
