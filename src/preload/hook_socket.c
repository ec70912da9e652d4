/*
 * socket() and socketpair(): those kinds alone that can't leave this machine, or whose destinations
 * are judged when they are named.
 */
#include "kind.h"
#include "real.h"

#include <errno.h>
#include <stdbool.h>

/*
 * What no kernel makes is left to it, for its errno's sake. One that makes it all the same is newer
 * than this library.
 */
static int refuse(int family, int type, int protocol, int *made, int n)
{
	for (int i = 0; i < n; i++)
		real->close(made[i]);
	errno = -kind_refuse(family, type, protocol);
	return -1;
}

int hook_socket(int family, int type, int protocol)
{
	int fd;

	switch (kind_judge(family, type, protocol)) {
	case KIND_ADMITTED:
		break;
	case KIND_IMPOSSIBLE:
		fd = real->socket(family, type, protocol);
		return fd < 0 ? fd : refuse(family, type, protocol, &fd, 1);
	case KIND_REFUSED:
		return refuse(family, type, protocol, NULL, 0);
	}
	return real->socket(family, type, protocol);
}

/* TIPC has pairs, too. */
int hook_socketpair(int family, int type, int protocol, int fds[2])
{
	int pair[2];

	switch (kind_judge(family, type, protocol)) {
	case KIND_ADMITTED:
		break;
	case KIND_IMPOSSIBLE:
		return real->socketpair(family, type, protocol, pair) < 0
		               ? -1
		               : refuse(family, type, protocol, pair, 2);
	case KIND_REFUSED:
		return refuse(family, type, protocol, NULL, 0);
	}
	return real->socketpair(family, type, protocol, fds);
}
