/*
 * Whether what comes out is what went in. Both ends know the octets that must come, from a seed;
 * the sizes and pauses of what is sent and read change all the time: at full speed, then one small
 * message at a time, then a receiver that doesn't read.
 */
#include "load.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE        (64u << 10)
#define SILENCE_MS   10000
#define DATAGRAM_MAX 65000

/* One way through one tunnel. */
struct way {
	int from, to;
	uint64_t seed, total, sent, received;
	uint64_t phase_end; /* of what was sent */
	bool trickles;      /* one small message after the other has arrived */
	uint64_t stopped;   /* the reader rests for so many turns */
};

static uint64_t dice;

/* Of splitmix64 (Vigna): any place of the stream can be had at once. */
static uint64_t mixed(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static uint64_t roll(uint64_t below)
{
	return mixed(dice++) % below;
}

static void octets_at(uint64_t seed, uint64_t pos, uint8_t *out, size_t len)
{
	uint8_t block[8];

	for (size_t i = 0; i < len;) {
		uint64_t word = mixed(seed ^ mixed((pos + i) / 8));
		size_t skip = (pos + i) % 8, n = 8 - skip < len - i ? 8 - skip : len - i;

		memcpy(block, &word, 8);
		memcpy(out + i, block + skip, n);
		i += n;
	}
}

static void next_phase(struct way *w)
{
	w->trickles = roll(3) == 0;
	w->phase_end = w->sent + (w->trickles ? 1 + roll(2000) : 1 + roll(2u << 20));
}

/* Returns whether anything moved. */
static bool push(struct way *w)
{
	uint8_t buf[PIECE];
	size_t len = w->trickles ? 1 + roll(200) : 1 + roll(PIECE);
	ssize_t n;

	if (w->sent == w->total || (w->trickles && w->received < w->sent))
		return false;
	if (w->sent >= w->phase_end)
		next_phase(w);
	if (len > w->total - w->sent)
		len = w->total - w->sent;
	octets_at(w->seed, w->sent, buf, len);
	n = send(w->from, buf, len, MSG_NOSIGNAL);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0)
		die("send: %s", strerror(errno));
	w->sent += (uint64_t)n;
	return true;
}

static bool drain(struct way *w)
{
	uint8_t got[PIECE], want[PIECE];
	ssize_t n;

	if (w->received == w->total)
		return false;
	if (w->stopped > 0) {
		w->stopped--;
		return true;
	}
	if (roll(400) == 0)
		w->stopped = roll(300);
	n = recv(w->to, got, 1 + roll(PIECE), 0);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0)
		die("ended after %llu of %llu octets: %s", (unsigned long long)w->received,
		    (unsigned long long)w->total, n < 0 ? strerror(errno) : "end of file");
	octets_at(w->seed, w->received, want, (size_t)n);
	if (memcmp(got, want, (size_t)n) != 0)
		die("wrong octets within %zd from %llu on", n, (unsigned long long)w->received);
	w->received += (uint64_t)n;
	return true;
}

static void wait_for_any(struct way *ways, unsigned n)
{
	struct pollfd *p = get_memory(2 * n, sizeof(*p));

	for (unsigned i = 0; i < n; i++) {
		struct way *w = &ways[i];
		bool sends = w->sent < w->total && !(w->trickles && w->received < w->sent);

		p[2 * i] = (struct pollfd){ .fd = sends ? w->from : -1, .events = POLLOUT };
		p[2 * i + 1] = (struct pollfd){ .fd = w->received < w->total ? w->to : -1,
			                        .events = POLLIN };
	}
	if (poll(p, 2 * n, SILENCE_MS) == 0)
		die("nothing moves");
	free(p);
}

