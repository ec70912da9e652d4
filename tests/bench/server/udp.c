/*
 * Datagrams through an association, many by one system call. An echo keeps so many under way; a
 * flood sends as fast as it can to a target that only counts. What the target and the client could
 * not take would be lost to us, not to the server, so that both have large buffers.
 */
#include "load.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH      64
#define HEADER     10 /* with an IPv4 address: RFC 1928 section 7 */
#define LONGEST    65507
#define SILENCE_MS 100
#define BUFFER     (8 << 20)

struct side {
	int fd;
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_in name[BATCH];
	uint8_t *octets;
	size_t room; /* of one datagram */
};

static struct side client_out, client_in, target;
static size_t header;
static int control = -1;

static int udp_socket(struct sockaddr_in *sa)
{
	const int buffer = BUFFER;
	socklen_t len = sizeof(*sa);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*sa = loopback(0);
	if (fd < 0 || bind(fd, (struct sockaddr *)sa, len) < 0 ||
	    getsockname(fd, (struct sockaddr *)sa, &len) < 0)
		die("no socket: %s", strerror(errno));
	/* Root's way around the limit, else as much as anyone may have. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	return fd;
}

static void side_init(struct side *s, int fd, size_t room)
{
	s->fd = fd;
	s->room = room;
	s->octets = get_memory(BATCH, room);
	for (unsigned i = 0; i < BATCH; i++) {
		s->iov[i].iov_base = s->octets + i * room;
		s->iov[i].iov_len = room;
		s->msg[i].msg_hdr.msg_iov = &s->iov[i];
		s->msg[i].msg_hdr.msg_iovlen = 1;
	}
}

static void set_up(uint16_t proxy, size_t len)
{
	struct sockaddr_in to, ours, relay;
	const char *why;
	int fd = udp_socket(&ours), far = udp_socket(&to);

	relay = to;
	if (proxy) {
		control = associate(proxy, &relay, &why);
		if (control < 0)
			die("association: %s: %s", why, strerror(errno));
		header = HEADER;
	}
	if (connect(fd, (struct sockaddr *)&relay, sizeof(relay)) < 0)
		die("connect: %s", strerror(errno));
	side_init(&client_out, fd, header + len);
	side_init(&client_in, fd, header + LONGEST);
	side_init(&target, far, LONGEST);
	for (unsigned i = 0; proxy && i < BATCH; i++) {
		uint8_t *h = client_out.octets + i * client_out.room;

		h[3] = 1;
		memcpy(h + 4, &to.sin_addr, 4);
		memcpy(h + 8, &to.sin_port, 2);
	}
}

static unsigned send_some(struct side *s, unsigned n)
{
	int sent = sendmmsg(s->fd, s->msg, n, 0);

	if (sent >= 0)
		return (unsigned)sent;
	if (errno == EAGAIN || errno == ENOBUFS)
		return 0;
	die("sendmmsg: %s", strerror(errno));
}

static unsigned receive_some(struct side *s, bool names)
{
	int n;

	for (unsigned i = 0; names && i < BATCH; i++) {
		s->msg[i].msg_hdr.msg_name = &s->name[i];
		s->msg[i].msg_hdr.msg_namelen = sizeof(s->name[i]);
	}
	n = recvmmsg(s->fd, s->msg, BATCH, 0, NULL);
	if (n >= 0)
		return (unsigned)n;
	/* An answer to an earlier datagram: nobody was there. */
	if (errno == EAGAIN || errno == ECONNREFUSED)
		return 0;
	die("recvmmsg: %s", strerror(errno));
}

/* The target gives back what it got; returns how many that were. */
static unsigned echo(void)
{
	unsigned n = receive_some(&target, true), done = 0;

	for (unsigned i = 0; i < n; i++)
		target.iov[i].iov_len = target.msg[i].msg_len;
	while (done < n) {
		int sent = sendmmsg(target.fd, target.msg + done, n - done, 0);

		/* What can't go out now is as lost as any. */
		done += sent > 0 ? (unsigned)sent : 1;
	}
	for (unsigned i = 0; i < n; i++)
		target.iov[i].iov_len = target.room;
	return n;
}

static unsigned waits(int ms)
{
	struct pollfd p[2] = { { .fd = client_in.fd, .events = POLLIN },
		               { .fd = target.fd, .events = POLLIN } };

	return (unsigned)poll(p, 2, ms);
}

void story_udp(uint16_t proxy, char **argv)
{
	size_t len = (size_t)atoi(argv[0]);
	int64_t window = atoi(argv[1]), sent = 0, received = 0, given_up = 0;
	uint64_t began, until, now;
	unsigned n, moved;

	if (len < 1 || len > 65000)
		die("1 to 65000 octets");
	set_up(proxy, len);
	now = began = now_ns();
	until = began + (uint64_t)(atof(argv[2]) * 1e9);
	while (now < until) {
		int64_t room = window - (sent - received - given_up);

		moved = room <= 0 ? 0
		                  : send_some(&client_out, room < BATCH ? (unsigned)room : BATCH);
		sent += moved;
		moved += echo();
		n = receive_some(&client_in, false);
		for (unsigned i = 0; i < n; i++) {
			if (client_in.msg[i].msg_len != header + len)
				die("%u octets came back of %zu", client_in.msg[i].msg_len,
				    header + len);
		}
		received += n;
		if (moved + n == 0 && waits(SILENCE_MS) == 0)
			given_up = sent - received;
		now = now_ns();
	}
	printf("count %lld\nseconds %.6f\n", (long long)received, (double)(now - began) / 1e9);
	while (received < sent && waits(SILENCE_MS) > 0) {
		echo();
		received += receive_some(&client_in, false);
	}
	printf("loss %.6f\n", sent > 0 ? (double)(sent - received) / (double)sent : 0);
	tell_own_cpu();
	if (received == 0)
		die("nothing came back");
}

void story_flood(uint16_t proxy, char **argv)
{
	uint64_t began, until, now, sent = 0, received = 0;
	unsigned n;

	set_up(proxy, (size_t)atoi(argv[0]));
	now = began = now_ns();
	until = began + (uint64_t)(atof(argv[1]) * 1e9);
	while (now < until) {
		sent += send_some(&client_out, BATCH);
		while ((n = receive_some(&target, false)) == BATCH)
			received += n;
		received += n;
		now = now_ns();
	}
	printf("count %llu\nseconds %.6f\n", (unsigned long long)received,
	       (double)(now - began) / 1e9);
	while (received < sent && waits(SILENCE_MS) > 0)
		received += receive_some(&target, false);
	printf("loss %.6f\n", sent > 0 ? (double)(sent - received) / (double)sent : 0);
	tell_own_cpu();
	if (received == 0)
		die("nothing arrived");
}
