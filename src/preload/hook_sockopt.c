/* Options that would open a door beside connect(). */
#include "path.h"
#include "real.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

int hook_setsockopt(int fd, int level, int name, const void *val, socklen_t len)
{
	/*
	 * TCP_FASTOPEN_CONNECT delays the SYN until the first send, so that our handshake's greeting would
	 * travel in it: slower, and refused by many proxies. It promises nothing that a program could miss.
	 */
	if (level == IPPROTO_TCP && name == TCP_FASTOPEN_CONNECT && path_is_tcp(fd))
		return 0;
	return real->setsockopt(fd, level, name, val, len);
}
