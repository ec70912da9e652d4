#include <config/config.h>
#include <config/keys.h>
#include <unistd.h>
#include <unit.h>

/* The environment of a row: "NAME=value" up to NULL. */
static const char *const *environment;
static unsigned asked;

static char *lookup(const char *name)
{
	size_t len = strlen(name);

	asked++;
	for (const char *const *e = environment; *e; e++)
		if (strncmp(*e, name, len) == 0 && (*e)[len] == '=')
			return (char *)(uintptr_t)*e + len + 1;
	return NULL;
}

static void read_env(struct config *cfg, const char *const *env)
{
	environment = env;
	memset(cfg, 0xaa, sizeof(*cfg));
	config_read(cfg, lookup, LOG_LEVEL_WARN);
}

static const struct {
	const char *env[5];
	const char *label, *warning;
} proxies[] = {
	{ { NULL }, "socks5h://127.0.0.1:1080", "" },
	{ { "SOCKSIFY_PROXY=" }, "socks5h://127.0.0.1:1080", "" },
	{ { "SOCKSIFY_PROXY=socks4://a", "ALL_PROXY=b" }, "socks4://a:1080", "" },
	{ { "SOCKSIFY_PROXY=", "ALL_PROXY=socks5://b", "all_proxy=c" }, "socks5://b:1080", "" },
	{ { "all_proxy=socks://c/" }, "socks5h://c:1080", "" },
	{ { "ALL_PROXY=http://u:secret@b", "all_proxy=socks5://c" },
	  "socks5://c:1080",
	  "ALL_PROXY=\"http://u:***@b\" is passed over: it is no SOCKS proxy" },
	{ { "ALL_PROXY=http://b", "all_proxy=https://c" },
	  "socks5h://127.0.0.1:1080",
	  "ALL_PROXY=\"http://b\" is passed over: it is no SOCKS proxy" },
	{ { "SOCKSIFY_PROXY=a", "ALL_PROXY=http://b" }, "socks5h://a:1080", "" },
	{ { "SOCKSIFY_PROXY=a", "ALL_PROXY=socks5://h:0" }, "socks5h://a:1080", "" },
};

START_TEST(first_proxy_that_is_set_is_taken)
{
	struct config cfg;

	read_env(&cfg, proxies[_i].env);
	ck_assert_msg(!cfg.broken, "%s", cfg.complaint);
	ck_assert_str_eq(cfg.proxy.label, proxies[_i].label);
	ck_assert_str_eq(cfg.warning, proxies[_i].warning);
	ck_assert_str_eq(cfg.complaint, "");
}
END_TEST

START_TEST(nothing_set_gives_the_defaults)
{
	struct config cfg;

	read_env(&cfg, (const char *const[]){ NULL });
	ck_assert(!cfg.broken);
	ck_assert_int_eq(cfg.timeout_ms, CONFIG_TIMEOUT_DEFAULT_MS);
	ck_assert_int_eq(cfg.log, LOG_LEVEL_WARN);
	ck_assert_str_eq(cfg.log_file, "");
	ck_assert_str_eq(cfg.names_path, "");
	ck_assert(cfg.proxy.names_go_along);
}
END_TEST