void story_check(uint16_t proxy, char **argv)
{
	unsigned streams = (unsigned)atoi(argv[0]), n = 2 * streams, done;
	struct pair *pairs = dial_pairs(proxy, streams);
	struct way *ways = get_memory(n, sizeof(*ways));
	uint64_t total = strtoull(argv[1], NULL, 10);
	char more;

	dice = mixed(strtoull(argv[2], NULL, 10));
	for (unsigned i = 0; i < n; i++) {
		struct pair *p = &pairs[i / 2];

		ways[i] = (struct way){ .from = i & 1 ? p->target : p->client,
			                .to = i & 1 ? p->client : p->target,
			                .seed = roll(UINT64_MAX),
			                .total = total };
	}
	do {
		bool moved = false;

		done = 0;
		for (unsigned i = 0; i < n; i++) {
			moved |= push(&ways[i]);
			moved |= drain(&ways[i]);
			done += ways[i].received == total;
		}
		if (!moved && done < n)
			wait_for_any(ways, n);
	} while (done < n);
	/* Not an octet more than that, either. */
	for (unsigned i = 0; i < n; i++) {
		if (recv(ways[i].to, &more, 1, 0) > 0)
			die("more came than was sent");
	}
	printf("octets %llu\n", (unsigned long long)(total * n));
	free(ways);
	free(pairs);
}

/* The client says that it is done, the target answers all the same, and the answer arrives. */
void story_half(uint16_t proxy, char **argv)
{
	struct pair *p = dial_pairs(proxy, 1);
	uint64_t total = strtoull(argv[0], NULL, 10);
	struct way answer = { .from = p->target, .to = p->client, .seed = 1, .total = total };
	struct pollfd poller = { .fd = p->target, .events = POLLIN };
	char octet;

	if (send(p->client, "x", 1, MSG_NOSIGNAL) != 1 || shutdown(p->client, SHUT_WR) < 0)
		die("client: %s", strerror(errno));
	for (int i = 0; i < 2; i++) {
		if (poll(&poller, 1, SILENCE_MS) != 1 || recv(p->target, &octet, 1, 0) != 1 - i)
			die("the target sees no good end");
	}
	while (answer.received < total) {
		bool pushed = push(&answer), drained = drain(&answer);

		if (!pushed && !drained)
			wait_for_any(&answer, 1);
	}
	printf("octets %llu\n", (unsigned long long)total);
	free(p);
}

void story_check_udp(uint16_t proxy, char **argv)
{
	unsigned n = (unsigned)atoi(argv[0]), longest = (unsigned)atoi(argv[1]), tries = 0;
	static uint8_t out[DATAGRAM_MAX + 10], in[sizeof(out)];
	struct sockaddr_in relay, to = loopback(0), ours = loopback(0), from;
	const struct timeval patience = { .tv_usec = 500000 };
	socklen_t len = sizeof(to);
	const char *why;
	int far = socket(AF_INET, SOCK_DGRAM, 0), near = socket(AF_INET, SOCK_DGRAM, 0), control;

	dice = mixed(strtoull(argv[2], NULL, 10));
	if (longest < 1 || longest > DATAGRAM_MAX)
		die("1 to %d octets", DATAGRAM_MAX);
	if (bind(far, (struct sockaddr *)&to, len) < 0 ||
	    bind(near, (struct sockaddr *)&ours, len) < 0 ||
	    getsockname(far, (struct sockaddr *)&to, &len) < 0)
		die("no socket: %s", strerror(errno));
	setsockopt(far, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(near, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	control = associate(proxy, &relay, &why);
	if (control < 0)
		die("association: %s: %s", why, strerror(errno));
	socks5_request(out, 0, &to);
	out[0] = 0;
	for (unsigned i = 0; i < n; i++) {
		/* The shortest and the longest among them. */
		size_t size = i == 0 ? 1 : i == 1 ? longest : 1 + roll(longest);
		ssize_t got;

		octets_at(dice, 0, out + 10, size);
		sendto(near, out, 10 + size, 0, (struct sockaddr *)&relay, sizeof(relay));
		len = sizeof(from);
		got = recvfrom(far, in, sizeof(in), 0, (struct sockaddr *)&from, &len);
		/* Datagrams may be lost, though hardly ever here. */
		if (got < 0 && tries++ < 3)
			continue;
		if (got != (ssize_t)size || memcmp(in, out + 10, size) != 0)
			die("a datagram of %zu octets arrived as %zd", size, got);
		sendto(far, in, size, 0, (struct sockaddr *)&from, len);
		got = recv(near, in, sizeof(in), 0);
		if (got < 0 && tries++ < 3)
			continue;
		if (got != (ssize_t)size + 10 || memcmp(in, out, size + 10) != 0)
			die("an answer of %zu octets came as %zd, or from elsewhere", size,
			    got - 10);
	}
	close(control);
	printf("datagrams %u\n", n);
}
