#include "env.h"

#include <config/keys.h>

START_TEST(nothing_set_gives_the_defaults)
{
	read_env((const char *const[]){ NULL });
	ck_assert(!cfg.broken);
	ck_assert_int_eq(cfg.timeout_ms, CONFIG_TIMEOUT_DEFAULT_MS);
	ck_assert_int_eq(cfg.log, LOG_LEVEL_WARN);
	ck_assert_str_eq(cfg.log_file, "");
	ck_assert_str_eq(cfg.names_path, "");
	ck_assert_str_eq(cfg.audit_path, "");
	ck_assert(cfg.proxy.names_go_along);
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
	read_env((const char *const[]){ complaints[_i].env, NULL });
	ck_assert(cfg.broken);
	ck_assert_str_eq(cfg.complaint, complaints[_i].complaint);
}
END_TEST

START_TEST(long_password_never_shows_wherever_it_breaks)
{
	static char env[4000];
	uint64_t seed = unit_seed();

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
		read_env((const char *const[]){ env, NULL });
		ck_assert_msg(!strstr(cfg.complaint, "secr"), "%s: %s", env, cfg.complaint);
		ck_assert_ptr_null(strchr(cfg.complaint, '\n'));
	}
}
END_TEST

START_TEST(password_of_an_over_long_text_is_not_shown)
{
	static char env[URL_MAX * 4];
	size_t n = (size_t)sprintf(env, "SOCKSIFY_PROXY=socks5://u:");

	while (n < sizeof(env) - 20)
		n += (size_t)sprintf(env + n, "secret:/");
	sprintf(env + n, "@h");
	read_env((const char *const[]){ env, NULL });
	ck_assert(cfg.broken);
	ck_assert_ptr_null(strstr(cfg.complaint, "secr"));
	ck_assert_ptr_nonnull(strstr(cfg.complaint, "socks5://u:***@h"));
}
END_TEST

START_TEST(first_complaint_is_kept_and_all_values_are_read)
{
	read_env((const char *const[]){ "SOCKSIFY_LOG=x", "SOCKSIFY_PROXY=http://h",
	                                "SOCKSIFY_TIMEOUT=5", NULL });
	ck_assert(cfg.broken);
	ck_assert_int_eq(strncmp(cfg.complaint, "SOCKSIFY_PROXY=", 15), 0);
	ck_assert_int_eq(cfg.timeout_ms, 5000);
	ck_assert_int_eq(cfg.log, LOG_LEVEL_WARN);
}
END_TEST

START_TEST(keys_are_looked_up_once_each_and_told)
{
	asked = 0;
	read_env((const char *const[]){ NULL });
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

UNIT_MAIN("config/config", { nothing_set_gives_the_defaults, 0 },
          { malformed_value_is_one_line_without_a_password, ROWS(complaints) },
          { long_password_never_shows_wherever_it_breaks, 0 },
          { password_of_an_over_long_text_is_not_shown, 0 },
          { first_complaint_is_kept_and_all_values_are_read, 0 },
          { keys_are_looked_up_once_each_and_told, 0 })
