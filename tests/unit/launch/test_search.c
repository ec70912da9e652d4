#include <errno.h>
#include <launch/search.h>
#include <limits.h>
#include <unit.h>

static const struct {
	const char *file, *path, *places; /* with blanks between */
} rows[] = {
	{ "ls", "/bin:/usr/bin", "/bin/ls /usr/bin/ls" },
	{ "ls", NULL, "/bin/ls /usr/bin/ls" },
	{ "ls", "/bin", "/bin/ls" },
	/* An empty element is the working directory. */
	{ "ls", "", "ls" },
	{ "ls", ":/bin", "ls /bin/ls" },
	{ "ls", "/bin:", "/bin/ls ls" },
	{ "ls", "/a::/b", "/a/ls ls /b/ls" },
	{ "ls", "/bin/", "/bin//ls" },
	{ "ls", "bin", "bin/ls" },
	/* With a slash it is no name. */
	{ "./ls", "/bin:/usr/bin", "./ls" },
	{ "a/ls", "/bin", "a/ls" },
	{ "/ls", NULL, "/ls" },
	{ "ls/", "/bin", "ls/" },
	{ "", "/bin", "" },
};

START_TEST(places_are_those_of_execvp)
{
	char have[256] = "", place[64];
	struct search s;

	search_init(&s, rows[_i].file, rows[_i].path);
	while (search_next(&s, place, sizeof(place))) {
		if (have[0])
			strcat(have, " ");
		strcat(have, place);
	}
	ck_assert_str_eq(have, rows[_i].places);
	ck_assert_int_eq(s.err, -ENOENT);
}
END_TEST

START_TEST(place_that_is_too_long_is_passed_over)
{
	char place[9];
	struct search s;

	search_init(&s, "name", "/abc:/abcd:/ab");
	ck_assert(search_next(&s, place, sizeof(place)));
	ck_assert_str_eq(place, "/ab/name");
	ck_assert(!search_next(&s, place, sizeof(place)));
}
END_TEST

START_TEST(name_that_no_folder_can_hold_is_refused)
{
	char name[NAME_MAX + 2], place[PATH_MAX];
	struct search s;

	memset(name, 'n', sizeof(name));
	name[NAME_MAX + 1] = '\0';
	search_init(&s, name, "/bin");
	ck_assert(!search_next(&s, place, sizeof(place)));
	ck_assert_int_eq(s.err, -ENAMETOOLONG);
}
END_TEST

static const struct {
	const char *file;
	int errs[3];
	unsigned tried;
	int end;
} failures[] = {
	{ "x", { -ENOENT, -ENOENT, -ENOENT }, 3, -ENOENT },
	{ "x", { -EACCES, -ENOENT, -ENOENT }, 3, -EACCES },
	{ "x", { -ENOENT, -EACCES, -ENOTDIR }, 3, -EACCES },
	{ "x", { -ENOTDIR, -ESTALE, -ENODEV }, 3, -ENOENT },
	{ "x", { -ETIMEDOUT, -ENOENT, -ENOENT }, 3, -ENOENT },
	{ "x", { -ENOENT, -E2BIG, -ENOENT }, 2, -E2BIG },
	{ "x", { -EACCES, -ELOOP, -ENOENT }, 2, -ELOOP },
	{ "./x", { -ENOTDIR }, 1, -ENOTDIR },
	{ "./x", { -EACCES }, 1, -EACCES },
};

START_TEST(search_ends_with_execvp_s_errno)
{
	char place[32];
	struct search s;
	unsigned tried = 0;

	search_init(&s, failures[_i].file, "/a:/b:/c");
	while (search_next(&s, place, sizeof(place)))
		if (!search_goes_on(&s, failures[_i].errs[tried++]))
			break;
	ck_assert_uint_eq(tried, failures[_i].tried);
	ck_assert_int_eq(s.err, failures[_i].end);
}
END_TEST

UNIT_MAIN("launch/search", { places_are_those_of_execvp, ROWS(rows) },
          { place_that_is_too_long_is_passed_over, 0 },
          { name_that_no_folder_can_hold_is_refused, 0 },
          { search_ends_with_execvp_s_errno, ROWS(failures) })
