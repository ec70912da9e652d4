#include "path.h"

#include "audit.h"
#include "kind.h"
#include "real.h"
#include "session.h"

#include <base/log.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TOLD_SLOTS  256 /* refused destinations that are remembered; more are told again */
#define NO_PASSWORD "the proxy's password can't be read"

int path_option(int fd, int level, int name, int otherwise)
{
	int value = otherwise, saved = errno;

	if (real->getsockopt(fd, level, name, &value, &(socklen_t){ sizeof(value) }) < 0)
		value = otherwise;
	errno = saved;
	return value;
}

int path_tcp_state(int fd)
{
	struct tcp_info info = { .tcpi_state = TCP_CLOSE };
	int saved = errno;

	real->getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &(socklen_t){ sizeof(info) });
	errno = saved;
	return info.tcpi_state;
}

/* 0 or a negative errno. */
static int read_option(int fd, int name, int *value)
{
	return real->getsockopt(fd, SOL_SOCKET, name, value, &(socklen_t){ sizeof(*value) }) < 0
	               ? -errno
	               : 0;
}

static bool is_local(int family)
{
	return family == AF_UNIX || family == AF_NETLINK || family == AF_ALG;
}

enum path_judge path_judge(int fd, struct path_socket *out)
{
	int saved = errno, err;

	out->shown_family = 0;
	out->family = AF_UNSPEC;
	out->type = out->protocol = 0;
	err = read_option(fd, SO_DOMAIN, &out->family);
	if (err == 0 && is_local(out->family)) {
		errno = saved;
		return PATH_KERNEL;
	}
	if (err == 0)
		err = read_option(fd, SO_TYPE, &out->type);
	if (err == 0)
		err = read_option(fd, SO_PROTOCOL, &out->protocol);
	errno = saved;
	if (err == -EBADF || err == -ENOTSOCK)
		return PATH_KERNEL;
	if (err < 0) {
		out->family = AF_UNSPEC;
		return PATH_NOBODY;
	}
	return kind_judge(out->family, out->type, out->protocol) == KIND_ADMITTED ? PATH_OURS
	                                                                          : PATH_NOBODY;
}

int path_refuse_socket(const struct path_socket *sock)
{
	return kind_refuse(sock->family, sock->type, sock->protocol);
}

bool path_is_tcp(const struct path_socket *sock)
{
	return sock->type == SOCK_STREAM &&
	       (sock->protocol == IPPROTO_TCP || sock->protocol == IPPROTO_MPTCP);
}

bool path_is_udp(const struct path_socket *sock)
{
	return sock->type == SOCK_DGRAM && sock->protocol == IPPROTO_UDP;
}

/*
 * Of TCP and UDP that is certain; SCTP takes IPv4 addresses on IPv6 sockets. UDP takes plain ones
 * there, and on an IPv4 socket AF_UNSPEC.
 */
bool path_is_misfit(int fd, const struct path_socket *sock, const struct sockaddr *sa)
{
	bool v4 = sa->sa_family == AF_INET;

	if (path_is_tcp(sock) && sa->sa_family != path_own_family(sock))
		return true;
	if (path_is_udp(sock) && sock->family == AF_INET && sa->sa_family == AF_INET6)
		return true;
	if (sa->sa_family == AF_INET6)
		v4 = IN6_IS_ADDR_V4MAPPED(&((const struct sockaddr_in6 *)sa)->sin6_addr);
	else if (!path_is_udp(sock))
		v4 = false;
	return sock->family == AF_INET6 && v4 && path_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
}

int path_decode(struct endpoint *dst, const struct path_socket *sock, const struct sockaddr *sa,
                socklen_t len)
{
	struct sockaddr_in in;

	if (sa->sa_family != AF_UNSPEC || sock->family != AF_INET || len < sizeof(in))
		return endpoint_from_sockaddr(dst, sa, len);
	memcpy(&in, sa, sizeof(in));
	in.sin_family = AF_INET;
	return endpoint_from_sockaddr(dst, (struct sockaddr *)&in, sizeof(in));
}

static void refuse(struct path *p, int err, const char *why)
{
	p->route.kind = ROUTE_REFUSE;
	p->route.err = err;
	p->route.why = why;
}

/* By a name server of resolv.conf. */
static void judge_answer(struct path *p, const struct config *cfg, const struct path_socket *sock)
{
	if (session_is_resolving()) {
		p->route.kind = ROUTE_DIRECT;
		p->route.why = "it is asked for the proxy itself";
	} else if (!path_is_tcp(sock) && !path_is_udp(sock)) {
		refuse(p, -EACCES, "a name server is asked by UDP or TCP");
	} else if (path_is_tcp(sock) && cfg->dns == DNS_POLICY_TUNNEL) {
		p->route.kind = ROUTE_PROXY;
	}
}

