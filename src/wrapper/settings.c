#include "settings.h"

#include <base/errtext.h>
#include <errno.h>
#include <fcntl.h>
#include <launch/environ.h>
#include <names/table.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "socksify: %s: %s\n", what, why);
	return EXIT_SOCKSIFY;
}

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value && value[0] != '\0';
}

static int set_names(struct settings *s, bool isolate)
{
	const char *present = getenv("SOCKSIFY_NAMES");
	uint64_t nonce;
	int err;

	if (!isolate && is_set("SOCKSIFY_NAMES") && !table_is_foreign(present))
		return 0;
	if (getrandom(&nonce, sizeof(nonce), 0) != sizeof(nonce))
		return fail("random octets", err_text(errno));
	err = table_new_path(s->names_path, sizeof(s->names_path), getenv("XDG_RUNTIME_DIR"),
	                     nonce);
	s->value[KEY_NAMES] = s->names_path;
	return err < 0 ? fail("SOCKSIFY_NAMES", err_text(err)) : 0;
}

/* By the order in which the configuration is read. */
static const char *find_origin(const struct options *o)
{
	if (o->key_value[KEY_PROXY])
		return "-x";
	for (size_t i = KEY_PROXY; i <= KEY_ALL_PROXY_LOWER; i++) {
		const char *value = getenv(key_rows[i].variable);

		if (value && value[0] && (i == KEY_PROXY || !url_is_foreign(value)))
			return key_rows[i].variable;
	}
	return "the default";
}

int settings_init(struct settings *s, const struct options *o, const char *proxy)
{
	memset(s->value, 0, sizeof(s->value));
	s->preload = NULL;
	s->proxy_origin = find_origin(o);
	for (int i = 0; i < KEY_COUNT; i++) {
		s->value[i] = o->key_value[i];
		s->by_option[i] = o->key_value[i];
	}
	if (proxy)
		s->value[KEY_PROXY] = proxy;
	if (!s->value[KEY_LOG] && !is_set("SOCKSIFY_LOG"))
		s->value[KEY_LOG] = "warn";
	return set_names(s, o->isolate);
}

/* config_read()'s look-up knows names alone: what it is asked for is here meanwhile. */
static const struct settings *judged;

static char *look_up(const char *name)
{
	for (int i = 0; i < KEY_COUNT; i++)
		if (judged->value[i] && strcmp(key_rows[i].variable, name) == 0)
			return (char *)(uintptr_t)judged->value[i];
	return getenv(name);
}

/* The variable that a line of config_read() begins with, or KEY_COUNT. */
static enum config_key key_of(const char *line)
{
	size_t len = strcspn(line, "=");

	for (int i = 0; line[len] && i < KEY_COUNT; i++)
		if (strlen(key_rows[i].variable) == len &&
		    memcmp(key_rows[i].variable, line, len) == 0)
			return (enum config_key)i;
	return KEY_COUNT;
}

/* As the person wrote it: -x "…", where that is where it came from. */
static void tell(const struct settings *s, const char *line)
{
	enum config_key key = key_of(line);
	char name[32];

	if (key < KEY_COUNT && s->by_option[key])
		fprintf(stderr, "socksify: %s %s\n", options_name(key, name, sizeof(name)),
		        line + strlen(key_rows[key].variable) + 1);
	else
		fprintf(stderr, "socksify: %s\n", line);
}

/*
 * Make the variable that stands before it say the same without what was odd. The proxy's label has
 * no credentials, and needs none: it is the default's where all_proxy is not it.
 */
static bool settle(struct settings *s, enum config_key odd)
{
	const char *lower = getenv("all_proxy");

	if ((odd == KEY_ALL_PROXY || odd == KEY_ALL_PROXY_LOWER) && !s->value[KEY_PROXY]) {
		bool usable = lower && lower[0] != '\0' && !url_is_foreign(lower);

		memcpy(s->proxy_label, s->cfg.proxy.label, sizeof(s->proxy_label));
		s->value[KEY_PROXY] = usable ? lower : s->proxy_label;
		return true;
	}
	if ((odd == KEY_NO_PROXY_PLAIN || odd == KEY_NO_PROXY_LOWER) && !s->value[KEY_NO_PROXY]) {
		rules_format_all(&s->cfg.no_proxy, s->no_proxy, sizeof(s->no_proxy));
		s->value[KEY_NO_PROXY] = s->no_proxy;
		return true;
	}
	return false;
}

/* Programs lose what they can't write there, and tell nobody. Opened as log.c opens it. */
static int judge_log_file(const struct settings *s)
{
	int fd = open(s->cfg.log_file,
	              O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
	char line[PATH_MAX + 128];

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	/* A FIFO that nobody reads yet. */
	if (errno == ENXIO)
		return 0;
	snprintf(line, sizeof(line), "%s=\"%s\": %s; expected a file that can be written to",
	         key_rows[KEY_LOG_FILE].variable, s->cfg.log_file, err_text(errno));
	tell(s, line);
	return -1;
}

int settings_judge(struct settings *s)
{
	struct config *cfg = &s->cfg;
	bool again;

	judged = s;
	do {
		config_read(cfg, look_up, LOG_LEVEL_WARN);
		if (!cfg->broken)
			config_read_password(cfg);
		if (cfg->broken) {
			tell(s, cfg->complaint);
			return EXIT_SOCKSIFY;
		}
		if (cfg->warning[0] && cfg->log >= LOG_LEVEL_WARN)
			tell(s, cfg->warning);
		again = cfg->warning[0] && settle(s, key_of(cfg->warning));
	} while (again);
	if (cfg->log_file[0] && judge_log_file(s) < 0)
		return EXIT_SOCKSIFY;
	if (cfg->log_file[0])
		s->value[KEY_LOG_FILE] = cfg->log_file;
	if (cfg->password_file[0])
		s->value[KEY_PASSWORD_FILE] = cfg->password_file;
	return 0;
}

int settings_preload(struct settings *s, const char *entry)
{
	const char *old = getenv("LD_PRELOAD");
	size_t need = 0;
	int err;

	environ_preload(NULL, 0, old, entry, NULL, NULL, &need);
	s->preload = malloc(need);
	if (!s->preload)
		return fail("LD_PRELOAD", err_text(ENOMEM));
	err = environ_preload(s->preload, need, old, entry, NULL, NULL, NULL);
	return err < 0 ? fail("LD_PRELOAD", err_text(err)) : 0;
}

int settings_export(const struct settings *s)
{
	for (int i = 0; i < KEY_COUNT; i++)
		if (s->value[i] && setenv(key_rows[i].variable, s->value[i], 1) < 0)
			return fail(key_rows[i].variable, err_text(errno));
	if (s->preload && setenv("LD_PRELOAD", s->preload, 1) < 0)
		return fail("LD_PRELOAD", err_text(errno));
	return 0;
}

void settings_fini(struct settings *s)
{
	free(s->preload);
	s->preload = NULL;
}
