/*
 * How it works: a line is read from left to right, each clause once, each list item by item. A bad
 * item is told and left out, so that the rest of its line is looked at, too; a word that is no
 * clause ends the line, since what follows could mean anything.
 */
#include "rulesfile.h"

#include "username.h"

#include <config/ascii.h>
#include <config/rules.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECTS_CLAUSE "from, user, do, to or port, each at most once"
#define EXPECTS_FROM   "addresses such as 192.0.2.1, 192.168.0.0/16 or fd00::/8, commas between"
#define EXPECTS_USER   "names of users, commas between"
#define EXPECTS_DO     "connect, bind, udp or resolve, commas between"
#define EXPECTS_TO     "names, .suffixes, addresses such as 192.0.2.1 or 10.0.0.0/8, commas between"
#define EXPECTS_PORT   "ports from 1 to 65535, or ranges such as 8000-8999, commas between"

struct rule_reader {
	struct ruleset *rs;
	struct rulesfile_listener *listener;
	unsigned line, n_errors;
	const char *start, *at, *end; /* of the line */
	struct ruleset_rule rule;
};

struct word {
	const char *at;
	size_t len;
};

enum clause { FROM, USER, DO, TO, PORT, CLAUSES };

static int read_from(struct rule_reader *r, const struct word *w);
static int read_user(struct rule_reader *r, const struct word *w);
static int read_command(struct rule_reader *r, const struct word *w);
static int read_target(struct rule_reader *r, const struct word *w);
static int read_ports(struct rule_reader *r, const struct word *w);

static const struct {
	const char *name;
	/* One item of its list, into the rule. 0, -EBADMSG (it was told) or -ENOMEM. */
	int (*read)(struct rule_reader *r, const struct word *w);
	const char *expected;
} clauses[CLAUSES] = {
	[FROM] = { "from", read_from, EXPECTS_FROM },  [USER] = { "user", read_user, EXPECTS_USER },
	[DO] = { "do", read_command, EXPECTS_DO },     [TO] = { "to", read_target, EXPECTS_TO },
	[PORT] = { "port", read_ports, EXPECTS_PORT },
};

/* -EBADMSG */
static int tell(struct rule_reader *r, const struct word *w, const char *what, const char *expected)
{
	const struct rulesfile_error e = { .line = r->line,
		                           .column = (unsigned)(w->at - r->start) + 1,
		                           .word = w->at,
		                           .word_len = w->len,
		                           .what = what,
		                           .expected = expected };

	if (r->n_errors++ < RULESFILE_TOLD_MAX)
		r->listener->tell(r->listener->arg, &e);
	else
		r->listener->more++;
	return -EBADMSG;
}

/* Words */

static void skip_space(struct rule_reader *r)
{
	while (r->at < r->end && ascii_is_space(*r->at))
		r->at++;
	/* A comment starts where a word could; within one the character is the word's. */
	if (r->at < r->end && *r->at == '#')
		r->at = r->end;
}

/* Up to white space or a comma; empty at either, and at the end of the line. */
static struct word next_word(struct rule_reader *r)
{
	struct word w;

	skip_space(r);
	w.at = r->at;
	while (r->at < r->end && *r->at != ',' && !ascii_is_space(*r->at))
		r->at++;
	w.len = (size_t)(r->at - w.at);
	return w;
}

static bool word_is(const struct word *w, const char *text)
{
	return w->len == strlen(text) && ascii_equal(w->at, text, w->len);
}

/* CLAUSES where it is none. */
static enum clause clause_of(const struct word *w)
{
	enum clause c = FROM;

	while (c < CLAUSES && !word_is(w, clauses[c].name))
		c++;
	return c;
}

/* Items */

static int read_from(struct rule_reader *r, const struct word *w)
{
	struct prefix p;

	if (rules_read_range(&p, w->at, w->len) < 0)
		return tell(r, w, "it is no address and no range", EXPECTS_FROM);
	return ruleset_add_range(r->rs, &r->rule.from, &p);
}

