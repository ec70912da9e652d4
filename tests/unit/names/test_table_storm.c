/*
 * Processes that put and find names at once, all on one table, while one after the other is killed
 * in the midst of it and another takes its place. Every answer of everybody is held against what
 * all others were told, which is kept outside the table. STORM_KILLS says how many are killed, and
 * STORM_SECONDS after how long it is enough.
 *
 * For each kill there are new names to be put, and all threads get as many turns, which they take
 * from their process's pipe; the process that is to die says when it is in the midst of them.
 */
#include <base/clock.h>
#include <config/ascii.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unit.h>

#include "tables.h"

enum {
	PROCESSES = 8,
	THREADS = 4,
	KILLS = 1000,
	SECONDS = 120,
	SLOTS = 1 << 18,
	NAMES = 200000, /* the other slots are for those who lose a race, or die */
	NEWEST = 200,   /* names that come with a kill */
	TURNS = 200,    /* that a thread has for a kill */
};

/* What everybody was told, shared by all; nothing in it is undone by a death. */
static struct tidings {
	_Atomic uint32_t slot_of[NAMES]; /* that somebody got; 0: nobody yet */
	_Atomic uint32_t name_of[SLOTS]; /* its number + 1 */
	_Atomic uint32_t open_names;     /* that may be put so far */
	_Atomic uint32_t answers[PROCESSES];
	_Atomic uint32_t goal[PROCESSES]; /* of answers, at which the bell is rung; 0: none */
	_Atomic bool is_wrong;
	char fault[200];
} * tidings;

static int turns[PROCESSES][2], bell[2];

static void ring(void)
{
	if (write(bell[1], "!", 1) != 1)
		tidings->is_wrong = true;
}

static void wrong(const char *what, uint32_t number, uint32_t slot)
{
	bool first = false;

	if (atomic_compare_exchange_strong(&tidings->is_wrong, &first, true))
		snprintf(tidings->fault, sizeof(tidings->fault), "name %u, slot %u: %s", number,
		         slot, what);
	ring();
}

static void put_digits(char *at, uint32_t number)
{
	for (int i = 5; i >= 0; i--, number /= 10)
		at[i] = (char)('0' + number % 10);
}

/* Of 7 to 40 octets, in one of two cases: they are one name. */
static size_t name_of(uint32_t number, bool upper, char *name)
{
	size_t len = 7 + number * 31 % 34;

	memset(name, upper ? 'X' : 'x', len);
	put_digits(name, number);
	name[len] = '\0';
	return len;
}

/* Does an answer agree with all others ever given? */
static void check_slot(const struct table *t, uint32_t number, uint32_t slot, const char *name,
                       size_t len)
{
	uint32_t before = 0, other = 0;
	const char *back;
	size_t back_len;

	if (slot == 0 || slot >= SLOTS) {
		wrong("no such slot", number, slot);
		return;
	}
	if (!atomic_compare_exchange_strong(&tidings->slot_of[number], &before, slot) &&
	    before != slot)
		wrong("the name has two slots", number, slot);
	if (!atomic_compare_exchange_strong(&tidings->name_of[slot], &other, number + 1) &&
	    other != number + 1)
		wrong("the slot has two names", number, slot);
	back = table_name(t, slot, &back_len);
	if (!back || back_len != len || !ascii_equal(back, name, len))
		wrong("the slot's name is another one", number, slot);
}

static void ask(struct table *t, uint64_t *seed)
{
	uint32_t open = tidings->open_names, number, told, slot, back_number;
	bool newest = unit_below(seed, 2), upper = unit_below(seed, 2);
	const char *back;
	char name[64];
	size_t len;

	/* Mostly what others are just putting, too. */
	number = newest ? open - 1 - (uint32_t)unit_below(seed, NEWEST)
	                : (uint32_t)unit_below(seed, open);
	len = name_of(number, upper, name);
	switch (unit_below(seed, 4)) {
	case 0:
		told = tidings->slot_of[number];
		slot = table_find(t, name, len);
		if (slot != 0)
			check_slot(t, number, slot, name, len);
		else if (told != 0)
			wrong("a known name was not found", number, told);
		break;
	case 1:
		slot = 1 + (uint32_t)unit_below(seed, SLOTS - 1);
		told = tidings->name_of[slot];
		back = table_name(t, slot, NULL);
		back_number = back ? (uint32_t)strtoul(back, NULL, 10) : 0;
		if (!back && told != 0)
			wrong("a known slot has no name", told - 1, slot);
		else if (told != 0 && back_number != told - 1)
			wrong("a slot changed its name", told - 1, slot);
		break;
	default:
		if (table_put(t, name, len, &slot) < 0)
			wrong("the name was not taken", number, 0);
		else
			check_slot(t, number, slot, name, len);
	}
}

static struct worker {
	struct table *t;
	int process;
	uint64_t seed;
} workers[THREADS];

static void *work(void *arg)
{
	struct worker *w = arg;
	char turn;

	while (read(turns[w->process][0], &turn, 1) == 1 && !tidings->is_wrong) {
		for (int i = 0; i < TURNS; i++) {
			uint32_t n, goal;

			ask(w->t, &w->seed);
			n = ++tidings->answers[w->process];
			goal = tidings->goal[w->process];
			if (goal != 0 && (int32_t)(n - goal) >= 0 &&
			    atomic_compare_exchange_strong(&tidings->goal[w->process], &goal, 0))
				ring();
		}
	}
	return NULL;
}

