#include "asking.h"

#include "libc.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define HEAD_LEN 12
#define PATIENCE 20 /* seconds */

static uint8_t *put_label(uint8_t *at, const char *text, size_t len)
{
	*at++ = (uint8_t)len;
	memcpy(at, text, len);
	return at + len;
}

size_t asking_put(uint8_t *msg, uint16_t id, const char *name, int type)
{
	const uint8_t head[HEAD_LEN] = { (uint8_t)(id >> 8), (uint8_t)id, 1, 0, 0, 1 };
	uint8_t *at = msg + HEAD_LEN;
	char reverse[64];
	struct in_addr ip;

	if (type == ASKING_PTR && inet_pton(AF_INET, name, &ip) == 1) {
		const uint8_t *b = (const uint8_t *)&ip;

		snprintf(reverse, sizeof(reverse), "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1],
		         b[0]);
		name = reverse;
	}
	memcpy(msg, head, sizeof(head));
	while (*name) {
		size_t n = strcspn(name, ".");

		at = put_label(at, name, n);
		name += n + (name[n] == '.');
	}
	*at++ = 0;
	*at++ = 0;
	*at++ = (uint8_t)type;
	*at++ = 0;
	*at++ = 1;
	return (size_t)(at - msg);
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		                     .sin_port = htons(port),
		                     .sin_addr = { htonl(INADDR_LOOPBACK) } };
}

static int open_socket(int type)
{
	struct timeval limit = { .tv_sec = PATIENCE };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	return fd;
}

int asking_open(int type)
{
	struct timeval limit = { .tv_sec = PATIENCE };
	struct sockaddr_in sa = loopback(53);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	close(fd);
	return -1;
}

int asking_udp(void)
{
	int fd = asking_open(SOCK_DGRAM);

	ck_assert_int_ge(fd, 0);
	return fd;
}

int asking_tcp(void)
{
	int fd = asking_open(SOCK_STREAM);

	ck_assert_int_ge(fd, 0);
	return fd;
}

uint16_t asking_port(int fd)
{
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);

	ck_assert_int_eq(LIBC(getpeername)(fd, (struct sockaddr *)&sa, &len), 0);
	ck_assert_uint_eq(sa.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	return ntohs(sa.sin_port);
}

int asking_past(int type, uint16_t port)
{
	struct sockaddr_in sa = loopback(port);
	int fd = open_socket(type);

	ck_assert_int_eq(LIBC(connect)(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static int type_of(int fd)
{
	int type = 0;

	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){ sizeof(type) });
	return type;
}

void asking_send(int fd, uint16_t id, const char *name, int type)
{
	uint8_t msg[2 + 512];
	size_t len = asking_put(msg + 2, id, name, type);

	msg[0] = (uint8_t)(len >> 8);
	msg[1] = (uint8_t)len;
	ck_assert_int_eq(send(fd, msg, 2 + len, MSG_NOSIGNAL), (ssize_t)(2 + len));
}

/* False: the other end is closed. */
static int receive(int fd, uint8_t *buf, size_t len)
{
	size_t pos = 0;

	while (pos < len) {
		ssize_t n = recv(fd, buf + pos, len - pos, 0);

		ck_assert_msg(n >= 0 || errno == ECONNRESET || errno == EINTR, "recv: %s",
		              strerror(errno));
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return 0;
		pos += n > 0 ? (size_t)n : 0;
	}
	return 1;
}

size_t asking_receive(int fd, uint8_t *answer)
{
	uint8_t prefix[2];
	size_t len;

	if (!receive(fd, prefix, 2))
		return 0;
	len = (size_t)prefix[0] << 8 | prefix[1];
	return receive(fd, answer, len) ? len : 0;
}

size_t asking_ask(int fd, uint16_t id, const char *name, int type, uint8_t *answer)
{
	uint8_t msg[512];
	size_t len;
	ssize_t n;

	if (type_of(fd) == SOCK_STREAM) {
		asking_send(fd, id, name, type);
		return asking_receive(fd, answer);
	}
	len = asking_put(msg, id, name, type);
	ck_assert_int_eq(send(fd, msg, len, 0), (ssize_t)len);
	do
		n = recv(fd, answer, ASKING_MAX, 0);
	while (n < 0 && errno == EINTR);
	ck_assert_msg(n > 0, "no answer: %s", strerror(errno));
	return (size_t)n;
}

void asking_check(const uint8_t *answer, size_t len, uint16_t id, int rcode, int count)
{
	ck_assert_uint_ge(len, HEAD_LEN);
	ck_assert_uint_eq(answer[0] << 8 | answer[1], id);
	ck_assert_uint_eq(answer[2] & 0x80, 0x80);
	ck_assert_int_eq(answer[3] & 15, rcode);
	ck_assert_int_eq(answer[6] << 8 | answer[7], count);
}

void asking_works(int fd)
{
	static uint16_t id;
	uint8_t answer[ASKING_MAX];
	size_t len = asking_ask(fd, ++id, "works.example", ASKING_A, answer);

	asking_check(answer, len, id, 0, 1);
	ck_assert_uint_eq(answer[len - 4], 198);
}

bool asking_does(int fd)
{
	uint8_t msg[2 + 512];
	bool tcp = type_of(fd) == SOCK_STREAM;
	size_t len = asking_put(msg + 2, 7, "does.example", ASKING_A), skip = tcp ? 0 : 2;
	size_t want = 2 + len + 16, got = skip; /* one address */
	ssize_t n;

	msg[0] = 0;
	msg[1] = (uint8_t)len;
	if (send(fd, msg + skip, 2 + len - skip, MSG_NOSIGNAL) != (ssize_t)(2 + len - skip))
		return false;
	do {
		/* Where it may end by time, any signal ends it. */
		n = recv(fd, msg + got, tcp ? want - got : sizeof(msg) - got, 0);
		got += n > 0 ? (size_t)n : 0;
	} while ((n < 0 && errno == EINTR) || (tcp && n > 0 && got < want));
	return got == want && msg[2 + len + 12] == 198;
}
