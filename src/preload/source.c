#include "source.h"

#include "real.h"

#include <errno.h>
#include <net/if.h>

static void copy_device(int from, int to)
{
	char device[IFNAMSIZ];
	socklen_t len = sizeof(device);
	int mark = path_option(from, SOL_SOCKET, SO_MARK, 0);

	if (real->getsockopt(from, SOL_SOCKET, SO_BINDTODEVICE, device, &len) == 0 && len > 0)
		real->setsockopt(to, SOL_SOCKET, SO_BINDTODEVICE, device, len);
	if (mark != 0)
		real->setsockopt(to, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
}

/* 0 where it has none. */
static socklen_t own_address(int fd, union address *own)
{
	socklen_t len = sizeof(*own);
	struct endpoint ep;

	if (real->getsockname(fd, &own->sa, &len) < 0 ||
	    endpoint_from_sockaddr(&ep, &own->sa, len) < 0 || endpoint_is_unspecified(&ep))
		return 0;
	return len;
}

bool source_is_set(int fd)
{
	union address own;

	return own_address(fd, &own) > 0;
}

/* What has an address can't send everywhere. */
static void copy_address(int from, int to)
{
	union address own;
	socklen_t len = own_address(from, &own);

	own.in.sin_port = 0; /* in the same place for IPv6 */
	if (len > 0)
		real->bind(to, &own.sa, len);
}

/* Another socket is connected there. */
int source_find(int fd, const struct path_socket *sock, const struct sockaddr *sa, socklen_t len,
                union address *out)
{
	int probe = real->socket(sock->family, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (probe < 0)
		return -errno;
	copy_device(fd, probe);
	copy_address(fd, probe);
	if (real->connect(probe, sa, len) < 0 ||
	    real->getsockname(probe, &out->sa, &(socklen_t){ sizeof(*out) }) < 0)
		err = -errno;
	real->close(probe);
	return err;
}

bool source_has_scope(const union address *a)
{
	return a->sa.sa_family == AF_INET6 && a->in6.sin6_scope_id != 0;
}

/*
 * To whom connects to an address of this machine, the kernel gives that very address. What is sent
 * now arrives at this machine's discard port, which only the privileged may have.
 */
bool source_take(int fd, const union address *source)
{
	bool v6 = source->sa.sa_family == AF_INET6;
	union address at = *source;

	if (source_is_set(fd))
		return false;
	at.in.sin_port = htons(SOURCE_DISCARD_PORT); /* in the same place for IPv6 */
	return real->connect(fd, &at.sa, v6 ? sizeof(at.in6) : sizeof(at.in)) == 0;
}

void source_bind(int fd, const union address *source)
{
	bool v6 = source->sa.sa_family == AF_INET6;
	int late = path_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 0);
	union address at = *source;

	if (source_has_scope(source) || source_is_set(fd))
		return;
	at.in.sin_port = 0; /* in the same place for IPv6 */
	real->setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int));
	real->bind(fd, &at.sa, v6 ? sizeof(at.in6) : sizeof(at.in));
	real->setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, sizeof(late));
}