/* All that was ever told, as a table has it now. */
static void check_all(const struct table *t)
{
	char name[64];

	for (uint32_t number = 0; number < NAMES; number++) {
		uint32_t told = tidings->slot_of[number];
		size_t len = name_of(number, number % 2, name);

		if (told == 0)
			continue;
		if (table_find(t, name, len) != told)
			wrong("in the end the name has another slot", number, told);
		check_slot(t, number, told, name, len);
	}
}

/* @inherited  the parent's mapping; else the process opens the table as any program does */
static int live(int process, uint64_t seed, struct table *inherited)
{
	pthread_t threads[THREADS];
	int why = 0, started = 0;
	struct table *t = inherited ? inherited : table_open(table_path, &why);

	/* The end of turns is that the parent has none to give any more. */
	for (int i = 0; i < PROCESSES; i++)
		close(turns[i][1]);
	if (!t || why != 0) {
		wrong("the table was not to be had", (uint32_t)-why, 0);
		return 1;
	}
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ t, process, unit_random(&seed) };
		started += pthread_create(&threads[i], NULL, work, &workers[i]) == 0;
	}
	for (int i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	check_all(t);
	return started == THREADS ? 0 : 2;
}

static pid_t start(int process, uint64_t seed, struct table *t)
{
	pid_t parent = getpid(), pid;

	fflush(stdout);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(3);
		_exit(live(process, seed, seed % 4 == 0 ? t : NULL));
	}
	return pid;
}

static int number_from(const char *variable, int otherwise)
{
	const char *text = getenv(variable);

	return text ? atoi(text) : otherwise;
}

static void give_turns(void)
{
	static const char some[THREADS];

	/* Who has not come to take any yet has enough of them when the pipe is full. */
	for (int i = 0; i < PROCESSES; i++)
		if (write(turns[i][1], some, sizeof(some)) < 0)
			ck_assert_int_eq(errno, EAGAIN);
}

static void await_bell(void)
{
	struct pollfd pfd = { .fd = bell[0], .events = POLLIN };
	char rung;
	int n;

	do
		n = poll(&pfd, 1, 60000);
	while (n < 0 && errno == EINTR);
	ck_assert_msg(n == 1, "nobody goes on");
	ck_assert_int_eq(read(bell[0], &rung, 1), 1);
}

/* Returns how many were killed. */
static int rage(struct table *t, pid_t *pids, uint64_t *seed)
{
	int kills = number_from("STORM_KILLS", KILLS), done;
	int64_t end_ms = clock_ms() + 1000 * (int64_t)number_from("STORM_SECONDS", SECONDS);

	for (done = 0; done < kills && clock_ms() < end_ms; done++) {
		int victim = (int)unit_below(seed, PROCESSES);
		uint32_t goal = tidings->answers[victim] + 1 +
		                (uint32_t)unit_below(seed, (THREADS - 1) * TURNS);

		if (tidings->open_names <= NAMES - NEWEST)
			tidings->open_names += NEWEST;
		tidings->goal[victim] = goal ? goal : 1;
		give_turns();
		await_bell();
		if (tidings->is_wrong)
			break;
		ck_assert_int_eq(kill(pids[victim], SIGKILL), 0);
		ck_assert_int_eq(child_wait(pids[victim]), -1);
		pids[victim] = start(victim, unit_random(seed), t);
	}
	return done;
}

START_TEST(every_answer_agrees_with_all_others_whoever_is_killed)
{
	const struct prefix v4 = { ENDPOINT_IPV4, 14, { 198, 16 } };
	const struct prefix v6 = { ENDPOINT_IPV6, 64, { 0xfd } };
	uint64_t seed = unit_seed(), answers = 0;
	pid_t pids[PROCESSES];
	struct table *t, *late;
	int killed, why, failed = 0;

	tidings = mmap(NULL, sizeof(*tidings), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	               -1, 0);
	ck_assert_ptr_ne(tidings, MAP_FAILED);
	tidings->open_names = NEWEST;
	ck_assert_int_eq(pipe2(bell, O_CLOEXEC), 0);
	for (int i = 0; i < PROCESSES; i++) {
		ck_assert_int_eq(pipe2(turns[i], O_CLOEXEC), 0);
		ck_assert_int_eq(fcntl(turns[i][1], F_SETFL, O_NONBLOCK), 0);
	}
	pool_init(&v4, &v6);
	folder_init();
	t = table_open(table_path, &why);
	ck_assert_int_eq(why, 0);
	for (int i = 0; i < PROCESSES; i++)
		pids[i] = start(i, unit_random(&seed), t);
	killed = rage(t, pids, &seed);
	for (int i = 0; i < PROCESSES; i++)
		close(turns[i][1]);
	for (int i = 0; i < PROCESSES; i++) {
		close(turns[i][0]);
		failed += child_wait(pids[i]) != 0;
		answers += tidings->answers[i];
	}
	/* As those see it who were there from the start, and who come when all is done. */
	check_all(t);
	late = table_open(table_path, &why);
	ck_assert_int_eq(why, 0);
	check_all(late);
	printf("%d killed, %" PRIu64 " answers, %u names, %u slots given\n", killed, answers,
	       tidings->open_names, table_count(t));
	ck_assert_msg(!tidings->is_wrong, "%s", tidings->fault);
	ck_assert_int_eq(failed, 0);
	ck_assert(killed == 0 || answers > 0);
	close(bell[0]);
	close(bell[1]);
	table_close(late);
	table_close(t);
	munmap(tidings, sizeof(*tidings));
	folder_fini();
}
END_TEST

UNIT_MAIN("names/table storm", { every_answer_agrees_with_all_others_whoever_is_killed, 0 })
