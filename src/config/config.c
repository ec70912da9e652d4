/*
 * How it works: the table of keys is walked from its first row to its last, each variable that is
 * set goes to the reader of its row. What a row may have to say about another one stands in struct
 * reading.
 */
#include <config/config.h>

#include "reading.h"

#include <config/ascii.h>
#include <config/keys.h>
#include <errno.h>
#include <stddef.h>
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

int reading_complain(struct reading *r, const char *value, const struct complaint *why)
{
	char quoted[QUOTE_MAX], tail[TAIL_MAX + 8], *out = r->cfg->complaint;

	if (!out[0])
		snprintf(out, CONFIG_COMPLAINT_MAX, "%s=\"%s\" is malformed %s: %s; expected %s",
		         r->variable, url_redact(value, quoted, sizeof(quoted)),
		         tail_of(value, why->at, tail, sizeof(tail)), why->problem, why->expects);
	r->cfg->broken = true;
	return -EINVAL;
}

char *reading_quote(const char *text, size_t len, char *buf, size_t cap)
{
	static const char more[] = "...";
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char piece[8];
		size_t m = (size_t)snprintf(piece, sizeof(piece),
		                            ascii_is_print(text[i]) ? "%c" : "\\x%02x",
		                            (unsigned char)text[i]);

		/* The last that fits leaves room for what says that there was more. */
		if (n + m + (i + 1 < len ? sizeof(more) - 1 : 0) >= cap) {
			memcpy(buf + n, more, sizeof(more) - 1);
			n += sizeof(more) - 1;
			break;
		}
		memcpy(buf + n, piece, m);
		n += m;
	}
	buf[n] = '\0';
	return buf;
}

/* Without what stands before an "@": such an item is a URL that got here by mistake. */
static char *quote_item(const char *item, size_t len, char *buf, size_t cap)
{
	const char *at = len > 0 ? memrchr(item, '@', len) : NULL;

	if (!at)
		return reading_quote(item, len, buf, cap);
	snprintf(buf, cap, "***");
	reading_quote(at, len - (size_t)(at - item), buf + 3, cap - 3);
	return buf;
}

static void tell_item(struct reading *r, char *out, const char *value, const struct complaint *why,
                      const char *verdict)
{
	char quoted[QUOTE_MAX], item[TAIL_MAX];
	const char *at = value + why->at;

	if (out[0])
		return;
	if (strchr(value, '@'))
		url_redact(value, quoted, sizeof(quoted));
	else
		reading_quote(value, strlen(value), quoted, sizeof(quoted));
	quote_item(at, strcspn(at, LIST_SEPARATORS), item, sizeof(item));
	snprintf(out, CONFIG_COMPLAINT_MAX, "%s=\"%s\": \"%s\" is %s: %s; expected %s", r->variable,
	         quoted, item, verdict, why->problem, why->expects);
}

int reading_complain_item(struct reading *r, const char *value, const struct complaint *why)
{
	tell_item(r, r->cfg->complaint, value, why, "malformed");
	r->cfg->broken = true;
	return -EINVAL;
}

void reading_pass_over_item(struct reading *r, const char *value, const struct complaint *why)
{
	tell_item(r, r->cfg->warning, value, why, "passed over");
}

int reading_complain_secret(struct reading *r, const char *problem, const char *expects)
{
	char *out = r->cfg->complaint;

	if (!out[0])
		snprintf(out, CONFIG_COMPLAINT_MAX, "%s is malformed: %s; expected %s", r->variable,
		         problem, expects);
	r->cfg->broken = true;
	return -EINVAL;
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

	memset(cfg, 0, offsetof(struct config, log_file));
	cfg->log_file[0] = cfg->names_path[0] = cfg->audit_path[0] = '\0';
	cfg->password_file[0] = '\0';
	cfg->no_proxy.n = cfg->no_proxy.text_len = 0;
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
