#include "unit.h"

#include <ports.h>

static const struct {
	struct value_ports range;
	unsigned n; /* ports that are told */
} rows[] = {
	{ { 0, 0 }, 1 },         { { 1, 1 }, 1 },         { { 65535, 65535 }, 1 },
	{ { 40000, 40006 }, 7 }, { { 65530, 65535 }, 6 }, { { 1, 65535 }, PORTS_TRIES_MAX },
};

START_TEST(each_port_of_the_range_is_told_once)
{
	static bool told[65536];
	struct ports p;
	uint16_t port;
	unsigned n = 0;

	memset(told, 0, sizeof(told));
	ports_init(&p, &rows[_i].range);
	while (ports_next(&p, &port)) {
		ck_assert_uint_ge(port, rows[_i].range.low);
		ck_assert_uint_le(port, rows[_i].range.high);
		ck_assert(!told[port]);
		told[port] = true;
		n++;
	}
	ck_assert_uint_eq(n, rows[_i].n);
	ck_assert(!ports_next(&p, &port));
}
END_TEST

UNIT_MAIN("server ports", { each_port_of_the_range_is_told_once, ROWS(rows) })
