/*
 * Octets as fast as they go. The ends shall cost little, so that the server is what limits: nothing
 * is copied. What is sent are the pages of a file in memory (a network card's octets come without
 * a copy, too), and what is received is thrown away in the kernel (MSG_TRUNC).
 */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE      (256u << 10)
#define TURNS_MAX  4 /* of one end, before the others get theirs */
#define SILENCE_MS 10000

/* One end of a tunnel: even ones are the client's, and i ^ 1 is the other end of i. */
struct end {
	int fd;
	bool sends;
	uint64_t sent, received;
};

static struct end *ends;
static unsigned n_ends;
static int file = -1; /* of PIECE octets */

static void push(struct end *e)
{
	off_t pos;
	ssize_t n;

	for (int turn = 0; turn < TURNS_MAX; turn++) {
		pos = 0;
		n = sendfile(e->fd, file, &pos, PIECE);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			die("sendfile: %s", strerror(errno));
		e->sent += (uint64_t)n;
		if ((size_t)n < PIECE)
			return;
	}
}

static void drain(struct end *e)
{
	ssize_t n;

	for (int turn = 0; turn < TURNS_MAX; turn++) {
		n = recv(e->fd, NULL, 8u << 20, MSG_TRUNC);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			die("a tunnel ended early: %s", n < 0 ? strerror(errno) : "end of file");
		e->received += (uint64_t)n;
		if ((size_t)n < PIECE)
			return;
	}
}

static uint64_t missing(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n_ends; i++)
		sum += ends[i ^ 1].sent - ends[i].received;
	return sum;
}

static uint32_t mask(const struct end *e, const struct end *other, bool pushing)
{
	return (e->sends && pushing ? EPOLLOUT : 0u) | (other->sends ? EPOLLIN : 0u);
}

static void stop_pushing(int ep)
{
	for (unsigned i = 0; i < n_ends; i++) {
		struct epoll_event ev = { .events = mask(&ends[i], &ends[i ^ 1], false),
			                  .data.u64 = i };

		if (epoll_ctl(ep, EPOLL_CTL_MOD, ends[i].fd, &ev) < 0)
			die("epoll_ctl: %s", strerror(errno));
	}
}

void story_bulk(uint16_t proxy, char **argv)
{
	unsigned streams = (unsigned)atoi(argv[0]);
	bool up = strcmp(argv[1], "down") != 0, down = strcmp(argv[1], "up") != 0, pushing = true;
	struct pair *pairs = dial_pairs(proxy, streams);
	struct epoll_event ev[64];
	uint64_t began, until, octets = 0;
	int ep = epoll_create1(EPOLL_CLOEXEC), n;

	file = memfd_create("octets", MFD_CLOEXEC);
	if (file < 0 || ftruncate(file, PIECE) < 0)
		die("no file in memory: %s", strerror(errno));
	n_ends = 2 * streams;
	ends = get_memory(n_ends, sizeof(*ends));
	for (unsigned i = 0; i < n_ends; i++) {
		ends[i].fd = i & 1 ? pairs[i / 2].target : pairs[i / 2].client;
		ends[i].sends = i & 1 ? down : up;
	}
	for (unsigned i = 0; i < n_ends; i++)
		watch(ep, ends[i].fd, mask(&ends[i], &ends[i ^ 1], true), i);
	began = now_ns();
	until = began + (uint64_t)(atof(argv[2]) * 1e9);
	while (pushing || missing() > 0) {
		n = epoll_wait(ep, ev, 64, SILENCE_MS);
		if (n <= 0)
			die("nothing moves, %llu octets are missing",
			    (unsigned long long)missing());
		for (int i = 0; i < n; i++) {
			if (ev[i].events & ~(uint32_t)EPOLLOUT)
				drain(&ends[ev[i].data.u64]);
			if (ev[i].events & EPOLLOUT)
				push(&ends[ev[i].data.u64]);
		}
		if (pushing && now_ns() >= until) {
			pushing = false;
			stop_pushing(ep);
		}
	}
	for (unsigned i = 0; i < n_ends; i++)
		octets += ends[i].received;
	printf("octets %llu\nseconds %.6f\n", (unsigned long long)octets,
	       (double)(now_ns() - began) / 1e9);
	tell_own_cpu();
	free(ends);
	free(pairs);
}
