#include "penalty.h"

#include "table.h"

#include <stdlib.h>
#include <utlist.h>

#define FREE_TRIES     3  /* that are judged without a wait */
#define FIRST_DELAY_MS 60 /* after the last of these; twice as long each time */
#define LAST_DELAY_MS  2000

struct penalty {
	struct source_key key;
	bool lost;
	unsigned tries; /* since the last one that was right */
	int64_t next_ms;
	struct penalties *all;
	struct timer turn; /* runs while any wait */
	struct penalty_turn *waiting;
	struct penalty *prev, *next; /* the longest quiet first */
	UT_hash_handle hh;
};

struct penalties {
	struct loop *loop;
	struct penalty *table, *list;
	unsigned n;
};

struct penalties *penalty_new(struct loop *loop)
{
	struct penalties *ps = calloc(1, sizeof(*ps));

	if (ps)
		ps->loop = loop;
	return ps;
}

static void forget(struct penalty *p)
{
	struct penalties *ps = p->all;

	loop_stop_timer(ps->loop, &p->turn);
	DL_DELETE(ps->list, p);
	HASH_DEL(ps->table, p);
	ps->n--;
	free(p);
}

void penalty_free(struct penalties *ps)
{
	if (!ps)
		return;
	while (ps->list)
		forget(ps->list);
	free(ps);
}

unsigned penalty_count(const struct penalties *ps)
{
	return ps->n;
}

static struct penalty *find(const struct penalties *ps, const struct source_key *from)
{
	struct penalty *p = NULL;

	HASH_FIND(hh, ps->table, from, sizeof(*from), p);
	return p;
}

/* Those that have been quiet for long; and where the table is full, one that has not. */
static void make_room(struct penalties *ps)
{
	struct penalty *p, *next;

	DL_FOREACH_SAFE(ps->list, p, next)
	{
		bool quiet = p->next_ms + PENALTY_FORGET_MS <= ps->loop->now_ms;

		if (!quiet && ps->n < PENALTY_SOURCES_MAX)
			return;
		if (!p->waiting)
			forget(p);
	}
}

static void serve(struct timer *t)
{
	struct penalty *p = LOOP_OWNER(t, struct penalty, turn);
	struct penalties *ps = p->all;
	struct penalty_turn *first = p->waiting;

	/* What it does may charge or clear the source: the next one's turn is set before. */
	penalty_leave(first);
	if (p->waiting)
		loop_start_timer(ps->loop, &p->turn, 0);
	first->came(first);
}

static int64_t left_ms(const struct penalty *p)
{
	int64_t now_ms = p->all->loop->now_ms;

	return p->next_ms > now_ms ? p->next_ms - now_ms : 0;
}

bool penalty_wait(struct penalties *ps, struct penalty_turn *t, const struct source_key *from)
{
	struct penalty *p = find(ps, from);

	if (!p || (!p->waiting && left_ms(p) == 0))
		return false;
	t->lane = p;
	DL_APPEND(p->waiting, t);
	if (!p->turn.running)
		loop_start_timer(ps->loop, &p->turn, left_ms(p));
	return true;
}

void penalty_leave(struct penalty_turn *t)
{
	struct penalty *p = t->lane;

	if (!p)
		return;
	DL_DELETE(p->waiting, t);
	t->lane = NULL;
	if (!p->waiting)
		loop_stop_timer(p->all->loop, &p->turn);
}

static struct penalty *get(struct penalties *ps, const struct source_key *from)
{
	struct penalty *p = find(ps, from);

	if (p)
		return p;
	make_room(ps);
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->key = *from;
	p->all = ps;
	p->turn.due = serve;
	HASH_ADD(hh, ps->table, key, sizeof(p->key), p);
	if (p->lost) {
		free(p);
		return NULL;
	}
	DL_APPEND(ps->list, p);
	ps->n++;
	return p;
}

void penalty_charge(struct penalties *ps, const struct source_key *from)
{
	struct penalty *p = get(ps, from);
	int64_t delay_ms = 0;

	/* Without memory it goes unpunished: better than to turn everyone away. */
	if (!p)
		return;
	if (p->next_ms + PENALTY_FORGET_MS <= ps->loop->now_ms)
		p->tries = 0;
	p->tries++;
	if (p->tries >= FREE_TRIES) {
		delay_ms = LAST_DELAY_MS;
		if (p->tries - FREE_TRIES < 6)
			delay_ms = (int64_t)FIRST_DELAY_MS << (p->tries - FREE_TRIES);
	}
	p->next_ms = ps->loop->now_ms + delay_ms;
	DL_DELETE(ps->list, p);
	DL_APPEND(ps->list, p);
	if (p->waiting)
		loop_start_timer(ps->loop, &p->turn, delay_ms);
}

void penalty_clear(struct penalties *ps, const struct source_key *from)
{
	struct penalty *p = find(ps, from);

	if (!p)
		return;
	if (!p->waiting) {
		forget(p);
		return;
	}
	p->tries = 0;
	p->next_ms = ps->loop->now_ms;
	loop_start_timer(ps->loop, &p->turn, 0);
}
