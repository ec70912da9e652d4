#include <base/deed.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unit.h>

static const struct deed plain = { DEED_DIRECT, 123, "curl", "192.0.2.1:80", "a rule" };

static size_t put(const struct deed *r, char out[DEED_MAX + 1])
{
	size_t len = deed_put(r, out);

	ck_assert_uint_le(len, DEED_MAX);
	ck_assert_int_eq(out[len - 1], '\n');
	out[len] = '\0';
	return len;
}

START_TEST(line_is_what_the_header_says)
{
	char line[DEED_MAX + 1];

	put(&plain, line);
	ck_assert_str_eq(line, "direct\t123\tcurl\t192.0.2.1:80\ta rule\n");
}
END_TEST

START_TEST(each_kind_comes_back)
{
	struct deed in = plain, out;
	char line[DEED_MAX + 1];
	size_t len;

	in.kind = (enum deed_kind)_i;
	len = put(&in, line);
	ck_assert(deed_get(line, len - 1, &out));
	ck_assert_int_eq(out.kind, _i);
	ck_assert_uint_eq(out.pid, 123);
	ck_assert_str_eq(out.program, "curl");
	ck_assert_str_eq(out.subject, "192.0.2.1:80");
	ck_assert_str_eq(out.why, "a rule");
}
END_TEST

START_TEST(names_can_neither_end_a_line_nor_talk_to_a_terminal)
{
	const struct deed odd = { DEED_CLOSED, 1, "a\tb", "/x\n\x1b[31m\xc2\x9b", "" };
	char line[DEED_MAX + 1];
	struct deed out;
	size_t len = put(&odd, line);

	ck_assert_str_eq(line, "closed\t1\ta\\x09b\t/x\\x0a\\x1b[31m\\xc2\\x9b\t\n");
	ck_assert(deed_get(line, len - 1, &out));
}
END_TEST

