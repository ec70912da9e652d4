#include <names/pool.h>
#include <unit.h>

static const struct {
	uint32_t slot;
	const char *ipv4;
	const char *ipv6_end;
} slots[] = {
	{ 1, "198.18.0.1:0", "::1]:0" },
	{ 255, "198.18.0.255:0", "::ff]:0" },
	{ 65536, "198.19.0.0:0", "::1:0]:0" },
	{ POOL_SLOTS - 1, "198.19.255.255:0", "::1:ffff]:0" },
};

START_TEST(slot_is_the_low_bits_of_its_address)
{
	struct endpoint ep;
	const char *text;

	pool_ipv4(slots[_i].slot, &ep);
	ck_assert_str_eq(ENDPOINT_TEXT(&ep), slots[_i].ipv4);
	pool_ipv6(slots[_i].slot, &ep);
	text = ENDPOINT_TEXT(&ep);
	ck_assert_int_eq(strncmp(text, "[fd", 3), 0); /* RFC 4193 section 3.1 */
	ck_assert_str_eq(text + strlen(text) - strlen(slots[_i].ipv6_end), slots[_i].ipv6_end);
}
END_TEST

START_TEST(every_slot_comes_back_from_its_addresses)
{
	struct endpoint ep, mapped;
	uint32_t right = 0;

	for (uint32_t slot = 1; slot < POOL_SLOTS; slot++) {
		uint8_t ip[16] = { [10] = 0xff, [11] = 0xff };
		bool all;

		pool_ipv4(slot, &ep);
		all = pool_slot(&ep) == slot;
		ep.port = 443;
		all &= pool_slot(&ep) == slot;
		memcpy(ip + 12, ep.ip, 4);
		endpoint_set_ipv6(&mapped, ip, 1);
		all &= pool_slot(&mapped) == slot && pool_contains(&mapped);
		pool_ipv6(slot, &ep);
		all &= pool_slot(&ep) == slot && pool_contains(&ep);
		right += all;
	}
	ck_assert_uint_eq(right, POOL_SLOTS - 1);
}
END_TEST

static const struct {
	const char *text;
	bool contains;
} others[] = {
	{ "198.17.255.255:1", false },
	{ "198.20.0.0:1", false },
	{ "0.0.0.1:1", false },
	{ "127.0.0.1:1", false },
	{ "[::1]:1", false },
	{ "[fd00::1]:1", false },
	{ "[::198.18.0.1]:1", false },
	{ "example.org:1", false },
	{ "", false },
	{ "198.18.0.0:1", true },
	{ "[::ffff:198.18.0.0]:1", true },
};

START_TEST(address_without_a_slot_has_none)
{
	struct endpoint ep = unit_endpoint(others[_i].text);

	ck_assert_int_eq(pool_contains(&ep), others[_i].contains);
	ck_assert_uint_eq(pool_slot(&ep), 0);
}
END_TEST

START_TEST(ipv6_beyond_the_slots_is_in_the_range_without_one)
{
	struct endpoint ep;

	pool_ipv6(POOL_SLOTS, &ep);
	ck_assert(pool_contains(&ep));
	ck_assert_uint_eq(pool_slot(&ep), 0);
	pool_ipv6(1, &ep);
	ep.ip[8] = 1;
	ck_assert(pool_contains(&ep));
	ck_assert_uint_eq(pool_slot(&ep), 0);
	ep.ip[7] = 1;
	ck_assert(!pool_contains(&ep));
}
END_TEST

UNIT_MAIN("names/pool", { slot_is_the_low_bits_of_its_address, ROWS(slots) },
          { every_slot_comes_back_from_its_addresses, 0 },
          { address_without_a_slot_has_none, ROWS(others) },
          { ipv6_beyond_the_slots_is_in_the_range_without_one, 0 })
