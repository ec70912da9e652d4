#include "membership.h"

#include "path.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LOOPBACK_INDEX 1 /* of lo, in every network namespace */

/* What is joined, and where. */
struct join {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_storage ss;
	} group;
	uint32_t interface; /* its index; 0: by @local */
	struct in_addr local;
};

static void set_ipv4(struct join *j, const void *ip)
{
	j->group.in.sin_family = AF_INET;
	memcpy(&j->group.in.sin_addr, ip, sizeof(j->group.in.sin_addr));
}

/* struct ip_mreq or ip_mreqn, whose first two members are the same. */
static bool read_mreq(struct join *j, const void *val, socklen_t len)
{
	struct ip_mreqn m = { .imr_ifindex = 0 };

	if (len < sizeof(struct ip_mreq))
		return false;
	memcpy(&m, val, len < sizeof(m) ? sizeof(struct ip_mreq) : sizeof(m));
	set_ipv4(j, &m.imr_multiaddr);
	j->local = m.imr_address;
	j->interface = (uint32_t)m.imr_ifindex;
	return true;
}

/* struct ip_mreq_source, and the head of struct ip_msfilter, whose first two members are so. */
static bool read_mreq_source(struct join *j, const void *val, socklen_t len)
{
	struct ip_mreq_source m;

	if (len < sizeof(m))
		return false;
	memcpy(&m, val, sizeof(m));
	set_ipv4(j, &m.imr_multiaddr);
	j->local = m.imr_interface;
	return true;
}

/* struct ipv6_mreq. */
static bool read_ipv6_mreq(struct join *j, const void *val, socklen_t len)
{
	struct ipv6_mreq m;

	if (len < sizeof(m))
		return false;
	memcpy(&m, val, sizeof(m));
	j->group.in6.sin6_family = AF_INET6;
	j->group.in6.sin6_addr = m.ipv6mr_multiaddr;
	j->interface = m.ipv6mr_interface;
	return true;
}

/* struct group_req, and the heads of group_source_req and group_filter. */
static bool read_group_req(struct join *j, const void *val, socklen_t len)
{
	struct group_req m;

	if (len < sizeof(m))
		return false;
	memcpy(&m, val, sizeof(m));
	memcpy(&j->group.ss, &m.gr_group, sizeof(j->group.ss));
	j->interface = m.gr_interface;
	return true;
}

/* False where it is no join, or the kernel says no to it. */
static bool read_join(struct join *j, int level, int name, const void *val, socklen_t len)
{
	if (level != IPPROTO_IP && level != IPPROTO_IPV6)
		return false;
	switch (name) {
	case MCAST_JOIN_GROUP:
	case MCAST_JOIN_SOURCE_GROUP:
	case MCAST_BLOCK_SOURCE:
	case MCAST_UNBLOCK_SOURCE:
	case MCAST_MSFILTER:
		return read_group_req(j, val, len);
	}
	if (level == IPPROTO_IPV6)
		return (name == IPV6_JOIN_GROUP || name == IPV6_JOIN_ANYCAST) &&
		       read_ipv6_mreq(j, val, len);
	switch (name) {
	case IP_ADD_MEMBERSHIP:
		return read_mreq(j, val, len);
	case IP_ADD_SOURCE_MEMBERSHIP:
	case IP_BLOCK_SOURCE:
	case IP_UNBLOCK_SOURCE:
	case IP_MSFILTER:
		return read_mreq_source(j, val, len);
	}
	return false;
}

static bool is_on_loopback(const struct join *j)
{
	return j->interface == LOOPBACK_INDEX ||
	       (j->interface == 0 && ntohl(j->local.s_addr) >> 24 == IN_LOOPBACKNET);
}

static int judge_group(const struct path_socket *sock, const struct join *j)
{
	struct path path;

	if (!path_find(&path, sock, &j->group.sa, sizeof(j->group), false) ||
	    path.route.kind == ROUTE_DIRECT)
		return 0;
	path.route.err = -EACCES;
	path.route.why = "who joins a multicast group tells the network so";
	return path_refuse(&path);
}

int membership_judge(int fd, int level, int name, const void *val, socklen_t len)
{
	struct join j = { .interface = 0 };
	int saved = errno, err = 0;
	struct path_socket sock;

	if (!val || !read_join(&j, level, name, val, len) || is_on_loopback(&j))
		return 0;
	switch (path_judge(fd, &sock)) {
	case PATH_KERNEL:
		break;
	case PATH_NOBODY:
		err = path_refuse_socket(&sock);
		break;
	case PATH_OURS:
		err = judge_group(&sock, &j);
		break;
	}
	errno = saved;
	return err;
}
