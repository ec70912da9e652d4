#include "env.h"

#include <unistd.h>

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
	read_env((const char *const[]){ timeouts[_i].env, NULL });
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
	read_env((const char *const[]){ levels[_i].env, NULL });
	ck_assert_int_eq(cfg.broken, levels[_i].level < 0);
	if (levels[_i].level >= 0)
		ck_assert_int_eq((int)cfg.log, levels[_i].level);
}
END_TEST

START_TEST(relative_log_file_is_where_the_program_started)
{
	char cwd[PATH_MAX], want[PATH_MAX + 16];

	ck_assert_ptr_nonnull(getcwd(cwd, sizeof(cwd)));
	snprintf(want, sizeof(want), "%s/a b.log", strcmp(cwd, "/") == 0 ? "" : cwd);
	read_env((const char *const[]){ "SOCKSIFY_LOG_FILE=a b.log", NULL });
	ck_assert_str_eq(cfg.log_file, want);
	read_env((const char *const[]){ "SOCKSIFY_LOG_FILE=/x/y", NULL });
	ck_assert_str_eq(cfg.log_file, "/x/y");
}
END_TEST

START_TEST(paths_that_do_not_fit_are_malformed)
{
	static char env[2][PATH_MAX + 64];

	for (int i = 0; i < 2; i++) {
		int n = sprintf(env[i], i ? "SOCKSIFY_NAMES=/" : "SOCKSIFY_LOG_FILE=/");

		memset(env[i] + n, 'x', PATH_MAX - 1);
		read_env((const char *const[]){ env[i], NULL });
		ck_assert(cfg.broken);
		ck_assert_str_eq(i ? cfg.names_path : cfg.log_file, "");
		env[i][n + PATH_MAX - 2] = '\0';
		read_env((const char *const[]){ env[i], NULL });
		ck_assert(!cfg.broken);
		ck_assert_uint_eq(strlen(i ? cfg.names_path : cfg.log_file), PATH_MAX - 1);
	}
	read_env((const char *const[]){ "SOCKSIFY_NAMES=relative", NULL });
	ck_assert(cfg.broken);
	read_env((const char *const[]){ "SOCKSIFY_NAMES=/dev/shm/x", NULL });
	ck_assert_str_eq(cfg.names_path, "/dev/shm/x");
	read_env((const char *const[]){ "SOCKSIFY_AUDIT=relative", NULL });
	ck_assert(cfg.broken);
	read_env((const char *const[]){ "SOCKSIFY_AUDIT=/dev/shm/y", NULL });
	ck_assert_str_eq(cfg.audit_path, "/dev/shm/y");
}
END_TEST

static const struct {
	const char *env[4];
	size_t rules;
	const char *complaint, *warning; /* a piece of it; "" for none */
} lists[] = {
	{ { "SOCKSIFY_NO_PROXY=a,b", "NO_PROXY=c" }, 2, "", "" },
	{ { "SOCKSIFY_NO_PROXY=,", "NO_PROXY=c" }, 0, "", "" },
	{ { "SOCKSIFY_NO_PROXY=", "NO_PROXY=c" }, 1, "", "" },
	{ { "NO_PROXY=a,b,c", "no_proxy=d" }, 3, "", "" },
	{ { "no_proxy=d" }, 1, "", "" },
	{ { "SOCKSIFY_NO_PROXY=a,10.0.0.0/99" },
	  1,
	  "SOCKSIFY_NO_PROXY=\"a,10.0.0.0/99\": \"10.0.0.0/99\" is malformed: ",
	  "" },
	{ { "NO_PROXY=a,10.0.0.0/99,b" },
	  2,
	  "",
	  "NO_PROXY=\"a,10.0.0.0/99,b\": \"10.0.0.0/99\" is passed over: " },
};

START_TEST(first_list_that_is_set_is_taken)
{
	read_env(lists[_i].env);
	ck_assert_uint_eq(cfg.no_proxy.n, lists[_i].rules);
	ck_assert_int_eq(cfg.broken, lists[_i].complaint[0] != '\0');
	ck_assert_ptr_nonnull(strstr(cfg.complaint, lists[_i].complaint));
	ck_assert_ptr_nonnull(strstr(cfg.warning, lists[_i].warning));
	ck_assert_int_eq(cfg.warning[0] != '\0', lists[_i].warning[0] != '\0');
}
END_TEST

/* Lists of companies are long: the item is quoted all the same, but no password. */
START_TEST(item_of_a_long_list_is_quoted)
{
	static char env[9000];
	size_t n = (size_t)sprintf(env, "SOCKSIFY_NO_PROXY=");

	for (int i = 0; i < 300; i++)
		n += (size_t)sprintf(env + n, "host%d.corp.example,", i);
	sprintf(env + n, "10.0.0.0/33\tb");
	read_env((const char *const[]){ env, NULL });
	ck_assert(cfg.broken);
	ck_assert_uint_eq(cfg.no_proxy.n, 301);
	ck_assert_int_eq(strncmp(cfg.complaint, "SOCKSIFY_NO_PROXY=\"host0.corp", 29), 0);
	ck_assert_ptr_nonnull(strstr(cfg.complaint, "...\": \"10.0.0.0/33\" is malformed: "));
	ck_assert_ptr_nonnull(strstr(cfg.complaint, "expected *, NAME"));
	sprintf(env + n, "socks5://u:secret@h/x\x01,b");
	read_env((const char *const[]){ env, NULL });
	ck_assert_ptr_null(strstr(cfg.complaint, "secret"));
	ck_assert_ptr_nonnull(strstr(cfg.complaint, "\"***@h/x\\x01\" is malformed"));
	memset(env + n, 'x', 400);
	strcpy(env + n + 400, "@h");
	read_env((const char *const[]){ env, NULL });
	ck_assert_ptr_null(strstr(cfg.complaint, "xx"));
	ck_assert_uint_lt(strlen(cfg.complaint), CONFIG_COMPLAINT_MAX - 1);
}
END_TEST

