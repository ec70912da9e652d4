/* Who we are at the proxy, by URL, by variables and by file; and the other keys that are words. */
#include <config/config.h>
#include <config/keys.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unit.h>

static const char *const *environment;
static struct config cfg;

static char *lookup(const char *name)
{
	size_t len = strlen(name);

	for (const char *const *e = environment; *e; e++)
		if (strncmp(*e, name, len) == 0 && (*e)[len] == '=')
			return (char *)(uintptr_t)*e + len + 1;
	return NULL;
}

static void read_env(const char *const *env)
{
	environment = env;
	memset(&cfg, 0xaa, sizeof(cfg));
	config_read(&cfg, lookup, LOG_LEVEL_WARN);
}

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
	{ { "SOCKSIFY_PROXY=h", "SOCKSIFY_PASSWORD=q" }, "", NULL },
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

/* A file with these octets; the variable that names it. */
static const char *file_env(const char *text, size_t len, mode_t mode)
{
	static char env[64];
	char *path = env + sprintf(env, "SOCKSIFY_PASSWORD_FILE=");
	int fd;

	sprintf(path, "/tmp/socksify-test.XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
	return env;
}

static const struct {
	const char *text;
	const char *password; /* NULL: an error */
} files[] = {
	{ "secret\n", "secret" }, { "secret", "secret" }, { "secret\r\nmore\n", "secret" },
	{ " a b \n", " a b " },   { "", NULL },           { "\nsecret\n", NULL },
	{ "a\rb\n", "a\rb" },
};

START_TEST(first_line_of_a_file_is_the_password)
{
	const char *env = file_env(files[_i].text, strlen(files[_i].text), 0600);

	read_env((const char *const[]){ "SOCKSIFY_PROXY=u@h", env, NULL });
	ck_assert(!cfg.broken);
	ck_assert(!cfg.proxy.has_password);
	ck_assert_int_eq(config_read_password(&cfg), files[_i].password ? 0 : -EINVAL);
	ck_assert_int_eq(cfg.broken, files[_i].password == NULL);
	if (files[_i].password)
		ck_assert_str_eq(cfg.proxy.password, files[_i].password);
	ck_assert_ptr_null(strstr(cfg.complaint, "secret"));
	ck_assert_str_eq(cfg.warning, "");
	unlink(strchr(env, '=') + 1);
}
END_TEST

START_TEST(file_is_read_where_its_password_is_wanted)
{
	const char *env = file_env("secret\n", 7, 0644);

	read_env((const char *const[]){ "SOCKSIFY_PROXY=u:p@h", env, NULL });
	ck_assert_int_eq(config_read_password(&cfg), 0);
	ck_assert_str_eq(cfg.proxy.password, "p");
	read_env((const char *const[]){ "SOCKSIFY_PROXY=u@h", "SOCKSIFY_PASSWORD=q", env, NULL });
	ck_assert_int_eq(config_read_password(&cfg), 0);
	ck_assert_str_eq(cfg.proxy.password, "q");
	read_env((const char *const[]){ "SOCKSIFY_PROXY=socks4://u@h", env, NULL });
	ck_assert_int_eq(config_read_password(&cfg), 0);
	ck_assert(!cfg.proxy.has_password);
	/* Others may read it: told, and taken. */
	read_env((const char *const[]){ "SOCKSIFY_PROXY=u@h", env, NULL });
	ck_assert_int_eq(config_read_password(&cfg), 0);
	ck_assert_str_eq(cfg.proxy.password, "secret");
	ck_assert_ptr_nonnull(strstr(cfg.warning, "chmod 600"));
	unlink(strchr(env, '=') + 1);
}
END_TEST

START_TEST(file_that_cannot_be_read_is_told)
{
	char fifo[64];

	read_env((const char *const[]){ "SOCKSIFY_PROXY=u@h", "SOCKSIFY_PASSWORD_FILE=/nowhere/x",
	                                NULL });
	ck_assert_int_eq(config_read_password(&cfg), -ENOENT);
	ck_assert(cfg.broken);
	ck_assert_ptr_nonnull(strstr(cfg.complaint, "SOCKSIFY_PASSWORD_FILE=\"/nowhere/x\""));
	read_env((const char *const[]){ "SOCKSIFY_PROXY=u@h", "SOCKSIFY_PASSWORD_FILE=/", NULL });
	ck_assert_int_eq(config_read_password(&cfg), -EINVAL);
	sprintf(fifo, "SOCKSIFY_PASSWORD_FILE=/tmp/socksify-fifo.%d", (int)getpid());
	ck_assert_int_eq(mkfifo(strchr(fifo, '=') + 1, 0600), 0);
	read_env((const char *const[]){ "SOCKSIFY_PROXY=u@h", fifo, NULL });
	ck_assert_int_eq(config_read_password(&cfg), -EINVAL);
	unlink(strchr(fifo, '=') + 1);
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
	  "SOCKSIFY_NO_PROXY=\"a,10.0.0.0/99\" is malformed at \"10.0.0.0/99\"",
	  "" },
	{ { "NO_PROXY=a,10.0.0.0/99,b" }, 2, "", "NO_PROXY=\"a,10.0.0.0/99,b\" is malformed at" },
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

static const struct {
	const char *env;
	bool broken, loopback_too;
	enum exec_policy exec;
} words[] = {
	{ "SOCKSIFY_LOOPBACK=proxy", false, true, EXEC_CLOSED },
	{ "SOCKSIFY_LOOPBACK=Direct ", false, false, EXEC_CLOSED },
	{ "SOCKSIFY_LOOPBACK=1", true, false, EXEC_CLOSED },
	{ "SOCKSIFY_EXEC=closed", false, false, EXEC_CLOSED },
	{ "SOCKSIFY_EXEC=refuse", false, false, EXEC_REFUSE },
	{ "SOCKSIFY_EXEC=allow", false, false, EXEC_ALLOW },
	{ "SOCKSIFY_EXEC=open", true, false, EXEC_CLOSED },
};

START_TEST(words_are_read)
{
	read_env((const char *const[]){ words[_i].env, NULL });
	ck_assert_int_eq(cfg.broken, words[_i].broken);
	ck_assert_int_eq(cfg.loopback_too, words[_i].loopback_too);
	ck_assert_int_eq((int)cfg.exec, (int)words[_i].exec);
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
	ck_assert_int_eq(cfg.pool_ipv4.bits, pools[_i].v4);
	ck_assert_int_eq(cfg.pool_ipv6.bits, pools[_i].v6);
}
END_TEST

UNIT_MAIN("config/credentials", { url_comes_before_the_variables, ROWS(rows) },
          { over_long_credentials_are_not_shown, 0 },
          { first_line_of_a_file_is_the_password, ROWS(files) },
          { file_is_read_where_its_password_is_wanted, 0 }, { file_that_cannot_be_read_is_told, 0 },
          { first_list_that_is_set_is_taken, ROWS(lists) }, { words_are_read, ROWS(words) },
          { pool_is_one_range_of_each_family, ROWS(pools) })
