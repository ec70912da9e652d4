#include <config/config.h>

#include <config/ascii.h>
#include <config/keys.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROXY_DEFAULT  "socks5h://127.0.0.1:1080"
#define TIMEOUT_MAX_MS 86400000u

/* How much of a value and of the place where it breaks fits a complaint. */
#define QUOTE_MAX 200
#define TAIL_MAX  60

struct reading {
	struct config *cfg;
	const char *variable;
	bool have_proxy;
};

static const char *tail_of(const char *value, size_t at, char *buf, size_t cap)
{
	char quoted[TAIL_MAX];

	if (value[at] == '\0')
		return "at its end";
	snprintf(buf, cap, "at \"%s\"", url_redact_from(value, at, quoted, sizeof(quoted)));
	return buf;
}

static int complain(struct reading *r, const char *value, const struct complaint *why)
{
	char quoted[QUOTE_MAX], tail[TAIL_MAX + 8];
	struct config *cfg = r->cfg;

	if (!cfg->broken)
		snprintf(cfg->complaint, sizeof(cfg->complaint),
		         "%s=\"%s\" is malformed %s: %s; expected %s", r->variable,
		         url_redact(value, quoted, sizeof(quoted)),
		         tail_of(value, why->at, tail, sizeof(tail)), why->problem, why->expects);
	cfg->broken = true;
	return -EINVAL;
}

static int read_proxy(struct reading *r, const char *value)
{
	struct complaint why;

	if (r->have_proxy)
		return 0;
	r->have_proxy = true;
	return url_parse(value, &r->cfg->proxy, &why) < 0 ? complain(r, value, &why) : 0;
}

static int read_all_proxy(struct reading *r, const char *value)
{
	char quoted[QUOTE_MAX];

	if (r->have_proxy || !url_is_foreign(value))
		return read_proxy(r, value);
	if (r->cfg->warning[0] == '\0')
		snprintf(r->cfg->warning, sizeof(r->cfg->warning),
		         "%s=\"%s\" is passed over: it is no SOCKS proxy", r->variable,
		         url_redact(value, quoted, sizeof(quoted)));
	return 0;
}

static const char *skip_space(const char *at)
{
	while (ascii_is_space(*at))
		at++;
	return at;
}

/* Seconds with a decimal fraction; strtod(3) would want the locale's own decimal point. */
static int read_timeout(struct reading *r, const char *value)
{
	static const char expects[] = "seconds from 0.001 to 86400, such as 2.5";
	uint64_t ms = 0, unit = 1000;
	const char *at = skip_space(value), *begin = at;
	bool digits = false, point = false;

	for (; ascii_is_digit(*at) || (*at == '.' && !point); at++) {
		if (*at == '.') {
			point = true;
			continue;
		}
		digits = true;
		if (point)
			unit /= 10;
		ms = point ? ms + unit * (uint64_t)(*at - '0')
		           : ms * 10 + 1000 * (uint64_t)(*at - '0');
		if (ms > TIMEOUT_MAX_MS)
			return complain(r, value,
			                &(struct complaint){ (size_t)(begin - value),
			                                     "it is over a day", expects });
	}
	if (!digits || *skip_space(at) != '\0')
		return complain(r, value,
		                &(struct complaint){ (size_t)((digits ? at : begin) - value),
		                                     "it is not a number", expects });
	if (ms == 0)
		return complain(r, value,
		                &(struct complaint){ (size_t)(begin - value),
		                                     "nothing can be done in no time", expects });
	r->cfg->timeout_ms = (int)ms;
	return 0;
}

static int read_log(struct reading *r, const char *value)
{
	static const char *const levels[] = {
		[LOG_LEVEL_ERROR] = "error",
		[LOG_LEVEL_WARN] = "warn",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug",
	};
	const char *at = skip_space(value);
	size_t len = strlen(at);

	while (len > 0 && ascii_is_space(at[len - 1]))
		len--;
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strlen(levels[i]) == len && ascii_equal(levels[i], at, len)) {
			r->cfg->log = (enum log_level)i;
			return 0;
		}
	}
	return complain(r, value,
	                &(struct complaint){ (size_t)(at - value), "there is no such level",
	                                     "error, warn, info or debug" });
}

/* A path, made absolute now, since the program may change its directory at any time. */
static int read_log_file(struct reading *r, const char *value)
{
	char *out = r->cfg->log_file;
	size_t len = strlen(value), dir = 0;

	if (value[0] != '/' && getcwd(out, PATH_MAX)) {
		dir = strlen(out);
		if (dir < PATH_MAX - 1)
			out[dir++] = '/';
	}
	if (dir + len >= PATH_MAX) {
		out[0] = '\0';
		return complain(r, value,
		                &(struct complaint){ 0, "the path is too long",
		                                     "a path of less than 4096 octets" });
	}
	memcpy(out + dir, value, len + 1);
	return 0;
}

static int read_names(struct reading *r, const char *value)
{
	size_t len = strlen(value);

	if (value[0] != '/' || len >= PATH_MAX)
		return complain(r, value,
		                &(struct complaint){ 0, "it is no path of a name table",
		                                     "an absolute path, as socksify sets it" });
	memcpy(r->cfg->names_path, value, len + 1);
	return 0;
}

#define KEY(id, variable, syntax, fallback, meaning, reader) \
	[KEY_##id] = { variable, syntax, fallback, meaning },
const struct key_row key_rows[KEY_COUNT] = {
#include <config/keys.def>
};
#undef KEY

#define KEY(id, variable, syntax, fallback, meaning, reader) [KEY_##id] = reader,
static int (*const readers[KEY_COUNT])(struct reading *r, const char *value) = {
#include <config/keys.def>
};
#undef KEY

void config_read(struct config *cfg, char *(*lookup)(const char *name), enum log_level log_default)
{
	struct reading r = { .cfg = cfg };

	memset(cfg, 0, sizeof(*cfg));
	cfg->timeout_ms = CONFIG_TIMEOUT_DEFAULT_MS;
	cfg->log = log_default;
	for (size_t i = 0; i < KEY_COUNT; i++) {
		const char *value = lookup(key_rows[i].variable);

		r.variable = key_rows[i].variable;
		if (value && value[0] != '\0')
			readers[i](&r, value);
	}
	if (!r.have_proxy)
		read_proxy(&r, PROXY_DEFAULT);
}
