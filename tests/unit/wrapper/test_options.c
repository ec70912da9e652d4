#include "unit.h"

#include <getopt.h>
#include <wrapper/options.h>

#define ARGS_MAX 8

/* The words of a command line, writable as main()'s are. */
struct words {
	int argc;
	char *argv[ARGS_MAX + 2];
	char text[ARGS_MAX + 1][128];
};

static int parse(struct words *w, struct options *o, const char *const *args)
{
	snprintf(w->text[0], sizeof(w->text[0]), "/somewhere/socksify");
	w->argv[0] = w->text[0];
	for (w->argc = 1; args[w->argc - 1]; w->argc++) {
		snprintf(w->text[w->argc], sizeof(w->text[0]), "%s", args[w->argc - 1]);
		w->argv[w->argc] = w->text[w->argc];
	}
	w->argv[w->argc] = NULL;
	optind = 0; /* glibc: begin anew */
	return options_parse(w->argc, w->argv, o);
}

static const struct row {
	const char *args[ARGS_MAX];
	enum mode mode;
	enum config_key key;
	const char *value;
	const char *program;
} rows[] = {
	{ { "true" }, MODE_RUN, KEY_PROXY, NULL, "true" },
	{ { "-x", "a", "true", "-x" }, MODE_RUN, KEY_PROXY, "a", "true" },
	{ { "-xa", "true" }, MODE_RUN, KEY_PROXY, "a", "true" },
	{ { "--proxy=a", "-x", "b", "true" }, MODE_RUN, KEY_PROXY, "b", "true" },
	{ { "-n", "", "true" }, MODE_RUN, KEY_NO_PROXY, ",", "true" },
	{ { "-n", "h,.s", "true" }, MODE_RUN, KEY_NO_PROXY, "h,.s", "true" },
	{ { "--timeout", "3", "--", "-x" }, MODE_RUN, KEY_TIMEOUT, "3", "-x" },
	{ { "--log-file", "f", "true" }, MODE_RUN, KEY_LOG_FILE, "f", "true" },
	{ { "-q", "true" }, MODE_RUN, KEY_LOG, "error", "true" },
	{ { "-v", "true" }, MODE_RUN, KEY_LOG, "info", "true" },
	{ { "-v", "--verbose", "true" }, MODE_RUN, KEY_LOG, "debug", "true" },
	{ { "true", "-v" }, MODE_RUN, KEY_LOG, NULL, "true" },
	{ { "--check" }, MODE_CHECK, KEY_PROXY, NULL, NULL },
	{ { "--dns-check", "a", "b" }, MODE_DNS_CHECK, KEY_PROXY, NULL, "a" },
	{ { "--print-env" }, MODE_PRINT_ENV, KEY_PROXY, NULL, NULL },
	{ { "--closed", "true" }, MODE_CLOSED, KEY_PROXY, NULL, "true" },
};

START_TEST(options_mean_what_they_say)
{
	const struct row *r = &rows[_i];
	struct options o;
	struct words w;

	ck_assert_int_eq(parse(&w, &o, r->args), -1);
	ck_assert_int_eq(o.mode, r->mode);
	ck_assert_pstr_eq(o.key_value[r->key], r->value);
	ck_assert_pstr_eq(o.program[0], r->program);
	options_fini(&o);
}
END_TEST

START_TEST(flags_are_told_apart)
{
	struct options o;
	struct words w;

	ck_assert_int_eq(parse(&w, &o, (const char *[]){ "true", NULL }), -1);
	ck_assert(!o.with_server && !o.isolate && !o.for_fish);
	ck_assert_ptr_null(o.argv0);
	ck_assert_int_eq(parse(&w, &o, (const char *[]){ "--with-server", "true", NULL }), -1);
	ck_assert(o.with_server && !o.isolate);
	ck_assert_int_eq(parse(&w, &o, (const char *[]){ "--isolate", "true", NULL }), -1);
	ck_assert(!o.with_server && o.isolate);
	ck_assert_int_eq(parse(&w, &o, (const char *[]){ "--print-env=fish", NULL }), -1);
	ck_assert(o.for_fish);
	ck_assert_int_eq(parse(&w, &o, (const char *[]){ "--argv0", "n", "true", NULL }), -1);
	ck_assert_str_eq(o.argv0, "n");
	ck_assert_int_eq(parse(&w, &o, (const char *[]){ "--check", "h:1", NULL }), -1);
	ck_assert_str_eq(o.destination, "h:1");
}
END_TEST

START_TEST(the_url_is_overwritten_where_others_read_it)
{
	struct options o;
	struct words w;

	ck_assert_int_eq(parse(&w, &o, (const char *[]){ "-x", "u:secret@h", "true", NULL }), -1);
	ck_assert_str_eq(o.key_value[KEY_PROXY], "u:secret@h");
	ck_assert_str_eq(w.text[2], "**********");
	options_fini(&o);
	ck_assert_int_eq(parse(&w, &o, (const char *[]){ "--proxy=u:secret@h", "true", NULL }), -1);
	ck_assert_str_eq(w.text[1], "--proxy=**********");
	options_fini(&o);
}
END_TEST

static const char *const wrong[][ARGS_MAX] = {
	{ NULL },
	{ "--" },
	{ "-x" },
	{ "-x", "", "true" },
	{ "-x", "a", "--with-server", "true" },
	{ "--timeout", "", "true" },
	{ "-v", "-q", "true" },
	{ "-Z", "true" },
	{ "--print-env", "true" },
	{ "--print-env=csh" },
	{ "--print-env", "--check" },
	{ "--check", "--closed", "true" },
	{ "--check", "a:1", "b:1" },
	{ "--dns-check" },
	{ "--dns-check", "--check", "a" },
	{ "--dns-check", "--closed", "true" },
	{ "--with-server", "--dns-check", "a" },
	{ "--argv0", "n", "--dns-check", "a" },
	{ "--with-server", "--check" },
	{ "--with-server", "--closed", "true" },
	{ "--argv0", "n", "--print-env" },
	{ "--closed" },
};

START_TEST(contradictions_are_refused)
{
	struct options o;
	struct words w;

	ck_assert_int_eq(parse(&w, &o, wrong[_i]), EXIT_SOCKSIFY);
	ck_assert_ptr_null(o.proxy_copy);
}
END_TEST

START_TEST(an_option_is_called_by_its_letter_if_it_has_one)
{
	char name[32];

	ck_assert_str_eq(options_name(KEY_PROXY, name, sizeof(name)), "-x");
	ck_assert_str_eq(options_name(KEY_TIMEOUT, name, sizeof(name)), "--timeout");
}
END_TEST

UNIT_MAIN("wrapper options", { options_mean_what_they_say, ROWS(rows) },
          { flags_are_told_apart, 1 }, { the_url_is_overwritten_where_others_read_it, 1 },
          { contradictions_are_refused, ROWS(wrong) },
          { an_option_is_called_by_its_letter_if_it_has_one, 1 })
