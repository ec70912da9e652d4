#include "ruleset.h"

#include <config/ascii.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ruleset *ruleset_new(void)
{
	return calloc(1, sizeof(struct ruleset));
}

void ruleset_free(struct ruleset *rs)
{
	if (!rs)
		return;
	free(rs->rules);
	free(rs->ranges);
	free(rs->names);
	free(rs->users);
	free(rs->ports);
	free(rs->text);
	free(rs);
}

/* Growing. @array with room for @n + @more of @size octets, or NULL: -ENOMEM. */

static void *grow(void *array, size_t *room, size_t n, size_t more, size_t size)
{
	size_t want = *room;
	void *grown;

	if (n + more <= *room)
		return array;
	if (n + more > UINT32_MAX)
		return NULL;
	while (want < n + more)
		want = want * 2 + 8;
	grown = realloc(array, want * size);
	if (grown)
		*room = want;
	return grown;
}

static void extend(struct ruleset_span *list, size_t at)
{
	if (list->n == 0)
		list->at = (uint32_t)at;
	list->n++;
}

/* Where the octets lie from now on, a NUL behind them; -1 where memory is short. */
static int64_t add_text(struct ruleset *rs, const char *text, size_t len)
{
	char *grown = grow(rs->text, &rs->text_room, rs->n_text, len + 1, 1);
	size_t at = rs->n_text;

	if (!grown)
		return -1;
	rs->text = grown;
	memcpy(grown + at, text, len);
	grown[at + len] = '\0';
	rs->n_text += len + 1;
	return (int64_t)at;
}

