/* Threads and processes that put the same names at once, and such as are killed at it. */
#include <names/table.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unit.h>

#include "shared.h"

enum { THREADS = 8, SHARED_NAMES = 3000 };

static struct race {
	struct table *t;
	pthread_barrier_t *start;
	int number;
	uint32_t slots[SHARED_NAMES];
	const char *fault;
} races[THREADS];

/* All threads put the same names, and each some of its own in between. */
static void *racer(void *arg)
{
	struct race *r = arg;
	char name[64];

	pthread_barrier_wait(r->start);
	for (int i = 0; i < SHARED_NAMES; i++) {
		uint32_t own;
		size_t n = (size_t)sprintf(name, "shared%d.example", i);

		if (table_put(r->t, name, n, &r->slots[i]) < 0)
			r->fault = "a name was not taken";
		else if (table_find(r->t, name, n) != r->slots[i])
			r->fault = "a slot changed";
		n = (size_t)sprintf(name, "own%d.%d", r->number, i);
		if (table_put(r->t, name, n, &own) < 0 || !table_name(r->t, own, NULL) ||
		    strcmp(table_name(r->t, own, NULL), name) != 0)
			r->fault = "an own name was lost";
	}
	return NULL;
}

START_TEST(racing_threads_get_the_same_slot)
{
	struct table *t = begin();
	pthread_barrier_t start;
	pthread_t threads[THREADS];

	pthread_barrier_init(&start, NULL, THREADS);
	for (int i = 0; i < THREADS; i++) {
		races[i] = (struct race){ .t = t, .start = &start, .number = i };
		ck_assert_int_eq(pthread_create(&threads[i], NULL, racer, &races[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < THREADS; i++) {
		ck_assert_msg(!races[i].fault, "%s", races[i].fault);
		ck_assert_mem_eq(races[i].slots, races[0].slots, sizeof(races[i].slots));
	}
	ck_assert_uint_ge(table_count(t), SHARED_NAMES * (THREADS + 1));
	pthread_barrier_destroy(&start);
	end(t);
}
END_TEST

/* Shared with the children of a test. */
struct board {
	_Atomic int ready;
	_Atomic uint32_t slots[4][SHARED_NAMES];
};

static struct board *board_new(void)
{
	struct board *b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	                       -1, 0);

	ck_assert_ptr_ne(b, MAP_FAILED);
	return b;
}

/*
 * @_i 0: each process opens the table, 1: they inherit the mapping, 2: they inherit a private one.
 */
START_TEST(racing_processes_get_the_same_slot)
{
	struct board *b = board_new();
	struct table *t = begin();
	pid_t pids[4];
	char name[64];

	if (_i == 2) {
		table_close(t);
		t = table_open(NULL, NULL);
	}
	for (int p = 0; p < 4; p++) {
		pids[p] = fork();
		if (pids[p] > 0)
			continue;
		if (_i == 0)
			t = table_open(table_path, NULL);
		b->ready++;
		while (b->ready < 4)
			;
		for (int i = 0; i < SHARED_NAMES; i++) {
			uint32_t slot = 0;

			table_put(t, name, (size_t)sprintf(name, "shared%d", i), &slot);
			b->slots[p][i] = slot;
		}
		_exit(0);
	}
	for (int p = 0; p < 4; p++)
		ck_assert_int_eq(child_wait(pids[p]), 0);
	for (int i = 0; i < SHARED_NAMES; i++) {
		sprintf(name, "shared%d", i);
		for (int p = 0; p < 4; p++)
			ck_assert_uint_eq(b->slots[p][i], find(t, name));
		check_name(t, find(t, name), name);
	}
	munmap(b, sizeof(*b));
	end(t);
}
END_TEST

/* Every slot given has its name, or belonged to somebody who died: at most one for each death. */
static void check_whole(const struct table *t, uint32_t deaths)
{
	uint32_t orphans = table_count(t);

	for (uint32_t slot = 1; slot < POOL_SLOTS; slot++) {
		size_t len;
		const char *name = table_name(t, slot, &len);
		uint32_t found = name ? table_find(t, name, len) : 0;

		orphans -= found == slot;
		if (found && strcmp(table_name(t, found, NULL), name) != 0)
			ck_abort_msg("%s is not %s", table_name(t, found, NULL), name);
	}
	ck_assert_uint_le(orphans, deaths);
}

START_TEST(kill_at_any_instant_leaves_at_most_an_orphan)
{
	enum { KILLS = 100, NEW = 1000 }; /* KILLS * NEW fit into the table */
	struct board *b = board_new();
	uint64_t seed = unit_seed();
	struct table *t = begin();
	char name[64];

	for (uint32_t round = 0; round < KILLS; round++) {
		uint32_t target = table_count(t) + 1 + (uint32_t)unit_below(&seed, NEW - 100);
		pid_t pid = fork();

		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			t = table_open(table_path, NULL);
			for (uint32_t pick = 0;; pick = (pick + 1) % NEW) {
				uint32_t slot = 0;
				size_t n = (size_t)sprintf(name, "%.*s%u.%u", (int)(pick % 30),
				                           "abcdefghijklmnopqrstuvwxyzabcd", round,
				                           pick);

				if (table_put(t, name, n, &slot) == 0)
					b->slots[0][pick] = slot;
			}
		}
		while (table_count(t) < target)
			;
		ck_assert_int_eq(kill(pid, SIGKILL), 0);
		ck_assert_int_eq(child_wait(pid), -1);
		for (uint32_t i = 0; i < NEW; i++) {
			uint32_t slot = b->slots[0][i];

			if (slot == 0)
				continue;
			sprintf(name, "%.*s%u.%u", (int)(i % 30), "abcdefghijklmnopqrstuvwxyzabcd",
			        round, i);
			if (find(t, name) != slot || !table_name(t, slot, NULL) ||
			    strcmp(table_name(t, slot, NULL), name) != 0)
				ck_abort_msg("%s lost its slot %u", name, slot);
			b->slots[0][i] = 0;
		}
		if (round % 10 == 9)
			check_whole(t, round + 1);
	}
	put(t, "after.all");
	munmap(b, sizeof(*b));
	end(t);
}
END_TEST

UNIT_MAIN("names/table race", { racing_threads_get_the_same_slot, 0 },
          { racing_processes_get_the_same_slot, 3 },
          { kill_at_any_instant_leaves_at_most_an_orphan, 0 })
