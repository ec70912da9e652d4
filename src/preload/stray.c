#include "stray.h"

#include "control.h"
#include "real.h"
#include "tell.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#define LOOPBACK_INDEX 1 /* of every network namespace */

/* Any of 127.0.0.0/8, ::1, 0.0.0.0 and ::. */
static bool is_home(const struct endpoint *ep)
{
	return endpoint_is_loopback(ep) || endpoint_is_unspecified(ep);
}

static bool is_away(uint32_t index)
{
	return index != 0 && index != LOOPBACK_INDEX;
}

/* One that is gone still counts: its number may be another's soon. */
static bool is_bound(int fd)
{
	char device[IFNAMSIZ] = "";
	socklen_t len = sizeof(device);

	if (real->getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &len) < 0)
		return errno == ENODEV;
	return len > 0 && strcmp(device, "lo") != 0;
}

static bool prefers_device(int fd, int level, int name)
{
	return is_away(ntohl((uint32_t)path_option(fd, level, name, 0)));
}

/* TCP pays no heed to the latter two. */
static bool has_device(int fd, const struct path_socket *sock, const struct endpoint *dst)
{
	bool v4 = dst->kind != ENDPOINT_IPV6;

	if (is_bound(fd))
		return true;
	if (path_is_tcp(sock))
		return false;
	if (!v4 && prefers_device(fd, IPPROTO_IPV6, IPV6_UNICAST_IF))
		return true;
	/* An IPv6 socket that has an IPv4 address takes :: for 127.0.0.1. */
	return (v4 || endpoint_is_unspecified(dst)) &&
	       prefers_device(fd, IPPROTO_IP, IP_UNICAST_IF);
}

static bool say_no(struct path *p, const char *why)
{
	p->route.err = -EACCES;
	p->route.why = why;
	return true;
}

bool stray_is_address(int fd, const struct path_socket *sock, const struct endpoint *ep)
{
	return is_home(ep) && has_device(fd, sock, ep);
}

bool stray_is(int fd, const struct path_socket *sock, struct path *p)
{
	return stray_is_address(fd, sock, &p->route.dst) &&
	       say_no(p, "it is this machine's, and the socket is bound to a device");
}

static bool has_home(const struct endpoint *hops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_home(&hops[i]))
			return true;
	return false;
}

bool stray_is_dialled(int fd, const struct endpoint *hops, size_t n)
{
	return has_home(hops, n) && is_bound(fd);
}

bool stray_is_proxy(int fd, struct path *p)
{
	return stray_is_dialled(fd, p->hops, p->n_hops) &&
	       say_no(p, "the proxy is on this machine, and the socket is bound to a device");
}

bool stray_has_peer(int fd, const struct path_socket *sock, const struct endpoint *peer,
                    struct path *p)
{
	p->route.dst = *peer;
	return stray_is(fd, sock, p);
}

static bool get_address(int (*get)(int fd, struct sockaddr *sa, socklen_t *len), int fd,
                        struct endpoint *out)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (get(fd, (struct sockaddr *)&ss, &len) < 0 ||
	    endpoint_from_sockaddr(out, (struct sockaddr *)&ss, len) < 0)
		return false;
	endpoint_unmap(out);
	return true;
}

/* connect() to 0.0.0.0 goes to the address that the socket is bound to, where it has one. */
static bool has_home_peer(int fd, struct endpoint *peer)
{
	struct endpoint own;

	if (!get_address(real->getpeername, fd, peer))
		return false;
	if (is_home(peer))
		return true;
	if (!get_address(real->getsockname, fd, &own))
		return false;
	own.port = peer->port;
	return endpoint_equal(&own, peer);
}

static bool is_device(const struct cmsghdr *c)
{
	struct in6_pktinfo v6;
	struct in_pktinfo v4;

	if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO &&
	    c->cmsg_len >= CMSG_LEN(sizeof(v4))) {
		memcpy(&v4, control_data(c), sizeof(v4));
		return is_away((uint32_t)v4.ipi_ifindex);
	}
	if (c->cmsg_level == IPPROTO_IPV6 &&
	    (c->cmsg_type == IPV6_PKTINFO || c->cmsg_type == IPV6_2292PKTINFO) &&
	    c->cmsg_len >= CMSG_LEN(sizeof(v6))) {
		memcpy(&v6, control_data(c), sizeof(v6));
		return is_away(v6.ipi6_ifindex);
	}
	return false;
}

