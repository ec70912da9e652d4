#include "unit.h"

#include <errno.h>
#include <rulesfile.h>

struct heard {
	unsigned n;
	unsigned line, column; /* of the first */
	char word[64];
	const char *what;
};

static void hear(void *arg, const struct rulesfile_error *e)
{
	struct heard *h = arg;

	ck_assert_ptr_nonnull(e->expected);
	if (h->n++ > 0)
		return;
	h->line = e->line;
	h->column = e->column;
	snprintf(h->word, sizeof(h->word), "%.*s", (int)e->word_len, e->word);
	h->what = e->what;
}

static const struct {
	const char *text;
	unsigned n, line, column;
	const char *word, *what;
} bad[] = {
	{ "permit", 1, 1, 1, "permit", "no rule begins like this" },
	{ "\n\n  ,", 1, 3, 3, "", "no rule begins like this" },
	{ "allow form 192.0.2.1", 1, 1, 7, "form", "there is no such word" },
	{ "allow ,", 1, 1, 7, ",", "there is no such word" },
	{ "allow 192.0.2.1", 1, 1, 7, "192.0.2.1", "there is no such word" },
	{ "allow from", 1, 1, 11, "", "a list is missing here" },
	{ "allow from # 192.0.2.1", 1, 1, 23, "", "a list is missing here" },
	{ "allow from ,192.0.2.1", 1, 1, 12, "", "a list is missing here" },
	{ "allow from to 192.0.2.1", 1, 1, 12, "to", "a list is missing here" },
	{ "allow user do connect", 1, 1, 12, "do", "a list is missing here" },
	{ "allow from 192.0.2.1,", 1, 1, 22, "", "there is nothing after the comma" },
	{ "allow from 192.0.2.1,,192.0.2.2", 1, 1, 22, "", "there is nothing after the comma" },
	{ "allow from 192.0.2.1, to *", 1, 1, 23, "to", "there is nothing after the comma" },
	{ "allow to * to *", 1, 1, 12, "to", "this word was there before" },
	{ "allow from a.example", 1, 1, 12, "a.example", "it is no address and no range" },
	{ "allow from 10.1", 1, 1, 12, "10.1", "it is no address and no range" },
	{ "allow from 10.0.0.0/33", 1, 1, 12, "10.0.0.0/33", "it is no address and no range" },
	{ "allow from fe80::1%lo", 1, 1, 12, "fe80::1%lo", "it is no address and no range" },
	{ "allow user a\\b", 1, 1, 12, "a\\b",
	  "a backslash in the name that starts no \\\\ or \\xHH" },
	{ "allow do conect", 1, 1, 10, "conect", "there is no such command" },
	{ "allow to 192.168.", 1, 1, 10, "192.168.", "it is neither name, address nor range" },
	{ "allow to a*.example", 1, 1, 10, "a*.example", "it is neither name, address nor range" },
	{ "allow to .", 1, 1, 10, ".", "it is neither name, address nor range" },
	{ "allow to a..example", 1, 1, 10, "a..example", "it is neither name, address nor range" },
	{ "allow to a.example:80", 1, 1, 10, "a.example:80", "a port has its own word" },
	{ "allow to b\xc3\xbc.example", 1, 1, 10, "b\xc3\xbc.example", "a name beyond ASCII" },
	{ "allow port 0", 1, 1, 12, "0", "there is no such port" },
	{ "allow port 65536", 1, 1, 12, "65536", "there is no such port" },
	{ "allow port 111111", 1, 1, 12, "111111", "there is no such port" },
	{ "allow port http", 1, 1, 12, "http", "there is no such port" },
	{ "allow port 80-", 1, 1, 12, "80-", "there is no such port" },
	{ "allow port -80", 1, 1, 12, "-80", "there is no such port" },
	{ "allow port 80-79", 1, 1, 12, "80-79", "the range is upside down" },
	{ "\xef\xbb\xbf"
	  "allow",
	  1, 1, 1, "", "a byte order mark" },
	{ "allow\x01", 1, 1, 6, "\x01", "a control character" },
	{ "allow\rdeny\n", 1, 1, 6, "\r", "a control character" },
	/* every one of them, and no line hides another */
	{ "allow from a,b do c,d\nallow to x:1\npermit\nallow", 6, 1, 12, "a",
	  "it is no address and no range" },
};

START_TEST(mistakes_are_told_where_they_are)
{
	struct heard h = { 0 };
	struct rulesfile_listener l = { .tell = hear, .arg = &h };
	struct ruleset *rs;

	ck_assert_int_eq(rulesfile_parse(&rs, bad[_i].text, strlen(bad[_i].text), &l), -EBADMSG);
	ck_assert_ptr_null(rs);
	ck_assert_msg(
		h.n == bad[_i].n && h.line == bad[_i].line && h.column == bad[_i].column &&
			strcmp(h.word, bad[_i].word) == 0 && strcmp(h.what, bad[_i].what) == 0,
		"%s: %u, %u:%u \"%s\" %s", bad[_i].text, h.n, h.line, h.column, h.word, h.what);
}
END_TEST

START_TEST(a_nul_is_told_too)
{
	struct heard h = { 0 };
	struct rulesfile_listener l = { .tell = hear, .arg = &h };
	struct ruleset *rs;

	ck_assert_int_eq(rulesfile_parse(&rs, "allow\ndeny\0", 11, &l), -EBADMSG);
	ck_assert_uint_eq(h.line, 2);
	ck_assert_uint_eq(h.column, 5);
}
END_TEST

START_TEST(twenty_are_told_and_the_rest_counted)
{
	struct heard h = { 0 };
	struct rulesfile_listener l = { .tell = hear, .arg = &h };
	struct ruleset *rs;
	char text[50];

	memset(text, '\n', sizeof(text));
	for (size_t i = 0; i < sizeof(text); i += 2)
		text[i] = 'x';
	ck_assert_int_eq(rulesfile_parse(&rs, text, sizeof(text), &l), -EBADMSG);
	ck_assert_uint_eq(h.n, RULESFILE_TOLD_MAX);
	ck_assert_uint_eq(l.more, sizeof(text) / 2 - RULESFILE_TOLD_MAX);
}
END_TEST

START_TEST(an_explanation_can_be_shown)
{
	struct rulesfile_error e = { .line = 3,
		                     .column = 7,
		                     .word = "con\x1b"
		                             "ect",
		                     .word_len = 7,
		                     .what = "no",
		                     .expected = "yes" };
	char buf[RULESFILE_TEXT_MAX], text[] = "0123456789012345678901234567890123456789012345";

	ck_assert_str_eq(rulesfile_explain(&e, buf, sizeof(buf)),
	                 "column 7: \"con?ect\": no; expected yes");
	e.word_len = 0;
	ck_assert_str_eq(rulesfile_explain(&e, buf, sizeof(buf)), "column 7: no; expected yes");
	e.word = text;
	e.word_len = strlen(text);
	ck_assert_str_eq(rulesfile_explain(&e, buf, sizeof(buf)),
	                 "column 7: \"0123456789012345678901234567890123456789...\": no; "
	                 "expected yes");
}
END_TEST

UNIT_MAIN("server rulesfile", { mistakes_are_told_where_they_are, ROWS(bad) },
          { a_nul_is_told_too, 0 }, { twenty_are_told_and_the_rest_counted, 0 },
          { an_explanation_can_be_shown, 0 })
