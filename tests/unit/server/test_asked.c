#include "unit.h"

#include <asked.h>

static union address address(const char *text)
{
	struct endpoint ep = unit_endpoint(text);
	union address a;

	address_from_endpoint(&a, &ep);
	return a;
}

START_TEST(address_and_port_are_what_counts)
{
	static const char *const others[] = { "192.0.2.1:10", "192.0.2.2:9", "[2001:db8::1]:9",
		                              "[2001:db8::2]:53" };
	union address four = address("192.0.2.1:9"), six = address("[2001:db8::1]:53"), other;
	struct asked *table = NULL;

	ck_assert(!asked_holds(table, &four));
	asked_add(&table, &four);
	asked_add(&table, &six);
	asked_add(&table, &four);
	ck_assert(asked_holds(table, &four));
	ck_assert(asked_holds(table, &six));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		other = address(others[i]);
		ck_assert(!asked_holds(table, &other));
	}
	asked_free(&table);
	ck_assert_ptr_null(table);
}
END_TEST

START_TEST(who_was_not_asked_for_longest_makes_room)
{
	union address a = address("192.0.2.1:1");
	struct asked *table = NULL;

	for (uint16_t port = 1; port <= ASKED_MAX; port++) {
		a.in.sin_port = htons(port);
		asked_add(&table, &a);
	}
	/* The first is asked again, so that the second is the oldest. */
	a.in.sin_port = htons(1);
	asked_add(&table, &a);
	a.in.sin_port = htons(ASKED_MAX + 1);
	asked_add(&table, &a);
	ck_assert(asked_holds(table, &a));
	a.in.sin_port = htons(1);
	ck_assert(asked_holds(table, &a));
	a.in.sin_port = htons(2);
	ck_assert(!asked_holds(table, &a));
	a.in.sin_port = htons(3);
	ck_assert(asked_holds(table, &a));
	asked_free(&table);
}
END_TEST

UNIT_MAIN("server asked", { address_and_port_are_what_counts, 0 },
          { who_was_not_asked_for_longest_makes_room, 0 })
