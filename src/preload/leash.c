#include "leash.h"

#include "control.h"
#include "real.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

static bool is_bound_to_device(int fd)
{
	char device[IFNAMSIZ];
	socklen_t len = sizeof(device);

	return real->getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &len) == 0 && len > 0;
}

static bool has_peer(int fd)
{
	struct sockaddr_storage ss;

	return real->getpeername(fd, (struct sockaddr *)&ss, &(socklen_t){ sizeof(ss) }) == 0;
}

/*
 * By the option it takes privileges. A datagram socket loses its device with its peer, too: Linux
 * has that in __udp_disconnect().
 */
static int free_from_device(int fd, const struct path_socket *sock, bool dissolve)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };

	if (!is_bound_to_device(fd) ||
	    real->setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0) == 0)
		return 0;
	if (sock->type == SOCK_DGRAM && (dissolve || !has_peer(fd)))
		real->connect(fd, &none, sizeof(none));
	return is_bound_to_device(fd) ? -EACCES : 0;
}

/* What needs no privileges, and what it is without. */
static const struct choice {
	int family; /* AF_INET: IPv6 sockets, which speak IPv4 as well, have it too */
	int level, name;
	socklen_t len;
} choices[] = {
	{ AF_INET, IPPROTO_IP, IP_UNICAST_IF, sizeof(int) },
	{ AF_INET, IPPROTO_IP, IP_OPTIONS, 0 },
	{ AF_INET6, IPPROTO_IPV6, IPV6_UNICAST_IF, sizeof(int) },
	{ AF_INET6, IPPROTO_IPV6, IPV6_PKTINFO, sizeof(struct in6_pktinfo) },
	{ AF_INET6, IPPROTO_IPV6, IPV6_RTHDR, 0 },
};

#define N_CHOICES (sizeof(choices) / sizeof(choices[0]))

int leash_put_on(int fd, const struct path_socket *sock, bool dissolve)
{
	const struct in6_pktinfo zeros = { 0 };
	int err = free_from_device(fd, sock, dissolve);

	if (err < 0)
		return err;
	if (path_option(fd, SOL_SOCKET, SO_MARK, 0) != 0 &&
	    real->setsockopt(fd, SOL_SOCKET, SO_MARK, &(int){ 0 }, sizeof(int)) < 0)
		return -EACCES;
	for (size_t i = 0; i < N_CHOICES; i++)
		if (choices[i].family == AF_INET || choices[i].family == sock->family)
			real->setsockopt(fd, choices[i].level, choices[i].name, &zeros,
			                 choices[i].len);
	return 0;
}

bool leash_is_cut_by(int level, int name)
{
	if (level == SOL_SOCKET)
		return name == SO_BINDTODEVICE || name == SO_BINDTOIFINDEX || name == SO_MARK;
	/* RFC 2292's forms of the same are IPv6 options of their own numbers. */
	if (level == IPPROTO_IPV6 && (name == IPV6_2292PKTOPTIONS || name == IPV6_2292RTHDR))
		return true;
	for (size_t i = 0; i < N_CHOICES; i++)
		if (choices[i].level == level && choices[i].name == name)
			return true;
	return false;
}

/* The kinds that choose neither device nor path; all others are held to. */
static bool is_harmless(const struct cmsghdr *c)
{
	switch (c->cmsg_level) {
	case IPPROTO_IP:
		return c->cmsg_type == IP_TOS || c->cmsg_type == IP_TTL;
	case IPPROTO_IPV6:
		return c->cmsg_type == IPV6_TCLASS || c->cmsg_type == IPV6_HOPLIMIT ||
		       c->cmsg_type == IPV6_DONTFRAG;
	case IPPROTO_UDP:
		return c->cmsg_type == UDP_SEGMENT;
	case SOL_SOCKET:
		return c->cmsg_type == SO_TIMESTAMPING;
	}
	return false;
}

bool leash_suits(const struct msghdr *msg)
{
	if (!msg->msg_control || msg->msg_controllen == 0)
		return true;
	for (const struct cmsghdr *c = NULL; (c = control_next(msg, c));)
		if (!is_harmless(c))
			return false;
	return true;
}