bool stray_is_in(const struct msghdr *msg)
{
	for (const struct cmsghdr *c = NULL; (c = control_next(msg, c));)
		if (is_device(c))
			return true;
	return false;
}

int stray_judge_message(int fd, const struct path_socket *sock, const struct msghdr *msg)
{
	const struct sockaddr *sa = msg->msg_name;
	struct path path;
	bool home;

	if (sa && msg->msg_namelen >= sizeof(sa->sa_family) &&
	    path_decode(&path.route.dst, sock, sa, msg->msg_namelen) == 0) {
		endpoint_unmap(&path.route.dst);
		home = is_home(&path.route.dst);
	} else {
		home = has_home_peer(fd, &path.route.dst);
	}
	if (!home)
		return 0;
	say_no(&path, "it is this machine's, and the message names a device");
	return path_refuse(&path);
}

enum choice { NONE, STRICT, OF_DATAGRAMS, HIDDEN };

/* What an option would choose. */
static enum choice get_choice(int level, int name, const void *val, socklen_t len)
{
	struct in6_pktinfo info;
	const char *device = val;
	uint32_t index;

	if (!val)
		return NONE;
	if (level == SOL_SOCKET && name == SO_BINDTODEVICE)
		return len == 0 || !device[0] ||
		                       (strnlen(device, len) == 2 && !memcmp(device, "lo", 2))
		               ? NONE
		               : STRICT;
	if (level == IPPROTO_IPV6 && name == IPV6_PKTINFO && len >= sizeof(info)) {
		memcpy(&info, val, sizeof(info));
		return is_away(info.ipi6_ifindex) ? HIDDEN : NONE;
	}
	if (len < sizeof(index))
		return NONE;
	memcpy(&index, val, sizeof(index));
	if (level == SOL_SOCKET && name == SO_BINDTOIFINDEX)
		return is_away(index) ? STRICT : NONE;
	if ((level == IPPROTO_IP && name == IP_UNICAST_IF) ||
	    (level == IPPROTO_IPV6 && name == IPV6_UNICAST_IF))
		return is_away(ntohl(index)) ? OF_DATAGRAMS : NONE;
	return NONE;
}

static int refuse_device(void)
{
	static atomic_bool told;

	return tell_refused(&told, "a device for a socket that is connected to this machine",
	                    "what it sends would leave there");
}

/* Of TCP, where it is not known yet where to, that counts, too. */
static bool is_connected_home(int fd, const struct path_socket *sock)
{
	struct endpoint peer;

	return has_home_peer(fd, &peer) ||
	       (path_is_tcp(sock) && path_tcp_state(fd) == TCP_SYN_SENT);
}

static int refuse_hidden(void)
{
	static atomic_bool told;

	return tell_refused(&told, "a device by IPV6_PKTINFO for all that a socket sends",
	                    "nobody can ask for it later");
}

static int judge_option(int fd, enum choice choice)
{
	struct path_socket sock;

	if (choice == NONE || path_judge(fd, &sock) != PATH_OURS ||
	    (choice != STRICT && path_is_tcp(&sock)))
		return 0;
	if (choice == HIDDEN)
		return refuse_hidden();
	return is_connected_home(fd, &sock) ? refuse_device() : 0;
}

int stray_judge_option(int fd, int level, int name, const void *val, socklen_t len)
{
	int saved = errno, err = judge_option(fd, get_choice(level, name, val, len));

	errno = saved;
	return err;
}

int stray_judge_dialled(int level, int name, const void *val, socklen_t len,
                        const struct endpoint *hops, size_t n)
{
	return get_choice(level, name, val, len) == STRICT && has_home(hops, n) ? refuse_device()
	                                                                        : 0;
}
