#include "env.h"

#include <config/inherit.h>
#include <stdlib.h>

#define VECTOR_MAX 8

static struct inherit in;
static char *room;

static void keep(const char *const *env)
{
	size_t need, len;

	read_env(env);
	need = inherit_init(&in, &cfg, lookup, NULL, 0);
	for (int i = 0; i < KEY_COUNT; i++)
		ck_assert_ptr_null(in.text[i]);
	free(room);
	room = malloc(need + 1);
	memset(room, '#', need + 1);
	len = inherit_init(&in, &cfg, lookup, room, need);
	ck_assert_uint_le(len, need);
	ck_assert_int_eq(room[need], '#');
}

static void expect(const char *const *envp, const char *const *missing)
{
	const char *out[KEY_COUNT];
	size_t n = inherit_missing(&in, (char *const *)(uintptr_t)envp, out), i;

	for (i = 0; missing[i]; i++) {
		ck_assert_uint_lt(i, n);
		ck_assert_str_eq(out[i], missing[i]);
	}
	ck_assert_uint_eq(n, i);
}

#define P "SOCKSIFY_PROXY=socks5://a"

/* At start, in the child's environment, what it lacks; in the order of the keys. */
static const struct {
	const char *start[VECTOR_MAX], *envp[VECTOR_MAX], *missing[VECTOR_MAX];
} rows[] = {
	/* Nothing at all. */
	{ { NULL }, { NULL }, { NULL } },
	{ { "HOME=/", "SOCKSIFY=1" }, { NULL }, { NULL } },
	/* A wiped one, a whole one. */
	{ { P, "SOCKSIFY_LOOPBACK=proxy", "SOCKSIFY_TIMEOUT=7", "HOME=/" },
	  { "HOME=/" },
	  { P, "SOCKSIFY_LOOPBACK=proxy", "SOCKSIFY_TIMEOUT=7" } },
	{ { P, "SOCKSIFY_TIMEOUT=7" }, { "A=b", "SOCKSIFY_TIMEOUT=7", P }, { NULL } },
	{ { P, "SOCKSIFY_NAMES=/dev/shm/t", "SOCKSIFY_EXEC=refuse", "SOCKSIFY_DNS=tunnel" },
	  { P },
	  { "SOCKSIFY_DNS=tunnel", "SOCKSIFY_EXEC=refuse", "SOCKSIFY_NAMES=/dev/shm/t" } },
	/* What only begins alike is another variable. */
	{ { P }, { "SOCKSIFY_PROXY", "SOCKSIFY_PROXY_X=1", "XSOCKSIFY_PROXY=1" }, { P } },
	/* The writer's will. */
	{ { P }, { "SOCKSIFY_PROXY=socks5://b" }, { NULL } },
	{ { P }, { "SOCKSIFY_PROXY=" }, { NULL } },
	{ { P, "SOCKSIFY_NO_PROXY=x" }, { P, "SOCKSIFY_NO_PROXY=" }, { NULL } },
	{ { P, "SOCKSIFY_NO_PROXY=x" }, { P, "SOCKSIFY_NO_PROXY=*" }, { NULL } },
	/* Ours stands before ALL_PROXY and NO_PROXY, whatever they say. */
	{ { P, "SOCKSIFY_NO_PROXY=x" },
	  { "ALL_PROXY=socks5://b", "NO_PROXY=y" },
	  { P, "SOCKSIFY_NO_PROXY=x" } },
	/* Those of other names are kept under ours. */
	{ { "ALL_PROXY=socks5://b" }, { NULL }, { "SOCKSIFY_PROXY=socks5://b" } },
	{ { "ALL_PROXY=http://h", "all_proxy=socks5://c" },
	  { NULL },
	  { "SOCKSIFY_PROXY=socks5://c" } },
	{ { "ALL_PROXY=http://h" }, { NULL }, { NULL } },
	{ { "ALL_PROXY=socks5://b" }, { "ALL_PROXY=socks5://b" }, { NULL } },
	{ { "ALL_PROXY=socks5://b" }, { "ALL_PROXY=socks5://d" }, { NULL } },
	{ { "ALL_PROXY=socks5://b" }, { "all_proxy=socks5://b" }, { NULL } },
	{ { "ALL_PROXY=socks5://b" }, { "ALL_PROXY=http://h" }, { "SOCKSIFY_PROXY=socks5://b" } },
	{ { "ALL_PROXY=socks5://b" }, { "ALL_PROXY=" }, { "SOCKSIFY_PROXY=socks5://b" } },
	{ { "SOCKSIFY_PROXY=", "all_proxy=b" }, { NULL }, { "SOCKSIFY_PROXY=b" } },
	{ { "SOCKSIFY_PROXY=", "all_proxy=b" }, { "SOCKSIFY_PROXY=" }, { NULL } },
	{ { "NO_PROXY=x.org, 10.0.0.0/8" }, { NULL }, { "SOCKSIFY_NO_PROXY=x.org,10.0.0.0/8" } },
	{ { "no_proxy=.y.org:80" }, { NULL }, { "SOCKSIFY_NO_PROXY=.y.org:80" } },
	{ { "NO_PROXY=x", "no_proxy=y" }, { NULL }, { "SOCKSIFY_NO_PROXY=x" } },
	{ { "NO_PROXY=x" }, { "no_proxy=z" }, { NULL } },
	{ { "NO_PROXY=x" }, { "NO_PROXY=" }, { "SOCKSIFY_NO_PROXY=x" } },
	{ { "SOCKSIFY_NO_PROXY=", "NO_PROXY=x" }, { NULL }, { "SOCKSIFY_NO_PROXY=x" } },
	/* What was passed over there would be malformed here. */
	{ { "NO_PROXY=x:y:z,ok.org" }, { NULL }, { "SOCKSIFY_NO_PROXY=ok.org" } },
	{ { "NO_PROXY=x:y:z" }, { NULL }, { "SOCKSIFY_NO_PROXY=," } },
	/* What is malformed stays so. */
	{ { "SOCKSIFY_PROXY=ftp://x", "SOCKSIFY_NAMES=t" },
	  { NULL },
	  { "SOCKSIFY_PROXY=ftp://x", "SOCKSIFY_NAMES=t" } },
	{ { P, "SOCKSIFY_NO_PROXY=x:y:z" }, { P }, { "SOCKSIFY_NO_PROXY=x:y:z" } },
	/* Who we are there: another proxy, and another user, get no password of ours. */
	{ { P, "SOCKSIFY_USER=joe", "SOCKSIFY_PASSWORD=s" },
	  { NULL },
	  { P, "SOCKSIFY_USER=joe", "SOCKSIFY_PASSWORD=s" } },
	{ { P, "SOCKSIFY_USER=joe", "SOCKSIFY_PASSWORD=s" },
	  { P, "SOCKSIFY_USER=joe" },
	  { "SOCKSIFY_PASSWORD=s" } },
	{ { P, "SOCKSIFY_USER=joe", "SOCKSIFY_PASSWORD=s" },
	  { "SOCKSIFY_PROXY=socks5://b" },
	  { NULL } },
	{ { P, "SOCKSIFY_USER=joe", "SOCKSIFY_PASSWORD_FILE=/f" },
	  { "SOCKSIFY_PROXY=" },
	  { NULL } },
	{ { P, "SOCKSIFY_USER=joe", "SOCKSIFY_PASSWORD=s" }, { P, "SOCKSIFY_USER=jim" }, { NULL } },
	{ { P, "SOCKSIFY_USER=joe", "SOCKSIFY_PASSWORD=s" },
	  { P, "SOCKSIFY_PASSWORD_FILE=/f" },
	  { "SOCKSIFY_USER=joe" } },
	{ { "ALL_PROXY=b", "SOCKSIFY_USER=joe", "SOCKSIFY_PASSWORD=s" },
	  { "all_proxy=c" },
	  { NULL } },
	{ { "ALL_PROXY=b", "SOCKSIFY_USER=joe", "SOCKSIFY_PASSWORD=s" },
	  { "all_proxy=b" },
	  { "SOCKSIFY_USER=joe", "SOCKSIFY_PASSWORD=s" } },
	/* The proxy that nobody named is another one than any that is named. */
	{ { "SOCKSIFY_USER=joe" }, { NULL }, { "SOCKSIFY_USER=joe" } },
	{ { "SOCKSIFY_USER=joe" }, { "ALL_PROXY=b" }, { NULL } },
};

