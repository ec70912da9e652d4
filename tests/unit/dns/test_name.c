#include "octets.h"
#include <arpa/nameser.h>
#include <dns/name.h>

#define L7  "abcdefg"
#define L63 L7 L7 L7 L7 L7 L7 L7 L7 L7
#define L62 L7 L7 L7 L7 L7 L7 L7 L7 "abcdef"
#define L61 L7 L7 L7 L7 L7 L7 L7 L7 "abcde"
#define L60 L7 L7 L7 L7 L7 L7 L7 L7 "abcd"
#define L64 L63 "h"

#define ZEROS "\0\0\0\0\0\0\0\0\0\0\0\0" /* a header, which no name is in */

/* Names in a message: where they begin, what they say, and where the reader is afterwards. */
static const struct good {
	struct octets in;
	size_t at;
	const char *text; /* NULL: it is not plain */
	size_t after;
} goods[] = {
	{ OCTETS(ZEROS "\0"), 12, "", 13 },
	{ OCTETS(ZEROS "\1a\0"), 12, "a", 15 },
	{ OCTETS(ZEROS "\7eXample\3ORG\0"), 12, "eXample.ORG", 25 },
	{ OCTETS(ZEROS "\7example\3org\0\xc0\x0c"), 25, "example.org", 27 },
	{ OCTETS(ZEROS "\7example\3org\0\3www\xc0\x0c"), 25, "www.example.org", 31 },
	{ OCTETS(ZEROS "\7example\3org\0\3www\xc0\x14"), 25, "www.org", 31 },
	{ OCTETS(ZEROS "\7example\3org\0\3www\xc0\x18"), 25, "www", 31 },
	/* A pointer to a pointer, and to labels that end in one. */
	{ OCTETS(ZEROS "\3org\0\xc0\x0c\xc0\x11"), 19, "org", 21 },
	{ OCTETS(ZEROS "\3org\0\1b\xc0\x0c\1a\xc0\x11"), 21, "a.b.org", 25 },
	/* Octets that text can say, if only just. */
	{ OCTETS(ZEROS "\4_tcp\1 \1\\\2\xc3\xa9\0"), 12, "_tcp. .\\.\xc3\xa9", 25 },
	{ OCTETS(ZEROS "\3a.b\3org\0"), 12, NULL, 21 },
	{ OCTETS(ZEROS "\1.\0"), 12, NULL, 15 },
	{ OCTETS(ZEROS "\3a\0b\3org\0"), 12, NULL, 21 },
	{ OCTETS(ZEROS "\3a.b\0\1x\xc0\x0c"), 17, NULL, 21 },
	{ OCTETS(ZEROS "\x3f" L63 "\0"), 12, L63, 77 },
	/* 255 octets, the longest. */
	{ OCTETS(ZEROS "\x3f" L63 "\x3f" L63 "\x3f" L63 "\x3d" L61 "\0"), 12,
	  L63 "." L63 "." L63 "." L61, 267 },
	{ OCTETS(ZEROS "\x3f" L63 "\x3f" L63 "\x3d" L61 "\0\x3f" L63 "\xc0\x0c"), 203,
	  L63 "." L63 "." L63 "." L61, 269 },
};