static int read_user(struct rule_reader *r, const struct word *w)
{
	char text[4 * USERS_NAME_MAX + 1], name[USERS_NAME_MAX + 1];
	const char *what, *expected;
	int len;

	if (w->len >= sizeof(text))
		return tell(r, w, "the name is too long", "at most 255 octets");
	memcpy(text, w->at, w->len);
	text[w->len] = '\0';
	len = username_read(text, name, &what, &expected);
	if (len < 0)
		return tell(r, w, what, expected);
	return ruleset_add_user(r->rs, &r->rule.users, name, (size_t)len);
}

static int read_command(struct rule_reader *r, const struct word *w)
{
	static const struct {
		const char *name;
		enum policy_cmd cmd;
	} commands[] = { { "connect", POLICY_CONNECT },
		         { "bind", POLICY_BIND },
		         { "udp", POLICY_UDP },
		         { "resolve", POLICY_RESOLVE } };

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (word_is(w, commands[i].name)) {
			r->rule.cmds |= commands[i].cmd;
			return 0;
		}
	}
	return tell(r, w, "there is no such command", EXPECTS_DO);
}

static int read_target(struct rule_reader *r, const struct word *w)
{
	bool star = w->len > 1 && w->at[0] == '*' && w->at[1] == '.';
	const char *name = w->at + star, *colon = memchr(w->at, ':', w->len);
	size_t len = w->len - star;
	struct prefix p;

	if (rules_read_range(&p, w->at, w->len) == 0)
		return ruleset_add_range(r->rs, &r->rule.to_ranges, &p);
	if (rules_is_name(name, len))
		return ruleset_add_name(r->rs, &r->rule.to_names, name, len);
	for (size_t i = 0; i < w->len; i++)
		if ((unsigned char)w->at[i] >= 0x80)
			return tell(r, w, "a name beyond ASCII",
			            "it in the form that is asked for, xn--...");
	if (colon && colon == memrchr(w->at, ':', w->len))
		return tell(r, w, "a port has its own word", "\"to\" without it, and \"port\"");
	return tell(r, w, "it is neither name, address nor range", EXPECTS_TO);
}

/* Decimal digits alone; -1 for what is no port. */
static int read_port(const char *at, size_t len)
{
	int v = 0;

	if (len == 0 || len > 5)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (!ascii_is_digit(at[i]))
			return -1;
		v = v * 10 + (at[i] - '0');
	}
	return v > 0 && v <= UINT16_MAX ? v : -1;
}

static int read_ports(struct rule_reader *r, const struct word *w)
{
	const char *dash = memchr(w->at, '-', w->len);
	size_t len = dash ? (size_t)(dash - w->at) : w->len;
	int low = read_port(w->at, len);
	int high = dash ? read_port(dash + 1, w->len - len - 1) : low;

	if (low < 0 || high < 0)
		return tell(r, w, "there is no such port", EXPECTS_PORT);
	if (low > high)
		return tell(r, w, "the range is upside down", "the lower port first");
	return ruleset_add_ports(
		r->rs, &r->rule.ports,
		(struct ruleset_ports){ .low = (uint16_t)low, .high = (uint16_t)high });
}

/* Lines */

/* "*" in a list: all else in it adds nothing. */
static void set_any(struct ruleset_rule *rule, enum clause c)
{
	switch (c) {
	case FROM:
		rule->from.n = 0;
		break;
	case USER:
		rule->users.n = 0;
		rule->logged_in = true;
		break;
	case DO:
		rule->cmds = POLICY_ALL;
		break;
	case TO:
		rule->to_ranges.n = 0;
		rule->to_names.n = 0;
		break;
	case PORT:
		rule->ports.n = 0;
		break;
	case CLAUSES:
		break;
	}
}

/* The list behind a clause's word. 0, -EBADMSG or -ENOMEM. */
static int read_list(struct rule_reader *r, enum clause c)
{
	bool any = false, first = true;
	struct word w;
	int err = 0, one;

	do {
		r->at += !first;
		w = next_word(r);
		/* "from to 10.0.0.0/8": the list is missing; no host nor user is meant by "to". */
		if (w.len == 0 || clause_of(&w) < CLAUSES) {
			r->at = w.len == 0 ? r->end : w.at;
			return tell(r, &w,
			            first ? "a list is missing here"
			                  : "there is nothing after the comma",
			            clauses[c].expected);
		}
		first = false;
		one = 0;
		if (word_is(&w, "*"))
			any = true;
		else
			one = clauses[c].read(r, &w);
		if (one == -ENOMEM)
			return one;
		if (one < 0)
			err = one;
		skip_space(r);
	} while (r->at < r->end && *r->at == ',');
	if (any)
		set_any(&r->rule, c);
	return err;
}

