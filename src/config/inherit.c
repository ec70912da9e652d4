#include <config/inherit.h>

#include <string.h>

#define OURS "SOCKSIFY_"

struct sink {
	char *buf;
	size_t cap, len; /* counts what has no room, too */
};

static const char *sink_put(struct sink *s, const char *name, const char *value)
{
	size_t name_len = strlen(name), value_len = strlen(value), at = s->len;

	s->len += name_len + 1 + value_len + 1;
	if (s->len > s->cap)
		return NULL;
	memcpy(s->buf + at, name, name_len);
	s->buf[at + name_len] = '=';
	memcpy(s->buf + at + name_len + 1, value, value_len + 1);
	return s->buf + at;
}

static const char *look_up(char *(*lookup)(const char *name), enum config_key key)
{
	const char *value = lookup(key_rows[key].variable);

	return value && value[0] ? value : NULL;
}

static bool is_usable(const char *all_proxy)
{
	return all_proxy && all_proxy[0] && !url_is_foreign(all_proxy);
}

static const char *find_all_proxy(char *(*lookup)(const char *name))
{
	const char *value = look_up(lookup, KEY_ALL_PROXY);

	if (!is_usable(value))
		value = look_up(lookup, KEY_ALL_PROXY_LOWER);
	return is_usable(value) ? value : NULL;
}

/* Without what was malformed there and passed over, which it would not be here. */
static const char *put_rules(struct sink *s, const char *name, const struct rules *rules)
{
	size_t name_len = strlen(name), most = name_len + 1 + RULES_LIST_MAX, at = s->len;

	if (s->len + most > s->cap) {
		s->len += most;
		return NULL;
	}
	memcpy(s->buf + at, name, name_len);
	s->buf[at + name_len] = '=';
	rules_format_all(rules, s->buf + at + name_len + 1, RULES_LIST_MAX);
	s->len += strlen(s->buf + at) + 1;
	return s->buf + at;
}

/* What is ours to keep of this variable, but for rules of other names. */
static const char *find_value(struct inherit *in, const struct config *cfg,
                              char *(*lookup)(const char *name), enum config_key key)
{
	const char *value = look_up(lookup, key), *path = "";

	if (key == KEY_PROXY && !value) {
		value = find_all_proxy(lookup);
		in->proxy_is_all_proxy = value != NULL;
	}
	if (key == KEY_LOG_FILE)
		path = cfg->log_file;
	else if (key == KEY_PASSWORD_FILE)
		path = cfg->password_file;
	else if (key == KEY_NAMES)
		path = cfg->names_path;
	return path[0] ? path : value;
}

size_t inherit_init(struct inherit *in, const struct config *cfg, char *(*lookup)(const char *name),
                    char *buf, size_t cap)
{
	struct sink s = { buf, cap, 0 };

	memset(in, 0, sizeof(*in));
	for (int i = 0; i < KEY_COUNT; i++) {
		const char *name = key_rows[i].variable, *value;

		if (strncmp(name, OURS, sizeof(OURS) - 1) != 0)
			continue;
		value = find_value(in, cfg, lookup, (enum config_key)i);
		if (value)
			in->text[i] = sink_put(&s, name, value);
		else if (i == KEY_NO_PROXY && (look_up(lookup, KEY_NO_PROXY_PLAIN) ||
		                               look_up(lookup, KEY_NO_PROXY_LOWER))) {
			in->text[i] = put_rules(&s, name, &cfg->no_proxy);
			in->rules_are_plain = true;
		}
	}
	if (s.len > cap)
		memset(in, 0, sizeof(*in));
	return s.len;
}

/* The values that getenv(3) would give. */
static void read_vector(char *const envp[], const char *value[KEY_COUNT])
{
	memset(value, 0, KEY_COUNT * sizeof(*value));
	for (; envp && *envp; envp++) {
		for (int i = 0; i < KEY_COUNT; i++) {
			size_t len = strlen(key_rows[i].variable);

			if (!value[i] && strncmp(*envp, key_rows[i].variable, len) == 0 &&
			    (*envp)[len] == '=')
				value[i] = *envp + len + 1;
		}
	}
}

static const char *value_of(const struct inherit *in, enum config_key key)
{
	return in->text[key] ? strchr(in->text[key], '=') + 1 : NULL;
}

static bool are_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* What that environment itself says of the proxy; NULL: nothing. */
static const char *find_own_proxy(const char *const value[KEY_COUNT])
{
	if (value[KEY_PROXY] && value[KEY_PROXY][0])
		return value[KEY_PROXY];
	if (is_usable(value[KEY_ALL_PROXY]))
		return value[KEY_ALL_PROXY];
	return is_usable(value[KEY_ALL_PROXY_LOWER]) ? value[KEY_ALL_PROXY_LOWER] : NULL;
}

static bool has_own_rules(const char *const value[KEY_COUNT])
{
	return (value[KEY_NO_PROXY_PLAIN] && value[KEY_NO_PROXY_PLAIN][0]) ||
	       (value[KEY_NO_PROXY_LOWER] && value[KEY_NO_PROXY_LOWER][0]);
}

size_t inherit_missing(const struct inherit *in, char *const envp[], const char *out[KEY_COUNT])
{
	const char *value[KEY_COUNT], *own_proxy;
	bool lacks[KEY_COUNT], is_ours;
	size_t n = 0;

	read_vector(envp, value);
	own_proxy = find_own_proxy(value);
	for (int i = 0; i < KEY_COUNT; i++)
		lacks[i] = in->text[i] && !value[i];
	if (in->proxy_is_all_proxy && own_proxy)
		lacks[KEY_PROXY] = false;
	if (in->rules_are_plain && has_own_rules(value))
		lacks[KEY_NO_PROXY] = false;
	/* Another proxy must not be told a password that it was not given. */
	is_ours = (lacks[KEY_PROXY] || are_equal(own_proxy, value_of(in, KEY_PROXY))) &&
	          (!value[KEY_USER] || are_equal(value[KEY_USER], value_of(in, KEY_USER)));
	if (!is_ours)
		lacks[KEY_USER] = lacks[KEY_PASSWORD] = lacks[KEY_PASSWORD_FILE] = false;
	/* The variable comes before the file: it must not hide one that was put in its place. */
	if (value[KEY_PASSWORD_FILE] && !in->text[KEY_PASSWORD_FILE])
		lacks[KEY_PASSWORD] = false;
	for (int i = 0; i < KEY_COUNT; i++)
		if (lacks[i])
			out[n++] = in->text[i];
	return n;
}