static const struct {
	const char *env;
	int ms; /* 0: malformed */
} timeouts[] = {
	{ "SOCKSIFY_TIMEOUT=1", 1000 },
	{ "SOCKSIFY_TIMEOUT=2.5", 2500 },
	{ "SOCKSIFY_TIMEOUT=.25", 250 },
	{ "SOCKSIFY_TIMEOUT=12.", 12000 },
	{ "SOCKSIFY_TIMEOUT= 007 ", 7000 },
	{ "SOCKSIFY_TIMEOUT=0.001", 1 },
	{ "SOCKSIFY_TIMEOUT=0.0019999999999999999999999999", 1 },
	{ "SOCKSIFY_TIMEOUT=86400", 86400000 },
	{ "SOCKSIFY_TIMEOUT=", CONFIG_TIMEOUT_DEFAULT_MS },
	{ "SOCKSIFY_TIMEOUT=86400.001", 0 },
	{ "SOCKSIFY_TIMEOUT=86401", 0 },
	{ "SOCKSIFY_TIMEOUT=99999999999999999999999999999", 0 },
	{ "SOCKSIFY_TIMEOUT=0", 0 },
	{ "SOCKSIFY_TIMEOUT=0.0001", 0 },
	{ "SOCKSIFY_TIMEOUT=-1", 0 },
	{ "SOCKSIFY_TIMEOUT=.", 0 },
	{ "SOCKSIFY_TIMEOUT= ", 0 },
	{ "SOCKSIFY_TIMEOUT=1.2.3", 0 },
	{ "SOCKSIFY_TIMEOUT=1,5", 0 },
	{ "SOCKSIFY_TIMEOUT=30s", 0 },
	{ "SOCKSIFY_TIMEOUT=1e3", 0 },
	{ "SOCKSIFY_TIMEOUT=inf", 0 },
};

START_TEST(timeout_is_decimal_seconds)
{
	struct config cfg;

	read_env(&cfg, (const char *const[]){ timeouts[_i].env, NULL });
	ck_assert_int_eq(cfg.broken, timeouts[_i].ms == 0);
	if (timeouts[_i].ms != 0)
		ck_assert_int_eq(cfg.timeout_ms, timeouts[_i].ms);
	else
		ck_assert_ptr_nonnull(strstr(cfg.complaint, "expected seconds"));
}
END_TEST

static const struct {
	const char *env;
	int level; /* -1: malformed */
} levels[] = {
	{ "SOCKSIFY_LOG=error", LOG_LEVEL_ERROR },
	{ "SOCKSIFY_LOG=warn", LOG_LEVEL_WARN },
	{ "SOCKSIFY_LOG=info", LOG_LEVEL_INFO },
	{ "SOCKSIFY_LOG=debug", LOG_LEVEL_DEBUG },
	{ "SOCKSIFY_LOG= DEBUG ", LOG_LEVEL_DEBUG },
	{ "SOCKSIFY_LOG=warning", -1 },
	{ "SOCKSIFY_LOG=4", -1 },
	{ "SOCKSIFY_LOG=inf", -1 },
};

START_TEST(log_level_is_a_word)
{
	struct config cfg;

	read_env(&cfg, (const char *const[]){ levels[_i].env, NULL });
	ck_assert_int_eq(cfg.broken, levels[_i].level < 0);
	if (levels[_i].level >= 0)
		ck_assert_int_eq((int)cfg.log, levels[_i].level);
}
END_TEST

START_TEST(relative_log_file_is_where_the_program_started)
{
	char cwd[PATH_MAX], want[PATH_MAX + 16];
	struct config cfg;

	ck_assert_ptr_nonnull(getcwd(cwd, sizeof(cwd)));
	snprintf(want, sizeof(want), "%s/a b.log", strcmp(cwd, "/") == 0 ? "" : cwd);
	read_env(&cfg, (const char *const[]){ "SOCKSIFY_LOG_FILE=a b.log", NULL });
	ck_assert_str_eq(cfg.log_file, want);
	read_env(&cfg, (const char *const[]){ "SOCKSIFY_LOG_FILE=/x/y", NULL });
	ck_assert_str_eq(cfg.log_file, "/x/y");
}
END_TEST