START_TEST(long_fields_are_cut)
{
	char line[DEED_MAX + 1], text[5000];
	const struct deed big = { DEED_LOOPBACK, 4194304, text, text, text };
	struct deed out;
	size_t len;

	memset(text, _i ? '\n' : 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	len = put(&big, line);
	ck_assert_ptr_nonnull(strstr(line, "...\t"));
	ck_assert(deed_get(line, len - 1, &out));
}
END_TEST

START_TEST(what_just_fits_is_whole)
{
	char line[DEED_MAX + 1], text[DEED_PROGRAM_MAX + 2];
	struct deed r = plain, out;
	size_t len;

	for (size_t n = DEED_PROGRAM_MAX - 4; n <= DEED_PROGRAM_MAX + 1; n++) {
		memset(text, 'x', n);
		text[n] = '\0';
		r.program = text;
		len = put(&r, line);
		ck_assert(deed_get(line, len - 1, &out));
		if (n <= DEED_PROGRAM_MAX)
			ck_assert_str_eq(out.program, text);
		else
			ck_assert_str_eq(strchr(out.program, '.'), "...");
	}
}
END_TEST

START_TEST(empty_names_are_shown_as_such)
{
	const struct deed none = { DEED_DIRECT, 1, "", "", "" };
	char line[DEED_MAX + 1];

	put(&none, line);
	ck_assert_str_eq(line, "direct\t1\t?\t?\t\n");
}
END_TEST

START_TEST(a_line_cut_anywhere_is_not_taken)
{
	char whole[DEED_MAX + 1], line[DEED_MAX + 1];
	size_t len = put(&plain, whole), why = (size_t)(strrchr(whole, '\t') - whole) + 1;
	struct deed out;

	for (size_t n = 0; n < why; n++) {
		memcpy(line, whole, sizeof(line));
		ck_assert(!deed_get(line, n, &out));
	}
	ck_assert_uint_gt(len, why);
}
END_TEST

/* clang-format off */
static const struct garbage {
	const char *line;
	size_t len;
} garbage[] = {
	{ "", 0 },
	{ "\t\t\t\t", 4 },
	{ "direct", 6 },
	{ "direct\t1\ta\tb", 12 },
	{ "direct\t1\ta\tb\tc\td", 16 },
	{ "nothing\t1\ta\tb\tc", 15 },
	{ "direct\t\ta\tb\tc", 13 },
	{ "direct\t-1\ta\tb\tc", 15 },
	{ "direct\t1x\ta\tb\tc", 15 },
	{ "direct\t99999999999999999999\ta\tb\tc", 33 },
	{ "direct\t1\t\tb\tc", 13 },
	{ "direct\t1\ta\t\tc", 13 },
	{ "direct\t1\ta\tb\033[2J\tc", 18 },
	{ "direct\t1\ta\tb\x80\tc", 15 },
	{ "direct\t1\ta\tb\tc\r", 15 },
	{ "direct\t1\ta\0\tb\tc", 15 },
	{ "direct\t1\t"
	  "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmn\tb\tc", 79 },
};
/* clang-format on */

START_TEST(what_nobody_of_ours_wrote_is_not_taken)
{
	char line[DEED_MAX + 1];
	struct deed out;

	memcpy(line, garbage[_i].line, garbage[_i].len);
	ck_assert(!deed_get(line, garbage[_i].len, &out));
}
END_TEST

static char path[64];

static void make_file(mode_t mode)
{
	strcpy(path, "/tmp/socksify-test-deed.XXXXXX");
	close(mkstemp(path));
	chmod(path, mode);
}

static off_t size_now(void)
{
	struct stat st;

	ck_assert_int_eq(lstat(path, &st), 0);
	return st.st_size;
}

START_TEST(lines_are_appended_and_errno_stays)
{
	char line[DEED_MAX + 1];
	off_t len = (off_t)put(&plain, line);

	make_file(0600);
	errno = 77;
	deed_append(path, &plain);
	deed_append(path, &plain);
	ck_assert_int_eq(errno, 77);
	ck_assert_int_eq(size_now(), 2 * len);
	unlink(path);
}
END_TEST

START_TEST(the_file_is_never_made)
{
	make_file(0600);
	unlink(path);
	errno = 77;
	deed_append(path, &plain);
	ck_assert_int_eq(errno, 77);
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(a_file_that_others_may_read_is_left_alone)
{
	make_file(0640);
	deed_append(path, &plain);
	ck_assert_int_eq(size_now(), 0);
	unlink(path);
}
END_TEST

START_TEST(neither_links_nor_pipes_are_written_to)
{
	char other[sizeof(path) + 2];

	make_file(0600);
	snprintf(other, sizeof(other), "%s.l", path);
	ck_assert_int_eq(symlink(path, other), 0);
	deed_append(other, &plain);
	ck_assert_int_eq(size_now(), 0);
	unlink(other);
	/* Nobody reads it: a write would wait, or raise SIGPIPE. */
	ck_assert_int_eq(mkfifo(other, 0600), 0);
	deed_append(other, &plain);
	unlink(other);
	unlink(path);
}
END_TEST

START_TEST(limits_of_files_raise_no_signal)
{
	struct rlimit old, small;

	make_file(0600);
	getrlimit(RLIMIT_FSIZE, &old);
	small = (struct rlimit){ 10, old.rlim_max };
	setrlimit(RLIMIT_FSIZE, &small);
	deed_append(path, &plain);
	setrlimit(RLIMIT_FSIZE, &old);
	ck_assert_int_eq(size_now(), 0);
	ck_assert_int_eq(truncate(path, DEED_FILE_MAX - 10), 0);
	deed_append(path, &plain);
	ck_assert_int_eq(size_now(), DEED_FILE_MAX - 10);
	unlink(path);
}
END_TEST

UNIT_MAIN("deed", { line_is_what_the_header_says, 0 }, { each_kind_comes_back, DEED_KINDS },
          { names_can_neither_end_a_line_nor_talk_to_a_terminal, 0 }, { long_fields_are_cut, 2 },
          { what_just_fits_is_whole, 0 }, { empty_names_are_shown_as_such, 0 },
          { a_line_cut_anywhere_is_not_taken, 0 },
          { what_nobody_of_ours_wrote_is_not_taken, ROWS(garbage) },
          { lines_are_appended_and_errno_stays, 0 }, { the_file_is_never_made, 0 },
          { a_file_that_others_may_read_is_left_alone, 0 },
          { neither_links_nor_pipes_are_written_to, 0 }, { limits_of_files_raise_no_signal, 0 })