static const struct bad {
	struct octets in;
	size_t at;
} bads[] = {
	{ OCTETS(""), 0 },
	{ OCTETS(ZEROS), 12 },
	/* Labels: of 64, of the two kinds that nobody uses. */
	{ OCTETS(ZEROS "\x40" L64 "\0"), 12 },
	{ OCTETS(ZEROS "\x41\1\0"), 12 },
	{ OCTETS(ZEROS "\x80\1\0"), 12 },
	{ OCTETS(ZEROS "\1a\xbf\0"), 12 },
	/* 256 octets, with and without a pointer; and with one label more. */
	{ OCTETS(ZEROS "\x3f" L63 "\x3f" L63 "\x3f" L63 "\x3e" L62 "\0"), 12 },
	{ OCTETS(ZEROS "\x3f" L63 "\x3f" L63 "\x3e" L62 "\0\x3f" L63 "\xc0\x0c"), 204 },
	{ OCTETS(ZEROS "\x3f" L63 "\x3f" L63 "\x3f" L63 "\x3c" L60 "\1a\0"), 12 },
	/* Pointers: to itself, to each other, to the labels before it, into a label before it. */
	{ OCTETS(ZEROS "\xc0\x0c"), 12 },
	{ OCTETS(ZEROS "\xc0\x0e\xc0\x0c"), 12 },
	{ OCTETS(ZEROS "\xc0\x0e\xc0\x0c"), 14 },
	{ OCTETS(ZEROS "\1a\xc0\x0c"), 12 },
	{ OCTETS(ZEROS "\1a\1b\xc0\x0e"), 12 },
	{ OCTETS(ZEROS "\1\0\xc0\x0d"), 12 },
	{ OCTETS(ZEROS "\1a\xc0\x10\1b\xc0\x0c"), 16 },
	/* To a label that the pointer is itself within. */
	{ OCTETS(ZEROS "\5x\1a\xc0\x0c\0"), 14 },
	/* Forward, past the end, at the end, into the header, to its first octet. */
	{ OCTETS(ZEROS "\xc0\x0e\1a\0"), 12 },
	{ OCTETS(ZEROS "\xff\xff"), 12 },
	{ OCTETS(ZEROS "\1a\0\xc0\x11"), 15 },
	{ OCTETS(ZEROS "\1a\0\xc0\x0b"), 15 },
	{ OCTETS(ZEROS "\1a\0\xc0\0"), 15 },
};

static bool get_at(const uint8_t *buf, size_t len, size_t at, struct dns_name *name, size_t *after)
{
	struct reader r;
	bool ok;

	reader_init(&r, buf, len);
	r.pos = at;
	ok = dns_get_name(&r, name);
	ck_assert(r.over == !ok);
	*after = r.pos;
	return ok;
}

START_TEST(a_name_is_read)
{
	const struct good *row = &goods[_i];
	uint8_t *buf = octets_copy(row->in.at, row->in.len);
	struct dns_name name;
	size_t after;

	ck_assert(get_at(buf, row->in.len, row->at, &name, &after));
	ck_assert_uint_eq(after, row->after);
	ck_assert(name.plain == !!row->text);
	if (row->text) {
		ck_assert_str_eq(name.text, row->text);
		ck_assert_uint_eq(name.len, strlen(row->text));
	}
	free(buf);
}
END_TEST

START_TEST(a_name_is_cut_at_every_length)
{
	const struct good *row = &goods[_i];

	for (size_t n = row->at; n < row->after; n++) {
		uint8_t *buf = octets_copy(row->in.at, n);
		struct dns_name name;
		size_t after;

		ck_assert(!get_at(buf, n, row->at, &name, &after));
		ck_assert(!name.plain && name.len == 0);
		free(buf);
	}
}
END_TEST

START_TEST(a_malformed_name_is_refused)
{
	uint8_t *buf = octets_copy(bads[_i].in.at, bads[_i].in.len);
	struct dns_name name;
	size_t after;

	ck_assert(!get_at(buf, bads[_i].in.len, bads[_i].at, &name, &after));
	free(buf);
}
END_TEST

START_TEST(a_reader_that_is_over_yields_no_name)
{
	struct dns_name name;
	struct reader r;

	reader_init(&r, "\1a", 3);
	r.over = true;
	ck_assert(!dns_get_name(&r, &name) && r.over);
	ck_assert(!dns_skip_name(&r) && r.over);
}
END_TEST

START_TEST(a_name_is_passed_over_as_it_is_read)
{
	const struct good *row = &goods[_i];

	for (size_t n = row->at; n <= row->in.len; n++) {
		uint8_t *buf = octets_copy(row->in.at, n);
		struct reader r;

		reader_init(&r, buf, n);
		r.pos = row->at;
		ck_assert(dns_skip_name(&r) == (n >= row->after));
		if (n >= row->after)
			ck_assert_uint_eq(r.pos, row->after);
		free(buf);
	}
}
END_TEST