static int read_clauses(struct rule_reader *r)
{
	bool had[CLAUSES] = { false };
	struct word w;
	enum clause c;
	int err = 0, one;

	while (skip_space(r), r->at < r->end) {
		w = next_word(r);
		c = clause_of(&w);
		/* A comma, that is. */
		if (w.len == 0)
			w.len = 1;
		if (c == CLAUSES)
			return tell(r, &w, "there is no such word", EXPECTS_CLAUSE);
		if (had[c])
			return tell(r, &w, "this word was there before", EXPECTS_CLAUSE);
		had[c] = true;
		one = read_list(r, c);
		if (one == -ENOMEM)
			return one;
		if (one < 0)
			err = one;
	}
	return err;
}

/* Octets that editors don't show, and that no line can have. */
static int look_for_odd_octets(struct rule_reader *r)
{
	static const char byte_order_mark[] = "\xef\xbb\xbf";
	struct word w = { .at = r->start };

	if (r->line == 1 && r->end - r->at >= 3 && memcmp(r->at, byte_order_mark, 3) == 0)
		return tell(r, &w, "a byte order mark", "text without it");
	for (const char *p = r->at; p < r->end; p++) {
		if ((unsigned char)*p >= ' ' ? *p != 0x7f : *p == '\t')
			continue;
		w = (struct word){ .at = p, .len = 1 };
		return tell(r, &w, "a control character", "text; \\xHH in the name of a user");
	}
	return 0;
}

static int read_line(struct rule_reader *r)
{
	struct word w;
	int err = look_for_odd_octets(r);

	if (err < 0)
		return err;
	w = next_word(r);
	if (w.len == 0 && r->at == r->end)
		return 0;
	r->rule = (struct ruleset_rule){ .line = r->line };
	r->rule.allow = word_is(&w, "allow");
	if (!r->rule.allow && !word_is(&w, "deny"))
		return tell(r, &w, "no rule begins like this", "allow or deny");
	err = read_clauses(r);
	if (err < 0)
		return err;
	if (r->rule.cmds == 0)
		r->rule.cmds = POLICY_ALL;
	return ruleset_add_rule(r->rs, &r->rule);
}

static int read_text(struct rule_reader *r, const char *text, size_t len)
{
	const char *at = text, *end = text + len, *nl;
	int err = 0;

	while (at < end && err != -ENOMEM) {
		nl = memchr(at, '\n', (size_t)(end - at));
		r->line++;
		r->start = r->at = at;
		r->end = nl ? nl : end;
		if (r->end > r->at && r->end[-1] == '\r')
			r->end--;
		err = read_line(r);
		at = nl ? nl + 1 : end;
	}
	return err == -ENOMEM ? err : r->n_errors > 0 ? -EBADMSG : 0;
}

int rulesfile_parse(struct ruleset **out, const char *text, size_t len,
                    struct rulesfile_listener *l)
{
	struct rule_reader r = { .rs = ruleset_new(), .listener = l };
	int err = r.rs ? 0 : -ENOMEM;

	l->more = 0;
	if (err == 0)
		err = read_text(&r, text, len);
	*out = err == 0 ? r.rs : NULL;
	if (err < 0)
		ruleset_free(r.rs);
	return err;
}

/* What a terminal or a log can take as it is. */
static void copy_word(char out[48], const struct rulesfile_error *e)
{
	size_t len = e->word_len < 40 ? e->word_len : 40;

	for (size_t i = 0; i < len; i++)
		out[i] = ascii_is_print(e->word[i]) ? e->word[i] : '?';
	strcpy(out + len, len < e->word_len ? "..." : "");
}

char *rulesfile_explain(const struct rulesfile_error *e, char *buf, size_t cap)
{
	char word[48];

	copy_word(word, e);
	if (*word)
		snprintf(buf, cap, "column %u: \"%s\": %s; expected %s", e->column, word, e->what,
		         e->expected);
	else
		snprintf(buf, cap, "column %u: %s; expected %s", e->column, e->what, e->expected);
	return buf;
}
