/*
 * How it works: Linux drops a SYN for a listener whose queue of accepted connections is over its
 * backlog, and says nothing. Two connections to a listener with a backlog of 1 do that, and stay in
 * its queue though their own ends are closed. (With a backlog of 0 every SYN counts as part of a
 * flood: it takes the way of SYN cookies, and the kernel's log says so.) A bound port at which
 * nobody listens refuses, and can't be given to anybody else meanwhile.
 */
#include <tunnel/blackhole.h>

#include <base/clock.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <tunnel/dial.h>

#define BACKLOG    1
#define FILLERS    (BACKLOG + 1)
#define FILL_MS    20 /* a healthy loopback takes well under one */
#define REFUSAL_MS 50

static const struct blackhole_side closed = { .listen_fd = -1, .refuse_fd = -1 };

static socklen_t loopback(struct sockaddr_in6 *out, int family)
{
	if (family == AF_INET) {
		const struct sockaddr_in sin = { .sin_family = AF_INET,
			                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

		memcpy(out, &sin, sizeof(sin));
		return sizeof(sin);
	}
	*out = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	return sizeof(*out);
}

/* A socket on loopback, at a port of the kernel's choice, which @at tells. */
static int bound_socket(const struct blackhole *b, int family, struct sockaddr_in6 *at)
{
	const struct sys *sys = b->sys;
	int fd = sys_raise(sys, sys->socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), b->floor);
	socklen_t len = loopback(at, family);
	int err;

	if (fd < 0)
		return fd;
	if (sys->bind(fd, (const struct sockaddr *)at, len) == 0 &&
	    sys->getsockname(fd, (struct sockaddr *)at, &len) == 0)
		return fd;
	err = -errno;
	sys->close(fd);
	/* A loopback that is down has no address. */
	return err == -EADDRNOTAVAIL ? -ENETUNREACH : err;
}

/* Returns 0 once @fd's connect() has ended well. */
static int await_filler(const struct sys *sys, int fd, int64_t until_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int n;

	do
		n = sys->poll(&p, 1, clock_left_ms(until_ms, clock_ms()));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n > 0 && !(p.revents & (POLLERR | POLLHUP)) ? 0 : -EAGAIN;
}

static int start_filler(const struct blackhole *b, const struct blackhole_side *side)
{
	const struct sys *sys = b->sys;
	int family = side->hole.sin6_family; /* sin_family is at the same place */
	int fd = sys_raise(sys, sys->socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
	                   b->floor);
	int err;

	if (fd < 0)
		return fd;
	if (sys->connect(fd, (const struct sockaddr *)&side->hole, side->len) == 0 ||
	    errno == EINPROGRESS)
		return fd;
	err = -errno;
	sys->close(fd);
	return err;
}

/* For a listener TCP_INFO tells the length of its queue, and how long that may be. */
static bool is_full(const struct sys *sys, int listen_fd)
{
	struct tcp_info info = { 0 };

	return sys->getsockopt(listen_fd, IPPROTO_TCP, TCP_INFO, &info,
	                       &(socklen_t){ sizeof(info) }) == 0 &&
	       info.tcpi_unacked > info.tcpi_sacked;
}

/* The last filler stands a moment before the listener knows of it. */
static int await_full(const struct sys *sys, int listen_fd, int64_t until_ms)
{
	while (!is_full(sys, listen_fd)) {
		if (clock_ms() >= until_ms)
			return -EAGAIN;
		sys->poll(NULL, 0, 1);
	}
	return 0;
}

static int fill(const struct blackhole *b, const struct blackhole_side *side)
{
	int64_t until_ms = clock_ms() + FILL_MS;
	int fds[FILLERS], n = 0, err = 0;

	/* A small net.core.somaxconn makes do with fewer. */
	while (err == 0 && n < FILLERS && !is_full(b->sys, side->listen_fd)) {
		fds[n] = start_filler(b, side);
		if (fds[n] < 0)
			err = fds[n];
		else
			err = await_filler(b->sys, fds[n++], until_ms);
	}
	if (err == 0)
		err = await_full(b->sys, side->listen_fd, until_ms);
	while (n > 0)
		b->sys->close(fds[--n]);
	return err;
}

static void close_side(const struct sys *sys, struct blackhole_side *side)
{
	if (side->listen_fd >= 0)
		sys->close(side->listen_fd);
	if (side->refuse_fd >= 0)
		sys->close(side->refuse_fd);
	*side = closed;
}