START_TEST(labels_have_up_to_63_octets)
{
	uint8_t in[12 + 1 + 64 + 1] = { [12] = (uint8_t)_i };
	char text[65] = { 0 };
	struct dns_name name, set;
	size_t after;

	memset(in + 13, 'x', (size_t)_i);
	memset(text, 'x', (size_t)_i);
	ck_assert(get_at(in, 14 + (size_t)_i, 12, &name, &after) == (_i <= 63));
	ck_assert(dns_name_set(&set, text, (size_t)_i) == (_i <= 63));
	if (_i <= 63) {
		ck_assert_str_eq(name.text, text);
		ck_assert_str_eq(set.text, text);
	}
}
END_TEST

static const struct text {
	struct octets text;
	struct octets wire; /* none: it is refused */
} texts[] = {
	{ OCTETS(""), OCTETS("\0") },
	{ OCTETS("."), OCTETS("\0") },
	{ OCTETS("a"), OCTETS("\1a\0") },
	{ OCTETS("a."), OCTETS("\1a\0") },
	{ OCTETS("Example.ORG"), OCTETS("\7Example\3ORG\0") },
	{ OCTETS("Example.ORG."), OCTETS("\7Example\3ORG\0") },
	{ OCTETS("_a._b c.\\"), OCTETS("\2_a\4_b c\1\\\0") },
	{ OCTETS(L63 "." L63 "." L63 "." L61),
	  OCTETS("\x3f" L63 "\x3f" L63 "\x3f" L63 "\x3d" L61 "\0") },
	{ OCTETS(L63 "." L63 "." L63 "." L61 "."),
	  OCTETS("\x3f" L63 "\x3f" L63 "\x3f" L63 "\x3d" L61 "\0") },
	{ OCTETS(".."), { NULL, 0 } },
	{ OCTETS(".a"), { NULL, 0 } },
	{ OCTETS("a.."), { NULL, 0 } },
	{ OCTETS("a..b"), { NULL, 0 } },
	{ OCTETS("a\0b"), { NULL, 0 } },
	{ OCTETS("\0"), { NULL, 0 } },
	{ OCTETS("a." L64), { NULL, 0 } },
	{ OCTETS(L64 ".a"), { NULL, 0 } },
	{ OCTETS(L63 "." L63 "." L63 "." L62), { NULL, 0 } },
	{ OCTETS(L63 "." L63 "." L63 "." L60 ".a"), { NULL, 0 } },
	{ OCTETS(L63 "." L63 "." L63 "." L63 "." L63 "." L63), { NULL, 0 } },
};

START_TEST(a_text_is_taken_and_written)
{
	const struct text *row = &texts[_i];
	size_t bare = row->text.len;
	struct dns_name name = { .len = 7 };

	ck_assert(dns_name_set(&name, row->text.at, bare) == !!row->wire.at);
	if (!row->wire.at) {
		ck_assert_uint_eq(name.len, 7);
		return;
	}
	if (bare > 0 && row->text.at[bare - 1] == '.')
		bare--;
	ck_assert(name.plain);
	ck_assert_uint_eq(name.len, bare);
	ck_assert_mem_eq(name.text, row->text.at, bare);
	ck_assert_int_eq(name.text[bare], '\0');
	/* Whole, or not at all. */
	for (size_t cap = 0; cap <= row->wire.len; cap++) {
		uint8_t *buf = octets_copy(row->wire.at, cap);
		struct writer w;

		memset(buf, 0xee, cap);
		writer_init(&w, buf, cap);
		ck_assert(dns_put_name(&w, &name) == (cap == row->wire.len));
		ck_assert(w.over == (cap < row->wire.len));
		ck_assert_uint_eq(w.pos, w.over ? 0 : cap);
		for (size_t i = 0; i < cap; i++)
			ck_assert_uint_eq(buf[i], w.over ? 0xee : (uint8_t)row->wire.at[i]);
		free(buf);
	}
}
END_TEST

