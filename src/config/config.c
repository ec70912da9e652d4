/*
 * How it works: the table of keys is walked from its first row to its last, each variable that is
 * set goes to the reader of its row. What a row may have to say about another one stands in struct
 * reading.
 */
#include <config/config.h>

#include "reading.h"

#include <config/keys.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PROXY_DEFAULT "socks5h://127.0.0.1:1080"

/* How much of a value and of the place where it breaks fits a complaint. */
#define QUOTE_MAX 200
#define TAIL_MAX  60

static const char *tail_of(const char *value, size_t at, char *buf, size_t cap)
{
	char quoted[TAIL_MAX];

	if (value[at] == '\0')
		return "at its end";
	snprintf(buf, cap, "at \"%s\"", url_redact_from(value, at, quoted, sizeof(quoted)));
	return buf;
}

static void tell(struct reading *r, char *out, const char *value, const struct complaint *why)
{
	char quoted[QUOTE_MAX], tail[TAIL_MAX + 8];

	if (!out[0])
		snprintf(out, CONFIG_COMPLAINT_MAX, "%s=\"%s\" is malformed %s: %s; expected %s",
		         r->variable, url_redact(value, quoted, sizeof(quoted)),
		         tail_of(value, why->at, tail, sizeof(tail)), why->problem, why->expects);
}

int reading_complain(struct reading *r, const char *value, const struct complaint *why)
{
	tell(r, r->cfg->complaint, value, why);
	r->cfg->broken = true;
	return -EINVAL;
}

int reading_complain_secret(struct reading *r, const char *problem, const char *expects)
{
	if (!r->cfg->complaint[0])
		snprintf(r->cfg->complaint, sizeof(r->cfg->complaint),
		         "%s is malformed: %s; expected %s", r->variable, problem, expects);
	r->cfg->broken = true;
	return -EINVAL;
}

void reading_warn(struct reading *r, const char *value, const struct complaint *why)
{
	tell(r, r->cfg->warning, value, why);
}

#define KEY(id, variable, letter, option, syntax, fallback, meaning, reader) \
	[KEY_##id] = { variable, letter, option, syntax, fallback, meaning },
const struct key_row key_rows[KEY_COUNT] = {
#include <config/keys.def>
};
#undef KEY

#define KEY(id, variable, letter, option, syntax, fallback, meaning, reader) [KEY_##id] = reader,
static reader *const readers[KEY_COUNT] = {
#include <config/keys.def>
};
#undef KEY

/* RFC 2544 appendix C.2.2, and a /64 of a unique local prefix (RFC 4193) drawn once, at random. */
static void set_default_pool(struct config *cfg)
{
	static const char v4[] = "198.18.0.0/15", v6[] = "fd5c:931e:b742::/64";

	prefix_parse(&cfg->pool_ipv4, v4, sizeof(v4) - 1);
	prefix_parse(&cfg->pool_ipv6, v6, sizeof(v6) - 1);
}

void config_read(struct config *cfg, char *(*lookup)(const char *name), enum log_level log_default)
{
	struct reading r = { .cfg = cfg };

	memset(cfg, 0, sizeof(*cfg));
	cfg->timeout_ms = CONFIG_TIMEOUT_DEFAULT_MS;
	cfg->log = log_default;
	set_default_pool(cfg);
	for (size_t i = 0; i < KEY_COUNT; i++) {
		const char *value = lookup(key_rows[i].variable);

		r.variable = key_rows[i].variable;
		if (value && value[0] != '\0')
			readers[i](&r, value);
	}
	if (!r.have_proxy)
		read_proxy(&r, PROXY_DEFAULT);
	if (!cfg->broken)
		reading_credentials(&r);
	explicit_bzero(r.password, sizeof(r.password));
}