START_TEST(paths_that_do_not_fit_are_malformed)
{
	static char env[2][PATH_MAX + 64];
	struct config cfg;

	for (int i = 0; i < 2; i++) {
		int n = sprintf(env[i], i ? "SOCKSIFY_NAMES=/" : "SOCKSIFY_LOG_FILE=/");

		memset(env[i] + n, 'x', PATH_MAX - 1);
		read_env(&cfg, (const char *const[]){ env[i], NULL });
		ck_assert(cfg.broken);
		ck_assert_str_eq(i ? cfg.names_path : cfg.log_file, "");
		env[i][n + PATH_MAX - 2] = '\0';
		read_env(&cfg, (const char *const[]){ env[i], NULL });
		ck_assert(!cfg.broken);
		ck_assert_uint_eq(strlen(i ? cfg.names_path : cfg.log_file), PATH_MAX - 1);
	}
	read_env(&cfg, (const char *const[]){ "SOCKSIFY_NAMES=relative", NULL });
	ck_assert(cfg.broken);
	read_env(&cfg, (const char *const[]){ "SOCKSIFY_NAMES=/dev/shm/x", NULL });
	ck_assert_str_eq(cfg.names_path, "/dev/shm/x");
}
END_TEST

static const struct {
	const char *env, *complaint;
} complaints[] = {
	{ "SOCKSIFY_PROXY=socks5://h:99999",
	  "SOCKSIFY_PROXY=\"socks5://h:99999\" is malformed at \"99999\": the port is over 65535; "
	  "expected a port from 1 to 65535" },
	{ "SOCKSIFY_PROXY=http://u:secret@h",
	  "SOCKSIFY_PROXY=\"http://u:***@h\" is malformed at \"http://u:***@h\": the scheme is "
	  "none of "
	  "SOCKS; expected socks4://, socks4a://, socks5:// or socks5h://" },
	{ "ALL_PROXY=socks5://u:se/cret@h",
	  "ALL_PROXY=\"socks5://u:***@h\" is malformed at \"***@h\": a \"/\" before the \"@\"; "
	  "expected such octets written as % and two hex digits" },
	{ "all_proxy=socks5://",
	  "all_proxy=\"socks5://\" is malformed at its end: the host is missing; expected "
	  "SCHEME://[USER[:PASSWORD]@]HOST[:PORT]" },
	{ "SOCKSIFY_PROXY=socks5://u:secret",
	  "SOCKSIFY_PROXY=\"socks5://u:***\" is malformed at \"***\": the port is not a number; "
	  "expected a port from 1 to 65535" },
	{ "SOCKSIFY_PROXY=a\nb\x1b[1m", "SOCKSIFY_PROXY=\"a\\x0ab\\x1b[1m\" is malformed at "
	                                "\"\\x0ab\\x1b[1m\": an octet that no host "
	                                "name has; expected a host name or an address" },
	{ "SOCKSIFY_LOG=loud",
	  "SOCKSIFY_LOG=\"loud\" is malformed at \"loud\": there is no such level; expected error, "
	  "warn, info or debug" },
	{ "SOCKSIFY_TIMEOUT=30s", "SOCKSIFY_TIMEOUT=\"30s\" is malformed at \"s\": it is not a "
	                          "number; expected seconds from "
	                          "0.001 to 86400, such as 2.5" },
	{ "SOCKSIFY_TIMEOUT=0",
	  "SOCKSIFY_TIMEOUT=\"0\" is malformed at \"0\": nothing can be done in no time; expected "
	  "seconds from 0.001 to 86400, such as 2.5" },
};

START_TEST(malformed_value_is_one_line_without_a_password)
{
	struct config cfg;

	read_env(&cfg, (const char *const[]){ complaints[_i].env, NULL });
	ck_assert(cfg.broken);
	ck_assert_str_eq(cfg.complaint, complaints[_i].complaint);
}
END_TEST

