#include "capture.h"

#include <events.h>
#include <fcntl.h>
#include <signal.h>

static char text[4 * EVENT_MAX];

static const struct {
	const char *value;
	size_t len;
	const char *shown;
} rows[] = {
#define VALUE(v) v, sizeof(v) - 1
	{ VALUE("plain"), "plain" },
	{ VALUE("192.0.2.1:80"), "192.0.2.1:80" },
	{ VALUE("[::1]:80"), "[::1]:80" },
	{ VALUE(""), "\"\"" },
	{ VALUE("two words"), "\"two words\"" },
	{ VALUE("a=b"), "\"a=b\"" },
	{ VALUE("say \"hi\""), "\"say \\\"hi\\\"\"" },
	{ VALUE("back\\slash"), "\"back\\\\slash\"" },
	{ VALUE("a\nfailed id=1"), "\"a\\x0afailed id=1\"" },
	{ VALUE("\x1b[2J\r\t"), "\"\\x1b[2J\\x0d\\x09\"" },
	{ VALUE("\x7f\x80\xff"), "\"\\x7f\\x80\\xff\"" },
	{ VALUE("nul\0nul"), "\"nul\\x00nul\"" },
#undef VALUE
};

START_TEST(no_value_can_be_misread)
{
	struct capture c;
	struct event e;
	char want[256];

	capture_begin(&c, STDERR_FILENO);
	event_begin(&e, "name");
	event_octets(&e, "key", rows[_i].value, rows[_i].len);
	event_end(&e);
	capture_end(&c, text, sizeof(text));
	snprintf(want, sizeof(want), "name key=%s\n", rows[_i].shown);
	ck_assert_str_eq(text, want);
}
END_TEST

/* Each octet alone, quoted or not, is one field of one line. */
START_TEST(all_octets_stay_in_one_line)
{
	const char octet = (char)_i;
	struct capture c;
	struct event e;
	size_t len;

	capture_begin(&c, STDERR_FILENO);
	event_begin(&e, "name");
	event_octets(&e, "key", &octet, 1);
	event_end(&e);
	capture_end(&c, text, sizeof(text));
	len = strlen(text);
	ck_assert_ptr_eq(strchr(text, '\n'), text + len - 1);
	for (size_t i = 0; i + 1 < len; i++)
		ck_assert(text[i] >= ' ' && text[i] < 0x7f);
}
END_TEST

START_TEST(each_kind_of_value_has_its_text)
{
	const struct endpoint name = unit_endpoint("example.test:80"),
			      mapped = unit_endpoint("[::ffff:192.0.2.1]:443");
	struct capture c;
	union address a;
	struct event e;

	capture_begin(&c, STDERR_FILENO);
	event_begin(&e, "all");
	event_text(&e, "text", "word");
	event_number(&e, "least", 0);
	event_number(&e, "most", UINT64_MAX);
	event_endpoint(&e, "endpoint", &name);
	address_from_endpoint(&a, &mapped);
	event_address(&e, "address", &a);
	memset(&a, 0, sizeof(a));
	event_address(&e, "none", &a);
	event_end(&e);
	event_warn("it is late", NULL);
	event_warn("it is late", "the clock says so");
	capture_end(&c, text, sizeof(text));
	ck_assert_str_eq(text, "all text=word least=0 most=18446744073709551615"
	                       " endpoint=example.test:80 address=192.0.2.1:443 none=-\n"
	                       "warning what=\"it is late\"\n"
	                       "warning what=\"it is late\" reason=\"the clock says so\"\n");
}
END_TEST

static const struct {
	const char *name, *value;
} names[] = {
	{ "example.test", "example.test:80" }, { "h:443", "\"h:443:80\"" },
	{ "a\\b", "\"a\\\\b:80\"" },           { "a b", "\"a b:80\"" },
	{ "\xc3\xa4", "\"\\xc3\\xa4:80\"" },   { "a\"=", "\"a\\\"=:80\"" },
};

START_TEST(a_name_is_escaped_once)
{
	char buf[EVENT_ENDPOINT_MAX];
	struct endpoint ep = { 0 };

	ck_assert_int_eq(endpoint_set_name(&ep, names[_i].name, strlen(names[_i].name), 80), 0);
	ck_assert_str_eq(event_endpoint_text(&ep, buf), names[_i].value);
}
END_TEST