static const struct {
	const char *env;
	bool broken, loopback_too;
	enum exec_policy exec;
	enum dns_policy dns;
} words[] = {
	{ "SOCKSIFY_LOOPBACK=proxy", false, true, EXEC_CLOSED, DNS_POLICY_ANSWER },
	{ "SOCKSIFY_LOOPBACK=Direct ", false, false, EXEC_CLOSED, DNS_POLICY_ANSWER },
	{ "SOCKSIFY_LOOPBACK=1", true, false, EXEC_CLOSED, DNS_POLICY_ANSWER },
	{ "SOCKSIFY_EXEC=closed", false, false, EXEC_CLOSED, DNS_POLICY_ANSWER },
	{ "SOCKSIFY_EXEC=refuse", false, false, EXEC_REFUSE, DNS_POLICY_ANSWER },
	{ "SOCKSIFY_EXEC=allow", false, false, EXEC_ALLOW, DNS_POLICY_ANSWER },
	{ "SOCKSIFY_EXEC=open", true, false, EXEC_CLOSED, DNS_POLICY_ANSWER },
	{ "SOCKSIFY_DNS=answer", false, false, EXEC_CLOSED, DNS_POLICY_ANSWER },
	{ "SOCKSIFY_DNS= Tunnel", false, false, EXEC_CLOSED, DNS_POLICY_TUNNEL },
	{ "SOCKSIFY_DNS=", false, false, EXEC_CLOSED, DNS_POLICY_ANSWER },
	{ "SOCKSIFY_DNS=direct", true, false, EXEC_CLOSED, DNS_POLICY_ANSWER },
};

START_TEST(words_are_read)
{
	read_env((const char *const[]){ words[_i].env, NULL });
	ck_assert_int_eq(cfg.broken, words[_i].broken);
	ck_assert_int_eq(cfg.loopback_too, words[_i].loopback_too);
	ck_assert_int_eq((int)cfg.exec, (int)words[_i].exec);
	ck_assert_int_eq((int)cfg.dns, (int)words[_i].dns);
}
END_TEST

static const struct {
	const char *env;
	bool broken, io_uring;
} rings[] = {
	{ "SOCKSIFY_IO_URING=", false, false },
	{ "SOCKSIFY_IO_URING=deny", false, false },
	{ "SOCKSIFY_IO_URING=Allow", false, true },
	{ "SOCKSIFY_IO_URING=1", true, false },
};

START_TEST(rings_are_denied_unless_allowed)
{
	read_env((const char *const[]){ rings[_i].env, NULL });
	ck_assert_int_eq(cfg.broken, rings[_i].broken);
	ck_assert_int_eq(cfg.io_uring, rings[_i].io_uring);
}
END_TEST

static const struct {
	const char *value;
	int v4, v6; /* bits; -1: malformed */
} pools[] = {
	{ "10.64.0.0/10", 10, 64 },
	{ "fd00:5::/64", 15, 64 },
	{ "fd00:5::/80, 10.64.0.0/12", 12, 80 },
	{ "0.0.0.0/8", 8, 64 },
	{ "240.0.0.0/8", 8, 64 },
	{ "10.0.0.0/3", -1, -1 },
	{ "10.0.0.0/29", -1, -1 },
	{ "10.0.0.0", -1, -1 },
	{ "127.128.0.0/16", -1, -1 },
	{ "224.0.0.0/8", -1, -1 },
	{ "112.0.0.0/4", -1, -1 },
	{ "169.254.0.0/17", -1, -1 },
	{ "::/8", -1, -1 },
	{ "fe80::/64", -1, -1 },
	{ "10.0.0.0/8,10.0.0.0/8", -1, -1 },
	{ "10.0.0.0/8,fd00::/64,fd01::/64", -1, -1 },
	{ "::ffff:10.0.0.0/104", -1, -1 },
	{ "64:ff9b::/96", -1, -1 },
	{ "fd00::/7", -1, -1 },
	{ "fd00::/113", -1, -1 },
	{ "fd00::/112\n128.0.0.0/4", 4, 112 },
	{ "10.0.0.0/28,", 28, 64 },
	{ ",", -1, -1 },
	{ "x", -1, -1 },
};

START_TEST(pool_is_one_range_of_each_family)
{
	char env[80];

	sprintf(env, "SOCKSIFY_POOL=%s", pools[_i].value);
	read_env((const char *const[]){ env, NULL });
	ck_assert_int_eq(cfg.broken, pools[_i].v4 < 0);
	if (pools[_i].v4 < 0) {
		ck_assert_ptr_nonnull(strstr(cfg.complaint, "expected an IPv4 range"));
		return;
	}
	ck_assert_str_eq(cfg.complaint, "");
	ck_assert_int_eq(cfg.pool_ipv4.bits, pools[_i].v4);
	ck_assert_int_eq(cfg.pool_ipv6.bits, pools[_i].v6);
}
END_TEST

UNIT_MAIN("config/read_value", { timeout_is_decimal_seconds, ROWS(timeouts) },
          { log_level_is_a_word, ROWS(levels) },
          { relative_log_file_is_where_the_program_started, 0 },
          { paths_that_do_not_fit_are_malformed, 0 },
          { first_list_that_is_set_is_taken, ROWS(lists) }, { item_of_a_long_list_is_quoted, 0 },
          { words_are_read, ROWS(words) }, { rings_are_denied_unless_allowed, ROWS(rings) },
          { pool_is_one_range_of_each_family, ROWS(pools) })
