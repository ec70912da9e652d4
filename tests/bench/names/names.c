/*
 * What a name costs: a hit, a miss, an address turned back into its name, by one process and by
 * eight at once on one table; a new name, a first look at the table by another process, the
 * question whether its file is whole; a socket's peer; an address that goes direct. Each figure is
 * the median of several rounds, in nanoseconds of processor time.
 * Usage: names [HOW MANY NAMES [ROUNDS [HOW MANY PROCESSES]]]
 */
#include <names/direct.h>
#include <names/peers.h>
#include <names/table.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOKUPS       2000000u
#define PEER_LOOKUPS  50000u
#define OPENINGS      1000u
#define PROCESSES_MAX 64
#define ROUNDS_MAX    99

static char path[64];
static unsigned count = 1000, rounds = 7, processes = 8;
static struct table *t;
static char (*names)[32];
static size_t *lens;
static uint32_t *slots;

/* Looked at in the end, so that no look-up can be left out. */
static size_t sum;

static struct board {
	_Atomic unsigned ready;
	_Atomic size_t sum; /* of all */
	double ns[PROCESSES_MAX];
} * board;

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static struct endpoint address(unsigned i)
{
	const uint8_t ip[4] = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };
	struct endpoint ep;

	/* Look-ups have a port, as connect() does. */
	endpoint_set_ipv4(&ep, ip, 443);
	return ep;
}

/* Each of these returns how often it did it. */
static unsigned hit(void)
{
	for (unsigned i = 0; i < LOOKUPS; i++)
		sum += table_find(t, names[i % count], lens[i % count]);
	return LOOKUPS;
}

static unsigned miss(void)
{
	for (unsigned i = 0; i < LOOKUPS; i++)
		sum += table_find(t, names[i % count], lens[i % count] - 1);
	return LOOKUPS;
}

static unsigned reverse(void)
{
	for (unsigned i = 0; i < LOOKUPS; i++)
		sum += (size_t)table_name(t, slots[i % count], NULL)[0];
	return LOOKUPS;
}

static unsigned put_again(void)
{
	uint32_t slot;

	for (unsigned i = 0; i < LOOKUPS; i++)
		sum += (size_t)table_put(t, names[i % count], lens[i % count], &slot);
	return LOOKUPS;
}

static unsigned check_file(void)
{
	for (unsigned i = 0; i < LOOKUPS / 10; i++)
		sum += (size_t)table_check(t);
	return LOOKUPS / 10;
}

static unsigned note_peer(void)
{
	static uint64_t cookie;
	struct peer peer = { .shown_family = AF_INET };

	for (unsigned i = 0; i < PEER_LOOKUPS; i++)
		peers_note(t, ++cookie, &peer);
	return PEER_LOOKUPS;
}

static unsigned find_peer(void)
{
	struct peer peer;

	for (unsigned i = 0; i < PEER_LOOKUPS; i++)
		sum += peers_find(t, i, &peer);
	return PEER_LOOKUPS;
}

static unsigned note_address(void)
{
	unsigned n = count < DIRECT_KNOWN ? count : DIRECT_KNOWN;

	for (unsigned i = 0; i < n; i++) {
		struct endpoint ep = address(i);

		ep.port = 0;
		sum += (size_t)direct_note(t, &ep);
	}
	return n;
}

static unsigned find_address(void)
{
	unsigned n = count < DIRECT_KNOWN ? count : DIRECT_KNOWN;

	for (unsigned i = 0; i < LOOKUPS; i++) {
		struct endpoint ep = address(i % n);

		sum += direct_find(t, &ep);
	}
	return LOOKUPS;
}

static unsigned miss_address(void)
{
	for (unsigned i = 0; i < LOOKUPS; i++) {
		struct endpoint ep = address(i % count + DIRECT_KNOWN);

		sum += direct_find(t, &ep);
	}
	return LOOKUPS;
}

static unsigned open_and_find(void)
{
	for (unsigned i = 0; i < OPENINGS; i++) {
		struct table *other = table_open(path, NULL);

		sum += table_find(other, names[0], lens[0]);
		table_close(other);
	}
	return OPENINGS;
}

