#include "summary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX     100 /* lines of one kind that are shown */
#define PROGRAMS_MAX 4   /* of one line */

static const char *const titles[DEED_KINDS] = {
	[DEED_REFUSED] = "refused",
	[DEED_NOT_RUN] = "not run",
	[DEED_CLOSED] = "run without a network",
	[DEED_OPEN] = "past the proxy, and not watched",
	[DEED_DIRECT] = "direct",
	[DEED_ASKED] = "asked of this machine's resolver",
	[DEED_FAILED] = "not reached by the proxy",
	[DEED_PROXIED] = "through the proxy",
	[DEED_LOOPBACK] = "loopback",
};

static int by_order(const void *left, const void *right)
{
	const struct deed *a = left, *b = right;
	int order = (int)a->kind - (int)b->kind;

	if (order == 0)
		order = strcmp(a->subject, b->subject);
	if (order == 0)
		order = strcmp(a->why, b->why);
	if (order == 0)
		order = strcmp(a->program, b->program);
	return order != 0 ? order : (a->pid > b->pid) - (a->pid < b->pid);
}

static bool grow(struct summary *s)
{
	size_t cap = s->cap ? 2 * s->cap : 64;
	struct deed *all = realloc(s->all, cap * sizeof(*all));

	if (!all)
		return false;
	s->all = all;
	s->cap = cap;
	return true;
}

int summary_init(struct summary *s, char *text, size_t len)
{
	char *const end = text + len;

	*s = (struct summary){ .full = len > DEED_FILE_MAX - DEED_MAX };
	while (text < end) {
		char *lf = memchr(text, '\n', (size_t)(end - text)), *stop = lf ? lf : end;

		if (s->n == s->cap && !grow(s)) {
			summary_fini(s);
			return -ENOMEM;
		}
		if (deed_get(text, (size_t)(stop - text), &s->all[s->n]))
			s->n++;
		else
			s->strange++;
		text = stop + 1;
	}
	if (s->n > 0)
		qsort(s->all, s->n, sizeof(*s->all), by_order);
	return 0;
}

void summary_fini(struct summary *s)
{
	free(s->all);
	s->all = NULL;
	s->n = s->cap = 0;
}

static bool same(const struct deed *a, const struct deed *b)
{
	return a->kind == b->kind && strcmp(a->subject, b->subject) == 0 &&
	       strcmp(a->why, b->why) == 0;
}

/* " (curl, git; 5 processes)", of deeds that are in order. */
static void put_programs(FILE *out, const struct deed *first, const struct deed *end)
{
	size_t programs = 0, processes = 0;
	const char *last = "";

	fputs(" (", out);
	for (const struct deed *d = first; d < end; d++) {
		bool again = programs > 0 && strcmp(d->program, last) == 0;

		if (!again || d->pid != d[-1].pid)
			processes++;
		if (again)
			continue;
		last = d->program;
		if (++programs <= PROGRAMS_MAX)
			fprintf(out, "%s%s", programs > 1 ? ", " : "", last);
	}
	if (programs > PROGRAMS_MAX)
		fputs(", ...", out);
	if (processes > programs || programs > PROGRAMS_MAX)
		fprintf(out, "; %zu processes", processes);
	fputs(")\n", out);
}

static void put_row(FILE *out, const struct deed *first, const struct deed *end)
{
	fprintf(out, SUMMARY_PREFIX "%s: %s%s%s", titles[first->kind], first->subject,
	        first->why[0] ? ": " : "", first->why);
	put_programs(out, first, end);
}

/* What stays on this machine is no more than a number. */
static void put_loopback(FILE *out, const struct deed *first, const struct deed *end)
{
	size_t n = 0;

	for (const struct deed *d = first; d < end; d++)
		if (d == first || strcmp(d->subject, d[-1].subject) != 0)
			n++;
	if (n > 0)
		fprintf(out, SUMMARY_PREFIX "%s: %zu destination%s\n", titles[DEED_LOOPBACK], n,
		        n > 1 ? "s" : "");
}

static void put_kind(FILE *out, const struct deed *first, const struct deed *end)
{
	size_t rows = 0;

	for (const struct deed *next; first < end; first = next) {
		for (next = first; next < end && same(first, next); next++)
			;
		if (++rows <= ROWS_MAX)
			put_row(out, first, next);
	}
	if (rows > ROWS_MAX)
		fprintf(out, SUMMARY_PREFIX "%s: and %zu more\n", titles[end[-1].kind],
		        rows - ROWS_MAX);
}

/* What a person looks for first: were there none? */
static void put_absent(FILE *out, const bool present[DEED_KINDS])
{
	const struct {
		bool present;
		const char *absent;
	} all[] = {
		{ present[DEED_REFUSED], "nothing was refused" },
		{ present[DEED_DIRECT] || present[DEED_ASKED] || present[DEED_OPEN],
		  "nothing went past the proxy" },
		{ present[DEED_CLOSED] || present[DEED_NOT_RUN],
		  "no program ran without a network" },
		{ present[DEED_PROXIED] || present[DEED_FAILED], "nothing used the proxy" },
	};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!all[i].present)
			fprintf(out, "%s%s", n++ > 0 ? ", " : SUMMARY_PREFIX, all[i].absent);
	if (n > 0)
		putc('\n', out);
}

void summary_print(FILE *out, const struct summary *s)
{
	const struct deed *at = s->all, *end = s->all + s->n;
	bool present[DEED_KINDS] = { false };

	for (int kind = 0; kind < DEED_KINDS; kind++) {
		const struct deed *first = at;

		while (at < end && (int)at->kind == kind)
			at++;
		present[kind] = at > first;
		if (kind == DEED_LOOPBACK)
			put_loopback(out, first, at);
		else
			put_kind(out, first, at);
	}
	put_absent(out, present);
	if (s->full)
		fputs(SUMMARY_PREFIX "that is not all: there was more than its file takes\n", out);
	if (s->strange > 0)
		fprintf(out,
		        SUMMARY_PREFIX "%zu line%s of its file can't be read: some program wrote "
		                       "there, and what is told may be wrong\n",
		        s->strange, s->strange > 1 ? "s" : "");
}