static int fill_side(struct blackhole *b, struct blackhole_side *side, int family)
{
	side->listen_fd = bound_socket(b, family, &side->hole);
	if (side->listen_fd < 0)
		return side->listen_fd;
	side->refuse_fd = bound_socket(b, family, &side->refusal);
	if (side->refuse_fd < 0)
		return side->refuse_fd;
	side->len = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	return b->sys->listen(side->listen_fd, BACKLOG) < 0 ? -errno : fill(b, side);
}

static int open_side(struct blackhole *b, struct blackhole_side *side, int family)
{
	int err = fill_side(b, side, family);

	if (err < 0)
		close_side(b->sys, side);
	return err;
}

int blackhole_open(struct blackhole *b, const struct sys *sys, int floor)
{
	*b = (struct blackhole){ .sys = sys, .floor = floor, .v4 = closed, .v6 = closed };
	return open_side(b, &b->v4, AF_INET);
}

void blackhole_close(struct blackhole *b)
{
	close_side(b->sys, &b->v4);
	close_side(b->sys, &b->v6);
}

/* Was the socket bound to an address of IPv4? It can't go to ::1 then. */
static bool is_bound_to_ipv4(const struct sys *sys, int fd)
{
	struct sockaddr_in6 own = { 0 };

	return sys->getsockname(fd, (struct sockaddr *)&own, &(socklen_t){ sizeof(own) }) == 0 &&
	       own.sin6_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&own.sin6_addr);
}

static bool has_ipv6(struct blackhole *b)
{
	if (b->v6.listen_fd < 0 && !b->v6.tried) {
		int err = open_side(b, &b->v6, AF_INET6);

		/* A shortage passes; a machine without ::1 stays so. */
		b->v6.tried = err != -EMFILE && err != -ENFILE;
	}
	return b->v6.listen_fd >= 0;
}

/* Where a socket of @family goes; v4-mapped where there is no better. */
static socklen_t find_way(struct blackhole *b, int fd, int family, bool mapped, bool refusal,
                          struct sockaddr_in6 *out)
{
	const struct blackhole_side *side = &b->v4;
	struct sockaddr_in sin;

	if (family == AF_INET6 && !mapped && !is_bound_to_ipv4(b->sys, fd) && has_ipv6(b))
		side = &b->v6;
	*out = refusal ? side->refusal : side->hole;
	if (family == AF_INET || side == &b->v6)
		return side->len;
	memcpy(&sin, out, sizeof(sin));
	*out = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = sin.sin_port };
	out->sin6_addr.s6_addr[10] = out->sin6_addr.s6_addr[11] = 0xff;
	memcpy(&out->sin6_addr.s6_addr[12], &sin.sin_addr, sizeof(sin.sin_addr));
	return sizeof(*out);
}

static bool is_waiting(const struct sys *sys, int fd)
{
	struct tcp_info info = { .tcpi_state = TCP_CLOSE };

	sys->getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &(socklen_t){ sizeof(info) });
	return info.tcpi_state == TCP_SYN_SENT;
}

int blackhole_park(struct blackhole *b, int fd, int family)
{
	struct sockaddr_in6 to;
	socklen_t len = find_way(b, fd, family, false, false, &to);

	if (b->sys->connect(fd, (const struct sockaddr *)&to, len) < 0 &&
	    (errno != EINPROGRESS || is_waiting(b->sys, fd)))
		return -errno;
	/*
	 * It stands, or only pretends to: a SYN has been put off (TCP_FASTOPEN_CONNECT). Or it was
	 * refused: in another network namespace the black hole is none.
	 */
	dial_dissolve(b->sys, fd);
	return -EAGAIN;
}

/* Returns 0 once @fd's connect() has been refused, which nobody has been told yet. */
static int await_refusal(const struct sys *sys, int fd)
{
	int64_t until_ms = clock_ms() + REFUSAL_MS;
	struct pollfd p = { .fd = fd };
	int n;

	do
		n = sys->poll(&p, 1, clock_left_ms(until_ms, clock_ms()));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n > 0 && (p.revents & POLLERR) ? 0 : -ETIMEDOUT;
}

int blackhole_refuse(struct blackhole *b, int fd, int family, bool mapped)
{
	const struct sys *sys = b->sys;
	struct sockaddr_in6 to;
	socklen_t len = find_way(b, fd, family, mapped, true, &to);
	int flags = sys->fcntl(fd, F_GETFL, 0);
	int err;

	/* A connect() that waits would itself be told of the refusal, and nobody after it. */
	if (flags < 0 || sys->fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	if (sys->connect(fd, (const struct sockaddr *)&to, len) == 0 || errno == EINPROGRESS)
		err = await_refusal(sys, fd);
	else
		err = -errno;
	if (err < 0)
		dial_dissolve(sys, fd);
	return err;
}
