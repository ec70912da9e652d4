#include "proxy.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const unsigned char granted[] = { 5, 0, 0, 1, 127, 0, 0, 1, 0, 9 };

int proxy_listen(int family, int *port)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr *sa = family == AF_INET6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
	socklen_t len = family == AF_INET6 ? sizeof(v6) : sizeof(v4);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, sa, len) < 0 || listen(fd, 4096) < 0 ||
	    getsockname(fd, sa, &len) < 0)
		return -1;
	*port = ntohs(family == AF_INET6 ? v6.sin6_port : v4.sin_port);
	return fd;
}

/* Exactly @n octets, or 0. */
static int take(int fd, void *buf, size_t n)
{
	return recv(fd, buf, n, MSG_WAITALL) == (ssize_t)n;
}

/* RFC 1929: "user" and "secret". */
static int log_in(int fd)
{
	static const uint8_t right[] = "\1\4user\6secret";
	uint8_t said[sizeof(right) - 1];
	int ok;

	if (send(fd, "\5\2", 2, MSG_NOSIGNAL) != 2 || !take(fd, said, sizeof(said)))
		return 0;
	ok = memcmp(said, right, sizeof(said)) == 0;
	return send(fd, ok ? "\1\0" : "\1\1", 2, MSG_NOSIGNAL) == 2 && ok;
}

/* Read greeting and request; the destination's name is left in @name, "" for an address. */
static int request(int fd, char name[256], uint8_t ip[16])
{
	uint8_t head[4], methods[255], len;
	int n;

	if (!take(fd, head, 2) || head[0] != 5 || !take(fd, methods, head[1]))
		return 0;
	if (memchr(methods, 2, head[1]) ? !log_in(fd) : send(fd, "\5\0", 2, MSG_NOSIGNAL) != 2)
		return 0;
	if (!take(fd, head, 4))
		return 0;
	name[0] = '\0';
	switch (head[3]) {
	case 1:
		n = take(fd, ip, 4);
		break;
	case 4:
		n = take(fd, ip, 16);
		break;
	default:
		n = take(fd, &len, 1) && take(fd, name, len);
		if (n)
			name[len] = '\0';
		break;
	}
	return n && take(fd, methods, 2);
}

static void echo(int fd)
{
	char buf[4096];
	ssize_t n;

	send(fd, granted, sizeof(granted), MSG_NOSIGNAL);
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		if (send(fd, buf, (size_t)n, MSG_NOSIGNAL) < 0)
			break;
}

static int begins(const char *name, const char *with)
{
	return strncmp(name, with, strlen(with)) == 0;
}

static void act(int fd, const char *name, const uint8_t *ip)
{
	static const struct {
		const char *name;
		unsigned char rep;
	} failures[] = {
		{ "refused.", 5 }, { "unreach.", 4 }, { "denied.", 2 }, { "expired.", 6 }
	};
	static const uint8_t refused[4] = { 203, 0, 113, 5 };
	char sink[64];

	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		unsigned char reply[10] = { 5, failures[i].rep, 0, 1 };

		if (begins(name, failures[i].name) ||
		    (i == 0 && !name[0] && memcmp(ip, refused, sizeof(refused)) == 0)) {
			send(fd, reply, sizeof(reply), MSG_NOSIGNAL);
			return;
		}
	}
	if (begins(name, "garbage.")) {
		send(fd, "HTTP/1.1 400\r\n", 14, MSG_NOSIGNAL);
	} else if (begins(name, "silent.")) {
		while (recv(fd, sink, sizeof(sink), 0) > 0)
			;
	} else if (begins(name, "glued.")) {
		unsigned char both[sizeof(granted) + 5];

		memcpy(both, granted, sizeof(granted));
		memcpy(both + sizeof(granted), "early", 5);
		send(fd, both, sizeof(both), MSG_NOSIGNAL);
		while (recv(fd, sink, sizeof(sink), 0) > 0)
			;
	} else if (begins(name, "named.")) {
		send(fd, "\5\0\0\3\4host\0\11early", 16, MSG_NOSIGNAL);
		while (recv(fd, sink, sizeof(sink), 0) > 0)
			;
	} else if (begins(name, "close.")) {
		send(fd, granted, sizeof(granted), MSG_NOSIGNAL);
	} else if (!begins(name, "gone.")) {
		if (begins(name, "slow."))
			nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
		echo(fd);
	}
}

static void *serve_one(void *at)
{
	int fd = (int)(intptr_t)at;
	char name[256];
	uint8_t ip[16] = { 0 };

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	if (request(fd, name, ip))
		act(fd, name, ip);
	close(fd);
	return NULL;
}

void proxy_serve(int listener)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 128 * 1024);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		pthread_t thread;

		if (fd >= 0 && pthread_create(&thread, &attr, serve_one, (void *)(intptr_t)fd) != 0)
			close(fd);
	}
}
