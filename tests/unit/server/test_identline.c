#include <check.h>
#include <identline.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE(text) text, sizeof(text) - 1

static const struct identline_ports ports = { .there = 6193, .here = 23 };

static const struct {
	const char *line;
	size_t len;
	enum identline is;
	const char *text;
} rows[] = {
	/* RFC 1413 */
	{ LINE("6193, 23 : USERID : UNIX : stjohns\r"), IDENTLINE_USER, "stjohns" },
	{ LINE("6193, 23 : ERROR : NO-USER\r"), IDENTLINE_ERROR, "NO-USER" },
	{ LINE("6193,23:USERID:UNIX:joe"), IDENTLINE_USER, "joe" },
	{ LINE("6193 , 23 : USERID : UNIX , US-ASCII : joe"), IDENTLINE_USER, "joe" },
	{ LINE("\t6193\t,\t23\t:\tuserid\t:\tOther\t:\tjoe\t\r"), IDENTLINE_USER, "joe" },
	{ LINE("6193,23:USERID:OTHER:a:b : c"), IDENTLINE_USER, "a:b : c" },
	{ LINE("6193,23:USERID:WIN32:Joe Doe"), IDENTLINE_USER, "Joe Doe" },
	{ LINE("6193,23:USERID:UNIX,UTF-8:\xc3\xa9"), IDENTLINE_USER, "\xc3\xa9" },
	{ LINE("06193, 0023 : USERID : UNIX : joe"), IDENTLINE_USER, "joe" },
	{ LINE("6193,23:ERROR:X-mine: it is"), IDENTLINE_ERROR, "X-mine: it is" },
	{ LINE("6193,23:Error:HIDDEN-USER"), IDENTLINE_ERROR, "HIDDEN-USER" },
	/* another connection */
	{ LINE("23, 6193 : USERID : UNIX : joe"), IDENTLINE_BAD, NULL },
	{ LINE("6193, 24 : USERID : UNIX : joe"), IDENTLINE_BAD, NULL },
	{ LINE("6194, 23 : ERROR : NO-USER"), IDENTLINE_BAD, NULL },
	{ LINE("0, 0 : ERROR : INVALID-PORT"), IDENTLINE_BAD, NULL },
	{ LINE("71729, 23 : USERID : UNIX : joe"), IDENTLINE_BAD, NULL }, /* 6193 + 65536 */
	{ LINE("4294973489, 23 : USERID : UNIX : joe"), IDENTLINE_BAD, NULL },
	/* malformed */
	{ LINE(""), IDENTLINE_BAD, NULL },
	{ LINE("\r"), IDENTLINE_BAD, NULL },
	{ LINE(":::"), IDENTLINE_BAD, NULL },
	{ LINE("joe"), IDENTLINE_BAD, NULL },
	{ LINE("6193 23 : USERID : UNIX : joe"), IDENTLINE_BAD, NULL },
	{ LINE("6193, : USERID : UNIX : joe"), IDENTLINE_BAD, NULL },
	{ LINE("6193, 23, 1 : USERID : UNIX : joe"), IDENTLINE_BAD, NULL },
	{ LINE("-6193, 23 : USERID : UNIX : joe"), IDENTLINE_BAD, NULL },
	{ LINE("6193, 23 USERID : UNIX : joe"), IDENTLINE_BAD, NULL },
	{ LINE("6193, 23 : USER : UNIX : joe"), IDENTLINE_BAD, NULL },
	{ LINE("6193, 23 : USERIDS : UNIX : joe"), IDENTLINE_BAD, NULL },
	{ LINE("6193, 23 : : UNIX : joe"), IDENTLINE_BAD, NULL },
	{ LINE("6193, 23 : USERID : joe"), IDENTLINE_BAD, NULL },
	{ LINE("6193, 23 : USERID : : joe"), IDENTLINE_BAD, NULL },
	{ LINE("6193, 23 : USERID : UNIX :"), IDENTLINE_BAD, NULL },
	{ LINE("6193, 23 : USERID : UNIX : \t\r"), IDENTLINE_BAD, NULL },
	{ LINE("6193, 23 : ERROR"), IDENTLINE_BAD, NULL },
	{ LINE("6193, 23 : ERROR : "), IDENTLINE_BAD, NULL },
	{ LINE("6193, 23 : USERID : UNIX : joe\0"), IDENTLINE_BAD, NULL },
	{ LINE("6193, 23 : USERID : UNIX : \0joe"), IDENTLINE_BAD, NULL },
};

START_TEST(answers_are_read_or_refused)
{
	/* Of its own, so that a step too far is noticed. */
	char *line = malloc(rows[_i].len + 1);
	const char *text = NULL;
	size_t len = 0;

	ck_assert_ptr_nonnull(line);
	memcpy(line, rows[_i].line, rows[_i].len);
	ck_assert_int_eq(identline_read(line, rows[_i].len, &ports, &text, &len), rows[_i].is);
	if (rows[_i].text) {
		ck_assert_uint_eq(len, strlen(rows[_i].text));
		ck_assert_mem_eq(text, rows[_i].text, len);
	} else {
		ck_assert_ptr_null(text);
	}
	free(line);
}
END_TEST

START_TEST(an_answer_that_is_cut_is_never_whole)
{
	static const char line[] = "6193, 23 : USERID : UNIX : j";
	const char *text;
	size_t len;

	for (size_t n = 0; n < sizeof(line) - 1; n++)
		ck_assert_int_eq(identline_read(line, n, &ports, &text, &len), IDENTLINE_BAD);
	ck_assert_int_eq(identline_read(line, sizeof(line) - 1, &ports, &text, &len),
	                 IDENTLINE_USER);
}
END_TEST

START_TEST(the_question_is_the_clients_port_first)
{
	const struct identline_ports longest = { .there = 65535, .here = 65534 };
	char out[IDENTLINE_ASK_MAX];

	ck_assert_uint_eq(identline_ask(&ports, out), strlen("6193, 23\r\n"));
	ck_assert_str_eq(out, "6193, 23\r\n");
	ck_assert_uint_eq(identline_ask(&longest, out), strlen("65535, 65534\r\n"));
	ck_assert_str_eq(out, "65535, 65534\r\n");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("identline");
	TCase *tc = tcase_create("lines");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, answers_are_read_or_refused, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(tc, an_answer_that_is_cut_is_never_whole);
	tcase_add_test(tc, the_question_is_the_clients_port_first);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
