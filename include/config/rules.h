/*
 * NO_PROXY: what goes past the proxy. Items are separated by commas and white space:
 *
 *	*                all
 *	example.org      this name, and no other
 *	.example.org     names that end in it; "*.example.org" says the same
 *	192.0.2.1        this address; [2001:db8::1] with or without its brackets
 *	192.0.2.0/24     addresses in this range; 2001:db8::/32, too
 *
 * each with an optional ":PORT" (an IPv6 address needs its brackets then). Names are compared
 * without regard to ASCII case and one trailing dot. An address item matches addresses, never a
 * name: what a name means is not asked for its sake. "192.168." and "10.1" are neither names nor
 * ranges, so malformed, and so are names beyond ASCII.
 */
#ifndef CONFIG_RULES_H
#define CONFIG_RULES_H

#include <base/endpoint.h>
#include <config/prefix.h>
#include <config/url.h>

#define RULES_MAX      1024
#define RULES_TEXT_MAX 16384 /* octets of all names together, NULs included */
#define RULES_ITEM_MAX 272   /* room for any one item in text */

/* Room for all items in text with commas between: a name's port, or a range, beside the names. */
#define RULES_LIST_MAX (RULES_TEXT_MAX + RULES_MAX * 64)

enum rule_kind { RULE_ALL, RULE_NAME, RULE_SUFFIX, RULE_PREFIX };

struct rule {
	enum rule_kind kind;
	uint16_t port;        /* 0: any */
	uint8_t name_len;     /* RULE_NAME, RULE_SUFFIX (its dot counts) */
	uint16_t name_at;     /* in struct rules' text */
	struct prefix prefix; /* RULE_PREFIX */
};

/* Plain memory of fixed size: the library reads it before it may allocate. */
struct rules {
	size_t n, text_len;
	struct rule all[RULES_MAX];
	char text[RULES_TEXT_MAX]; /* names, lower case, NUL-terminated, without a trailing dot */
};

/*
 * Read a list; @out is emptied first. An item that is malformed is left out, which sends less past
 * the proxy, and the rest is read.
 *
 * Returns 0, or -EINVAL with @why telling of the first such item (@why->at is where it begins).
 */
int rules_parse(const char *text, struct rules *out, struct complaint *why);

/* Is it an item for names, without its port: a name or a ".suffix", as described above. */
bool rules_is_name(const char *name, size_t len);

/*
 * prefix_parse(), but with brackets around the address or around all of the range: "[fd00::]/8",
 * "[fd00::/8]".
 */
int rules_read_range(struct prefix *out, const char *at, size_t len);

/* The first rule that matches a name or an address with its port, or NULL. */
const struct rule *rules_find(const struct rules *r, const struct endpoint *ep);

/*
 * For a name whose port is not known yet: the first rule without a port that matches, or NULL.
 * What a rule with a port says of it is known when it is connected to.
 */
const struct rule *rules_find_name(const struct rules *r, const char *name, size_t len);

/*
 * Is it a rule for names, with a port, that matches this one? One for everything is none: it knows
 * addresses, too.
 */
bool rules_match_port(const struct rules *r, const struct rule *rule, const char *name, size_t len);

/* The rule as a user would write it, for a log or --dns-check. Returns @buf. */
char *rules_format(const struct rules *r, const struct rule *rule, char *buf, size_t cap);

/* All of them as a list that is read alike; never empty. RULES_LIST_MAX is room enough. */
char *rules_format_all(const struct rules *r, char *buf, size_t cap);

#endif
