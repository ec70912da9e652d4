/*
 * The rules of --rules in memory: who may do what to where. rulesfile.h reads them. The first rule
 * that matches counts, and what none matches is denied.
 */
#ifndef SERVER_RULESET_H
#define SERVER_RULESET_H

#include "policy.h"

#include <config/prefix.h>
#include <stdbool.h>

/* Some of an array of struct ruleset. */
struct ruleset_span {
	uint32_t at, n;
};

/* An address range, laid out for a quick look. */
struct ruleset_range {
	enum endpoint_kind kind;
	uint64_t ip[2], mask[2]; /* in the order of the octets; IPv4 is in the first of them */
};

struct ruleset_name {
	uint32_t at; /* in ->text, lower case */
	uint8_t len;
	bool suffix; /* begins with a dot */
};

struct ruleset_user {
	uint32_t at; /* in ->text */
	uint8_t len;
};

struct ruleset_ports {
	uint16_t low, high;
};

/* Of each list nothing means "any". */
struct ruleset_rule {
	unsigned line;
	bool allow;
	bool logged_in; /* any user, but one */
	uint8_t cmds;   /* of enum policy_cmd */
	struct ruleset_span from;
	struct ruleset_span users;
	struct ruleset_span ports;
	struct ruleset_span to_ranges, to_names; /* either may match */
	uint32_t why;                            /* in ->text, where it denies */
};

/* Growing arrays; ->room are for ruleset.c. */
struct ruleset {
	struct ruleset_rule *rules;
	struct ruleset_range *ranges;
	struct ruleset_name *names;
	struct ruleset_user *users;
	struct ruleset_ports *ports;
	char *text;
	size_t n_rules, n_ranges, n_names, n_users, n_ports, n_text;
	size_t rules_room, ranges_room, names_room, users_room, ports_room, text_room;
};

struct ruleset *ruleset_new(void);     /* NULL where memory is short */
void ruleset_free(struct ruleset *rs); /* NULL is fine */

/*
 * Append, for one rule after the other: its lists first, in any order but each in one go, then the
 * rule. 0 or -ENOMEM.
 */
int ruleset_add_range(struct ruleset *rs, struct ruleset_span *list, const struct prefix *p);
/* ".suffix", or a name; a trailing dot is dropped. At most ENDPOINT_NAME_MAX octets. */
int ruleset_add_name(struct ruleset *rs, struct ruleset_span *list, const char *name, size_t len);
/* Any octets, at most 255. */
int ruleset_add_user(struct ruleset *rs, struct ruleset_span *list, const char *name, size_t len);
int ruleset_add_ports(struct ruleset *rs, struct ruleset_span *list, struct ruleset_ports p);
int ruleset_add_rule(struct ruleset *rs, const struct ruleset_rule *rule);

struct ruleset_question {
	/* These two are in endpoint_unmap()'s form. */
	const struct endpoint *from;
	const struct endpoint *to; /* the address; NULL while it is unknown */
	/* What it carries, see carried.h: may not be reached where a rule denies that, either. */
	const struct endpoint *carried;
	size_t n_carried;
	const char *user; /* NULL: nobody has logged in */
	size_t user_len;
	enum policy_cmd cmd;
	const struct endpoint *asked; /* what the client named; NULL: nothing yet */
	int port;                     /* -1 while it is unknown; POLICY_RESOLVE has none */
};

/*
 * Names match what the client named, prefixes the address. @why: POLICY_DENIED's cause; it lives as
 * long as the rules. POLICY_DEPENDS comes only while address or port are unknown.
 */
enum policy_verdict ruleset_judge(const struct ruleset *rs, const struct ruleset_question *q,
                                  const char **why);

#endif