START_TEST(the_longest_name_has_room)
{
	char buf[EVENT_ENDPOINT_MAX], name[ENDPOINT_NAME_MAX];
	struct endpoint ep = { 0 };

	memset(name, 0xff, sizeof(name));
	ck_assert_int_eq(endpoint_set_name(&ep, name, sizeof(name), 65535), 0);
	event_endpoint_text(&ep, buf);
	ck_assert_uint_eq(strlen(buf), 4 * sizeof(name) + strlen("\"\":65535"));
}
END_TEST

START_TEST(what_is_said_seldom_is_due_once_a_minute)
{
	int64_t next_ms = 0;

	ck_assert(events_due(&next_ms, 5000));
	ck_assert(!events_due(&next_ms, 5000));
	ck_assert(!events_due(&next_ms, 64999));
	ck_assert(events_due(&next_ms, 65000));
}
END_TEST

START_TEST(levels_above_are_left_out)
{
	events_init((enum events_level)_i);
	for (int level = EVENTS_QUIET; level <= (int)EVENTS_VERBOSE; level++)
		ck_assert_int_eq(events_enabled((enum events_level)level), level <= _i);
	events_init(EVENTS_NORMAL);
}
END_TEST

/* Whatever a client says, the line is one, and one write. */
START_TEST(a_long_line_is_cut_and_ended)
{
	static const char fill[] = { 'x', '\n', '"' };
	char longer[2 * EVENT_MAX];
	struct capture c;
	struct event e;

	memset(longer, fill[_i], sizeof(longer));
	capture_begin(&c, STDERR_FILENO);
	event_begin(&e, "long");
	event_octets(&e, "value", longer, sizeof(longer));
	event_text(&e, "more", "x");
	event_end(&e);
	capture_end(&c, text, sizeof(text));
	ck_assert_uint_eq(strlen(text), EVENT_MAX);
	ck_assert_ptr_eq(strchr(text, '\n'), text + EVENT_MAX - 1);
}
END_TEST

/* Standard error is a pipe of which the test reads the other end. */
static int pipe_begin(int *kept)
{
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	*kept = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	return fds[0];
}

static void pipe_end(int fd, int kept)
{
	dup2(kept, STDERR_FILENO);
	close(kept);
	close(fd);
}

START_TEST(a_reader_that_is_late_is_told_what_it_lost)
{
	int kept, fd = pipe_begin(&kept), written = 0, read_back = 0;
	struct event e;
	char want[64];
	ssize_t n;

	/* More lines than any pipe holds; none of them may block. */
	ck_assert_int_gt(fcntl(fd, F_SETPIPE_SZ, 8192), 0);
	for (; written < 5000; written++) {
		event_begin(&e, "line");
		event_number(&e, "n", 1000);
		event_end(&e);
	}
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while ((n = read(fd, text, 12)) > 0) {
		ck_assert_int_eq((int)n, 12);
		ck_assert_mem_eq(text, "line n=1000\n", 12);
		read_back++;
	}
	ck_assert_int_gt(read_back, 0);
	ck_assert_int_lt(read_back, written);
	for (int i = 0; i < 2; i++) {
		event_begin(&e, "next");
		event_end(&e);
	}
	n = read(fd, text, sizeof(text) - 1);
	pipe_end(fd, kept);
	ck_assert_int_gt((int)n, 0);
	text[n] = '\0';
	snprintf(want, sizeof(want), "next lost=%d\nnext\n", written - read_back);
	ck_assert_str_eq(text, want);
}
END_TEST

START_TEST(a_reader_that_is_gone_stops_nobody)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	int kept, fd = pipe_begin(&kept);
	struct capture c;
	struct event e;

	/* As main() has it. */
	sigaction(SIGPIPE, &ignore, &old);
	close(fd);
	event_begin(&e, "nobody");
	event_end(&e);
	pipe_end(-1, kept);
	sigaction(SIGPIPE, &old, NULL);
	capture_begin(&c, STDERR_FILENO);
	event_begin(&e, "next");
	event_end(&e);
	capture_end(&c, text, sizeof(text));
	ck_assert_str_eq(text, "next lost=1\n");
}
END_TEST

UNIT_MAIN("server events", { no_value_can_be_misread, ROWS(rows) },
          { all_octets_stay_in_one_line, 256 }, { each_kind_of_value_has_its_text, 0 },
          { a_name_is_escaped_once, ROWS(names) }, { the_longest_name_has_room, 0 },
          { what_is_said_seldom_is_due_once_a_minute, 0 }, { levels_above_are_left_out, 3 },
          { a_long_line_is_cut_and_ended, 3 }, { a_reader_that_is_late_is_told_what_it_lost, 0 },
          { a_reader_that_is_gone_stops_nobody, 0 })
