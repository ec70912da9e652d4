#include "swap.h"

#include "sockets.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#define OPTION_MAX 64 /* octets of the longest value: names of interfaces and congestion controls */

/*
 * What is copied. Left out, with reasons: SO_ERROR, SO_TYPE and all that only reads;
 * SO_ATTACH_FILTER and SO_LOCK_FILTER, which can't be read back whole; SO_INCOMING_*, TCP_INFO,
 * TCP_REPAIR, which tell of the connection; TCP_ULP and TCP_MD5SIG, which bind it to a peer that
 * the proxy is not; TCP_FASTOPEN_CONNECT, which opens a door beside connect(); TCP_DEFER_ACCEPT and
 * SO_ACCEPTCONN, which are a listener's.
 */
static const struct option {
	int level, name;
	bool doubled; /* the kernel stores twice what was set */
} options[] = {
	{ SOL_SOCKET, SO_BINDTODEVICE, false },
	{ SOL_SOCKET, SO_MARK, false },
	{ SOL_SOCKET, SO_PRIORITY, false },
	{ SOL_SOCKET, SO_REUSEADDR, false },
	{ SOL_SOCKET, SO_REUSEPORT, false },
	{ SOL_SOCKET, SO_KEEPALIVE, false },
	{ SOL_SOCKET, SO_LINGER, false },
	{ SOL_SOCKET, SO_OOBINLINE, false },
	{ SOL_SOCKET, SO_DONTROUTE, false },
	{ SOL_SOCKET, SO_RCVLOWAT, false },
	{ SOL_SOCKET, SO_RCVTIMEO, false },
	{ SOL_SOCKET, SO_SNDTIMEO, false },
	{ SOL_SOCKET, SO_RCVBUF, true },
	{ SOL_SOCKET, SO_SNDBUF, true },
	{ SOL_SOCKET, SO_TIMESTAMP, false },
	{ SOL_SOCKET, SO_TIMESTAMPNS, false },
	{ SOL_SOCKET, SO_BUSY_POLL, false },
	{ IPPROTO_TCP, TCP_NODELAY, false },
	{ IPPROTO_TCP, TCP_CORK, false },
	{ IPPROTO_TCP, TCP_KEEPIDLE, false },
	{ IPPROTO_TCP, TCP_KEEPINTVL, false },
	{ IPPROTO_TCP, TCP_KEEPCNT, false },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, false },
	{ IPPROTO_TCP, TCP_SYNCNT, false },
	{ IPPROTO_TCP, TCP_LINGER2, false },
	{ IPPROTO_TCP, TCP_MAXSEG, false },
	{ IPPROTO_TCP, TCP_WINDOW_CLAMP, false },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, false },
	{ IPPROTO_TCP, TCP_QUICKACK, false },
	{ IPPROTO_TCP, TCP_CONGESTION, false },
	{ IPPROTO_IP, IP_TOS, false },
	{ IPPROTO_IP, IP_TTL, false },
	{ IPPROTO_IP, IP_MTU_DISCOVER, false },
	{ IPPROTO_IPV6, IPV6_TCLASS, false },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS, false },
};

static void copy_option(const struct sys *sys, int from, int to, const struct option *o)
{
	char value[OPTION_MAX], fresh[OPTION_MAX];
	socklen_t len = sizeof(value), fresh_len = sizeof(fresh);
	int number;

	if (sys->getsockopt(from, o->level, o->name, value, &len) < 0)
		return;
	/*
	 * What the program left alone stays so: setting a buffer to its own size would fix it
	 * there.
	 */
	if (sys->getsockopt(to, o->level, o->name, fresh, &fresh_len) == 0 && len == fresh_len &&
	    memcmp(value, fresh, len) == 0)
		return;
	if (o->doubled && len == sizeof(number)) {
		memcpy(&number, value, sizeof(number));
		number /= 2;
		memcpy(value, &number, sizeof(number));
	}
	sys->setsockopt(to, o->level, o->name, value, len);
}

/* On the wire an IPv4 socket's TOS and TTL become an IPv6 one's class and hop limit. */
static void copy_ip_fields(const struct sys *sys, int from, int to, int family)
{
	static const int pairs[][2] = { { IP_TOS, IPV6_TCLASS }, { IP_TTL, IPV6_UNICAST_HOPS } };

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		int v4 = pairs[i][0], v6 = pairs[i][1], value, standard = -1;
		bool to_v6 = family == AF_INET6;

		if (sys->getsockopt(from, to_v6 ? IPPROTO_IP : IPPROTO_IPV6, to_v6 ? v4 : v6,
		                    &value, &(socklen_t){ sizeof(value) }) < 0)
			continue;
		sys->getsockopt(to, to_v6 ? IPPROTO_IPV6 : IPPROTO_IP, to_v6 ? v6 : v4, &standard,
		                &(socklen_t){ sizeof(standard) });
		if (value != standard)
			sys->setsockopt(to, to_v6 ? IPPROTO_IPV6 : IPPROTO_IP, to_v6 ? v6 : v4,
			                &value, sizeof(value));
	}
}

int swap_prepare(const struct sys *sys, int fd, int family)
{
	int to = sys->socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int own = family;

	if (to < 0)
		return -errno;
	if (family == AF_INET6)
		sys->setsockopt(to, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 0 }, sizeof(int));
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		copy_option(sys, fd, to, &options[i]);
	sys->getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &own, &(socklen_t){ sizeof(own) });
	if (own != family)
		copy_ip_fields(sys, fd, to, family);
	return to;
}

static void copy_file_flags(const struct sys *sys, int from, int to)
{
	int flags = sys->fcntl(from, F_GETFL, 0);
	int sig = sys->fcntl(from, F_GETSIG, 0);
	struct f_owner_ex owner;

	if (sys->fcntl(from, F_GETOWN_EX, (long)&owner) == 0 && owner.pid != 0)
		sys->fcntl(to, F_SETOWN_EX, (long)&owner);
	if (sig > 0)
		sys->fcntl(to, F_SETSIG, sig);
	if (flags >= 0)
		sys->fcntl(to, F_SETFL, flags);
}

static int place_one(const struct sys *sys, int fd, int with)
{
	int flags = sys->fcntl(fd, F_GETFD, 0);

	if (flags < 0 || sys->dup3(with, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0) < 0)
		return -errno;
	return 0;
}

int swap_place(const struct sys *sys, int fd, int with)
{
	uint64_t cookie = sockets_cookie(fd);
	struct dirent *de;
	DIR *dir;
	int err;

	copy_file_flags(sys, fd, with);
	/* The duplicates first: fd is what tells them. */
	dir = cookie ? opendir("/proc/self/fd") : NULL;
	while (dir && (de = readdir(dir))) {
		int other = atoi(de->d_name);

		if (de->d_name[0] != '.' && other != fd && other != with && other != dirfd(dir) &&
		    sockets_cookie(other) == cookie)
			place_one(sys, other, with);
	}
	if (dir)
		closedir(dir);
	err = place_one(sys, fd, with);
	return err;
}
