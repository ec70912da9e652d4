/* Sockets on loopback, and SOCKS5's few octets. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PATIENCE_S 10

struct sockaddr_in loopback(uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sa;
}

int listen_any(struct sockaddr_in *sa)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	socklen_t len = sizeof(*sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*sa = loopback(0);
	if (fd < 0 || bind(fd, (struct sockaddr *)sa, len) < 0 || listen(fd, 4096) < 0 ||
	    getsockname(fd, (struct sockaddr *)sa, &len) < 0)
		die("no listener: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

void set_nonblock(int fd)
{
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		die("fcntl: %s", strerror(errno));
}

void watch(int ep, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
		die("epoll_ctl: %s", strerror(errno));
}

size_t socks5_reply_len(const uint8_t *reply, size_t len)
{
	if (len < 4)
		return 0;
	return reply[3] == 4 ? 22 : 10;
}

size_t socks5_request(uint8_t *out, uint8_t cmd, const struct sockaddr_in *to)
{
	const uint8_t head[4] = { 5, cmd, 0, 1 };

	memcpy(out, head, 4);
	memcpy(out + 4, &to->sin_addr, 4);
	memcpy(out + 8, &to->sin_port, 2);
	return 10;
}

static int open_to(const struct sockaddr_in *to, const char **why)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

	*why = "socket";
	if (fd < 0)
		return -1;
	/* Of connect() and of all that is sent and received in this way. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	*why = "connect";
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0)
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

static int receive(int fd, uint8_t *buf, size_t len)
{
	ssize_t n = recv(fd, buf, len, MSG_WAITALL);

	if (n == (ssize_t)len)
		return 0;
	if (n >= 0)
		errno = ECONNRESET;
	return -1;
}

/* Returns a connection on which @cmd was granted; the reply is in @reply. */
static int ask(uint16_t proxy, uint8_t cmd, const struct sockaddr_in *to,
               uint8_t reply[SOCKS5_REPLY_MAX], const char **why)
{
	const struct sockaddr_in sa = loopback(proxy);
	uint8_t buf[10];
	size_t len;
	int fd = open_to(&sa, why), err;

	if (fd < 0)
		return -1;
	*why = "greeting";
	if (send(fd, "\5\1\0", 3, MSG_NOSIGNAL) != 3 || receive(fd, buf, 2) < 0)
		goto out;
	*why = "method";
	errno = EPROTO;
	if (buf[0] != 5 || buf[1] != 0)
		goto out;
	*why = "request";
	len = socks5_request(buf, cmd, to);
	if (send(fd, buf, len, MSG_NOSIGNAL) != (ssize_t)len || receive(fd, reply, 4) < 0)
		goto out;
	*why = "reply";
	errno = ECONNREFUSED;
	if (reply[0] != 5 || reply[1] != 0)
		goto out;
	if (receive(fd, reply + 4, socks5_reply_len(reply, 4) - 4) == 0)
		return fd;
out:
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

int dial(uint16_t proxy, const struct sockaddr_in *target, const char **why)
{
	uint8_t reply[SOCKS5_REPLY_MAX];

	return proxy ? ask(proxy, 1, target, reply, why) : open_to(target, why);
}

int associate(uint16_t proxy, struct sockaddr_in *relay, const char **why)
{
	const struct sockaddr_in any = { .sin_family = AF_INET };
	uint8_t reply[SOCKS5_REPLY_MAX];
	int fd = ask(proxy, 3, &any, reply, why);

	if (fd < 0)
		return -1;
	*relay = loopback(0);
	if (reply[3] != 1) {
		*why = "an association at another family's address";
		close(fd);
		errno = EPROTO;
		return -1;
	}
	/* A wildcard stands for the address that the proxy was reached at. */
	if (memcmp(reply + 4, "\0\0\0\0", 4) != 0)
		memcpy(&relay->sin_addr, reply + 4, 4);
	memcpy(&relay->sin_port, reply + 8, 2);
	return fd;
}

int dial_pair(uint16_t proxy, int listener, const struct sockaddr_in *target, struct pair *p,
              const char **why)
{
	const int on = 1;
	int err;

	p->client = dial(proxy, target, why);
	if (p->client < 0)
		return -1;
	*why = "accept";
	p->target = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (p->target < 0) {
		err = errno;
		close(p->client);
		errno = err;
		return -1;
	}
	setsockopt(p->target, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	set_nonblock(p->client);
	return 0;
}

struct pair *dial_pairs(uint16_t proxy, unsigned n)
{
	struct pair *pairs = get_memory(n, sizeof(*pairs));
	struct sockaddr_in target;
	const char *why;
	int listener = listen_any(&target);

	for (unsigned i = 0; i < n; i++) {
		if (dial_pair(proxy, listener, &target, &pairs[i], &why) < 0)
			die("tunnel %u of %u: %s: %s", i + 1, n, why, strerror(errno));
	}
	close(listener);
	return pairs;
}