START_TEST(what_an_environment_lacks_is_known)
{
	keep(rows[_i].start);
	expect(rows[_i].envp, rows[_i].missing);
}
END_TEST

START_TEST(the_start_itself_lacks_nothing)
{
	static const char *const none[] = { NULL };

	keep(rows[_i].start);
	expect(rows[_i].start, none);
}
END_TEST

START_TEST(no_environment_is_an_empty_one)
{
	static const char *const start[] = { P, NULL }, *const missing[] = { P, NULL };

	keep(start);
	expect(NULL, missing);
}
END_TEST

START_TEST(the_copy_is_independent)
{
	char proxy[] = P;
	const char *start[] = { proxy, NULL };
	static const char *const envp[] = { NULL }, *const missing[] = { P, NULL };

	keep(start);
	memset(proxy, 'x', sizeof(proxy) - 1);
	expect(envp, missing);
}
END_TEST

START_TEST(paths_are_kept_absolute)
{
	static const char *const start[] = { P, "SOCKSIFY_USER=joe", "SOCKSIFY_PASSWORD_FILE=pw",
		                             "SOCKSIFY_LOG_FILE=log", NULL };

	keep(start);
	ck_assert_str_eq(in.text[KEY_LOG_FILE] + strlen("SOCKSIFY_LOG_FILE="), cfg.log_file);
	ck_assert_str_eq(in.text[KEY_PASSWORD_FILE] + strlen("SOCKSIFY_PASSWORD_FILE="),
	                 cfg.password_file);
	ck_assert_int_eq(cfg.log_file[0], '/');
	ck_assert_int_eq(cfg.password_file[0], '/');
}
END_TEST

UNIT_MAIN("config/inherit", { what_an_environment_lacks_is_known, ROWS(rows) },
          { the_start_itself_lacks_nothing, ROWS(rows) }, { no_environment_is_an_empty_one, 0 },
          { the_copy_is_independent, 0 }, { paths_are_kept_absolute, 0 })
