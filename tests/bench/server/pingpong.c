/* Small messages there and back: one under way in each tunnel. */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define OCTETS_MAX 65536
#define SILENCE_MS 10000

struct player {
	uint64_t began;
	size_t got;
};

static uint8_t message[OCTETS_MAX], scratch[OCTETS_MAX];

static void put(int fd, const uint8_t *buf, size_t len)
{
	if (send(fd, buf, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("send: %s", strerror(errno));
}

/* 0 where there is nothing. */
static size_t take(int fd, size_t len)
{
	ssize_t n = recv(fd, scratch, len, 0);

	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		die("a tunnel ended early: %s", n < 0 ? strerror(errno) : "end of file");
	return (size_t)n;
}

void story_pingpong(uint16_t proxy, char **argv)
{
	unsigned streams = (unsigned)atoi(argv[0]);
	size_t len = (size_t)atoi(argv[1]), n;
	struct pair *pairs = dial_pairs(proxy, streams);
	struct player *players = get_memory(streams, sizeof(*players));
	struct samples samples = { 0 };
	struct epoll_event ev[128];
	uint64_t began, until, now;
	int ep = epoll_create1(EPOLL_CLOEXEC), ready;

	if (len < 1 || len > OCTETS_MAX)
		die("1 to %d octets", OCTETS_MAX);
	for (unsigned i = 0; i < streams; i++) {
		watch(ep, pairs[i].client, EPOLLIN, 2 * i);
		watch(ep, pairs[i].target, EPOLLIN, 2 * i + 1);
	}
	began = now_ns();
	until = began + (uint64_t)(atof(argv[2]) * 1e9);
	for (unsigned i = 0; i < streams; i++) {
		players[i].began = now_ns();
		put(pairs[i].client, message, len);
	}
	do {
		ready = epoll_wait(ep, ev, 128, SILENCE_MS);
		if (ready <= 0)
			die("nothing moves");
		for (int k = 0; k < ready; k++) {
			struct pair *pair = &pairs[ev[k].data.u64 / 2];
			struct player *p = &players[ev[k].data.u64 / 2];

			if (ev[k].data.u64 & 1) {
				n = take(pair->target, len);
				if (n > 0)
					put(pair->target, scratch, n);
				continue;
			}
			p->got += take(pair->client, len - p->got);
			if (p->got < len)
				continue;
			now = now_ns();
			samples_add(&samples, now - p->began);
			p->got = 0;
			p->began = now;
			put(pair->client, message, len);
		}
		now = now_ns();
	} while (now < until);
	printf("count %zu\nseconds %.6f\n", samples.n, (double)(now - began) / 1e9);
	samples_tell(&samples);
	tell_own_cpu();
	free(players);
	free(pairs);
}