/* @ask  libc's resolver may be asked for the proxy's address */
static void find_route(struct path *p, const struct config *cfg, const struct path_socket *sock,
                       const struct endpoint *dst, bool ask)
{
	const struct table *names = route_needs_names(cfg, dst) ? session_names() : NULL;
	int n = cfg->broken ? 0 : session_hops(p->hops, ask);

	p->n_hops = n > 0 ? (size_t)n : 0;
	route_find(cfg, names, p->hops, p->n_hops, dst, &p->route);
	if (p->route.kind == ROUTE_ANSWER)
		judge_answer(p, cfg, sock);
}

static bool is_multicast(const struct endpoint *ep)
{
	return (ep->kind == ENDPOINT_IPV4 && ep->ip[0] >> 4 == 14) ||
	       (ep->kind == ENDPOINT_IPV6 && ep->ip[0] == 0xff);
}

/* Only TCP has a way through the proxy, and an address of its own for a name that goes direct. */
static void judge_misfit(struct path *p, const struct path_socket *sock)
{
	if (p->route.kind == ROUTE_PROXY && session_login() < 0) {
		refuse(p, -EACCES, NO_PASSWORD);
		return;
	}
	if (p->route.kind == ROUTE_PROXY)
		refuse(p, -EACCES, "only TCP has a way through the proxy");
	else if (p->route.kind == ROUTE_DIRECT && p->route.dst.kind == ENDPOINT_NAME)
		refuse(p, -EACCES,
		       "a rule with a port sends this name direct, and only TCP can follow it");
	else
		return;
	p->may_probe = path_is_udp(sock) && !is_multicast(&p->route.dst);
}

bool path_find(struct path *p, const struct path_socket *sock, const struct sockaddr *sa,
               socklen_t len, bool may_wait)
{
	const struct config *cfg = session_config();
	struct endpoint dst;

	p->unresolved = p->may_probe = false;
	if (path_decode(&dst, sock, sa, len) < 0)
		return false;
	/*
	 * Nobody is asked for the proxy's address for the sake of what is direct, or refused; what
	 * is known already serves to tell the proxy itself.
	 */
	find_route(p, cfg, sock, &dst, false);
	if (!path_is_tcp(sock))
		judge_misfit(p, sock);
	else if (p->route.kind == ROUTE_PROXY && session_is_resolving())
		refuse(p, -EACCES, "it was asked for to find the proxy itself");
	else if (p->route.kind == ROUTE_PROXY && p->n_hops == 0 && !session_hops_known())
		p->unresolved = !may_wait;
	if (p->route.kind == ROUTE_PROXY && cfg->proxy.addr.kind == ENDPOINT_NAME && may_wait)
		find_route(p, cfg, sock, &dst, true);
	if (p->route.kind == ROUTE_PROXY && session_login() < 0)
		refuse(p, -EACCES, NO_PASSWORD);
	return true;
}

char *path_reason(const struct path *p, char *buf, size_t cap)
{
	char rule[ENDPOINT_TEXT_MAX];

	if (p->route.rule)
		snprintf(buf, cap, "%s, %s", p->route.why,
		         rules_format(&session_config()->no_proxy, p->route.rule, rule,
		                      sizeof(rule)));
	else
		snprintf(buf, cap, "%s", p->route.why);
	return buf;
}

/* FNV-1a over what is told; 0 stands for an empty slot. */
static uint32_t told_hash(const char *text)
{
	uint32_t h = 2166136261u;

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 16777619u;
	return h ? h : 1;
}

int path_refuse(const struct path *p)
{
	static _Atomic uint32_t told[TOLD_SLOTS];
	char text[ENDPOINT_TEXT_MAX];
	uint32_t h = told_hash(endpoint_format(&p->route.dst, text, sizeof(text)));

	if (atomic_exchange_explicit(&told[h % TOLD_SLOTS], h, memory_order_relaxed) != h)
		log_warn("%s[%d]: %s refused: %s", program_invocation_short_name, (int)getpid(),
		         text, p->route.why);
	audit_note(DEED_REFUSED, text, p->route.why);
	return p->route.err;
}

/* By an address that leads nowhere. */
int path_ask_kernel(int fd, int family)
{
	const struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	const struct sockaddr_in v4 = { .sin_family = AF_INET,
		                        .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int r = family == AF_INET6 ? real->connect(fd, (const struct sockaddr *)&v6, sizeof(v6))
	                           : real->connect(fd, (const struct sockaddr *)&v4, sizeof(v4));

	return r < 0 ? -errno : 0;
}

int64_t path_send_timeout_ms(int fd)
{
	struct timeval tv = { 0 };

	if (real->getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, &(socklen_t){ sizeof(tv) }) < 0)
		return 0;
	return (int64_t)tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000;
}

int path_family(int fd)
{
	return path_option(fd, SOL_SOCKET, SO_DOMAIN, AF_INET);
}

int path_own_family(const struct path_socket *sock)
{
	return sock->shown_family ? sock->shown_family : sock->family;
}

bool path_is_nonblocking(int fd)
{
	int flags = real->fcntl(fd, F_GETFL, 0);

	return flags >= 0 && (flags & O_NONBLOCK);
}