START_TEST(a_name_that_was_not_set_is_judged_when_written)
{
	/* Written by hand: what dns_name_set() would not have let pass. */
	static const struct dns_name names[] = {
		{ .text = "a.b", .len = 3, .plain = false },
		{ .text = "a..b", .len = 4, .plain = true },
		{ .text = ".a", .len = 2, .plain = true },
		{ .text = "a\0b", .len = 3, .plain = true },
		{ .text = L64, .len = 64, .plain = true },
		{ .text = L63 "." L63 "." L63 "." L62, .len = 254, .plain = true },
	};
	uint8_t buf[300];
	struct writer w;

	for (int i = 0; i < ROWS(names); i++) {
		writer_init(&w, buf, sizeof(buf));
		ck_assert(!dns_put_name(&w, &names[i]));
		ck_assert(w.over && w.pos == 0);
	}
	writer_init(&w, buf, sizeof(buf));
	ck_assert(dns_put_name(&w, &(struct dns_name){ .text = "a.", .len = 2, .plain = true }));
	ck_assert_uint_eq(w.pos, 3);
	ck_assert_mem_eq(buf, "\1a\0", 3);
}
END_TEST

/* Mostly well-formed: labels, pointers to where something began, and now and then anything. */
static size_t random_names(uint64_t *state, uint8_t *buf, size_t cap)
{
	size_t len = 12;

	memset(buf, 0, 12);
	while (len + 66 < cap) {
		size_t n = unit_below(state, 12);

		if (n == 0) {
			buf[len++] = 0;
		} else if (n < 4) {
			buf[len] = 0xc0;
			buf[len + 1] = (uint8_t)unit_below(state, len + 3);
			len += 2;
		} else if (n == 5) {
			buf[len++] = (uint8_t)unit_random(state);
		} else {
			size_t label = unit_below(state, 8) ? unit_below(state, 4) : 63;

			buf[len++] = (uint8_t)label;
			for (size_t i = 0; i < label; i++)
				buf[len++] = (uint8_t)unit_below(state, 128);
		}
		if (unit_below(state, 40) == 0)
			break;
	}
	return len;
}

START_TEST(what_is_read_libc_reads_alike)
{
	uint64_t state = unit_seed();
	unsigned plain = 0, refused = 0;

	for (int round = 0; round < 2000; round++) {
		uint8_t buf[256];
		size_t len = random_names(&state, buf, sizeof(buf));

		for (size_t at = 12; at < len; at++) {
			uint8_t theirs[NS_MAXCDNAME], ours[DNS_WIRE_MAX];
			struct dns_name name;
			struct writer w;
			size_t after;
			int used;

			used = ns_name_unpack(buf, buf + len, buf + at, theirs, sizeof(theirs));
			if (!get_at(buf, len, at, &name, &after)) {
				refused++;
				continue;
			}
			ck_assert_int_eq(used, (int)(after - at));
			if (!name.plain)
				continue;
			plain++;
			writer_init(&w, ours, sizeof(ours));
			ck_assert(dns_put_name(&w, &name));
			ck_assert_mem_eq(ours, theirs, w.pos);
		}
	}
	ck_assert_uint_gt(plain, 1000);
	ck_assert_uint_gt(refused, 1000);
}
END_TEST

START_TEST(what_libc_reads_without_pointers_is_read)
{
	uint64_t state = unit_seed();

	for (int round = 0; round < 20000; round++) {
		uint8_t buf[300], theirs[NS_MAXCDNAME];
		struct dns_name name;
		size_t len, after;
		int used;

		len = random_names(&state, buf, sizeof(buf));
		for (size_t i = 12; i < len; i++)
			if (buf[i] >= 0xc0)
				buf[i] = 1;
		used = ns_name_unpack(buf, buf + len, buf + 12, theirs, sizeof(theirs));
		ck_assert(get_at(buf, len, 12, &name, &after) == (used > 0));
		if (used > 0)
			ck_assert_uint_eq(after, 12 + (size_t)used);
	}
}
END_TEST

UNIT_MAIN("name", { a_name_is_read, ROWS(goods) }, { a_name_is_cut_at_every_length, ROWS(goods) },
          { a_malformed_name_is_refused, ROWS(bads) }, { a_reader_that_is_over_yields_no_name, 0 },
          { a_name_is_passed_over_as_it_is_read, ROWS(goods) }, { labels_have_up_to_63_octets, 65 },
          { a_text_is_taken_and_written, ROWS(texts) },
          { a_name_that_was_not_set_is_judged_when_written, 0 },
          { what_is_read_libc_reads_alike, 0 }, { what_libc_reads_without_pointers_is_read, 0 })