int ruleset_add_range(struct ruleset *rs, struct ruleset_span *list, const struct prefix *p)
{
	struct ruleset_range *grown = grow(rs->ranges, &rs->ranges_room, rs->n_ranges, 1,
	                                   sizeof(*grown));
	uint8_t mask[16] = { 0 };

	if (!grown)
		return -ENOMEM;
	rs->ranges = grown;
	extend(list, rs->n_ranges);
	for (unsigned bit = 0; bit < p->bits; bit++)
		mask[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	grown[rs->n_ranges].kind = p->kind;
	memcpy(grown[rs->n_ranges].ip, p->ip, sizeof(p->ip));
	memcpy(grown[rs->n_ranges].mask, mask, sizeof(mask));
	rs->n_ranges++;
	return 0;
}

static size_t without_dot(const char *name, size_t len)
{
	return len > 1 && name[len - 1] == '.' ? len - 1 : len;
}

int ruleset_add_name(struct ruleset *rs, struct ruleset_span *list, const char *name, size_t len)
{
	struct ruleset_name *grown = grow(rs->names, &rs->names_room, rs->n_names, 1,
	                                  sizeof(*grown));
	char folded[ENDPOINT_NAME_MAX];
	int64_t at;

	if (!grown)
		return -ENOMEM;
	rs->names = grown;
	len = without_dot(name, len);
	for (size_t i = 0; i < len; i++)
		folded[i] = ascii_lower(name[i]);
	at = add_text(rs, folded, len);
	if (at < 0)
		return -ENOMEM;
	extend(list, rs->n_names);
	grown[rs->n_names++] = (struct ruleset_name){ .at = (uint32_t)at,
		                                      .len = (uint8_t)len,
		                                      .suffix = name[0] == '.' };
	return 0;
}

int ruleset_add_user(struct ruleset *rs, struct ruleset_span *list, const char *name, size_t len)
{
	struct ruleset_user *grown = grow(rs->users, &rs->users_room, rs->n_users, 1,
	                                  sizeof(*grown));
	int64_t at;

	if (!grown)
		return -ENOMEM;
	rs->users = grown;
	at = add_text(rs, name, len);
	if (at < 0)
		return -ENOMEM;
	extend(list, rs->n_users);
	grown[rs->n_users++] = (struct ruleset_user){ .at = (uint32_t)at, .len = (uint8_t)len };
	return 0;
}

int ruleset_add_ports(struct ruleset *rs, struct ruleset_span *list, struct ruleset_ports p)
{
	struct ruleset_ports *grown = grow(rs->ports, &rs->ports_room, rs->n_ports, 1,
	                                   sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	rs->ports = grown;
	extend(list, rs->n_ports);
	grown[rs->n_ports++] = p;
	return 0;
}

int ruleset_add_rule(struct ruleset *rs, const struct ruleset_rule *rule)
{
	struct ruleset_rule *grown = grow(rs->rules, &rs->rules_room, rs->n_rules, 1,
	                                  sizeof(*grown));
	char why[64];
	int64_t at = 0;
	int len;

	if (!grown)
		return -ENOMEM;
	rs->rules = grown;
	if (!rule->allow) {
		len = snprintf(why, sizeof(why), "denied by line %u of the rules", rule->line);
		at = add_text(rs, why, (size_t)len);
	}
	if (at < 0)
		return -ENOMEM;
	grown[rs->n_rules] = *rule;
	grown[rs->n_rules++].why = (uint32_t)at;
	return 0;
}

/* Judging */

/* Ordered: of two that must both hold the lesser counts, of two of which one must the greater. */
enum fit { FITS_NOT, FITS_PERHAPS, FITS };

static enum fit fit_of(bool fits)
{
	return fits ? FITS : FITS_NOT;
}

static bool holds_address(const struct ruleset *rs, const struct ruleset_span *list,
                          const struct endpoint *ep)
{
	uint64_t ip[2];

	memcpy(ip, ep->ip, sizeof(ip));
	for (uint32_t i = 0; i < list->n; i++) {
		const struct ruleset_range *r = &rs->ranges[list->at + i];

		if (r->kind == ep->kind && ((ip[0] ^ r->ip[0]) & r->mask[0]) == 0 &&
		    ((ip[1] ^ r->ip[1]) & r->mask[1]) == 0)
			return true;
	}
	return false;
}

static bool holds_name(const struct ruleset *rs, const struct ruleset_span *list, const char *name,
                       size_t len)
{
	for (uint32_t i = 0; i < list->n; i++) {
		const struct ruleset_name *n = &rs->names[list->at + i];

		if (n->suffix ? len > n->len : len == n->len) {
			if (ascii_equal(rs->text + n->at, name + len - n->len, n->len))
				return true;
		}
	}
	return false;
}

static bool is_user(const struct ruleset *rs, const struct ruleset_rule *rule,
                    const struct ruleset_question *q)
{
	if (rule->users.n == 0)
		return !rule->logged_in || q->user;
	for (uint32_t i = 0; q->user && i < rule->users.n; i++) {
		const struct ruleset_user *u = &rs->users[rule->users.at + i];

		if (u->len == q->user_len && memcmp(rs->text + u->at, q->user, u->len) == 0)
			return true;
	}
	return false;
}

static enum fit fit_port(const struct ruleset *rs, const struct ruleset_rule *rule,
                         const struct ruleset_question *q)
{
	if (rule->ports.n == 0)
		return FITS;
	/* A look-up has no port, whatever its message says. */
	if (q->cmd == POLICY_RESOLVE)
		return FITS_NOT;
	if (q->port < 0)
		return FITS_PERHAPS;
	for (uint32_t i = 0; i < rule->ports.n; i++) {
		const struct ruleset_ports *p = &rs->ports[rule->ports.at + i];

		if (p->low <= q->port && q->port <= p->high)
			return FITS;
	}
	return FITS_NOT;
}

/* A way around what is denied is denied, too; what is allowed is the address itself. */
static bool holds_target(const struct ruleset *rs, const struct ruleset_rule *rule,
                         const struct ruleset_question *q)
{
	bool held = holds_address(rs, &rule->to_ranges, q->to);

	for (size_t i = 0; !held && !rule->allow && i < q->n_carried; i++)
		held = holds_address(rs, &rule->to_ranges, &q->carried[i]);
	return held;
}

static enum fit fit_target(const struct ruleset *rs, const struct ruleset_rule *rule,
                           const struct ruleset_question *q)
{
	if (rule->to_ranges.n == 0 && rule->to_names.n == 0)
		return FITS;
	/* Nothing is named by an ASSOCIATE, and its datagrams are still to come. */
	if (!q->asked && !q->to)
		return FITS_PERHAPS;
	if (q->asked && q->asked->kind == ENDPOINT_NAME &&
	    holds_name(rs, &rule->to_names, q->asked->name,
	               without_dot(q->asked->name, q->asked->name_len)))
		return FITS;
	if (rule->to_ranges.n == 0)
		return FITS_NOT;
	return q->to ? fit_of(holds_target(rs, rule, q)) : FITS_PERHAPS;
}

static enum fit fit_rule(const struct ruleset *rs, const struct ruleset_rule *rule,
                         const struct ruleset_question *q)
{
	enum fit port, target;

	if (!(rule->cmds & q->cmd))
		return FITS_NOT;
	port = fit_port(rs, rule, q);
	if (port == FITS_NOT || !is_user(rs, rule, q) ||
	    (rule->from.n > 0 && !holds_address(rs, &rule->from, q->from)))
		return FITS_NOT;
	target = fit_target(rs, rule, q);
	return target < port ? target : port;
}

enum policy_verdict ruleset_judge(const struct ruleset *rs, const struct ruleset_question *q,
                                  const char **why)
{
	bool perhaps_denied = false;

	*why = "no rule allows it";
	for (size_t i = 0; i < rs->n_rules; i++) {
		const struct ruleset_rule *rule = &rs->rules[i];
		enum fit fit = fit_rule(rs, rule, q);

		if (fit == FITS_NOT)
			continue;
		if (fit == FITS && !rule->allow) {
			*why = rs->text + rule->why;
			break;
		}
		if (fit == FITS && !perhaps_denied) {
			*why = NULL;
			return POLICY_ALLOWED;
		}
		/* What perhaps denies needs no answer yet: all that follows may deny, too. */
		if (rule->allow) {
			*why = NULL;
			return POLICY_DEPENDS;
		}
		perhaps_denied = true;
	}
	return POLICY_DENIED;
}
