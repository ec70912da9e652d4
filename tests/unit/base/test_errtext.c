#include <base/errtext.h>
#include <errno.h>
#include <limits.h>
#include <unit.h>

static const struct {
	int err;
	const char *name, *text;
} rows[] = {
	{ 0, "OK", "success" },
	{ ECONNREFUSED, "ECONNREFUSED", "connection refused" },
	{ EHOSTUNREACH, "EHOSTUNREACH", "no route to host" },
	{ ETIMEDOUT, "ETIMEDOUT", "connection timed out" },
	{ EACCES, "EACCES", "permission denied" },
	{ EPROTO, "EPROTO", "protocol error" },
	{ 4095, "E?", "unknown error" },
	{ INT_MAX, "E?", "unknown error" },
	{ 1 - INT_MAX, "E?", "unknown error" },
};

START_TEST(either_sign_has_the_same_text)
{
	ck_assert_str_eq(err_name(rows[_i].err), rows[_i].name);
	ck_assert_str_eq(err_name(-rows[_i].err), rows[_i].name);
	ck_assert_str_eq(err_text(rows[_i].err), rows[_i].text);
	ck_assert_str_eq(err_text(-rows[_i].err), rows[_i].text);
}
END_TEST

START_TEST(the_least_int_is_unknown)
{
	ck_assert_str_eq(err_name(INT_MIN), "E?");
	ck_assert_str_eq(err_text(INT_MIN), "unknown error");
}
END_TEST

/* glibc's own table of names says whether ours has the right ones. */
START_TEST(names_are_those_of_libc)
{
	for (int err = 1; err < 200; err++) {
		const char *name = err_name(err), *libc = strerrorname_np(err);

		if (strcmp(name, "E?") != 0)
			ck_assert_str_eq(name, libc);
	}
}
END_TEST

UNIT_MAIN("errtext", { either_sign_has_the_same_text, ROWS(rows) }, { the_least_int_is_unknown, 0 },
          { names_are_those_of_libc, 0 })
