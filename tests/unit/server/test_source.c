#include "unit.h"

#include <source.h>

static union address address(const char *text)
{
	struct endpoint ep = unit_endpoint(text);
	union address a;

	address_from_endpoint(&a, &ep);
	return a;
}

static const struct {
	const char *a, *b;
	bool same;
} rows[] = {
	{ "192.0.2.1:1", "192.0.2.1:2", true },
	{ "192.0.2.1:1", "192.0.2.2:1", false },
	{ "192.0.2.1:1", "[::ffff:192.0.2.1]:1", true },
	{ "[2001:db8::1]:1", "[2001:db8::ffff:2]:9", true },
	{ "[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false },
};

START_TEST(an_address_or_a_64_is_one_source)
{
	union address a = address(rows[_i].a), b = address(rows[_i].b);
	struct source *sources = NULL, *s = source_get(&sources, &a, 1), *t;

	ck_assert_ptr_nonnull(s);
	t = source_get(&sources, &b, 1);
	ck_assert_int_eq(t == NULL, rows[_i].same);
	if (t)
		source_put(&sources, t);
	source_put(&sources, s);
	ck_assert_ptr_null(sources);
}
END_TEST

START_TEST(who_leaves_makes_room)
{
	union address a = address("192.0.2.1:1");
	struct source *sources = NULL, *s = NULL;

	for (int i = 0; i < 3; i++) {
		s = source_get(&sources, &a, 3);
		ck_assert_ptr_nonnull(s);
	}
	ck_assert_ptr_null(source_get(&sources, &a, 3));
	source_put(&sources, s);
	ck_assert_ptr_eq(source_get(&sources, &a, 3), s);
	for (int i = 0; i < 3; i++)
		source_put(&sources, s);
	ck_assert_ptr_null(sources);
}
END_TEST

UNIT_MAIN("server source", { an_address_or_a_64_is_one_source, ROWS(rows) },
          { who_leaves_makes_room, 0 })
