#include "env.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

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
	{ "secret\n", "secret" },
	{ "secret", "secret" },
	{ "secret\r\nmore\n", "secret" },
	{ " a b \n", " a b " },
	{ "", NULL },
	{ "\nsecret\n", NULL },
	{ "a\rb\n", "a\rb" },
	{ "secret\r", "secret" },
	{ "\r\n", NULL },
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

START_TEST(file_holds_255_octets_and_no_nul)
{
	static const char *const ends[] = { "", "\n", "\r\n", "\r", "\nmore" };
	char text[300];

	for (size_t len = 254; len <= 257; len++) {
		for (int i = 0; i < ROWS(ends); i++) {
			const char *env;

			memset(text, 's', len);
			strcpy(text + len, ends[i]);
			env = file_env(text, strlen(text), 0600);
			read_env((const char *const[]){ "SOCKSIFY_PROXY=u@h", env, NULL });
			ck_assert_int_eq(config_read_password(&cfg), len > 255 ? -EINVAL : 0);
			ck_assert_uint_eq(cfg.proxy.password_len, len > 255 ? 0 : len);
			ck_assert_ptr_null(strstr(cfg.complaint, "sss"));
			unlink(strchr(env, '=') + 1);
		}
	}
	read_env((const char *const[]){ "SOCKSIFY_PROXY=u@h", file_env("s\0e\n", 4, 0600), NULL });
	ck_assert_int_eq(config_read_password(&cfg), -EINVAL);
	ck_assert_ptr_nonnull(strstr(cfg.complaint, "NUL"));
	unlink(cfg.password_file);
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
	ck_assert_ptr_nonnull(strstr(cfg.complaint, "no regular file"));
	unlink(strchr(fifo, '=') + 1);
	read_env((const char *const[]){ "SOCKSIFY_PROXY=u@h", "SOCKSIFY_PASSWORD_FILE=/a\nb\x1b",
	                                NULL });
	ck_assert_int_eq(config_read_password(&cfg), -ENOENT);
	ck_assert_ptr_nonnull(strstr(cfg.complaint, "/a\\x0ab\\x1b"));
}
END_TEST

UNIT_MAIN("config/password", { first_line_of_a_file_is_the_password, ROWS(files) },
          { file_holds_255_octets_and_no_nul, 0 }, { file_is_read_where_its_password_is_wanted, 0 },
          { file_that_cannot_be_read_is_told, 0 })
