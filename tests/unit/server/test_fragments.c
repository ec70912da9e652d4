#include "unit.h"

#include <fragments.h>

#define STEPS_MAX 8

struct step {
	uint8_t frag; /* 0: the end */
	const char *data;
	int64_t at_ms;
	const char *dst; /* NULL: the usual one */
};

#define PIECE(n, text)                      \
	{                                   \
		.frag = (n), .data = (text) \
	}
#define PIECE_AT(n, text, ms)                              \
	{                                                  \
		.frag = (n), .data = (text), .at_ms = (ms) \
	}
#define PIECE_TO(n, text, far)                            \
	{                                                 \
		.frag = (n), .data = (text), .dst = (far) \
	}

static const struct {
	struct step steps[STEPS_MAX];
	const char *whole; /* NULL: it never gets whole */
	unsigned dropped;
} rows[] = {
	{ { PIECE(0x81, "alone") }, "alone", 0 },
	{ { PIECE(1, "a"), PIECE(2, "b"), PIECE(0x83, "c") }, "abc", 0 },
	{ { PIECE(1, ""), PIECE(0x82, "") }, "", 0 },
	{ { PIECE(1, "a"), PIECE_AT(0x82, "b", FRAGMENTS_MS - 1) }, "ab", 0 },
	{ { PIECE(1, "a"), PIECE_AT(0x82, "b", FRAGMENTS_MS) }, NULL, 2 },
	{ { PIECE(1, "a"), PIECE_AT(1, "b", FRAGMENTS_MS), PIECE_AT(0x82, "c", FRAGMENTS_MS) },
	  "bc",
	  1 },
	/* Each of these ends the sequence. */
	{ { PIECE(1, "a"), PIECE(2, "b"), PIECE(2, "b"), PIECE(0x83, "c") }, NULL, 4 },
	{ { PIECE(1, "a"), PIECE(3, "c"), PIECE(0x82, "b") }, NULL, 3 },
	{ { PIECE(1, "a"), PIECE(0x83, "c") }, NULL, 2 },
	{ { PIECE(1, "a"), PIECE_TO(0x82, "b", "192.0.2.2:9") }, NULL, 2 },
	{ { PIECE(1, "a"), PIECE_TO(0x82, "b", "192.0.2.1:8") }, NULL, 2 },
	{ { PIECE(1, "a"), PIECE(0x80, "b") }, NULL, 2 },
	/* And a first one begins the next. */
	{ { PIECE(1, "a"), PIECE(2, "b"), PIECE(1, "c"), PIECE(0x82, "d") }, "cd", 2 },
	{ { PIECE(1, "a"), PIECE(0x81, "b") }, "b", 1 },
	{ { PIECE(1, "a"), PIECE_TO(1, "b", "192.0.2.2:9"), PIECE_TO(0x82, "c", "192.0.2.2:9") },
	  "bc",
	  1 },
	/* There is none to belong to. */
	{ { PIECE(2, "b"), PIECE(0x83, "c") }, NULL, 2 },
	{ { PIECE(0x80, "a") }, NULL, 1 },
	{ { PIECE(0xff, "a") }, NULL, 1 },
};

START_TEST(pieces_are_put_together_in_order_or_dropped)
{
	struct fragments *f = NULL;
	enum fragments_res res = FRAGMENTS_USELESS;
	uint64_t dropped = 0;
	struct endpoint dst;

	for (const struct step *s = rows[_i].steps; s->frag > 0; s++) {
		dst = unit_endpoint(s->dst ? s->dst : "192.0.2.1:9");
		ck_assert_int_ne(res, FRAGMENTS_WHOLE);
		res = fragments_add(&f, s->at_ms, s->frag, &dst, (const uint8_t *)s->data,
		                    strlen(s->data), &dropped);
		ck_assert_int_eq(res == FRAGMENTS_USELESS, f == NULL);
	}
	ck_assert_uint_eq(dropped, rows[_i].dropped);
	ck_assert_int_eq(res == FRAGMENTS_WHOLE, rows[_i].whole != NULL);
	if (rows[_i].whole) {
		ck_assert_uint_eq(f->len, strlen(rows[_i].whole));
		ck_assert_mem_eq(f->data, rows[_i].whole, f->len);
		ck_assert(endpoint_equal(&f->dst, &dst));
	}
	fragments_drop(&f);
	ck_assert_ptr_null(f);
}
END_TEST

START_TEST(all_together_are_no_longer_than_a_datagram)
{
	static const uint8_t zero[FRAGMENTS_MAX + 1];
	struct endpoint dst = unit_endpoint("192.0.2.1:9");
	struct fragments *f = NULL;
	uint64_t dropped = 0;

	ck_assert_int_eq(fragments_add(&f, 0, 1, &dst, zero, FRAGMENTS_MAX, &dropped),
	                 FRAGMENTS_KEPT);
	ck_assert_int_eq(fragments_add(&f, 0, 2, &dst, zero, 0, &dropped), FRAGMENTS_KEPT);
	ck_assert_int_eq(fragments_add(&f, 0, 3, &dst, zero, 1, &dropped), FRAGMENTS_USELESS);
	ck_assert_uint_eq(dropped, 3);
	ck_assert_int_eq(fragments_add(&f, 0, 1, &dst, zero, FRAGMENTS_MAX + 1, &dropped),
	                 FRAGMENTS_USELESS);
	ck_assert_ptr_null(f);
}
END_TEST

START_TEST(a_sequence_has_127_pieces_at_most)
{
	struct endpoint dst = unit_endpoint("far.test:9");
	struct fragments *f = NULL;
	uint64_t dropped = 0;
	uint8_t octet;

	for (unsigned n = 1; n < 127; n++) {
		octet = (uint8_t)n;
		ck_assert_int_eq(fragments_add(&f, 0, (uint8_t)n, &dst, &octet, 1, &dropped),
		                 FRAGMENTS_KEPT);
	}
	octet = 127;
	ck_assert_int_eq(fragments_add(&f, 0, 0xff, &dst, &octet, 1, &dropped), FRAGMENTS_WHOLE);
	ck_assert_uint_eq(f->len, 127);
	for (unsigned n = 0; n < 127; n++)
		ck_assert_uint_eq(f->data[n], n + 1);
	ck_assert_uint_eq(fragments_drop(&f), 127);
	ck_assert_uint_eq(dropped, 0);
	ck_assert_uint_eq(fragments_drop(&f), 0);
}
END_TEST

UNIT_MAIN("server fragments", { pieces_are_put_together_in_order_or_dropped, ROWS(rows) },
          { all_together_are_no_longer_than_a_datagram, 0 },
          { a_sequence_has_127_pieces_at_most, 0 })
