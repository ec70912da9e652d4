#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wrapper/ticket.h>

START_TEST(each_is_another_one)
{
	struct ticket a, b;

	ck_assert_int_eq(ticket_init(&a), 0);
	ck_assert_int_eq(ticket_init(&b), 0);
	ck_assert_uint_eq(strlen(a.password), 32);
	ck_assert_uint_eq(strlen(a.salt), 16);
	ck_assert_str_ne(a.password, b.password);
	ck_assert_str_ne(a.salt, b.salt);
}
END_TEST

START_TEST(the_url_names_user_password_and_port)
{
	const struct ticket t = { .password = "secret" };
	char url[64];

	ticket_url(&t, 1080, url, sizeof(url));
	ck_assert_str_eq(url, "socks5h://socksify:secret@127.0.0.1:1080");
}
END_TEST

START_TEST(the_file_has_a_line_that_crypt_judges)
{
	const struct ticket t = { .password = "secret", .salt = "0123456789abcdef" };
	static const char begin[] = "socksify:$5$rounds=1000$0123456789abcdef$";
	char path[TICKET_PATH_MAX], line[256] = "";
	struct stat st;
	int fd, err = ticket_put_users(&t, path, sizeof(path));

	/* A machine without libcrypt has no socksifyd with users either. */
	if (err == -ENOSYS)
		return;
	ck_assert_int_eq(err, 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert(S_ISREG(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(read(fd, line, sizeof(line) - 1), (ssize_t)(strlen(begin) + 43 + 1));
	ck_assert_int_eq(strncmp(line, begin, strlen(begin)), 0);
	ck_assert_int_eq(line[strlen(line) - 1], '\n');
	close(fd);
	/* It survives exec. */
	ck_assert_int_eq(sscanf(path, "/proc/self/fd/%d", &fd), 1);
	ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
	close(fd);
}
END_TEST

UNIT_MAIN("wrapper ticket", { each_is_another_one, 1 }, { the_url_names_user_password_and_port, 1 },
          { the_file_has_a_line_that_crypt_judges, 1 })
