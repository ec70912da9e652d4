/*
 * load STORY PROXYPORT ARGUMENTS: the clients of a SOCKS5 server on 127.0.0.1, and their targets,
 * in one process of one thread, so that a machine of two processors has one for the server. Port 0
 * means no server at all, which shows what this tool and the machine can do. Prints "key value"
 * lines; run.py makes sense of them.
 */
#include "load.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static const struct story {
	const char *name;
	int argc;
	const char *arguments;
	void (*run)(uint16_t proxy, char **argv);
} stories[] = {
	{ "check", 3, "STREAMS OCTETS SEED", story_check },
	{ "half", 1, "OCTETS", story_half },
	{ "check-udp", 3, "DATAGRAMS LONGEST SEED", story_check_udp },
	{ "bulk", 3, "STREAMS up|down|both SECONDS", story_bulk },
	{ "connects", 2, "AT-ONCE SECONDS", story_connects },
	{ "pingpong", 3, "STREAMS OCTETS SECONDS", story_pingpong },
	{ "idle", 1, "COUNT[,COUNT...]", story_idle },
	{ "udp", 3, "OCTETS WINDOW SECONDS", story_udp },
	{ "flood", 2, "OCTETS SECONDS", story_flood },
};

#define N_STORIES (sizeof(stories) / sizeof(stories[0]))

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

void *get_memory(size_t n, size_t size)
{
	void *got = calloc(n, size);

	if (!got)
		die("no memory");
	return got;
}

void samples_add(struct samples *s, uint64_t ns)
{
	if (s->n == s->room) {
		s->room = s->room ? 2 * s->room : 65536;
		s->ns = realloc(s->ns, s->room * sizeof(*s->ns));
		if (!s->ns)
			die("no memory");
	}
	s->ns[s->n++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static int by_size(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void samples_tell(struct samples *s)
{
	if (s->n > 0) {
		qsort(s->ns, s->n, sizeof(*s->ns), by_size);
		printf("p50_us %.1f\np99_us %.1f\n", s->ns[s->n / 2] / 1e3,
		       s->ns[s->n * 99 / 100] / 1e3);
	}
	free(s->ns);
	memset(s, 0, sizeof(*s));
}

void tell_own_cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	printf("own_cpu_s %.4f\n", (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	                                   (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6);
}

static noreturn void usage(void)
{
	fprintf(stderr, "usage:\n");
	for (size_t i = 0; i < N_STORIES; i++)
		fprintf(stderr, "load %s PROXYPORT %s\n", stories[i].name, stories[i].arguments);
	exit(2);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; argc >= 3 && i < N_STORIES; i++) {
		if (strcmp(argv[1], stories[i].name) != 0)
			continue;
		if (argc != 3 + stories[i].argc)
			usage();
		stories[i].run((uint16_t)atoi(argv[2]), argv + 3);
		return 0;
	}
	usage();
}
