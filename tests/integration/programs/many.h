/* What the loops of several libraries have in common: the ticker and the numbers at the end. */
#ifndef PROGRAMS_MANY_H
#define PROGRAMS_MANY_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MANY_TICK_MS 5
#define MANY_TEXT    1024

struct many {
	const char *host, *port;
	int count, connected, ended, right;
	int ticks, before; /* ticks before the first was connected */
	int64_t began_ns, tick_ns, stall_ns, wall_ns;
};

/* One connect, and the page that is asked for over it. */
struct many_one {
	int number;
	size_t len;
	char text[MANY_TEXT];
};

static struct many many;

static inline int64_t many_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* main()'s words: HOST PORT COUNT. */
static inline void many_begin(int argc, char **argv)
{
	if (argc != 4)
		exit(2);
	many.host = argv[1];
	many.port = argv[2];
	many.count = atoi(argv[3]);
	many.began_ns = many.tick_ns = many_now();
}

static inline void many_tick(void)
{
	int64_t late = many_now() - many.tick_ns - MANY_TICK_MS * 1000000;

	many.stall_ns = late > many.stall_ns ? late : many.stall_ns;
	many.tick_ns = many_now();
	many.ticks++;
}

static inline void many_connected(void)
{
	if (many.connected++ == 0)
		many.before = many.ticks;
	if (many.connected == many.count) {
		many_tick();
		many.wall_ns = many_now() - many.began_ns;
	}
}

/* The request for a one's page. Returns its length. */
static inline size_t many_request(const struct many_one *one, char text[MANY_TEXT])
{
	return (size_t)snprintf(text, MANY_TEXT,
	                        "GET /%d HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
	                        one->number, many.host);
}

static inline void many_take(struct many_one *one, const char *octets, size_t len)
{
	if (len >= MANY_TEXT - one->len)
		return;
	memcpy(one->text + one->len, octets, len);
	one->len += len;
}

/* A one has ended. Returns whether it was the last. */
static inline int many_end(struct many_one *one)
{
	char want[MANY_TEXT];
	const char *body = strstr(one->text, "\r\n\r\n");

	snprintf(want, sizeof(want), "you asked %s for /%d\n", many.host, one->number);
	many.right += body != NULL && strcmp(body + 4, want) == 0;
	return ++many.ended == many.count;
}

static inline void many_tell(void)
{
	printf("%d right\n{\"wall_ms\": %.3f, \"stall_ms\": %.3f, \"ticks\": %d}\n", many.right,
	       (double)many.wall_ns / 1e6, (double)many.stall_ns / 1e6, many.before);
}

#endif
