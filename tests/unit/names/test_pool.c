#include <config/keys.h>
#include <names/pool.h>
#include <unit.h>

#define SLOTS (1u << 17) /* of the default ranges */

static const struct {
	uint32_t slot;
	const char *ipv4;
	const char *ipv6_end;
} slots[] = {
	{ 1, "198.18.0.1:0", "::1]:0" },
	{ 255, "198.18.0.255:0", "::ff]:0" },
	{ 65536, "198.19.0.0:0", "::1:0]:0" },
	{ SLOTS - 1, "198.19.255.255:0", "::1:ffff]:0" },
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

	for (uint32_t slot = 1; slot < SLOTS; slot++) {
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
	ck_assert_uint_eq(right, SLOTS - 1);
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

	pool_ipv6(SLOTS - 1, &ep);
	ep.ip[13]++;
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

/* "ADDR/BITS" */
static struct prefix prefix_of(const char *text)
{
	struct prefix p = { .kind = ENDPOINT_NONE };

	ck_assert_int_eq(prefix_parse(&p, text, strlen(text)), 0);
	return p;
}

static void set_default(void)
{
	const char *both = key_rows[KEY_POOL].fallback, *comma = strchr(both, ',');
	struct prefix v4, v6 = prefix_of(comma + 1);

	ck_assert_int_eq(prefix_parse(&v4, both, (size_t)(comma - both)), 0);
	pool_init(&v4, &v6);
}

START_TEST(what_holds_before_pool_init_is_what_the_keys_say)
{
	uint8_t before[POOL_ID_LEN], after[POOL_ID_LEN];

	ck_assert_uint_eq(pool_slots(), SLOTS);
	pool_id(before);
	set_default();
	pool_id(after);
	ck_assert_mem_eq(before, after, POOL_ID_LEN);
	ck_assert_uint_eq(pool_slots(), SLOTS);
}
END_TEST

static const struct {
	const char *ipv4, *ipv6;
	uint32_t slots;
	const char *last4, *last6; /* of the highest slot */
} ranges[] = {
	{ "10.0.0.0/8", "fd00::/8", POOL_SLOTS_MAX, "10.15.255.255:0", "[fd00::f:ffff]:0" },
	{ "172.16.0.0/12", "fd00:1::/64", POOL_SLOTS_MAX, "172.31.255.255:0",
	  "[fd00:1::f:ffff]:0" },
	{ "192.0.2.0/24", "fd00:1::/64", 256, "192.0.2.255:0", "[fd00:1::ff]:0" },
	{ "240.0.0.0/4", "2001:db8::ab00/120", 256, "240.0.0.255:0", "[2001:db8::abff]:0" },
	{ "192.0.2.128/25", "2001:db8::/96", 128, "192.0.2.255:0", "[2001:db8::7f]:0" },
	{ "192.0.2.4/30", "fd00::8/125", 4, "192.0.2.7:0", "[fd00::b]:0" },
	{ "192.0.2.4/32", "fd00::/64", 1, "192.0.2.4:0", "[fd00::]:0" },
	{ "0.0.0.0/0", "::/0", POOL_SLOTS_MAX, "0.15.255.255:0", "[::0.15.255.255]:0" },
};

START_TEST(other_ranges_are_as_good)
{
	struct prefix v4 = prefix_of(ranges[_i].ipv4), v6 = prefix_of(ranges[_i].ipv6);
	uint32_t n = ranges[_i].slots, right = 0;
	struct endpoint ep;

	pool_init(&v4, &v6);
	ck_assert_uint_eq(pool_slots(), n);
	for (uint32_t slot = 1; slot < n; slot++) {
		pool_ipv4(slot, &ep);
		right += pool_contains(&ep) && pool_slot(&ep) == slot;
		pool_ipv6(slot, &ep);
		right += pool_contains(&ep) && pool_slot(&ep) == slot;
	}
	ck_assert_uint_eq(right, 2 * (n - 1));
	pool_ipv4(n - 1, &ep);
	ck_assert_str_eq(ENDPOINT_TEXT(&ep), ranges[_i].last4);
	pool_ipv6(n - 1, &ep);
	ck_assert_str_eq(ENDPOINT_TEXT(&ep), ranges[_i].last6);
	/* The default ranges are nothing special any more. */
	ep = unit_endpoint("198.18.0.1:1");
	ck_assert_int_eq(pool_contains(&ep), v4.bits == 0);
	set_default();
}
END_TEST

START_TEST(range_beyond_the_slots_has_none)
{
	struct prefix v4 = prefix_of("10.0.0.0/8"), v6 = prefix_of("fd00::/112");
	struct endpoint ep;

	pool_init(&v4, &v6);
	ck_assert_uint_eq(pool_slots(), 65536);
	ep = unit_endpoint("10.1.0.0:1");
	ck_assert(pool_contains(&ep));
	ck_assert_uint_eq(pool_slot(&ep), 0);
	set_default();
}
END_TEST

START_TEST(this_machine_is_no_placeholder)
{
	struct prefix v4 = prefix_of("0.0.0.0/8"), v6 = prefix_of("fd00::/112");
	struct endpoint ep = unit_endpoint("0.0.0.0:1");

	pool_init(&v4, &v6);
	ck_assert(!pool_contains(&ep));
	ep = unit_endpoint("[::ffff:0.0.0.0]:1");
	ck_assert(!pool_contains(&ep));
	ep = unit_endpoint("0.0.0.1:1");
	ck_assert(pool_contains(&ep));
	set_default();
}
END_TEST

START_TEST(range_of_the_wrong_kind_leaves_the_family_as_it_is)
{
	struct prefix v4 = prefix_of("10.0.0.0/9"), none = { .kind = ENDPOINT_NONE };
	uint8_t before[POOL_ID_LEN], after[POOL_ID_LEN];

	pool_id(before);
	pool_init(&none, &v4);
	pool_id(after);
	ck_assert_mem_eq(before, after, POOL_ID_LEN);
	ck_assert_uint_eq(pool_slots(), SLOTS);
}
END_TEST

UNIT_MAIN("names/pool", { what_holds_before_pool_init_is_what_the_keys_say, 0 },
          { slot_is_the_low_bits_of_its_address, ROWS(slots) },
          { every_slot_comes_back_from_its_addresses, 0 },
          { address_without_a_slot_has_none, ROWS(others) },
          { ipv6_beyond_the_slots_is_in_the_range_without_one, 0 },
          { other_ranges_are_as_good, ROWS(ranges) }, { range_beyond_the_slots_has_none, 0 },
          { this_machine_is_no_placeholder, 0 },
          { range_of_the_wrong_kind_leaves_the_family_as_it_is, 0 })