START_TEST(long_password_never_shows_wherever_it_breaks)
{
	static char env[4000];
	uint64_t seed = unit_seed();
	struct config cfg;

	for (int round = 0; round < 20000; round++) {
		/* Parts of a URL in any order, a password in the midst of it. */
		static const char *const parts[] = { "socks5", "socks4", "http", "://", ":", "/",
			                             "[::1]",  "%",      "@",    "h",   " ", ":1" };
		size_t n = (size_t)sprintf(env, "SOCKSIFY_PROXY=");
		size_t before = unit_below(&seed, 5), after = unit_below(&seed, 5);

		for (size_t i = 0; i < before; i++)
			n += (size_t)sprintf(env + n, "%s", parts[unit_below(&seed, ROWS(parts))]);
		n += (size_t)sprintf(env + n, "u:");
		for (size_t i = unit_below(&seed, 80); i > 0; i--)
			n += (size_t)sprintf(env + n, "secret%s", i % 7 ? "" : "/");
		for (size_t i = 0; i < after; i++)
			n += (size_t)sprintf(env + n, "%s", parts[unit_below(&seed, ROWS(parts))]);
		sprintf(env + n, "@h");
		read_env(&cfg, (const char *const[]){ env, NULL });
		ck_assert_msg(!strstr(cfg.complaint, "secr"), "%s: %s", env, cfg.complaint);
		ck_assert_ptr_null(strchr(cfg.complaint, '\n'));
	}
}
END_TEST

START_TEST(password_of_an_over_long_text_is_not_shown)
{
	static char env[URL_MAX * 4];
	struct config cfg;
	size_t n = (size_t)sprintf(env, "SOCKSIFY_PROXY=socks5://u:");

	while (n < sizeof(env) - 20)
		n += (size_t)sprintf(env + n, "secret:/");
	sprintf(env + n, "@h");
	read_env(&cfg, (const char *const[]){ env, NULL });
	ck_assert(cfg.broken);
	ck_assert_ptr_null(strstr(cfg.complaint, "secr"));
	ck_assert_ptr_nonnull(strstr(cfg.complaint, "socks5://u:***@h"));
}
END_TEST

START_TEST(first_complaint_is_kept_and_all_values_are_read)
{
	struct config cfg;

	read_env(&cfg, (const char *const[]){ "SOCKSIFY_LOG=x", "SOCKSIFY_PROXY=http://h",
	                                      "SOCKSIFY_TIMEOUT=5", NULL });
	ck_assert(cfg.broken);
	ck_assert_int_eq(strncmp(cfg.complaint, "SOCKSIFY_PROXY=", 15), 0);
	ck_assert_int_eq(cfg.timeout_ms, 5000);
	ck_assert_int_eq(cfg.log, LOG_LEVEL_WARN);
}
END_TEST

START_TEST(keys_are_looked_up_once_each_and_told)
{
	struct config cfg;

	asked = 0;
	read_env(&cfg, (const char *const[]){ NULL });
	ck_assert_uint_eq(asked, KEY_COUNT);
	for (int i = 0; i < KEY_COUNT; i++) {
		ck_assert_uint_gt(strlen(key_rows[i].variable), 0);
		ck_assert_uint_gt(strlen(key_rows[i].syntax), 0);
		ck_assert_uint_gt(strlen(key_rows[i].fallback), 0);
		ck_assert_uint_gt(strlen(key_rows[i].meaning), 0);
	}
	ck_assert_str_eq(key_rows[KEY_TIMEOUT].variable, "SOCKSIFY_TIMEOUT");
}
END_TEST

UNIT_MAIN("config/config", { first_proxy_that_is_set_is_taken, ROWS(proxies) },
          { nothing_set_gives_the_defaults, 0 }, { timeout_is_decimal_seconds, ROWS(timeouts) },
          { log_level_is_a_word, ROWS(levels) },
          { relative_log_file_is_where_the_program_started, 0 },
          { paths_that_do_not_fit_are_malformed, 0 },
          { malformed_value_is_one_line_without_a_password, ROWS(complaints) },
          { long_password_never_shows_wherever_it_breaks, 0 },
          { password_of_an_over_long_text_is_not_shown, 0 },
          { first_complaint_is_kept_and_all_values_are_read, 0 },
          { keys_are_looked_up_once_each_and_told, 0 })
