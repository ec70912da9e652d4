#include "env.h"

#include <unistd.h>

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
	read_env(proxies[_i].env);
	ck_assert_msg(!cfg.broken, "%s", cfg.complaint);
	ck_assert_str_eq(cfg.proxy.label, proxies[_i].label);
	ck_assert_str_eq(cfg.warning, proxies[_i].warning);
	ck_assert_str_eq(cfg.complaint, "");
}
END_TEST

static const struct {
	const char *env[5];
	const char *user, *password; /* NULL: none */
} rows[] = {
	{ { "SOCKSIFY_PROXY=h" }, "", NULL },
	{ { "SOCKSIFY_PROXY=u:p@h", "SOCKSIFY_USER=v", "SOCKSIFY_PASSWORD=q" }, "u", "p" },
	{ { "SOCKSIFY_PROXY=u@h", "SOCKSIFY_USER=v", "SOCKSIFY_PASSWORD=q" }, "u", "q" },
	{ { "SOCKSIFY_PROXY=h", "SOCKSIFY_USER=v", "SOCKSIFY_PASSWORD=q" }, "v", "q" },
	{ { "SOCKSIFY_PROXY=u:@h", "SOCKSIFY_PASSWORD=q" }, "u", "" },
	{ { "SOCKSIFY_PROXY=h", "SOCKSIFY_USER=v" }, "v", NULL },
	{ { "SOCKSIFY_PROXY=h", "SOCKSIFY_USER=a b:%40\xff" }, "a b:%40\xff", NULL },
	{ { "SOCKSIFY_PROXY=socks4://h", "SOCKSIFY_USER=v", "SOCKSIFY_PASSWORD=q" }, "v", NULL },
	{ { "SOCKSIFY_PROXY=socks4a://u@h", "SOCKSIFY_PASSWORD=q" }, "u", NULL },
	{ { "ALL_PROXY=socks5h://h", "SOCKSIFY_USER=v", "SOCKSIFY_PASSWORD=q" }, "v", "q" },
	{ { "SOCKSIFY_USER=v", "SOCKSIFY_PASSWORD=q" }, "v", "q" },
};

START_TEST(url_comes_before_the_variables)
{
	read_env(rows[_i].env);
	ck_assert_msg(!cfg.broken, "%s", cfg.complaint);
	ck_assert_str_eq(cfg.proxy.user, rows[_i].user);
	ck_assert_uint_eq(cfg.proxy.user_len, strlen(rows[_i].user));
	ck_assert_int_eq(cfg.proxy.has_password, rows[_i].password != NULL);
	if (rows[_i].password)
		ck_assert_str_eq(cfg.proxy.password, rows[_i].password);
	ck_assert_ptr_null(strstr(cfg.proxy.label, "q@"));
}
END_TEST

static const char *const userless[][4] = {
	{ "SOCKSIFY_PROXY=h", "SOCKSIFY_PASSWORD=secret" },
	{ "SOCKSIFY_PASSWORD=secret" },
	{ "SOCKSIFY_PROXY=h", "SOCKSIFY_PASSWORD_FILE=/x" },
	{ "SOCKSIFY_PROXY=socks4a://h", "SOCKSIFY_PASSWORD=secret" },
	{ "SOCKSIFY_PROXY=socks4://h", "SOCKSIFY_PASSWORD_FILE=/x" },
};

/* Set once for a proxy that wants it, it is in nobody's way at the others. */
START_TEST(password_without_a_user_is_not_used)
{
	read_env(userless[_i]);
	ck_assert_msg(!cfg.broken, "%s", cfg.complaint);
	ck_assert(!cfg.proxy.has_password);
	ck_assert_uint_eq(cfg.proxy.password_len, 0);
	ck_assert_str_eq(cfg.password_file, "");
}
END_TEST

START_TEST(relative_password_file_is_where_the_program_started)
{
	char cwd[PATH_MAX], want[PATH_MAX + 16];

	ck_assert_ptr_nonnull(getcwd(cwd, sizeof(cwd)));
	snprintf(want, sizeof(want), "%s/pw", strcmp(cwd, "/") == 0 ? "" : cwd);
	read_env((const char *const[]){ "SOCKSIFY_USER=u", "SOCKSIFY_PASSWORD_FILE=pw", NULL });
	ck_assert_str_eq(cfg.password_file, want);
}
END_TEST

START_TEST(over_long_credentials_are_not_shown)
{
	static const char *const names[] = { "SOCKSIFY_USER=", "SOCKSIFY_PASSWORD=" };
	static char env[300];

	for (int i = 0; i < 2; i++) {
		size_t n = (size_t)sprintf(env, "%s", names[i]);

		memset(env + n, 's', 256);
		env[n + 256] = '\0';
		read_env((const char *const[]){ "SOCKSIFY_PROXY=u@h", env, NULL });
		ck_assert(cfg.broken);
		ck_assert_ptr_null(strstr(cfg.complaint, "sss"));
		ck_assert_ptr_nonnull(strstr(cfg.complaint, "at most 255 octets"));
		env[n + 255] = '\0';
		read_env((const char *const[]){ "SOCKSIFY_PROXY=u@h", env, NULL });
		ck_assert(!cfg.broken);
	}
}
END_TEST

UNIT_MAIN("config/read_proxy", { first_proxy_that_is_set_is_taken, ROWS(proxies) },
          { url_comes_before_the_variables, ROWS(rows) },
          { password_without_a_user_is_not_used, ROWS(userless) },
          { relative_password_file_is_where_the_program_started, 0 },
          { over_long_credentials_are_not_shown, 0 })