/* A table of its own, with all names put into it; how long making it takes is not counted. */
static double put_new_ns(void)
{
	char other_path[80];
	struct table *other;
	uint32_t slot;
	double began, ns;

	snprintf(other_path, sizeof(other_path), "%s-new", path);
	other = table_open(other_path, NULL);
	began = now_ns();
	for (unsigned i = 0; i < count; i++)
		sum += (size_t)table_put(other, names[i], lens[i], &slot);
	ns = (now_ns() - began) / count;
	table_close(other);
	unlink(other_path);
	return ns;
}

static double run_ns(unsigned (*what)(void))
{
	double began = now_ns();
	unsigned n = what();

	return (now_ns() - began) / n;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *all, unsigned n)
{
	qsort(all, n, sizeof(*all), by_size);
	return all[n / 2];
}

/* One round by @n processes, each with a mapping of its own. Returns the median of them. */
static double crowd_ns(unsigned (*what)(void), unsigned n)
{
	pid_t pids[PROCESSES_MAX];

	board->ready = 0;
	fflush(stdout);
	for (unsigned p = 0; p < n; p++) {
		pids[p] = fork();
		if (pids[p] != 0)
			continue;
		t = table_open(path, NULL);
		board->ready++;
		while (board->ready < n)
			;
		board->ns[p] = run_ns(what);
		board->sum += sum;
		_exit(0);
	}
	for (unsigned p = 0; p < n; p++)
		waitpid(pids[p], NULL, 0);
	return median(board->ns, n);
}

static void tell_alone(const char *what, unsigned (*run)(void))
{
	double all[ROUNDS_MAX];

	for (unsigned r = 0; r < rounds; r++)
		all[r] = run ? run_ns(run) : put_new_ns();
	printf("%-28s %10.1f\n", what, median(all, rounds));
}

static void tell_crowd(const char *what, unsigned (*run)(void))
{
	double one[ROUNDS_MAX], many[ROUNDS_MAX];

	for (unsigned r = 0; r < rounds; r++) {
		one[r] = crowd_ns(run, 1);
		many[r] = crowd_ns(run, processes);
	}
	printf("%-28s %10.1f %10.1f\n", what, median(one, rounds), median(many, rounds));
}

static unsigned argument(int argc, char **argv, int i, unsigned otherwise, unsigned most)
{
	unsigned n = argc > i ? (unsigned)strtoul(argv[i], NULL, 10) : otherwise;

	return n == 0 || n > most ? otherwise : n;
}

static int prepare(void)
{
	int why;

	names = calloc(count, sizeof(*names));
	lens = calloc(count, sizeof(*lens));
	slots = calloc(count, sizeof(*slots));
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	             0);
	if (!names || !lens || !slots || board == MAP_FAILED)
		return -1;
	snprintf(path, sizeof(path), "/dev/shm/socksify-bench-%ld", (long)getpid());
	t = table_open(path, &why);
	for (unsigned i = 0; why == 0 && i < count; i++) {
		lens[i] = (size_t)snprintf(names[i], sizeof(names[i]), "host%u.example.org", i);
		why = table_put(t, names[i], lens[i], &slots[i]);
	}
	return why;
}

int main(int argc, char **argv)
{
	struct stat st;

	count = argument(argc, argv, 1, count, 131071);
	rounds = argument(argc, argv, 2, rounds, ROUNDS_MAX);
	processes = argument(argc, argv, 3, processes, PROCESSES_MAX);
	if (prepare() < 0) {
		unlink(path);
		return 1;
	}
	printf("%u names, ns each, median of %u\n%-28s %10s %7u at once\n", count, rounds, "",
	       "1 process", processes);
	tell_crowd("hit", hit);
	tell_crowd("miss", miss);
	tell_crowd("address to name", reverse);
	tell_crowd("put a name that is there", put_again);
	tell_alone("put a new name", NULL);
	tell_alone("is the file whole", check_file);
	tell_alone("open, find, close", open_and_find);
	if (stat(path, &st) == 0)
		printf("%-28s %6ld KiB\n", "memory of the file", (long)st.st_blocks / 2);
	tell_alone("note a peer", note_peer);
	tell_alone("find a peer", find_peer);
	tell_alone("note an address", note_address);
	tell_alone("find it", find_address);
	tell_alone("not find another", miss_address);
	table_close(t);
	unlink(path);
	printf("check %zu\n", sum + board->sum);
	free(names);
	free(lens);
	free(slots);
	return 0;
}
