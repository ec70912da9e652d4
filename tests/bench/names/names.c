/*
 * What a name costs: a hit, a miss, an address turned back into its name, a new name, and a first
 * look at the table by another process; a socket's peer; an address that goes direct.
 * Usage: names [HOW MANY NAMES]
 */
#include <names/direct.h>
#include <names/peers.h>
#include <names/table.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOOKUPS      5000000u
#define PEER_LOOKUPS 100000

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void tell(const char *what, double began, double n)
{
	printf("%-28s %8.1f ns\n", what, (now_ns() - began) / n);
}

static struct endpoint address(unsigned i)
{
	const uint8_t ip[4] = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };
	struct endpoint ep;

	endpoint_set_ipv4(&ep, ip, 0);
	return ep;
}

/* Notes of @n addresses; look-ups have a port, as connect() does. Returns how many were found. */
static size_t measure_direct(struct table *t, unsigned n)
{
	struct endpoint ep;
	size_t found = 0;
	double began = now_ns();

	for (unsigned i = 0; i < n; i++) {
		ep = address(i);
		direct_note(t, &ep);
	}
	tell("note an address", began, n);
	began = now_ns();
	for (unsigned i = 0; i < LOOKUPS; i++) {
		ep = address(i % n);
		ep.port = 443;
		found += direct_find(t, &ep);
	}
	tell("find it", began, LOOKUPS);
	began = now_ns();
	for (unsigned i = 0; i < LOOKUPS; i++) {
		ep = address(i % n + DIRECT_KNOWN);
		ep.port = 443;
		found += direct_find(t, &ep);
	}
	tell("not find another", began, LOOKUPS);
	return found;
}

int main(int argc, char **argv)
{
	unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000;
	char(*names)[32] = calloc(count, sizeof(*names)), path[64];
	size_t *lens = calloc(count, sizeof(*lens)), sum = 0;
	uint32_t *slots = calloc(count, sizeof(*slots));
	struct peer peer = { .shown_family = AF_INET };
	struct table *t;
	struct stat st;
	double began;
	int why;

	if (count == 0 || !names || !lens || !slots)
		return 1;
	snprintf(path, sizeof(path), "/dev/shm/socksify-bench-%ld", (long)getpid());
	for (unsigned i = 0; i < count; i++)
		lens[i] = (size_t)snprintf(names[i], sizeof(names[i]), "host%u.example.org", i);
	began = now_ns();
	t = table_open(path, &why);
	tell("make the table", began, 1);
	if (!t || why != 0)
		return 1;
	began = now_ns();
	for (unsigned i = 0; i < count; i++)
		if (table_put(t, names[i], lens[i], &slots[i]) < 0)
			return 1;
	tell("new name", began, count);
	began = now_ns();
	for (unsigned i = 0; i < LOOKUPS; i++)
		sum += table_find(t, names[i % count], lens[i % count]);
	tell("hit", began, LOOKUPS);
	began = now_ns();
	for (unsigned i = 0; i < LOOKUPS; i++)
		sum += table_find(t, names[i % count], lens[i % count] - 1);
	tell("miss", began, LOOKUPS);
	began = now_ns();
	for (unsigned i = 0; i < LOOKUPS; i++)
		sum += (size_t)table_name(t, slots[i % count], NULL)[0];
	tell("address to name", began, LOOKUPS);
	if (stat(path, &st) == 0)
		printf("%-28s %8ld KiB\n", "memory of the file", (long)st.st_blocks / 2);
	for (int i = 1; i <= PEERS_KNOWN; i++)
		peers_note(t, (uint64_t)i, &peer);
	began = now_ns();
	for (int i = 0; i < PEER_LOOKUPS; i++)
		peers_note(t, (uint64_t)i + PEERS_KNOWN, &peer);
	tell("note a peer", began, PEER_LOOKUPS);
	began = now_ns();
	for (int i = 0; i < PEER_LOOKUPS; i++)
		sum += peers_find(t, (uint64_t)i, &peer);
	tell("find a peer", began, PEER_LOOKUPS);
	sum += measure_direct(t, count < DIRECT_KNOWN ? count : DIRECT_KNOWN);
	table_close(t);
	began = now_ns();
	for (int i = 0; i < 1000; i++) {
		t = table_open(path, &why);
		sum += table_find(t, names[0], lens[0]);
		table_close(t);
	}
	tell("open, find, close", began, 1000);
	unlink(path);
	/* The sum is told so that no look-up can be left out. */
	printf("%u names, check %zu\n", count, sum);
	free(names);
	free(lens);
	free(slots);
	return 0;
}
